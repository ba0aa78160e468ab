"""Is the release still as good as its evaluation? By labels as they come, corrected for which of them come late.

How labels mature is learnt from old predictions: a day counts once `mature` of the labels of every class are in, each
label weighted by those of its class and age that are still to come. The window of days goes back from there until it
holds `rows` labels. The realised metric is held against the evaluation at release: it alarms where it is worse by at
least `min_decay`, and by more than chance: windows overlap and are looked at every day, so the chance that `sigma`
deviations have is that of a whole year of looks (Bonferroni's bound, which holds however they hang together). Beside it
stands the metric that the scores themselves promise for the newest predictions (confidence-based performance
estimation), which needs no label, sees what a shift of inputs does, and is blind to a world that changed: it warns.
Between several classes both are the accuracy of what the model decided; of numbers nothing is estimated.

Use it wherever a label becomes known. Where none is known yet it says so.

Guidance on CBPE: NannyML's documentation, "Estimating performance".
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from mlctl.findings import Finding
from mlctl.monitors import Measured, MonitorOptions, Window
from mlctl.monitors._daily import false_share, number
from mlctl.monitors._realised import RESAMPLES, Judged, judge

if TYPE_CHECKING:
    from mlctl.sketches import Baseline


class Options(MonitorOptions):
    """Options of performance."""

    kind: Literal["performance"] = Field(default="performance", description="performance")
    metric: str = Field(default="", description="a name of metrics; default: the first one")
    sigma: float = Field(
        default=3.0,
        gt=0,
        le=10,
        description="deviations by which a metric looked at once would have to be worse; the chance of a false alarm "
        "that they leave is that of a year of looks",
    )
    min_decay: float = Field(default=0.02, ge=0, description="smallest decay that matters, in the metric's own unit")
    mature: float = Field(
        default=0.5, gt=0, le=1, description="share of the labels of every class from which a day counts"
    )
    rows: int = Field(default=2000, ge=50, description="labels that the window reaches back for")
    min_rows: int = Field(default=200, ge=30, description="fewer labels are not judged")
    most_days: int = Field(default=180, ge=1, description="longest window, in days")


EXAMPLE: Final[dict[str, object]] = {"kind": "performance", "metric": "roc_auc", "min_decay": 0.02}


def measure(options: Options, window: Window, baseline: Baseline | None) -> list[Measured]:
    """The realised and the estimated metric beside the promised one, and how far labels have come."""
    found = _judged(options, window, baseline)
    if found.why:
        return []
    reach = _allowed(options, found)
    low, high = (found.promised - reach, None) if found.better == "higher" else (None, found.promised + reach)
    told = [Measured(f"realised {found.name}", "everybody", found.realised, found.promised, low, high)]
    if found.estimated is not None:
        told.append(Measured(f"estimated {found.name}", "everybody", found.estimated, found.promised, low, high))
    told.append(Measured("share of labels in", "everybody", found.coverage))
    told.append(Measured("days until labels count", "everybody", float(found.age)))
    return told


def observe(options: Options, window: Window, baseline: Baseline | None) -> list[Finding]:
    """A decay that labels show, and one that only the scores foretell."""
    found = _judged(options, window, baseline)
    if found.why:
        return [Finding("note", "labels", f"{window.day}", found.why, f"at least {options.min_rows} labels")]
    told = []
    allowed, worse = _allowed(options, found), found.worse(found.realised)
    limit = f"{number(found.promised)} at release, {allowed:.2g} worse at most"
    basis = f"{found.labels:,} labels of {found.days} days, each at least {found.age} days old"
    if worse >= allowed:
        value = f"{found.name} {number(found.realised)} on {basis}"
        told.append(
            Finding(options.severity, found.name, "everybody", value, limit, cause=_cause(found, options, window))
        )
    elif found.estimated is not None and found.worse(found.estimated) >= allowed:
        value = f"{found.name} {number(found.estimated)} foretold by the scores of the newest days"
        why = "; ".join(("inputs moved to where the model is less sure", *window.causes))
        told.append(Finding("warn", f"{found.name}.estimated", "everybody", value, limit, cause=why))
    if found.early:
        told.append(Finding("note", "early_labels", "labels", found.early, "alike; they are weighted by class and age"))
    return told


def _allowed(options: Options, found: Judged) -> float:
    """By how much the metric may be worse; its error is known from resamples, so that Student's t applies."""
    from scipy.special import stdtrit

    deviations = -float(stdtrit(RESAMPLES - 1, false_share(options.sigma) / 2))
    return max(options.min_decay, deviations * math.hypot(found.error, found.promised_error))


def _cause(found: Judged, options: Options, window: Window) -> str:
    """Whether the scores foretold it: then inputs moved, else what they mean did."""
    if found.estimated is None:
        return "; ".join(window.causes)
    foreseen = found.worse(found.estimated) >= options.min_decay
    told = (
        "the scores foretold it: inputs moved" if foreseen else "the scores did not foretell it: the same inputs mean"
    )
    told += "" if foreseen else " something else now, or labels are wrong"
    return "; ".join((told, *window.causes))


def _judged(options: Options, window: Window, baseline: Baseline | None) -> Judged:
    found: Judged = window.once(("performance", options), lambda: judge(options, window, baseline))
    return found
