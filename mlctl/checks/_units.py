"""Stretches of a column in another unit: a period of a group whose median is a power of ten off the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from mlctl.times import moment_text

if TYPE_CHECKING:
    import polars as pl

_FEWEST: Final = 8
"""Values of a period below which its median tells nothing."""
_SPREADS: Final = 8.0
_FACTORS: Final = (10.0, 100.0, 1000.0, 1_000_000.0)
_NEAR: Final = 1.8
"""A ratio between 100 / 1.8 and 100 * 1.8 is a hundred."""


@dataclass(frozen=True)
class Stretch:
    """One period of one group in another unit.

    Attributes:
        group: What the group is, for people.
        first: The first moment.
        rows: Positions of its rows with a value.
        usual: The median of the group's other periods.
        median: The median of this period.
        factor: The nearest power of ten.
    """

    group: str
    first: datetime
    rows: tuple[int, ...]
    usual: float
    median: float
    factor: float

    def told(self) -> str:
        """The stretch in words."""
        times = f"x{self.factor:g}" if self.factor >= 1 else f"x1/{1 / self.factor:g}"
        of = f" of {self.group}" if self.group else ""
        ratio = self.median / self.usual
        return f"{times}{of} from {moment_text(self.first)} on (median {self.median:.6g}, ratio {ratio:.3g})"


def stretches(table: pl.DataFrame, column: str, time: str, by: Sequence[str], every: str) -> list[Stretch]:
    """Every period of every group whose median is a power of ten off the median of its group.

    The distance is measured in spreads of the medians of the group's other periods, and must be more than what chance
    makes of a median of so few values.
    """
    import polars as pl

    step = {"day": "1d", "week": "1w", "month": "1mo"}[every]
    value = pl.col(column).cast(pl.Float64)
    rows = (
        table.lazy()
        .select(pl.int_range(pl.len()).alias("row"), pl.col(time).alias("moment"), value.alias("value"), *by)
        .filter(pl.col("value").is_finite() & (pl.col("value") != 0) & pl.col("moment").is_not_null())
        .with_columns(pl.col("value").abs().log().alias("level"), pl.col("moment").dt.truncate(step).alias("period"))
    )
    keys = [f"by_{index}" for index in range(len(by))]
    rows = rows.rename(dict(zip(by, keys, strict=True))) if by else rows
    periods = rows.group_by(*keys, "period").agg(pl.col("level").median(), pl.len().alias("n"), pl.col("moment").min())
    of_group = rows.group_by(keys) if keys else rows.group_by(pl.lit(1).alias("all"))
    whole = of_group.agg(
        pl.col("level").median().alias("usual"),
        (1.4826 * (pl.col("level") - pl.col("level").median()).abs().median()).alias("spread"),
        pl.len().alias("all_n"),
    )
    joined = periods.join(whole, on=keys, nulls_equal=True) if keys else periods.join(whole, how="cross")
    off = (pl.col("level") - pl.col("usual")).abs()
    # the standard error of a median is 1.25 spreads by the root of the count
    chance = 1.2533 * pl.max_horizontal("spread", pl.lit(0.05)) / pl.col("n").sqrt()
    near = pl.any_horizontal([(off - pl.lit(factor).log()).abs() < pl.lit(_NEAR).log() for factor in _FACTORS])
    odd = joined.filter((pl.col("n") >= _FEWEST) & (pl.col("n") * 2 < pl.col("all_n")) & near)
    odd = odd.filter(off > _SPREADS * chance).sort("period", *keys)
    return _with_rows(rows.collect(), odd.collect(), keys, by)


def _with_rows(rows: pl.DataFrame, odd: pl.DataFrame, keys: Sequence[str], by: Sequence[str]) -> list[Stretch]:
    import math

    import polars as pl

    found = []
    for period in odd.iter_rows(named=True):
        same = [pl.col(key).eq_missing(pl.lit(period[key])) for key in keys]
        own = rows.filter(pl.col("period") == period["period"], *same)
        median, usual = math.exp(period["level"]), math.exp(period["usual"])
        ratio = median / usual
        factor = min(_FACTORS, key=lambda one: abs(math.log(max(ratio, 1 / ratio) / one)))
        group = ", ".join(f"{name} {period[key]}" for name, key in zip(by, keys, strict=True))
        chosen = tuple(own["row"].to_list())
        found.append(Stretch(group, period["moment"], chosen, usual, median, factor if ratio > 1 else 1 / factor))
    return found
