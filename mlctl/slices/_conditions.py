"""What a slice may be: conditions on a feature's values, and the rows that each condition and each pair selects."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]

VALUES: Final = 12
"""Most values of a feature that make a condition each, together with another feature's."""
MOST_VALUES: Final = 100
"""Most values of a text that make a condition by themselves."""
_CUTS: Final = (0.05, 0.125, 0.25, 0.5, 0.75, 0.875, 0.95)
_EDGE_ROWS: Final = 50_000
_NAME: Final = re.compile(r"[a-z_][a-z0-9_]*")

Parts = tuple[str, ...]
"""One condition, or two on different features."""


class Choices(NamedTuple):
    """One feature: a bin for each row, and its conditions as sets of bins (0/1 array: conditions, bins).

    Only the first `paired` conditions are also tried together with those of another feature.
    """

    codes: Array
    conditions: list[str]
    members: Array
    paired: int


def choices_of(values: pl.Series, name: str, min_rows: int) -> Choices | None:
    """A feature's bins and conditions; None where it has none."""
    import polars as pl

    if values.dtype in (pl.Boolean, pl.String):
        return _by_value(values, spelled(name), min_rows)
    return _by_cut(values, spelled(name)) if values.dtype.is_numeric() else None


def _by_value(values: pl.Series, name: str, min_rows: int) -> Choices | None:
    import numpy as np

    counts = (
        values.alias("value").drop_nulls().value_counts(name="rows").sort(["rows", "value"], descending=[True, False])
    )
    common = [value for value, times in counts.head(MOST_VALUES).iter_rows() if times >= min_rows]
    codes = np.full(len(values), len(common) + 1)
    conditions = [f"{name} IS NULL"]
    for code, value in enumerate(common, start=1):
        codes[(values == value).fill_null(False).to_numpy()] = code
        spelled = f"{name} = {'TRUE' if value else 'FALSE'}" if isinstance(value, bool) else f"{name} = {_text(value)}"
        conditions.append(spelled)
    codes[values.is_null().to_numpy()] = 0
    return Choices(codes, conditions, np.eye(len(common) + 2)[:-1], min(len(conditions), VALUES + 1))


def _by_cut(values: pl.Series, name: str) -> Choices | None:
    import numpy as np
    import polars as pl

    numbers = values.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    there = np.sort(numbers[np.isfinite(numbers)][:: max(1, len(numbers) // _EDGE_ROWS)])
    if len(there) == 0 or np.isinf(numbers).any():
        return None
    # three digits are enough to read; a float32 column is compared as float32, so its cuts are such numbers
    values_there = np.unique(there)
    few = len(values_there) <= VALUES
    wanted = values_there if few else there[[int(share * (len(there) - 1)) for share in _CUTS]]
    cuts = {float(value if few else f"{value:.3g}") for value in wanted}
    if values.dtype == pl.Float32:
        cuts = {float(np.float32(cut)) for cut in cuts}
    edges = [cut for cut in sorted(cuts) if there[0] < cut <= there[-1]]
    last = len(edges)
    bins = np.arange(last + 2)
    codes = np.where(np.isnan(numbers), last + 1, np.searchsorted(edges, numbers, side="right"))
    conditions, members = [], []
    # NaN is larger than every number in SQL, so a range that is open above is closed by the largest value
    top = np.max(numbers, where=~np.isnan(numbers), initial=-np.inf)
    missing = number(float(top)) if values.dtype.is_float() and values.is_nan().any() else ""
    end = f" AND {name} <= {missing}" if missing else ""
    for place, edge in enumerate(edges):
        conditions += [f"{name} < {number(edge)}", f"{name} >= {number(edge)}{end}"]
        members += [bins <= place, (bins > place) & (bins <= last)]
    for place, (low, high) in enumerate(pairwise(edges)):
        conditions.append(f"{name} >= {number(low)} AND {name} < {number(high)}")
        members.append(bins == place + 1)
    conditions.append(f"{name} IS NULL OR NOT ({name} <= {missing})" if missing else f"{name} IS NULL")
    members.append(bins == last + 1)
    return Choices(codes, conditions, np.array(members, dtype=np.float64), len(conditions))


def tables_of(
    features: Sequence[Choices], moments: Sequence[Array | None]
) -> Iterator[tuple[tuple[Choices, ...], Array]]:
    """Each feature and each pair, and a float array (3, conditions): rows, sum and sum of squares of each condition."""
    import numpy as np

    for one in features:
        bins = one.members.shape[1]
        sums = [one.members @ np.bincount(one.codes, weights=weight, minlength=bins) for weight in moments]
        yield (one,), np.array(sums)
    for one, other in combinations(features, 2):
        shape = (one.members.shape[1], other.members.shape[1])
        cells = one.codes * shape[1] + other.codes
        tables = [
            np.bincount(cells, weights=weight, minlength=shape[0] * shape[1]).reshape(shape) for weight in moments
        ]
        rows, columns = one.members[: one.paired], other.members[: other.paired].T
        yield (one, other), np.array([rows @ table @ columns for table in tables]).reshape(3, -1)


def parts_at(table: tuple[Choices, ...], place: int) -> Parts:
    """The conditions at one place of a feature's or a pair's table."""
    if len(table) == 1:
        return (table[0].conditions[place],)
    one, other = divmod(place, table[1].paired)
    return table[0].conditions[one], table[1].conditions[other]


def as_sql(parts: Parts) -> str:
    """One condition or two as one SQL condition.

    >>> as_sql(("a IS NULL OR a < 1", "b = 'x'"))
    "(a IS NULL OR a < 1) AND b = 'x'"
    """
    return " AND ".join(f"({part})" if " OR " in part and len(parts) > 1 else part for part in parts)


def spelled(name: str) -> str:
    """A column's name in SQL, in quotes where SQL would not read it as a name."""
    import polars as pl

    if _NAME.fullmatch(name):
        try:
            if pl.sql_expr(f"{name} IS NULL OR {name} < 1").meta.root_names() == [name, name]:
                return name
        except pl.exceptions.PolarsError:
            pass
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _text(value: str) -> str:
    doubled = value.replace("'", "''")
    return f"'{doubled}'"


def number(value: float) -> str:
    """A number in SQL with as many digits as it has.

    >>> number(12300.0), number(0.1)
    ('12300', '0.1')
    """
    return repr(value).removesuffix(".0")
