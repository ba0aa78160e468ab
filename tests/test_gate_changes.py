"""What became better or worse since another revision, and how people read it."""

from __future__ import annotations

from typing import Any

from mlctl.console.gate import gates_markdown
from mlctl.gates.changes import changes


def metric(value: float | None, better: str = "higher", half: float = 0.01) -> dict[str, Any]:
    ends = {"low": None, "high": None} if value is None else {"low": value - half, "high": value + half}
    return {"better": better, "value": value, **ends}


def report(rules: dict[str, bool] | None = None, waived: str = "", **groups: dict[str, Any]) -> dict[str, Any]:
    said = [
        {"rule": name, "passed": good, "subject": "roc_auc of everybody", "found": "0.7 | 0.8", "wanted": ">= 0.9", "waived": "" if good else waived}
        for name, good in (rules or {}).items()
    ]  # fmt: skip
    return {"project": "shop", "passed": True, "rules": said, "groups": groups}


def told(now: dict[str, Any], then: dict[str, Any], evaluation: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    found = changes(now, {"gate": then, "evaluation": evaluation or {}})
    return [(change.what, change.where, change.before, change.now, change.turned, change.sure) for change in found]


def test_a_metric_is_better_or_worse_by_its_own_direction_and_sure_beyond_the_interval() -> None:
    now = report(everybody={"roc_auc": metric(0.8), "log_loss": metric(0.5, "lower")}, new={"roc_auc": metric(0.6)})
    then = report(everybody={"roc_auc": metric(0.78), "log_loss": metric(0.495, "lower")}, new={"roc_auc": metric(0.7)})

    assert told(now, then) == [
        ("roc_auc", "new", "0.7000", "0.6000", "worse", True),
        ("log_loss", "everybody", "0.4950", "0.5000", "worse", False),
        ("roc_auc", "everybody", "0.7800", "0.8000", "better", True),
    ]


def test_the_last_digits_of_another_machine_and_what_was_not_measured_are_no_change() -> None:
    now = report(everybody={"roc_auc": metric(0.8), "ece": metric(None)}, new={"roc_auc": metric(0.5)})

    assert told(now, report(everybody={"roc_auc": metric(0.8000000001), "ece": metric(0.1)})) == []
    assert told(now, {}) == []


def test_a_gate_that_told_no_groups_is_compared_by_its_evaluation() -> None:
    now = report(everybody={"roc_auc": metric(0.8)}, new={"roc_auc": metric(0.5)})

    assert told(now, {}, {"roc_auc": 0.7, "rows": 10}) == [("roc_auc", "everybody", "0.7000", "0.8000", "better", True)]


def test_verdicts_come_first_and_a_rule_that_came_or_went_is_neither_better_nor_worse() -> None:
    now = report({"a": True, "b": False, "c": False, "new": True, "same": True}, everybody={"roc_auc": metric(0.8)})
    then = report({"a": False, "b": True, "c": False, "gone": False, "same": True}, everybody={"roc_auc": metric(0.9)})
    then["rules"][2]["waived"] = "waived by Ann"

    everybody = "roc_auc of everybody"
    assert told(now, then) == [
        ("rule b", everybody, "passed", "refused", "worse", True),
        ("rule c", everybody, "waived", "refused", "changed", True),
        ("rule new", everybody, "no such rule", "passed", "changed", True),
        ("rule gone", everybody, "refused", "no such rule", "changed", True),
        ("rule a", everybody, "refused", "passed", "better", True),
        ("roc_auc", "everybody", "0.9000", "0.8000", "worse", True),
    ]


def test_the_pull_request_reads_verdicts_waivers_and_changes() -> None:
    now = report(
        {"a": True, "b": False}, waived="waived by Ann until 2026-03-31: few", everybody={"roc_auc": metric(0.8)}
    )
    found = changes(now, {"gate": report(everybody={"roc_auc": metric(0.795)}), "evaluation": {}})
    text = gates_markdown(
        [{**now, "waivers": ["waiver of c does not count"], "against": "main", "changes": [c.record() for c in found]}]
    )

    assert text.split("\n") == [
        "<!-- mlctl gate -->",
        "### Gate of `shop`: passed",
        "",
        "| rule | verdict | judged | found (95 % interval) | wanted |",
        "|---|---|---|---|---|",
        "| a | pass | roc_auc of everybody | 0.7 \\| 0.8 | >= 0.9 |",
        "| b | waived | roc_auc of everybody | 0.7 \\| 0.8; waived by Ann until 2026-03-31: few | >= 0.9 |",
        "",
        "- waiver of c does not count",
        "",
        "Against `main`:",
        "",
        "| what | where | before | now |  |",
        "|---|---|---|---|---|",
        "| roc_auc | everybody | 0.7950 | 0.8000 | better, within the interval |",
        "",
        "",
    ]
    assert "Nothing is better or worse than at `main`." in gates_markdown([{**now, "against": "main", "changes": []}])
