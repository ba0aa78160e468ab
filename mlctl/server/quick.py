"""Rows answered without a table: the same bits as `encode` and `Decider`, for the price of a few microseconds.

A table of one row costs more than the model. Where the encoding or the policy needs SQL, there is no quick way, and
`Quick.of` says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlctl.decide import BY_MODEL, COLD_START, FORETOLD, LOW_CONFIDENCE, MODEL_ERROR, Decider, finite
from mlctl.encoding import Encoded, Encoding, embedded, joined

if TYPE_CHECKING:
    import numpy as np

Row = Mapping[str, Any]


class Quick:
    """The encoding and the policy of one release, for plain rows."""

    def __init__(self, encoding: Encoding, decider: Decider) -> None:
        self._encoding, self._decider = encoding, decider
        only_numbers = all(encoded.form == "number" for encoded in encoding.features)
        self._numbers = [encoded.feature for encoded in encoding.features] if only_numbers else []
        self._places = {
            encoded.feature: {name: place for place, name in enumerate(encoded.categories)}
            for encoded in encoding.features
            if encoded.form == "category"
        }

    @classmethod
    def of(cls, encoding: Encoding, decider: Decider) -> Quick | None:
        """A quick way, where there is one."""
        refuses = "refuse" in (encoding.policy.unseen, encoding.policy.missing)
        by_sql = any(encoded.form == "expression" for encoded in encoding.features)
        by_others = decider.of_cold is not None or decider.previous is not None
        by_table = decider.words.fallback_by == "rule" or by_others
        return None if refuses or by_sql or by_table else cls(encoding, decider)

    def matrix(self, rows: Sequence[Row]) -> np.ndarray[Any, Any]:
        """The rows as `encode` gives them: float32 array (rows, columns)."""
        import numpy as np

        if names := self._numbers:
            return np.array([[row[name] for name in names] for row in rows], dtype=np.float32)
        columns: list[np.ndarray[Any, Any]] = []
        tails: list[list[list[tuple[int, float]]]] = []
        for encoded in self._encoding.features:
            values = [row[encoded.feature] for row in rows]
            if encoded.form == "text":
                tails.append([self._encoding.weighings[encoded.feature](value) for value in values])
                columns.append(np.array([len(found) for found in tails[-1]], dtype=np.float32))
            elif encoded.form == "embedding":
                columns += embedded(self._encoding, encoded, values)
            elif encoded.form == "category":
                columns += self._one_hot(encoded, values)
            else:
                columns.append(np.array(values, dtype=np.float32))
        return joined(self._encoding, columns, tails, len(rows))

    def decide(self, rows: Sequence[Row], scores: np.ndarray[Any, Any]) -> list[dict[str, Any]]:
        """Score, decision, reason and confidence of every row, as `Decider` gives them.

        Args:
            rows: The features, for the evidence.
            scores: float64 array (rows,) or (rows, classes).
        """
        words, task = self._decider.words, self._decider.task
        evidence, prior = words.evidence, self._decider.prior
        own: Any
        told: list[dict[str, Any]] = []
        for row, score, is_number in zip(rows, scores.tolist(), finite(scores).tolist(), strict=True):
            cold = evidence is not None and float(row[evidence] or 0.0) < words.min_evidence
            own = prior if cold else score
            if not (is_number or cold):
                told.append(_answer(None, words.fallback, MODEL_ERROR, None))
            elif task == "multiclass":
                told.append(self._of_classes(list(own), cold))
            elif task == "binary":
                told.append(self._of_two(own, cold))
            else:
                decision = words.fallback if cold else self._above(own)
                told.append(_answer(own, decision, COLD_START if cold else BY_MODEL, None))
        return told

    def _one_hot(self, encoded: Encoded, values: Sequence[Any]) -> list[np.ndarray[Any, Any]]:
        """A column for each category, for other values, and for none."""
        import numpy as np

        places, known = self._places[encoded.feature], len(encoded.categories)
        columns = np.zeros((known + 2, len(values)), dtype=np.float32)
        for row, value in enumerate(values):
            columns[known + 1 if value is None else places.get(value, known), row] = 1.0
        return list(columns)

    def _of_two(self, score: float, cold: bool) -> dict[str, Any]:
        confidence = max(1 - score, score)
        return self._told(score, self._above(score), confidence, (cold, [1 - score, score]))

    def _of_classes(self, shares: list[float], cold: bool) -> dict[str, Any]:
        confidence = max(shares)
        return self._told(confidence, self._decider.classes[shares.index(confidence)], confidence, (cold, shares))

    def _told(self, score: float, decision: str, confidence: float, how: tuple[bool, list[float]]) -> dict[str, Any]:
        cold, shares = how
        policy = self._decider.policy
        if policy.set_level is not None:
            unsure = sum(share >= policy.set_level for share in shares) != 1
        else:
            unsure = not confidence >= policy.min_confidence
        reason = COLD_START if cold else LOW_CONFIDENCE if unsure else BY_MODEL
        return _answer(score, decision if reason is BY_MODEL else self._decider.words.fallback, reason, confidence)

    def _above(self, score: float) -> str:
        threshold = self._decider.policy.threshold
        if threshold is None:
            return FORETOLD
        return self._decider.words.above if score >= threshold else self._decider.words.below


def _answer(score: float | None, decision: str, reason: str, confidence: float | None) -> dict[str, Any]:
    return {"score": score, "decision": decision, "reason": reason, "confidence": confidence}
