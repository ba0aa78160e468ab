"""Whose features can differ between two moments or snapshots; everybody else's are the same to the bit.

A feature of an entity hangs on its own events and on `as_of`, and on nothing else. So an entity's features can differ
only where its events do (a digest of them tells), where an event begins to be seen or leaves a window between the two
moments, or where a kind reads `as_of` itself (`days_since`): such columns are computed again for everybody.

States of a window that moves on cannot be taken away again from a maximum or a number of different values; that is why
an entity that moved is computed from its own events, by the plan, and not from its old value.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from mlctl import kinds
from mlctl.plan import Plan
from mlctl.times import duration

if TYPE_CHECKING:
    import polars as pl

_MICROSECOND: Final = timedelta(microseconds=1)
_HALF: Final = 32


def digests(plan: Plan, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """What each entity's events are, in two numbers.

    Grain: one entity, sorted by key: the key as text, `low` and `high`. They hang on no order of rows; another version
    of polars may give others, which only means that everybody is computed again.
    """
    import polars as pl

    key = plan.entity.key
    # sums of halves do not overflow below four thousand million rows of one entity
    low, high = (pl.col("hash") & (2**_HALF - 1)).alias("low"), (pl.col("hash") // 2**_HALF).alias("high")
    parts = []
    for place, (source, columns) in enumerate(sorted(plan.sources().items())):
        table = tables[source].select(columns)
        hashed = table.hash_rows(seed=place + 1).alias("hash")
        of_rows = pl.DataFrame([table[plan.places[source].key].cast(pl.String).alias(key), hashed]).drop_nulls()
        parts.append(of_rows.group_by(key).agg(low.sum(), high.sum()))
    return pl.concat(parts).group_by(key).agg(pl.col("low", "high").sum()).sort(key)


def crossed(plan: Plan, tables: Mapping[str, pl.DataFrame], one: datetime, other: datetime) -> pl.Series:
    """The keys, as text, of entities with an event that one of two moments sees in a window and the other does not."""
    import polars as pl

    early, late = min(one, other), max(one, other)
    found = [pl.Series([], dtype=pl.String)]
    for source, lengths in _windows(plan).items():
        place = plan.places[source]
        if place.time is None or one == other:
            continue
        moment = pl.Datetime("us", "UTC")
        time = pl.col(place.time).cast(moment)
        start = time if place.known is None else pl.max_horizontal(time, pl.col(place.known).cast(moment))
        # both ends count: who is asked too often is computed again, to the same bits
        passed = start.is_between(early, late)
        for length in lengths:
            passed |= (time + length).is_between(early, late)
        found.append(tables[source].filter(passed)[place.key].cast(pl.String))
    return pl.concat(found).drop_nulls().unique()


def moving(plan: Plan) -> list[str]:
    """The columns whose values move with `as_of` although no event enters or leaves, in the plan's order."""
    found: set[str] = set()
    by_feature = {name: [column for column in plan.columns if column.feature == name] for name in plan.options}
    for name, options in plan.options.items():  # expressions stand behind what they read
        for column in by_feature[name]:
            if options.form == "expression":
                moves = bool(found.intersection(plan.reads(column)))
            else:
                kind = kinds.load("features", options.kind)
                moves = options.form == "aggregate" and getattr(kind, "READS_AS_OF", True)
            if moves:
                found.add(column.name)
    return [name for name in plan.names if name in found]


def _windows(plan: Plan) -> dict[str, set[timedelta]]:
    """By source the lengths after which an event leaves a window, or its newer half."""
    found: dict[str, set[timedelta]] = {}
    for column in plan.columns:
        options = plan.options[column.feature]
        if options.form == "expression":
            continue
        lengths = found.setdefault(options.source, set())
        if options.form == "aggregate" and column.part != "all":
            whole = duration(column.part)
            lengths |= {whole, (whole // _MICROSECOND // 2) * _MICROSECOND}
    return found
