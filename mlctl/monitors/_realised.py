"""The realised and the estimated metric of one day's window, beside what was promised."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from mlctl import kinds
from mlctl.metrics import Measure, measuring
from mlctl.monitors import Window
from mlctl.outcomes import KNOWN_AT, LABEL, maturity
from mlctl.plan import AS_OF

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from mlctl.sketches import Baseline

RESAMPLES: Final = 100
"""Resamples of entities by which the error of a metric is known."""
_BY_MODEL: Final = ("model", "low_confidence")
_MOST_ROWS: Final = 20_000
_ACCURACY: Final = "accuracy"
"""Of several classes only the surest one's probability is kept: the share of right decisions can be measured."""
_NORMAL_WIDTH: Final = 3.92
"""Deviations of a normal between the ends of a 95 % interval."""


@dataclass(frozen=True)
class Judged:
    """What was found.

    Attributes:
        why: Why nothing could be judged; empty where something was.
        name: The metric.
        better: `higher` or `lower`.
        realised: Its value by the labels of the window.
        error: The standard error of that.
        promised: Its value in the evaluation at release.
        promised_error: The standard error of that.
        estimated: What the scores of the newest days promise; None where they promise nothing.
        labels: Labels in the window.
        coverage: Share of the window's predictions that have a label.
        days: How long the window is.
        age: How old its youngest prediction is, in days.
        early: That early labels are of other classes than all, in words.
    """

    why: str = ""
    name: str = ""
    better: str = "higher"
    realised: float = float("nan")
    error: float = 0.0
    promised: float = float("nan")
    promised_error: float = 0.0
    estimated: float | None = None
    labels: int = 0
    coverage: float = 0.0
    days: int = 0
    age: int = 0
    early: str = ""

    def worse(self, value: float) -> float:
        """How much worse than promised; below 0 where it is better."""
        return self.promised - value if self.better == "higher" else value - self.promised


def judge(options: Any, window: Window, baseline: Baseline | None) -> Judged:
    """The metric of the labels that are known by now and its estimate, or why there is none."""
    if baseline is None or not baseline.evaluation:
        return Judged("no evaluation to hold labels against")
    rows = window.joined()
    if rows is None or not rows.height:
        return Judged("no predictions that were kept")
    several = not rows[LABEL].dtype.is_numeric()
    rows = _answered(rows, window, several)
    known = maturity.learn(rows, window.now)
    if known is None:
        return Judged(f"{int(rows[LABEL].is_not_null().sum()):,} labels of {rows.height:,} predictions")
    age = known.age_of(options.mature)
    chosen, days = _chosen(options, rows, window, age)
    labelled = chosen.drop_nulls(LABEL)
    if labelled.height < options.min_rows:
        return Judged(f"{labelled.height:,} labels of {chosen.height:,} predictions that are {age} days old or more")
    truth, score, name, told = _task(options, labelled, baseline, several)
    metric, better = _metric(None if several else told["options"])
    ages = ((window.now - labelled[AS_OF]) / timedelta(days=1)).to_numpy()
    weight = known.weight(labelled[LABEL], ages)
    realised, error = _with_error(metric, truth, score, weight, labelled)
    if math.isnan(realised):
        return Judged(f"{name} is not defined on {labelled.height:,} labels: one class alone")
    promised, promised_error = _promise(told, score)
    found = Judged("", name, better, realised, error, promised, promised_error)
    newest = _newest(rows, window, days)
    estimated = _surest(newest) if several else _estimated(metric, newest) if _is_binary(labelled) else None
    coverage = labelled.height / chosen.height
    early = _early(rows, known, window, age)
    return replace(
        found, estimated=estimated, labels=labelled.height, coverage=coverage, days=days, age=age, early=early
    )


def _answered(rows: pl.DataFrame, window: Window, several: bool) -> pl.DataFrame:
    """What the model itself decided by now, with the labels that are known by now; one row per key and moment.

    Between several classes a decision that the model was not sure enough of is none that can be right.
    """
    import polars as pl

    reasons = _BY_MODEL[:1] if several else _BY_MODEL
    by_now = rows.filter(
        (pl.col(AS_OF) <= window.now) & pl.col("reason").is_in(reasons) & pl.col("score").is_not_null()
    )
    ripe = pl.col(KNOWN_AT) <= window.now
    return by_now.with_columns(pl.when(ripe).then(LABEL).alias(LABEL), pl.when(ripe).then(KNOWN_AT).alias(KNOWN_AT))


def _chosen(options: Any, rows: pl.DataFrame, window: Window, age: int) -> tuple[pl.DataFrame, int]:
    """The predictions of the window, and how many days it is long: back until it holds enough labels."""
    import polars as pl

    end = window.now - timedelta(days=age)
    old = rows.filter(pl.col(AS_OF) <= end)
    back = ((end - pl.col(AS_OF)) / timedelta(days=1)).floor().cast(pl.Int64).alias("/back")
    by_day = old.with_columns(back).group_by("/back").agg(pl.col(LABEL).count().alias("/labels")).sort("/back")
    enough = by_day.filter(pl.col("/labels").cum_sum() >= options.rows)["/back"]
    days = min(int(enough[0]) + 1 if len(enough) else options.most_days, options.most_days)
    return old.filter(pl.col(AS_OF) > end - timedelta(days=days)), days


def _is_binary(labelled: pl.DataFrame) -> bool:
    return labelled[LABEL].dtype.is_numeric() and set(labelled[LABEL].unique().to_list()) <= {0.0, 1.0}


def _task(
    options: Any, labelled: pl.DataFrame, baseline: Baseline, several: bool
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], str, dict[str, Any]]:
    """Truth and score, the metric's name and what was promised; of several classes whether the decision was right."""
    import numpy as np

    score = labelled["score"].to_numpy().astype(np.float64)
    if several:
        right = (labelled[LABEL] == labelled["decision"]).to_numpy().astype(np.float64)
        return right, score, _ACCURACY, dict(baseline.evaluation.get(_ACCURACY, {"value": None}))
    order = sorted(baseline.evaluation, key=lambda name: baseline.evaluation[name].get("place", 0))
    name = options.metric if options.metric in baseline.evaluation else order[0]
    return labelled[LABEL].to_numpy().astype(np.float64), score, name, dict(baseline.evaluation[name])


def _metric(options: dict[str, Any] | None) -> tuple[Measure, str]:
    """The metric that options ask for, and which side is better; without options the share of right decisions."""
    if options is not None:
        return measuring(kinds.options("metrics", options))
    return lambda truth, score, weight: float((truth * weight).sum() / weight.sum()), "higher"


def _promise(told: dict[str, Any], score: np.ndarray[Any, Any]) -> tuple[float, float]:
    """What the release was promised to reach, and how sure that is."""
    if told["value"] is None:
        # nothing was evaluated by accuracy: what the scores say of themselves is the promise
        return float(score.mean()), 0.0
    width = (
        (told["high"] - told["low"]) / _NORMAL_WIDTH if told["low"] is not None and told["high"] is not None else 0.0
    )
    return float(told["value"]), abs(width)


def _with_error(
    metric: Measure,
    truth: np.ndarray[Any, Any],
    score: np.ndarray[Any, Any],
    weight: np.ndarray[Any, Any],
    labelled: pl.DataFrame,
) -> tuple[float, float]:
    """The metric, and its standard error over resampled entities: days of one entity are no independent rows."""
    import numpy as np

    if len(truth) > _MOST_ROWS:
        some = np.linspace(0, len(truth) - 1, _MOST_ROWS).astype(np.int64)
        truth, score, weight, labelled = truth[some], score[some], weight[some], labelled[some]
    order = np.argsort(score, kind="stable")
    truth, score, weight = truth[order], score[order], weight[order]
    codes = labelled.to_series(0).rank("dense").to_numpy().astype(np.int64)[order] - 1
    draw = np.random.Generator(np.random.PCG64(7))
    units, values = int(codes.max()) + 1, []
    for _ in range(RESAMPLES):
        counts = np.bincount(draw.integers(0, units, units), minlength=units)
        values.append(metric(truth, score, weight * counts[codes]))
    return metric(truth, score, weight), float(np.nanstd(values, ddof=1))


def _newest(rows: pl.DataFrame, window: Window, days: int) -> np.ndarray[Any, Any]:
    """[predictions] sorted scores of the newest days, as many days as the window has; a part of very many."""
    import numpy as np
    import polars as pl

    newest = rows.filter(pl.col(AS_OF) > window.now - timedelta(days=days))["score"].to_numpy().astype(np.float64)
    some = np.linspace(0, len(newest) - 1, min(len(newest), _MOST_ROWS)).astype(np.int64)
    return np.sort(newest[some])


def _estimated(metric: Measure, newest: np.ndarray[Any, Any]) -> float | None:
    """What the scores of the newest days promise, if each is the chance that it says."""
    import numpy as np

    if len(newest) < 2 or newest.min() < 0 or newest.max() > 1:
        return None
    twice = np.repeat(newest, 2)
    truth = np.tile([1.0, 0.0], len(newest))
    value = metric(truth, twice, np.where(truth == 1, twice, 1 - twice))
    return None if math.isnan(value) else value


def _surest(newest: np.ndarray[Any, Any]) -> float | None:
    """The share of right decisions that the probabilities of the surest class promise."""
    return float(newest.mean()) if len(newest) else None


def _early(rows: pl.DataFrame, known: maturity.Maturity, window: Window, age: int) -> str:
    """In words, that labels which come early are of other classes than all; empty where they are not."""
    curves = {name: curve for name, curve in known.shares.items() if name != maturity.EVERYBODY}
    if len(curves) < 2 or not age:
        return ""
    shares = {name: curve[max(age - 1, 0)] for name, curve in curves.items()}
    first, last = max(shares, key=lambda name: shares[name]), min(shares, key=lambda name: shares[name])
    if shares[first] - shares[last] < 0.1:
        return ""
    return f"{shares[first]:.0%} of label {first} in by day {age - 1}, and {shares[last]:.0%} of label {last}"
