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


def cold(policy: Decide, features: pl.DataFrame) -> pl.Series:
    """Which rows have too little evidence for the model to be asked: none, when no evidence feature is named.

    Raises:
        DataError: The evidence feature does not exist.
    """
    import polars as pl

    if policy.evidence is None:
        return pl.Series("cold", [False]).new_from_index(0, features.height)
    if policy.evidence not in features.columns:
        raise DataError.missing_column("features", policy.evidence, features.columns, "decide.evidence")
    return (features[policy.evidence].cast(pl.Float64).fill_null(0.0) < policy.min_evidence).alias("cold")


def decide(policy: Decide, features: pl.DataFrame, score: pl.Series, prior: float) -> pl.DataFrame:
    """The decision for every row.

    Args:
        policy: The project's `decide:` section.
        features: The rows' features, for the evidence.
        score: P(label = 1) of each row.
        prior: The score of an entity about which too little is known: the share of label 1 among such in the past.

    Returns:
        Grain: one row per row of `features`. Columns score, decision, reason, confidence (the larger of score and
        1 - score, 0.5..1).

    Raises:
        DataError: The evidence feature does not exist.
    """
    import polars as pl

    rows = pl.DataFrame({"score": score.cast(pl.Float64)}).with_columns(cold(policy, features).alias("cold"))
    rows = rows.with_columns(pl.when("cold").then(pl.lit(prior)).otherwise("score").alias("score"))
    rows = rows.with_columns(pl.max_horizontal("score", 1 - pl.col("score")).alias("confidence"))
    unsure = pl.col("confidence") < policy.min_confidence
    by_model = pl.when(pl.col("score") >= policy.threshold).then(pl.lit(policy.above)).otherwise(pl.lit(policy.below))
    decision = pl.when(pl.col("cold") | unsure).then(pl.lit(policy.fallback)).otherwise(by_model)
    reason = (
        pl.when("cold").then(pl.lit(COLD_START)).when(unsure).then(pl.lit(LOW_CONFIDENCE)).otherwise(pl.lit(BY_MODEL))
    )
    return rows.select("score", decision.alias("decision"), reason.alias("reason"), "confidence")
