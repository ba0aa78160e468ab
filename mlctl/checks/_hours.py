"""Hours of the day as the fingerprint of a clock: a histogram of 24, compared under every shift."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

_FEWEST: Final = 200
"""Rows below which 24 hours tell nothing."""
_FAR: Final = 8.0
"""Spreads by which the shifted histogram must fit better than the unshifted one."""


def shifted(moments: pl.Series, groups: pl.Series) -> list[tuple[Any, int, tuple[int, ...]]]:
    """Groups whose hours of the day are those of all others, shifted: group, hours, positions of its rows."""
    import polars as pl

    rows = pl.DataFrame({"hour": moments.dt.hour(), "group": groups}).with_row_index("row").drop_nulls()
    found = []
    for group in sorted(rows["group"].unique().to_list(), key=str):
        own, rest = rows.filter(pl.col("group") == group), rows.filter(pl.col("group") != group)
        if min(own.height, rest.height) < _FEWEST or own.height > rest.height:
            continue
        hours = _shift(_histogram(own["hour"]), _histogram(rest["hour"]))
        if hours:
            found.append((group, hours, tuple(own["row"].to_list())))
    return found


def local_as_utc(moments: pl.Series, zone: str) -> bool:
    """Whether the hours of the day stay where they are in UTC when the zone's clocks change, and move in the zone."""
    import polars as pl

    known = moments.drop_nulls()
    local = known.dt.convert_time_zone(zone)
    frame = (
        local.alias("local")
        .to_frame()
        .select(pl.col("local").dt.hour(), summer=pl.col("local").dt.dst_offset() > pl.duration(seconds=0))
    )
    parts = frame.filter("summer"), frame.filter(~pl.col("summer"))
    if min(part.height for part in parts) < _FEWEST:
        return False
    # a true column of UTC moments moves by the hour that the clocks moved; one that was local all along does not
    return _shift(_histogram(parts[0]["local"]), _histogram(parts[1]["local"])) == 1


def offsets(texts: pl.Series) -> tuple[list[str], str, tuple[int, ...]]:
    """The UTC offsets that a column of texts names, the most frequent one, and the rows with another one."""
    import polars as pl

    found = texts.str.extract(r"([+-]\d{2}:?\d{2}|Z)$").alias("offset").to_frame().with_row_index("row").drop_nulls()
    if found.height == 0:
        return [], "", ()
    counts = found["offset"].value_counts().sort(["count", "offset"], descending=[True, False])
    usual = counts["offset"][0]
    other = found.filter(pl.col("offset") != usual)
    return counts["offset"].to_list(), usual, tuple(other["row"].to_list())


def _histogram(hours: pl.Series) -> np.ndarray[Any, Any]:
    import numpy as np

    return np.bincount(hours.to_numpy(), minlength=24).astype(np.float64)


def _shift(own: np.ndarray[Any, Any], rest: np.ndarray[Any, Any]) -> int:
    """Hours by which `own` is shifted against `rest`, from -11 to 12; 0 where nothing speaks for a shift."""
    import numpy as np

    misfits = [_misfit(np.roll(own, -shift), rest) for shift in range(24)]
    best = int(np.argmin(misfits))
    # 24 hours have 23 degrees of freedom; a true shift fits as well as chance allows and no shift does not at all
    good = misfits[best] < 23 + _FAR * np.sqrt(46) and misfits[0] > 4 * misfits[best] + _FAR * np.sqrt(46)
    return (best if best <= 12 else best - 24) if good else 0


def _misfit(own: np.ndarray[Any, Any], rest: np.ndarray[Any, Any]) -> float:
    """Chi-square of two histograms being drawn from one."""
    import numpy as np

    both = own + rest
    there = both > 0
    a, b = np.sqrt(rest.sum() / own.sum()), np.sqrt(own.sum() / rest.sum())
    return float((((a * own - b * rest) ** 2)[there] / both[there]).sum())
