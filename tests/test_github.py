"""The gate as GitHub Actions reads it."""

from __future__ import annotations

from mlctl.gates.github import annotate


def report(project: str, **passed: bool) -> dict:
    rules = [
        {"rule": name, "passed": good, "subject": "roc_auc of 50 %", "found": "0.7\n[0.6, 0.8]", "wanted": ">= 0.9"}
        for name, good in passed.items()
    ]
    return {"project": project, "passed": all(passed.values()), "rules": rules}


def test_each_refused_rule_is_an_annotation_and_the_tables_go_to_stdout_without_a_summary(monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)

    text = annotate([report("shop", ranks=True, honest=False), report("churn", ranks=True)], "| a | b |")

    assert text.split("\n") == [
        "::error file=projects/shop/project.yaml,title=gate honest::roc_auc of 50 %25: 0.7%0A[0.6, 0.8], wanted >= 0.9",
        "| a | b |",
        "::notice title=gate::1 of 2 projects passed",
    ]


def test_a_rules_name_cannot_break_out_of_its_place(monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)

    text = annotate([report("shop", **{"a::b,file=x\n::warning::y": False})], "")

    assert text.split("\n")[0].startswith(
        "::error file=projects/shop/project.yaml,title=gate a%3A%3Ab%2Cfile=x%0A%3A%3Awarning%3A%3Ay::"
    )


def test_the_tables_go_behind_what_is_in_the_summary_already(monkeypatch, tmp_path):
    (tmp_path / "summary.md").write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))

    assert annotate([report("shop", ranks=True)], "| ü |\n") == "::notice title=gate::1 of 1 projects passed"
    assert (tmp_path / "summary.md").read_text(encoding="utf-8") == "before\n| ü |\n"


def test_a_waived_rule_is_a_warning_and_a_known_place_is_named_with_its_line(monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    found = report("shop", ranks=False, honest=False)
    found["rules"][1]["waived"] = "waived by Ann until 2026-03-31: few rows"
    found["waivers"] = ["waiver of x does not count"]

    lines = annotate(
        [found], "", {"shop": {"ranks": "projects/shop/project.yaml:16", "honest": "conf/gate/default.yaml:2"}}
    )

    assert lines.split("\n")[:3] == [
        "::error file=projects/shop/project.yaml,line=16,title=gate ranks::roc_auc of 50 %25: 0.7%0A[0.6, 0.8], wanted >= 0.9",
        "::warning file=conf/gate/default.yaml,line=2,title=gate honest::roc_auc of 50 %25: 0.7%0A[0.6, 0.8], wanted >= 0.9; waived by Ann until 2026-03-31: few rows",
        "::warning title=waiver::waiver of x does not count",
    ]
