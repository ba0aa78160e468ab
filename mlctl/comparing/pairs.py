"""Rows that champion and challenger both answered, as one table: of batches and of servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mlctl.decide import FAILED as FAILURES
from mlctl.plan import AS_OF
from mlctl.rollout import Traffic
from mlctl.rollout.flag_file import CHALLENGER, CHAMPION
from mlctl.server import prediction_log
from mlctl.workspace import Places

if TYPE_CHECKING:
    import polars as pl

MODE: Final = "mode"
COHORTS: Final = "cohorts"
FAILED: Final = "failed"
SECONDS: Final = "seconds"
ITEMS: Final = "items"
SHOWN: Final = "shown"
_VARIANTS: Final = (CHAMPION, CHALLENGER)


def read_pairs(places: Places, key: str, traffic: Traffic) -> pl.DataFrame:
    """The first row of every entity that these two releases both answered.

    Grain: one row an entity: its key as text, as_of, mode, cohorts (null where nobody knows), and of champion and
    challenger, such as `champion_score`: score, decision, failed, seconds (0 where nobody measured), and of lists the
    items (null where there is no list), with whose list was `shown`. Time: `as_of`; of
    an answer over HTTP when it was given. Rows without a key have no outcome to be joined, and are left out.
    """
    import polars as pl

    schema = _schema(key)
    frames = [_batch(pl.read_parquet(path), key, traffic) for path in sorted(places.trial.glob("*.parquet"))]
    lines = [line for line in prediction_log.read(places.trial) if _of(line, traffic) and line.get(key) is not None]
    frames.append(pl.DataFrame([_row(line, key) for line in lines], schema=schema))
    whole = pl.concat([frame.select(list(schema)) for frame in frames])
    return whole.sort(AS_OF, key, maintain_order=True).unique(key, keep="first", maintain_order=True)


def _schema(key: str) -> dict[str, Any]:
    import polars as pl

    schema = {key: pl.String, AS_OF: pl.Datetime("us", "UTC"), MODE: pl.String, SHOWN: pl.String}
    schema[COHORTS] = pl.List(pl.String)
    for variant in _VARIANTS:
        schema |= {
            f"{variant}_score": pl.Float64,
            f"{variant}_decision": pl.String,
            f"{variant}_{FAILED}": pl.Boolean,
            f"{variant}_{SECONDS}": pl.Float64,
            f"{variant}_{ITEMS}": pl.List(pl.String),
        }
    return schema


def _batch(kept: pl.DataFrame, key: str, traffic: Traffic) -> pl.DataFrame:
    import polars as pl

    ours = kept.filter(pl.col(CHAMPION) == traffic.champion, pl.col(CHALLENGER) == traffic.challenger)
    failed = [
        pl.col(f"{variant}_score").is_finite().not_().fill_null(True) | pl.col(f"{variant}_reason").is_in(FAILURES)
        for variant in _VARIANTS
    ]
    return ours.with_columns(
        pl.col(ours.columns[0]).cast(pl.String).alias(key),
        *(one.alias(f"{variant}_{FAILED}") for variant, one in zip(_VARIANTS, failed, strict=True)),
        *(pl.lit(0.0).alias(f"{variant}_{SECONDS}") for variant in _VARIANTS),
        pl.lit(None, pl.String).alias(SHOWN),
        *(pl.lit(None, pl.List(pl.String)).alias(f"{variant}_{ITEMS}") for variant in _VARIANTS),
    )


def _of(line: dict[str, Any], traffic: Traffic) -> bool:
    releases = (line[CHAMPION]["release"], line[CHALLENGER]["release"])
    return releases == (traffic.champion, traffic.challenger)


def _row(line: dict[str, Any], key: str) -> dict[str, Any]:
    from datetime import datetime

    row: dict[str, Any] = {key: str(line[key]), AS_OF: datetime.fromisoformat(line["time"]), MODE: line["mode"]}
    row |= {COHORTS: line.get(COHORTS), SHOWN: line.get(SHOWN)}
    for variant in _VARIANTS:
        said = line[variant]
        row |= {f"{variant}_score": said["score"], f"{variant}_decision": said["decision"]}
        row[f"{variant}_{ITEMS}"] = said.get(ITEMS)
        row |= {f"{variant}_{FAILED}": said["reason"] in FAILURES, f"{variant}_{SECONDS}": line["seconds"][variant]}
    return row
