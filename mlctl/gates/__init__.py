"""The gate: each rule against the evaluation. What was not measured never passes.

`by: interval` (the default) asks the worse end of the 95 % interval to clear the limit, so luck on a small test set
does not open the gate; `by: value` asks the value alone. `better_than` asks the whole paired interval of the difference
to lie on the better side of zero, or to reach at most `margin` onto the worse one. `cohort: each` asks the opposite of
many groups at once: a group is refused when it is shown to be beyond the limit, by one-sided tests that hold together
(Holm), because the worse ends of twenty intervals would refuse somebody by chance alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from typing import Any, Final, Literal

from mlctl.errors import listed
from mlctl.judging.comparisons import chance_of_worse, holm
from mlctl.spec import Project
from mlctl.spec.gate_rules import CHAMPION, EACH, REPLAY, TIMED, Rule

__all__ = ["EVERYBODY", "TIMED", "Evidence", "Verdict", "judge", "opens"]

EVERYBODY: Final = "everybody"
_UNDEFINED: Final = "not measured: it is not defined on these rows"
_ITSELF: Final = "it is the champion itself"


@dataclass(frozen=True)
class Verdict:
    """One rule's outcome; `cohort: each` has one a cohort.

    Attributes:
        rule: The rule's name.
        passed: Whether what was judged clears the limit.
        subject: What was judged, such as `roc_auc of annual`.
        found: The value and its interval, for people.
        wanted: The limit, for people.
        cohort: The cohort that was judged; empty for everybody.
        waived: By whom, until when and why a refusal does not count; empty when it counts.
    """

    rule: str
    passed: bool
    subject: str
    found: str
    wanted: str
    cohort: str = ""
    waived: str = ""

    def opens(self) -> bool:
        """Whether the gate is open for this rule: it passed, or its refusal is waived."""
        return self.passed or bool(self.waived)

    def record(self) -> dict[str, Any]:
        """The verdict as JSON-ready data."""
        return asdict(self)


@dataclass(frozen=True)
class Evidence:
    """What the gate judges by besides the evaluation report.

    Attributes:
        measures: By measure (`size_bytes`, `latency_ms`, ...) the value; absent is not measured.
        differences: By rule, one entry a pair of groups: `groups`, `value`, `low`, `high`.
        too_small: By rule, the groups below `min_rows`, which are not compared.
    """

    measures: Mapping[str, float] = field(default_factory=dict)
    differences: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    too_small: Mapping[str, Sequence[str]] = field(default_factory=dict)


def judge(project: Project, evaluation: Mapping[str, Any], evidence: Evidence | None = None) -> list[Verdict]:
    """Every rule of the gate against an evaluation report, in the order of the YAML."""
    found: list[Verdict] = []
    for name, rule in project.gate.items():
        if rule.measure is not None:
            found.append(_of_measure(name, rule, evidence or Evidence()))
        elif rule.max_difference is not None:
            found.append(_of_difference(name, rule, evidence or Evidence()))
        elif rule.cohort == EACH:
            found += _of_each(name, rule, evaluation, _each(project, evaluation))
        else:
            found.append(_of_group(name, rule, evaluation))
    return found


def opens(verdicts: Iterable[Verdict]) -> bool:
    """Whether the gate is open: every rule passed or is waived."""
    return all(verdict.opens() for verdict in verdicts)


def _of_group(name: str, rule: Rule, evaluation: Mapping[str, Any]) -> Verdict:
    cohort = rule.cohort or ""
    part = _groups(evaluation).get(cohort) if cohort else evaluation[EVERYBODY]
    blank = Verdict(name, False, f"{rule.metric} of {cohort or EVERYBODY}", "", rule.wanted(), cohort)
    if part is None or "models" not in part:
        why = (part or {}).get("not_measured", "the cohort is not in the evaluation")
        return replace(blank, found=f"not measured: {why}")
    if rule.better_than is not None:
        against = _against(blank, rule, part, evaluation)
        if not against.passed or (rule.min is None and rule.max is None):
            return against
    value, low, high = _measured(part, evaluation["model"], rule)
    if value is None or low is None or high is None:
        return replace(blank, found=_UNDEFINED)
    for_min, for_max = (low, high) if rule.by == "interval" else (value, value)
    passed = (rule.min is None or for_min >= rule.min) and (rule.max is None or for_max <= rule.max)
    return replace(blank, passed=passed, found=_shown(value, low, high))


def _against(blank: Verdict, rule: Rule, part: Mapping[str, Any], evaluation: Mapping[str, Any]) -> Verdict:
    if told := _nobody_to_beat(rule, evaluation):
        passed = rule.first == "pass" or told == _ITSELF
        return replace(blank, passed=passed, found=told if passed else f"refused: {told}")
    low, high = _difference(part, rule)
    if low is None or high is None:
        return replace(blank, found=f"not measured against {rule.better_than}")
    low_is_good = part["better"][rule.metric] == "higher"
    worst = low if low_is_good else -high
    passed = worst > 0 if rule.margin is None else worst >= -rule.margin
    return replace(blank, passed=passed, found=f"difference [{low:+.4f}, {high:+.4f}]")


def _nobody_to_beat(rule: Rule, evaluation: Mapping[str, Any]) -> str:
    """Why a rule about the champion asks nothing; empty where it asks, also of a champion that could not be judged."""
    if rule.better_than != CHAMPION:
        return ""
    told = evaluation.get(CHAMPION, {})
    if told.get("itself"):
        return _ITSELF
    parts = [evaluation[EVERYBODY], *_groups(evaluation).values()]
    seen = any(CHAMPION in part.get("models", {}) for part in parts)
    return "" if seen or told.get("release") else "there is no champion yet"


def _each(project: Project, evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """The declared cohorts and the found slices; what an evaluation shows besides is no group of people."""
    shown = set(evaluation.get("cohorts", {})) - set(project.cohorts)
    return {name: part for name, part in _groups(evaluation).items() if name not in shown}


def _of_each(name: str, rule: Rule, evaluation: Mapping[str, Any], groups: Mapping[str, Any]) -> list[Verdict]:
    """A verdict a group of at least `min_rows`, and one that tells which were too small."""
    small = [cohort for cohort, part in groups.items() if part["rows"] < rule.min_rows]
    judged = {cohort: part for cohort, part in groups.items() if cohort not in small}
    blank = Verdict(name, False, "", "", rule.wanted())
    if not judged:
        why = f"{listed(small)} have fewer than {rule.min_rows} rows" if small else "there is no cohort"
        return [replace(blank, subject=f"{rule.metric} of each cohort", found=f"not measured: {why}")]
    found = {
        cohort: _tests_of(replace(blank, subject=f"{rule.metric} of {cohort}", cohort=cohort), rule, part, evaluation)
        for cohort, part in judged.items()
    }
    # one correction over every test of the rule, however many a group has
    chances = [(cohort, chance) for cohort, (_, tests) in found.items() for chance in tests]
    stands = zip(chances, holm([chance for _, chance in chances]), strict=True)
    beyond = {cohort for (cohort, _), stand in stands if stand}
    verdicts = [
        replace(verdict, passed=verdict.passed and cohort not in beyond) for cohort, (verdict, _) in found.items()
    ]
    if small:
        told = f"too small to judge (fewer than {rule.min_rows} rows): {listed(small)}"
        verdicts.append(replace(blank, passed=True, subject=f"{rule.metric} of small cohorts", found=told))
    return verdicts


def _tests_of(
    blank: Verdict, rule: Rule, part: Mapping[str, Any], evaluation: Mapping[str, Any]
) -> tuple[Verdict, list[float]]:
    """The group's verdict so far, and the p-value of each of the rule's limits; by value, nothing is left to test."""
    if "models" not in part:
        return replace(blank, found=f"not measured: {part.get('not_measured', 'the cohort was not judged')}"), []
    if rule.by == "value":
        alone = _of_group(blank.rule, rule.model_copy(update={"cohort": blank.cohort}), evaluation)
        return replace(alone, wanted=blank.wanted), []
    value, low, high = _measured(part, evaluation["model"], rule)
    if value is None or low is None or high is None:
        return replace(blank, found=_UNDEFINED), []
    limits: list[tuple[float, Literal["higher", "lower"]]] = []
    limits += [(rule.min, "higher")] if rule.min is not None else []
    limits += [(rule.max, "lower")] if rule.max is not None else []
    tests = [chance_of_worse(value, low, high, limit, better) for limit, better in limits]
    told = _shown(value, low, high)
    unopposed = _nobody_to_beat(rule, evaluation)
    if rule.better_than is not None and not unopposed:
        other = _number(part["models"].get(rule.better_than, {}).get(rule.metric, {}).get("value"))
        low, high = _difference(part, rule)
        if other is None or low is None or high is None:
            return replace(blank, found=f"not measured against {rule.better_than}"), []
        better = part["better"][rule.metric]
        limit = -(rule.margin or 0.0) if better == "higher" else (rule.margin or 0.0)
        tests.append(chance_of_worse(value - other, low, high, limit, better))
        told += f", difference [{low:+.4f}, {high:+.4f}]"
    elif unopposed:
        passed = rule.first == "pass" or unopposed == _ITSELF
        return replace(blank, passed=passed, found=f"{told}, {unopposed}"), tests
    return replace(blank, passed=True, found=told), tests


def _of_measure(name: str, rule: Rule, evidence: Evidence) -> Verdict:
    blank = Verdict(name, False, f"{rule.measure} of the model", "", rule.wanted())
    value = _number(evidence.measures.get(str(rule.measure)))
    if value is None and rule.measure == REPLAY:
        return replace(blank, passed=rule.first == "pass", found="no request was logged with its inputs")
    if value is None:
        return replace(blank, found="not measured")
    passed = (rule.min is None or value >= rule.min) and (rule.max is None or value <= rule.max)
    # a clock's number is never the same twice: what is written down is which side of the limit it is on
    timed = "within the limit" if passed else "beyond the limit"
    return replace(blank, passed=passed, found=timed if rule.is_timed() else f"{value:,.10g}")


def _of_difference(name: str, rule: Rule, evidence: Evidence) -> Verdict:
    groups = f"across {rule.across}" if rule.across else f"between {' and '.join(rule.between or ())}"
    blank = Verdict(name, False, f"{rule.metric} {groups}", "", rule.wanted())
    small = list(evidence.too_small.get(name, ()))
    told = f"; fewer than {rule.min_rows} rows: {listed(small)}" if small else ""
    pairs = evidence.differences.get(name, ())
    if not pairs or (small and rule.between):
        return replace(blank, found=f"not measured: there are no two groups to compare{told}")
    lacking = [pair for pair in pairs if None in [_number(pair[end]) for end in ("value", "low", "high")]]
    if lacking:
        return replace(blank, found=f"not measured between {' and '.join(lacking[0]['groups'])}{told}")
    by_value = rule.by == "value"

    def size(pair: Mapping[str, Any]) -> float:
        ends = [pair["value"]] if by_value else [pair["low"], pair["high"]]
        return max(abs(float(end)) for end in ends)

    worst = max(pairs, key=size)
    found = f"{' - '.join(worst['groups'])}: {worst['value']:+.4f} [{worst['low']:+.4f}, {worst['high']:+.4f}]{told}"
    return replace(blank, passed=size(worst) <= float(rule.max_difference or 0.0), found=found)


def _groups(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """Declared cohorts and found slices, by name."""
    return {**evaluation.get("slices", {}), **evaluation.get("cohorts", {})}


def _measured(part: Mapping[str, Any], model: str, rule: Rule) -> tuple[float | None, float | None, float | None]:
    measured = part["models"][model].get(rule.metric, {})
    return _number(measured.get("value")), _number(measured.get("low")), _number(measured.get("high"))


def _difference(part: Mapping[str, Any], rule: Rule) -> tuple[float | None, float | None]:
    other = part["models"].get(rule.better_than, {}).get(rule.metric, {}).get("own_minus_this", {})
    return _number(other.get("low")), _number(other.get("high"))


def _number(value: Any) -> float | None:
    """A number that can be compared; NaN and infinities were not measured."""
    return float(value) if value is not None and isfinite(value) else None


def _shown(value: float, low: float, high: float) -> str:
    return f"{value:.4f} [{low:.4f}, {high:.4f}]"
