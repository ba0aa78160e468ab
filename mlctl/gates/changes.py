"""What became better or worse, and where: the gate of now against the committed gate of another git revision.

Only what is committed is read (`metrics/gate.json` and `metrics/evaluation.json`), so nothing has to be trained again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from mlctl import git
from mlctl.errors import ConfigError
from mlctl.gates import EVERYBODY
from mlctl.workspace import Places


@dataclass(frozen=True)
class Change:
    """One thing that is not as it was.

    Attributes:
        what: A metric, or `rule NAME`.
        where: The group of rows; empty for a rule that is gone or new.
        before: As it was, for people.
        now: As it is, for people.
        turned: `better`, `worse` or `changed`.
        sure: True when the value of then lies outside the 95 % interval of now; always for a rule.
    """

    what: str
    where: str
    before: str
    now: str
    turned: Literal["better", "worse", "changed"]
    sure: bool = True

    def record(self) -> dict[str, Any]:
        """The change as JSON-ready data."""
        return asdict(self)


def at_revision(places: Places, revision: str) -> dict[str, Any]:
    """The committed `gate` and `evaluation` of a revision; one that was not committed there is empty.

    Raises:
        ConfigError: Git knows no such revision, or this is no git checkout.
    """
    if revision.startswith("-") or git.said("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}") is None:
        raise ConfigError.bad_argument(
            f"--against {revision}", "git knows no such revision here", "git fetch, or name a branch, tag or commit"
        )
    return {name: git.json_at(revision, places.metrics / f"{name}.json") for name in ("gate", "evaluation")}


def compared(places: Places, gate: Mapping[str, Any], revision: str) -> dict[str, Any]:
    """The gate's report with `against`, the revision, and `changes`, what is not as it was there.

    Raises:
        ConfigError: Git knows no such revision, or this is no git checkout.
    """
    before = at_revision(places, revision)
    return {**gate, "against": revision, "changes": [change.record() for change in changes(gate, before)]}


def changes(gate: Mapping[str, Any], before: Mapping[str, Any]) -> list[Change]:
    """Every verdict and every metric of every group that is not as it was: verdicts first, then worse before better.

    Args:
        gate: The gate's report of now.
        before: What `at_revision` gave.
    """
    found = [*_of_rules(gate, before["gate"]), *_of_metrics(gate, before)]
    order = {"worse": 0, "changed": 1, "better": 2}
    return sorted(
        found, key=lambda change: (not change.what.startswith("rule "), order[change.turned], not change.sure)
    )


def _of_rules(gate: Mapping[str, Any], before: Mapping[str, Any]) -> list[Change]:
    now, then = _verdicts(gate), _verdicts(before)
    found = []
    for key in [*now, *(key for key in then if key not in now)]:
        if now.get(key) == then.get(key) or not then:
            continue
        was, is_ = then.get(key, "no such rule"), now.get(key, "no such rule")
        turned: Literal["better", "worse", "changed"] = "changed"
        if "no such rule" not in (was, is_):
            turned = "better" if is_ == "passed" else "worse" if was == "passed" else "changed"
        found.append(Change(f"rule {key[0]}", key[1], was, is_, turned))
    return found


def _verdicts(report: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    said = {}
    for rule in report.get("rules", []):
        word = "passed" if rule["passed"] else "waived" if rule.get("waived") else "refused"
        said[rule["rule"], rule["subject"]] = word
    return said


def _of_metrics(gate: Mapping[str, Any], before: Mapping[str, Any]) -> list[Change]:
    found = []
    for group, metrics in gate["groups"].items():
        for metric, measured in metrics.items():
            was, value = _value(before, group, metric), measured["value"]
            # the last digits differ from machine to machine
            if was is None or value is None or f"{was:.6f}" == f"{value:.6f}":
                continue
            good = (value > was) == (measured["better"] == "higher")
            known = measured["low"] is not None and measured["high"] is not None
            sure = known and not measured["low"] <= was <= measured["high"]
            found.append(Change(metric, group, f"{was:.4f}", f"{value:.4f}", "better" if good else "worse", sure))
    return found


def _value(before: Mapping[str, Any], group: str, metric: str) -> float | None:
    """The metric of then; a gate of an older version told only rules, so everybody's is in the evaluation."""
    measured = before["gate"].get("groups", {}).get(group, {}).get(metric)
    if measured is not None:
        value = measured["value"]
    else:
        value = before["evaluation"].get(metric) if group == EVERYBODY else None
    return float(value) if isinstance(value, int | float) else None
