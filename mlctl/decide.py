"""From a score to a decision: threshold, low confidence, cold start. Every decision says its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlctl.errors import DataError
from mlctl.spec import Decide

if TYPE_CHECKING:
    import polars as pl

BY_MODEL: Final = "model"
LOW_CONFIDENCE: Final = "low_confidence"
COLD_START: Final = "cold_start"


def decide(policy: Decide, features: pl.DataFrame, score: pl.Series, prior: float) -> pl.DataFrame:
    """The decision for every row.

    Args:
        policy: The project's `decide:` section.
        features: The rows' features, for the evidence.
        score: P(label = 1) of each row.
        prior: Share of label 1 in training: the score of an entity about which nothing is known.

    Returns:
        Grain: one row per row of `features`. Columns score, decision, reason, confidence (the larger of score and
        1 - score, 0.5..1).

    Raises:
        DataError: The evidence feature does not exist.
    """
    import polars as pl

    if policy.evidence is not None and policy.evidence not in features.columns:
        raise DataError.missing_column("features", policy.evidence, features.columns, "decide.evidence")
    evidence = pl.lit(None, dtype=pl.Float64) if policy.evidence is None else features[policy.evidence].cast(pl.Float64)
    cold = pl.lit(policy.evidence is not None) & (evidence.fill_null(0.0) < policy.min_evidence)
    rows = pl.DataFrame({"score": score.cast(pl.Float64)}).with_columns(cold.alias("cold"))
    rows = rows.with_columns(pl.when("cold").then(pl.lit(prior)).otherwise("score").alias("score"))
    rows = rows.with_columns(pl.max_horizontal("score", 1 - pl.col("score")).alias("confidence"))
    unsure = pl.col("confidence") < policy.min_confidence
    by_model = pl.when(pl.col("score") >= policy.threshold).then(pl.lit(policy.above)).otherwise(pl.lit(policy.below))
    decision = pl.when(pl.col("cold") | unsure).then(pl.lit(policy.fallback)).otherwise(by_model)
    reason = (
        pl.when("cold").then(pl.lit(COLD_START)).when(unsure).then(pl.lit(LOW_CONFIDENCE)).otherwise(pl.lit(BY_MODEL))
    )
    return rows.select("score", decision.alias("decision"), reason.alias("reason"), "confidence")
