"""The learning curve: how good the adopted model is when it learns from a part of the rows, and what would help it.

All points are measured on the same rows held out. What more rows would bring is read from the last doubling, by a
paired interval (Viering and Loog, "The shape of learning curves: a review", IEEE TPAMI 45, 2023, on why nothing is
extrapolated from a fitted curve). Where rows would not help, the distance between rows that were learnt from and rows
that were not tells the two other cases apart: large, the options are too free; small, the features say no more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from mlctl.errors import DataError
from mlctl.judging import intervals, splits
from mlctl.stages._ground import Ground
from mlctl.stages._rows import scored

if TYPE_CHECKING:
    import numpy as np

_HALF: Final = 0.5
_SHARES: Final = (0.125, 0.25, _HALF)
_RESAMPLES: Final = 500
_LARGE: Final = 0.1
"""A distance between learnt and unseen rows is large from this share of what the model gains over the constant on."""
_UNTAUGHT: Final = frozenset({"constant", "rule"})


@dataclass(frozen=True)
class LearningCurve:
    """How the adopted model learns.

    Attributes:
        model: Which one.
        metric: The project's first metric.
        points: Of each share of the rows that teach: share, rows, value, low, high.
        gain: Both ends of the paired 95 % interval of what the last doubling gained, above 0 for better; None where
            half of the rows could not be learnt from.
        known: The metric of the model of half the rows on the rows that it learnt from.
        helps: What would help.
        says: That as a sentence.
    """

    model: str
    metric: str
    points: tuple[dict[str, float], ...]
    gain: tuple[float, float] | None
    known: float | None
    helps: Literal["rows", "options", "features", "unknown"]
    says: str

    def record(self) -> dict[str, Any]:
        """The curve as JSON-ready data."""
        return asdict(self)


def learning_curve(
    ground: Ground, options: Any, whole: np.ndarray[Any, Any], constant: np.ndarray[Any, Any] | None
) -> LearningCurve | None:
    """The curve of a model in the last part of the training rows; None for one that does not learn from rows.

    Args:
        ground: The training rows, and who of them judges whom.
        options: The model.
        whole: Scores of every row that judges in the last part, when all of the others taught.
        constant: Those of the constant, where that is a rung.
    """
    import numpy as np

    if options.kind in _UNTAUGHT:
        return None
    teaches, judges = ground.parts[-1]
    measure, better = ground.measure()
    truth, ones = ground.truth()[judges], np.ones(int(judges.sum()))
    scores, known = {1.0: whole}, None
    for share in _SHARES:
        try:
            scores[share], known = _learnt(ground, options, share)
        except DataError:
            # so few rows lack an outcome, or hold nothing to be learnt
            continue
    groups = splits.entity_codes(ground.project, ground.rows)[judges]
    by_name = {str(share): scores[share] for share in sorted(scores)}
    drawn = intervals.bootstrap(truth, by_name, {"metric": measure}, groups, resamples=_RESAMPLES)
    points = []
    for share in sorted(scores):
        value, (low, high) = measure(truth, scores[share], ones), intervals.interval(drawn[str(share)]["metric"])
        if math.isfinite(value + low + high):
            rows = ground.taught(teaches, share).height
            points.append({"share": share, "rows": rows, "value": value, "low": low, "high": high})
    gain = None
    if known is not None and {_HALF, 1.0} <= {point["share"] for point in points}:
        sign = 1.0 if better == "higher" else -1.0
        half, all_rows = ([sign * value for value in drawn[str(share)]["metric"]] for share in (_HALF, 1.0))
        gain = intervals.paired(all_rows, half)
    floor = None if constant is None else measure(truth, constant, ones)
    helps, says = _advice(options.kind, points, (gain, known, floor))
    return LearningCurve(options.kind, ground.metric, tuple(points), gain, known, helps, says)


def _learnt(ground: Ground, options: Any, share: float) -> tuple[np.ndarray[Any, Any], float | None]:
    """Scores of the judged rows by a model of a share of the others, and the metric on the rows it learnt from.

    Raises:
        DataError: They cannot be learnt from.
    """
    import numpy as np
    import polars as pl

    teaches, judges = ground.parts[-1]
    taught, asked = ground.taught(teaches, share), ground.rows.filter(pl.Series(judges))
    together = pl.concat([asked, taught])
    scores = scored(ground.project, options, taught, together, (ground.columns, ground.known)).astype("float64")
    truth = taught["label"].to_numpy().astype("float64")
    known = ground.measure()[0](truth, scores[asked.height :], np.ones(len(truth)))
    return scores[: asked.height], known if math.isfinite(known) else None


def _advice(
    model: str,
    points: Sequence[Mapping[str, float]],
    measured: tuple[tuple[float, float] | None, float | None, float | None],
) -> tuple[Literal["rows", "options", "features", "unknown"], str]:
    gain, known, floor = measured
    if gain is None or known is None:
        return "unknown", f"half of the rows are too few for {model}: whether more would help cannot be told"
    shown = f"[{gain[0]:+.4f}, {gain[1]:+.4f}]"
    if gain[0] > 0:
        return "rows", f"data is the bottleneck: the last doubling of rows brought {shown}; more rows would help"
    half = next(point["value"] for point in points if point["share"] == _HALF)
    apart, told = abs(known - half), f"half of the rows do as well ({shown})"
    if apart > _LARGE * abs(half - (0.0 if floor is None else floor)):
        why = f"{model} knows rows that it has seen by {apart:.3f} better than others"
        return "options", f"{told}, and {why}: simpler options would help more than rows (mlctl tune)"
    return "features", f"{told}, and seen rows are known hardly better than others: only other features would help"
