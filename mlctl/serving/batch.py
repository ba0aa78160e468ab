"""Everybody is scored at the snapshot's moment; the scores go into the database: written, audited, then published.

Use it where a nightly list is enough. Not where a decision is needed while somebody waits: that is serving over HTTP.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.decide import COLD_MODEL, COLD_PREVIOUS, COLD_START, FAILED
from mlctl.encoding import encode
from mlctl.errors import DataError
from mlctl.findings import Finding
from mlctl.graphs.runtime import BATCH_ROWS
from mlctl.kinds import Record
from mlctl.plan import AS_OF, compile_plan
from mlctl.plan.compute import compute, population
from mlctl.release import Release
from mlctl.release.contributions import NAME, contributions
from mlctl.serving import ServingOptions

if TYPE_CHECKING:
    import polars as pl


_NOT_BY_MODEL: Final = (COLD_START, COLD_MODEL, COLD_PREVIOUS, *FAILED)
"""Reasons of rows whose score is not the model's."""
_NEAR: Final = 1e-3
"""Scores nearer than this share are as good as one: a broken model rounds differently from row to row."""


class Audit(Record):
    """What scores must hold before anybody sees them."""

    min_rows: int = Field(default=1, ge=1, description="fewest rows")
    min_share_of_last: float = Field(
        default=0.7, ge=0, le=1, description="fewest rows as a share of the live generation's"
    )
    max_mean_shift: float = Field(
        default=0.25,
        gt=0,
        le=1,
        description="how far the mean score may lie from the mean in the evaluation; of a number, in its deviations",
    )
    max_failed_share: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="largest share of rows that the model failed at and the release before decided "
        "(`decide.fallback_by: previous`); without it no row may be without a score",
    )
    max_one_score_share: float = Field(
        default=0.9, gt=0, le=1, description="largest share of rows that may have one score, or nearly that score"
    )


class Options(ServingOptions):
    """Options of batch scoring."""

    kind: Literal["batch"] = Field(default="batch", description="batch")
    audit: Audit = Field(default_factory=Audit, description="what scores must hold before they are published")
    reasons: int = Field(
        default=0, ge=0, le=20, description="features told with each score, those that moved it most; 0: none"
    )


EXAMPLE = {"kind": "batch", "audit": {"min_rows": 1000}, "reasons": 3}


def score_everybody(
    release: Release,
    tables: Mapping[str, pl.DataFrame],
    as_of: datetime,
    now: datetime,
    *,
    hear: Callable[[pl.DataFrame], None] = lambda features: None,
) -> pl.DataFrame:
    """The scores table.

    Grain: one row per entity known before `as_of`, sorted by key. Columns: the entity's key, score, decision, reason,
    confidence, release, variant, as_of, scored_at; and contributions, when the release's `serving.reasons` asks for
    them (`mlctl/release/contributions.py`), of the rows that the model scored. `hear` is told the features, in the same
    order.

    Raises:
        DataError: A table lacks a column, or nobody is known.
        IntegrityError: Contributions are asked for and the release's trees cannot tell them.
    """
    from concurrent.futures import ThreadPoolExecutor

    import polars as pl

    features = features_of_everybody(release, tables, as_of)
    hear(features)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        decided = pl.concat(pool.map(lambda make: make(), makers(release, features)), rechunk=True)
    return labelled(release, decided, as_of, now)


def features_of_everybody(release: Release, tables: Mapping[str, pl.DataFrame], as_of: datetime) -> pl.DataFrame:
    """What the release's features say of everybody.

    Grain: one row per entity known before `as_of`, sorted by key: the key, as_of, the features.

    Raises:
        DataError: A table lacks a column, or nobody is known.
    """
    plan = compile_plan(release.project, {name: table.columns for name, table in tables.items()})
    spine = population(plan, tables, as_of)
    must_know_somebody(spine, as_of)
    return compute(plan, tables, spine)


def must_know_somebody(spine: pl.DataFrame, as_of: datetime) -> None:
    """There must be somebody to score.

    Raises:
        DataError: Nobody is known before the moment.
    """
    if spine.height == 0:
        why = f"no entity is known before {as_of:%Y-%m-%d}"
        raise DataError.no_rows("the population", why, "look at entity: and at the as_of of the snapshot")


def labelled(release: Release, decided: pl.DataFrame, as_of: datetime, now: datetime) -> pl.DataFrame:
    """What was decided, with whose it is and of when: the scores table."""
    import polars as pl

    return decided.with_columns(
        pl.lit(release.id).alias("release"),
        pl.lit("champion").alias("variant"),
        pl.lit(as_of).cast(pl.Datetime("us", "UTC")).alias(AS_OF),
        pl.lit(now).cast(pl.Datetime("us", "UTC")).alias("scored_at"),
    )


def makers(release: Release, features: pl.DataFrame) -> list[Callable[[], pl.DataFrame]]:
    """What makes the key of each row of features, and what is decided about it, piece by piece.

    They may be called on several threads; the pieces change no bit. Raises what `decide` raises.
    """
    # loaded before the threads ask for it
    _ = release.graph
    return [
        partial(_piece, release, features.slice(start, BATCH_ROWS)) for start in range(0, features.height, BATCH_ROWS)
    ]


def _piece(release: Release, rows: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    return pl.concat([rows.select(release.project.entity.key), decide(release, rows)], how="horizontal")


def decide(release: Release, rows: pl.DataFrame) -> pl.DataFrame:
    """What is decided about each row of features, and why where the release's `serving.reasons` asks for that.

    Raises:
        DataError: A feature is missing or has another type than in training.
        IntegrityError: Contributions are asked for and the release's trees cannot tell them.
    """
    import numpy as np
    import polars as pl

    matrix = encode(release.encoding, rows, by_column=True)
    decided = release.decider()(rows, release.graph(matrix).astype("float64"))
    reasons: int = release.project.serving.reasons
    if not reasons:
        return decided
    why = contributions(release, np.ascontiguousarray(matrix), reasons)
    # who is too new, or whom the model failed at, has the prior, which no feature moved, or another model's score
    return decided.with_columns(pl.when(~pl.col("reason").is_in(_NOT_BY_MODEL)).then(why).alias(NAME))


def audit(options: Options, scores: pl.DataFrame, expected: Mapping[str, Any], live_rows: int | None) -> list[Finding]:
    """What speaks against publishing these scores.

    Args:
        options: The limits.
        scores: The scores table.
        expected: `mean_score` of the evaluation, and for a number `deviation_of_score`, the unit of its shift.
        live_rows: Rows of the generation that readers see now; None when there is none.
    """
    audit, rows = options.audit, scores.height
    by_model = scores["score"].filter(~scores["reason"].is_in(_NOT_BY_MODEL))
    findings = []

    def limit(rule: str, passed: bool, value: str, allowed: str) -> None:
        if not passed:
            findings.append(Finding("fail", f"scores.{rule}", "the scores table", value, allowed))

    limit("rows", rows >= audit.min_rows, f"{rows} rows", f"at least {audit.min_rows}")
    if live_rows:
        floor = audit.min_share_of_last * live_rows
        limit(
            "rows_of_last", rows >= floor, f"{rows} rows", f"at least {floor:.0f} (the live generation has {live_rows})"
        )
    number = "deviation_of_score" in expected
    in_range = scores["score"].is_finite() if number else scores["score"].is_between(0, 1)
    bad = rows - int(in_range.fill_null(False).sum())
    limit("range", bad == 0, f"{bad} scores missing, NaN or {'infinite' if number else 'outside 0..1'}", "none")
    if bad == 0 and rows:
        failed, most = float(scores["reason"].is_in(FAILED).mean()), audit.max_failed_share  # type: ignore[arg-type]
        limit("failed", failed <= most, f"the model failed at {failed:.1%} of the rows", f"at most {most:.1%}")
    if bad == 0 and len(by_model) > 1:
        mean = float(by_model.mean())  # type: ignore[arg-type]
        unit = max(expected["deviation_of_score"], 1e-9) if number else 1.0
        shift = abs(mean - expected["mean_score"]) / unit
        deviations = " deviations" if number else ""
        allowed = f"at most {audit.max_mean_shift}{deviations} from {expected['mean_score']:.3f}, the evaluation's mean"
        limit("mean", shift <= audit.max_mean_shift, f"a mean score of {mean:.3f}", allowed)
        share = _one_score_share(by_model, unit if number else None)
        limit(
            "one_score",
            share <= audit.max_one_score_share,
            f"{share:.0%} of rows with one score, or nearly that one",
            f"at most {audit.max_one_score_share:.0%}",
        )
    return findings


def _one_score_share(scores: pl.Series, unit: float | None) -> float:
    """The share of rows with the commonest score, or with one so near the middle one that nobody would rank by it.

    Args:
        scores: Without missing ones.
        unit: The deviation of a number; None for a probability, which is near another by the odds.
    """
    import numpy as np

    ranked = np.sort(scores.to_numpy())
    middle = float(ranked[(len(ranked) - 1) // 2] + ranked[len(ranked) // 2]) / 2
    wide = unit if unit is not None else min(middle, 1 - middle)
    near = float((np.abs(ranked - middle) <= _NEAR * wide).mean())
    # where the next score is another one
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    same = int(np.diff(ends, prepend=-1).max()) / len(ranked)
    return max(near, same)
