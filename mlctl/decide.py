"""From a score to a decision: threshold, low confidence, cold start, failure. Every decision says its reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mlctl.errors import DataError
from mlctl.judging.policy import Policy, confidence_of, possible
from mlctl.plan.compute import evaluated
from mlctl.spec import Decide, Task

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

BY_MODEL: Final = "model"
LOW_CONFIDENCE: Final = "low_confidence"
COLD_START: Final = "cold_start"
COLD_MODEL: Final = "cold_model"
"""Decided by the model of those with too little evidence."""
PREVIOUS: Final = "previous"
"""The model is not sure; decided by the release that was live before."""
COLD_PREVIOUS: Final = "cold_previous"
"""Too little evidence; scored and decided by the release that was live before."""
MODEL_ERROR: Final = "model_error"
"""The model gave no number; there is no score."""
ERROR_PREVIOUS: Final = "error_previous"
"""The model gave no number; scored and decided by the release that was live before."""
FAILED: Final = (MODEL_ERROR, ERROR_PREVIOUS)
"""Reasons of rows that the model failed at."""
_REASONS: Final = (COLD_START, LOW_CONFIDENCE, BY_MODEL, COLD_MODEL, PREVIOUS, COLD_PREVIOUS, *FAILED)
FORETOLD: Final = "foretold"
"""The decision about a number without a threshold: the score is all there is."""


class Second(NamedTuple):
    """What another release says of rows.

    Attributes:
        scores: float64 array (rows,) or (rows, classes).
        decisions: Its decisions.
        sure: bool array (rows,): where it would decide itself.
    """

    scores: np.ndarray[Any, Any]
    decisions: pl.Series
    sure: np.ndarray[Any, Any]


@dataclass(frozen=True)
class Decider:
    """Everything that turns scores into decisions, as a release holds it.

    Attributes:
        words: The project's `decide:` section.
        policy: What was chosen by it on rows held out.
        task: What is foretold.
        classes: Names of the classes by code.
        prior: The score of an entity about which too little is known: what became of such in the past; of several
            classes the share of each.
        rule: The business rule of today, an SQL expression, where there is one.
        of_cold: From the features of such entities to scores, where they have a model of their own.
        previous: What the release that was live before says of rows of features, where it is the fallback.
    """

    words: Decide
    policy: Policy
    task: Task = "binary"
    classes: tuple[str, ...] = ("0", "1")
    prior: float | Sequence[float] = 0.5
    rule: str | None = None
    of_cold: Callable[[pl.DataFrame], np.ndarray[Any, Any]] | None = None
    previous: Callable[[pl.DataFrame], Second] | None = None

    def __call__(self, features: pl.DataFrame, scores: np.ndarray[Any, Any]) -> pl.DataFrame:
        """The decision for every row.

        Args:
            features: The rows' features, for evidence and rule.
            scores: float array (rows,) or (rows, classes), as the release gives them.

        Returns:
            Grain: one row per row of `features`. Columns score (P(label = 1), the likeliest class's probability, or
            the value; null where the model failed and nobody else scored), decision, reason, confidence (the likelier
            outcome's probability; null for a number, and without a score).

        Raises:
            DataError: The evidence feature does not exist, or the rule cannot be computed.
        """
        import numpy as np
        import polars as pl

        is_cold = cold(self.words, features).to_numpy()
        scores = np.array(scores, dtype=np.float64)
        if self.of_cold is None:
            scores[is_cold] = self.prior
        elif is_cold.any():
            scores[is_cold] = self.of_cold(features.filter(pl.Series(is_cold)))
        failed = ~finite(scores)
        scores[failed] = np.nan
        unsure = self.unsure(scores)
        own_model = is_cold & ~unsure & (self.of_cold is not None)
        falls_back = (is_cold | unsure) & ~own_model
        # the later goes before the earlier
        reasons = np.full(len(scores), 2, dtype=np.uint8)
        for which, of_rows in ((1, unsure), (0, is_cold), (3, own_model), (6, failed)):
            reasons[of_rows] = which
        decision = self._by_model(scores)
        if falls_back.any():
            told = pl.DataFrame({"model": decision, "other": self._fallback(features)})
            decision = told.select(pl.when(pl.Series(falls_back)).then("other").otherwise("model")).to_series()
        if self.previous is not None and falls_back.any():
            second = self.previous(features.filter(pl.Series(falls_back)))
            rows = np.flatnonzero(falls_back)[second.sure]
            # whom the model did not score has the score of who decided
            theirs = (is_cold | failed)[rows]
            scores[rows[theirs]] = second.scores[second.sure][theirs]
            decision = decision.scatter(rows, second.decisions.filter(pl.Series(second.sure)))
            reasons[rows] = np.select([failed[rows], is_cold[rows]], [7, 5], 4)
        number = _nothing(len(scores)) if self.task == "regression" else pl.Series(confidence_of(scores))
        told = pl.DataFrame(
            {
                "score": scores.max(axis=1) if self.task == "multiclass" else scores,
                "decision": decision,
                "reason": _named(reasons, _REASONS),
                "confidence": number,
            }
        )
        return told.with_columns(pl.col("score", "confidence").fill_nan(None)) if failed.any() else told

    def without_model(self, features: pl.DataFrame) -> pl.DataFrame:
        """The decision for every row where the model cannot be asked: as where it failed.

        Returns:
            Grain: one row per row of `features`, as from a call.

        Raises:
            DataError: As from a call.
        """
        import numpy as np

        shape = (features.height, len(self.classes)) if self.task == "multiclass" else (features.height,)
        return self(features, np.full(shape, np.nan))

    def sure(self, features: pl.DataFrame, scores: np.ndarray[Any, Any]) -> tuple[pl.Series, np.ndarray[Any, Any]]:
        """The model's own decision for every row, and where it stands: bool array (rows,), False where it falls back.

        Raises:
            DataError: The evidence feature does not exist.
        """
        return self._by_model(scores), ~(cold(self.words, features).to_numpy() | self.unsure(scores))

    def unsure(self, scores: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Where the policy does not trust the scores: bool array (rows,); of a foretold number where it is none."""
        if self.task == "regression":
            return ~finite(scores)
        unsure: np.ndarray[Any, Any] = ~(confidence_of(scores) >= self.policy.min_confidence)
        if self.policy.set_level is not None:
            unsure = possible(scores, self.policy.set_level) != 1
        return unsure

    def _by_model(self, scores: np.ndarray[Any, Any]) -> pl.Series:
        import polars as pl

        if self.task == "multiclass":
            return _named(scores.argmax(axis=1), self.classes)
        if self.policy.threshold is None:
            return pl.Series([FORETOLD], dtype=pl.String).new_from_index(0, len(scores))
        return _named(scores >= self.policy.threshold, (self.words.below, self.words.above))

    def _fallback(self, features: pl.DataFrame) -> pl.Series:
        """The decision where the model is not asked; what the rule says, and the word where it says nothing."""
        import polars as pl

        word = pl.Series([self.words.fallback], dtype=pl.String).new_from_index(0, features.height)
        if self.words.fallback_by != "rule" or self.rule is None:
            return word
        said = evaluated(features, self.rule, "model.rule")
        if self.task == "multiclass":
            chosen = said.cast(pl.String)
        else:
            yes = said if said.dtype == pl.Boolean else said.cast(pl.Float64) >= self.policy.threshold
            chosen = yes.replace_strict({True: self.words.above, False: self.words.below}, default=None)
        return chosen.fill_null(self.words.fallback)


def finite(scores: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Which rows have a score that is a number: bool array (rows,)."""
    import numpy as np

    found: np.ndarray[Any, Any] = np.isfinite(scores).all(axis=tuple(range(1, scores.ndim)))
    return found


def _named(places: np.ndarray[Any, Any], names: Sequence[str]) -> pl.Series:
    """Names by their places."""
    import polars as pl

    return pl.Series(names, dtype=pl.String).gather(pl.Series(places).cast(pl.UInt32))


def _nothing(rows: int) -> pl.Series:
    """No confidence, for each row."""
    import polars as pl

    return pl.Series([None], dtype=pl.Float64).new_from_index(0, rows)


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
