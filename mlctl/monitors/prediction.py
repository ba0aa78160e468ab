"""Have scores or decisions moved, and do the inputs say why? Over everybody, and in every declared cohort.

Statistics of the score and shares of the decisions are held against the training days, as `three_sigma` holds inputs.
A shift is then split: what the day's inputs foretell by themselves (the training rows re-weighted to the day's
histograms) is explained, the rest is not. A shift that inputs explain is the world's, or of the data that came; one
that they do not explain comes from another release, a fault between features and scores, or inputs that go together in
new ways. Where even a usual mean hides an unusual part that is not explained, that is told too.

Use it for every model. Not for whether the scores are right: `performance`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from mlctl.findings import Finding
from mlctl.monitors import Measured, Window
from mlctl.monitors._daily import Shift, SigmaOptions, beyond, false_share, number, unjudged_rows
from mlctl.monitors._sigma import Column, measured, most_surprising
from mlctl.sketches import DECISION, SCORE, Baseline, Sheet
from mlctl.sketches.norms import Norm, discovered
from mlctl.sketches.statistics import HIGH, LOW

if TYPE_CHECKING:
    from mlctl.sketches.additive import Split

_UNEXPLAINED: Final = "unexplained"
_TESTS: Final = 2
"""Outputs that moved, and scores that inputs do not explain, share the chance of a false alarm."""


class Options(SigmaOptions):
    """Options of prediction drift."""

    kind: Literal["prediction"] = Field(default="prediction", description="prediction")


EXAMPLE: Final[dict[str, object]] = {"kind": "prediction", "min_shift": 0.1}


def measure(options: Options, window: Window, baseline: Baseline | None) -> list[Measured]:
    """Statistics of scores and decisions, of everybody and of cohorts; shifts, and what of them inputs explain."""
    if baseline is None or window.sheet is None:
        return []
    found = [one for column in _columns(options, window, baseline) for one in measured(column, options.sigma)]
    for output, split in _splits(window.sheet, baseline).items():
        norm = baseline.norms.get(output, {}).get(_UNEXPLAINED)
        low, high = (None, None) if norm is None else norm.limits(window.sheet.rows, window.day, options.sigma)
        found.append(Measured("shift", output, split.shift, split.explained))
        found.append(
            Measured(_UNEXPLAINED, output, split.unexplained, None if norm is None else norm.middle, low, high)
        )
    return found


def observe(options: Options, window: Window, baseline: Baseline | None) -> list[Finding]:
    """Outputs that moved, everybody's first; then those whose unexplained part is unusual by itself."""
    if baseline is None or window.sheet is None or unjudged_rows(options.min_rows, window, baseline):
        return unjudged_rows(options.min_rows, window, baseline)
    splits = _splits(window.sheet, baseline)
    found = {
        column.name: shift
        for column in _columns(options, window, baseline)
        if (shift := most_surprising(column, options.sigma, options.min_shift)) is not None
    }
    loud = discovered({name: shift.chance for name, (shift, _) in found.items()}, false_share(options.sigma) / _TESTS)
    told = [
        _finding(options, window, baseline, shift, splits)
        for name, (shift, matters) in found.items()
        if matters and name in loud
    ]
    if not told:
        told = _unexplained(options, window, baseline, splits)
    return told


def _columns(options: Options, window: Window, baseline: Baseline) -> list[Column]:
    """Scores and decisions of everybody, then of every cohort that is large enough."""
    sheet = window.sheet or Sheet(0, {})
    found = [
        Column(
            name,
            sheet.columns[name],
            baseline.whole.columns[name],
            baseline.shapes[name],
            _norms(baseline, name),
            sheet.rows,
            window.day,
        )
        for name in (SCORE, DECISION)
        if name in sheet.columns and name in baseline.shapes
    ]
    for cohort, outputs in sheet.cohorts.items():
        whole = baseline.whole.cohorts.get(cohort, {})
        for name in (SCORE, DECISION):
            if name in outputs and name in whole and outputs[name].rows >= options.min_rows:
                label, shape = f"{cohort}{name}", baseline.shapes[name]
                norms = _norms(baseline, label)
                found.append(Column(label, outputs[name], whole[name], shape, norms, outputs[name].rows, window.day))
    return found


def _norms(baseline: Baseline, name: str) -> dict[str, Norm]:
    """What usual days are like, without the extremes: single scores say nothing about a day."""
    return {what: norm for what, norm in baseline.norms.get(name, {}).items() if what not in (LOW, HIGH)}


def _splits(sheet: Sheet, baseline: Baseline) -> dict[str, Split]:
    if baseline.additive is None:
        return {}
    return {
        output: baseline.additive.split(output, sheet, baseline.whole, baseline.shapes)
        for output in baseline.additive.outputs
    }


def _finding(options: Options, window: Window, baseline: Baseline, shift: Shift, splits: dict[str, Split]) -> Finding:
    cohort, _, output = shift.column.rpartition("@")
    where = f"{output} of cohort {cohort}" if cohort else f"{output} of everybody"
    key = SCORE if output == "score" else f"{DECISION}={shift.what.removeprefix('share of ')}"
    why = _explained(splits.get(key), baseline, key, window, options.sigma) if not cohort else ""
    causes = [text for text in (why, *window.causes) if text]
    rule = ".".join(filter(None, (cohort, output, shift.what.split()[0])))
    return Finding(options.severity, rule, where, shift.value, shift.limit, cause="; ".join(causes))


def _explained(split: Split | None, baseline: Baseline, output: str, window: Window, sigma: float) -> str:
    """What of a shift the inputs foretell, in words."""
    if split is None:
        return ""
    parts = [f"{name} {part:+.3g}" for name, part in list(split.by.items())[:3] if abs(part) >= abs(split.shift) / 20]
    told = f"inputs explain {split.explained:+.3g} of {split.shift:+.3g}"
    told += f" ({', '.join(parts)})" if parts else ""
    return f"{told}: {_verdict(split, baseline, output, window, sigma)}"


def _verdict(split: Split, baseline: Baseline, output: str, window: Window, sigma: float) -> str:
    usual = _usual(split, baseline, output, window, sigma)
    if usual:
        return "the world, or the data that came"
    return f"{split.unexplained:+.3g} is not explained: another release, or a fault between features and scores"


def _usual(split: Split, baseline: Baseline, output: str, window: Window, sigma: float) -> bool:
    """Whether what is not explained is as on other days; a tenth of the shift is never held against it."""
    norm = baseline.norms.get(output, {}).get(_UNEXPLAINED)
    if norm is None or window.sheet is None:
        return abs(split.unexplained) <= abs(split.shift) / 2
    chance = norm.surprise(split.unexplained, window.sheet.rows, window.day)
    return chance > beyond(sigma) or abs(split.unexplained - norm.middle) <= abs(split.shift) / 10


def _unexplained(options: Options, window: Window, baseline: Baseline, splits: dict[str, Split]) -> list[Finding]:
    """Scores whose usual mean hides that inputs and scores do not fit together any more."""
    sheet, split = window.sheet, splits.get(SCORE)
    norm = baseline.norms.get(SCORE, {}).get(_UNEXPLAINED)
    if split is None or norm is None or sheet is None:
        return []
    chance = norm.surprise(split.unexplained, sheet.rows, window.day)
    size = abs(split.unexplained - norm.middle) / (baseline.scale(SCORE).deviation or 1.0)
    if chance > false_share(options.sigma) / _TESTS or size < options.min_shift:
        return []
    low, high = norm.limits(sheet.rows, window.day, options.sigma)
    value = f"a shift of {number(split.unexplained)} that inputs do not explain"
    cause = "; ".join(("another release, or a fault between features and scores", *window.causes))
    limit = f"{number(low)} to {number(high)}"
    return [Finding(options.severity, "score.unexplained", "score of everybody", value, limit, cause=cause)]
