"""The gate: each rule against the evaluation. What was not measured never passes.

`by: interval` (the default) asks the worse end of the 95 % interval to clear the limit, so luck on a small test set
does not open the gate; `by: value` asks the value alone. `better_than` asks the whole paired interval of the difference
to lie on the better side of zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mlctl.spec import Project, Rule


@dataclass(frozen=True)
class Verdict:
    """One rule's outcome.

    Attributes:
        rule: The rule's name.
        passed: Whether the gate is open for this rule.
        subject: What was judged, such as `roc_auc of annual`.
        found: The value and its interval, for people.
        wanted: The limit, for people.
    """

    rule: str
    passed: bool
    subject: str
    found: str
    wanted: str

    def record(self) -> dict[str, Any]:
        """The verdict as JSON-ready data."""
        return asdict(self)


def judge(project: Project, evaluation: Mapping[str, Any]) -> list[Verdict]:
    """Every rule of the gate against an evaluation report, in the order of the YAML."""
    return [_verdict(name, rule, evaluation) for name, rule in project.gate.items()]


def _verdict(name: str, rule: Rule, evaluation: Mapping[str, Any]) -> Verdict:
    part = evaluation["cohorts"].get(rule.cohort) if rule.cohort else evaluation["everybody"]
    subject = f"{rule.metric} of {rule.cohort or 'everybody'}"
    if part is None or "models" not in part:
        why = (part or {}).get("not_measured", "the cohort is not in the evaluation")
        return Verdict(name, False, subject, f"not measured: {why}", _wanted(rule))
    if rule.better_than is not None:
        against = _against(name, rule, part, subject)
        if not against.passed or (rule.min is None and rule.max is None):
            return against
    measured = part["models"][evaluation["model"]].get(rule.metric, {})
    value, low, high = (measured.get(key) for key in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return Verdict(name, False, subject, "not measured: it is not defined on these rows", _wanted(rule))
    for_min, for_max = (low, high) if rule.by == "interval" else (value, value)
    passed = (rule.min is None or for_min >= rule.min) and (rule.max is None or for_max <= rule.max)
    return Verdict(name, passed, subject, f"{value:.4f} [{low:.4f}, {high:.4f}]", _wanted(rule))


def _against(name: str, rule: Rule, part: Mapping[str, Any], subject: str) -> Verdict:
    other = part["models"].get(rule.better_than, {}).get(rule.metric, {})
    difference = other.get("own_minus_this", {})
    low, high = difference.get("low"), difference.get("high")
    if low is None or high is None:
        return Verdict(name, False, subject, f"not measured against {rule.better_than}", _wanted(rule))
    passed = low > 0 if part["better"][rule.metric] == "higher" else high < 0
    return Verdict(name, passed, subject, f"difference [{low:+.4f}, {high:+.4f}]", _wanted(rule))


def _wanted(rule: Rule) -> str:
    parts = [f">= {rule.min:g}"] if rule.min is not None else []
    parts += [f"<= {rule.max:g}"] if rule.max is not None else []
    text = " and ".join(parts) + (f" by {rule.by}" if parts else "")
    return " and ".join(part for part in [text, f"better than {rule.better_than}" if rule.better_than else ""] if part)
