"""Every metric of every model on rows that none of them has seen: values, intervals, paired differences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from mlctl import kinds
from mlctl.judging import intervals, splits
from mlctl.judging.policy import both
from mlctl.metrics import measuring
from mlctl.spec import Project

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

RESAMPLES: Final = 500
MIN_COHORT_ROWS: Final = 50


def judge(project: Project, rows: pl.DataFrame, scores: Mapping[str, np.ndarray[Any, Any]], own: str) -> dict[str, Any]:
    """Metrics with 95 % intervals (a bootstrap over entities), and how `own` compares with every other model.

    Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapters 13 and 16.
    """
    import numpy as np

    truth = rows["label"].to_numpy().astype("float64")
    entities = splits.entity_codes(project, rows)
    modules = {name: kinds.load("metrics", options.kind) for name, options in project.metrics.items()}
    measures = {name: measuring(options)[0] for name, options in project.metrics.items()}
    resampled = intervals.bootstrap(truth, dict(scores), measures, groups=entities, resamples=RESAMPLES, seed=7)
    ones = np.ones(len(truth))
    models: dict[str, Any] = {model: {} for model in scores}
    for name, measure in measures.items():
        for model, score in scores.items():
            value, drawn = measure(truth, score, ones), resampled[model][name]
            raised = getattr(modules[name], "RAISED_BY_NOISE", False)
            low, high = intervals.interval(intervals.around(drawn, value) if raised else drawn)
            models[model][name] = told(value=value, low=max(low, 0.0) if raised else low, high=high)
        for model in scores:
            if model != own:
                low, high = intervals.paired(resampled[own][name], resampled[model][name])
                models[model][name]["own_minus_this"] = told(low=low, high=high)
    task = project.label.task
    return {
        "rows": rows.height,
        "positive_share": float(truth.mean()) if task == "binary" else None,
        "mean_score": float((both(scores[own]).max(axis=1) if task == "multiclass" else scores[own]).mean()),
        "deviation_of_score": float(scores[own].std()),
        "models": models,
        "better": {name: module.BETTER for name, module in modules.items()},
    }


def judge_some(
    project: Project, rows: pl.DataFrame, scores: Mapping[str, np.ndarray[Any, Any]], member: pl.Series, own: str
) -> dict[str, Any]:
    """As `judge`, of the rows of a mask; where they are too few, or of one outcome, why they were not judged."""
    chosen = rows.filter(member)
    if chosen.height >= MIN_COHORT_ROWS and chosen["label"].n_unique() > 1:
        return judge(project, chosen, {model: values[member.to_numpy()] for model, values in scores.items()}, own)
    share: Any = chosen["label"].mean() if chosen.height and project.label.task == "binary" else None
    why = f"fewer than {MIN_COHORT_ROWS} rows" if chosen.height < MIN_COHORT_ROWS else "only one outcome"
    return {"rows": chosen.height, "positive_share": share, "not_measured": why}


def told(**values: float) -> dict[str, float | None]:
    """Numbers for JSON; what is not defined is null, which no gate lets pass."""
    return {name: float(value) if math.isfinite(value) else None for name, value in values.items()}


def shown(measured: Mapping[str, Any]) -> str:
    """A metric and its interval, for people."""
    if measured["value"] is None:
        return "not defined"
    if measured["low"] is None or measured["high"] is None:
        return f"{measured['value']:.3f} (no interval)"
    return f"{measured['value']:.3f} [{measured['low']:.3f}, {measured['high']:.3f}]"
