"""What was predicted, as one table: the scores of every batch, and the answers that servers wrote down.

Scores of a batch are kept as `scored/RUN.parquet` when they are published, since the database keeps the last few
generations alone, and a label may be known only months later. Answers are lines of the prediction log.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from mlctl.files import write_with
from mlctl.plan import AS_OF
from mlctl.server import prediction_log
from mlctl.workspace import Places

if TYPE_CHECKING:
    import polars as pl

COLUMNS: Final = ("score", "decision", "reason", "variant", "release")


def keep(places: Places, run_id: str, scores: pl.DataFrame) -> None:
    """Keeps a batch's scores until their labels are known; the same run again writes the same file.

    Raises:
        ExternalError: The disk.
    """
    import polars as pl

    key = scores.columns[0]
    kept = scores.select(pl.col(key).cast(pl.String), AS_OF, *COLUMNS)
    path = places.scored / f"{run_id}.parquet"
    # in one piece, so that the file does not tell in which pieces they were made
    write_with(path, lambda temporary: kept.rechunk().write_parquet(temporary, compression="zstd"))


def read(places: Places, key: str, start: datetime | None = None, end: datetime | None = None) -> pl.DataFrame:
    """Every prediction about a moment of `[start, end)`.

    Grain: one row per prediction: the entity's key as text, as_of, score, decision, reason, variant, release; sorted by
    as_of, then key. Of an answer over HTTP `as_of` is when it was given; one without a key has none to be joined by and
    is left out. Time: `as_of`.

    Args:
        places: The project's paths.
        key: The entity's key.
        start: The first moment; None: from the beginning.
        end: Moments lie before it; None: to the end.
    """
    import polars as pl

    frames = [pl.read_parquet(path) for path in sorted(places.scored.glob("*.parquet"))]
    frames = [frame.rename({frame.columns[0]: key}) for frame in frames]
    frames.append(_answered(places, key))
    whole = pl.concat([frame.select(key, AS_OF, *COLUMNS) for frame in frames])
    if start is not None:
        whole = whole.filter(pl.col(AS_OF) >= start)
    if end is not None:
        whole = whole.filter(pl.col(AS_OF) < end)
    return whole.sort(AS_OF, key, "release", "variant", maintain_order=True)


def _answered(places: Places, key: str) -> pl.DataFrame:
    """The answers that servers wrote down, of entities that were named."""
    import polars as pl

    lines = [
        (str(line[key]), line["time"], *(line.get(name) for name in COLUMNS))
        for line in prediction_log.read(places.predictions)
        if line.get(key) is not None
    ]
    texts = [pl.String, pl.String, pl.Float64, pl.String, pl.String, pl.String, pl.String]
    schema = dict(zip((key, "time", *COLUMNS), texts, strict=True))
    told = pl.DataFrame(lines, schema=schema, orient="row")
    when = pl.col("time").str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", time_unit="us", time_zone="UTC")
    return told.with_columns(when.alias(AS_OF)).drop("time")
