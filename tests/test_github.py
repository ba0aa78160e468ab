"""The gate as GitHub Actions reads it."""

from __future__ import annotations

from mlctl.github import annotate


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
