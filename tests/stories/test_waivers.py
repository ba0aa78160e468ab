"""A refusal is waived by a person, in git, for a while; it is shown wherever the verdict is, and ends by itself."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

from tests import world

YAML = "projects/shop/project.yaml"
RULE = "gate: {ranks: {metric: roc_auc, min: 0.999}, fast: {measure: latency_ms, max: 1000}}"


def waive(folder: Path, until: str, by: str = "tester") -> None:
    entry = f"{{rule: ranks, until: {until}, by: {by}, because: a new range is sold since spring}}"
    (folder / "projects/shop/waivers.yaml").write_text(f"waivers:\n- {entry}\n")


def gate_report(folder: Path) -> dict:
    return json.loads((folder / "projects/shop/metrics/gate.json").read_text())


def test_a_refusal_that_somebody_answers_for_is_released_and_shown_and_ends(workspace: Path) -> None:
    world.replace(workspace / YAML, "gate: {ranks: {metric: roc_auc, min: 0.7}}", RULE)
    world.commit(workspace, "ask for more")
    today = date.fromisoformat(world.git(workspace, "log", "-1", "--format=%cs").strip())
    until = (today + timedelta(days=30)).isoformat()
    waive(workspace, until)

    uncommitted = world.mlctl(workspace, "run", "shop")
    assert uncommitted.returncode == 4, uncommitted.stderr
    assert "waiver of ranks at projects/shop/waivers.yaml:2 does not count: it is not committed" in uncommitted.stderr

    world.commit(workspace, "waive")
    waived = world.mlctl(workspace, "run", "shop")
    assert waived.returncode == 0, waived.stderr
    told = f"waived by tester until {until}: a new range is sold since spring"
    assert "WAIVED" in waived.stderr
    assert f"ranks is {told}" in waived.stderr
    report = gate_report(workspace)
    assert report["passed"] is True
    assert [(rule["rule"], rule["passed"], rule["waived"]) for rule in report["rules"]] == [
        ("better_than_constant", True, ""),
        ("ranks", False, told),
        ("fast", True, ""),
    ]
    card = (workspace / ".mlctl/shop/release/card.md").read_text()
    assert "## Released although the gate refused" in card
    assert told in card
    world.commit(workspace, "outputs")
    assert "didn't change" in world.dvc(workspace, "repro", "gate@shop").stdout

    before = (workspace / "projects/shop/metrics/gate.json").read_bytes()
    as_json = world.mlctl(workspace, "gate", "shop", "--format", "json")
    as_markdown = world.mlctl(workspace, "gate", "shop", "--format", "md", "--against", "HEAD~3")
    for_github = world.mlctl(workspace, "gate", "shop", "--format", "github", GITHUB_STEP_SUMMARY="")
    assert [done.returncode for done in (as_json, as_markdown, for_github)] == [0, 0, 0]
    assert json.loads(as_json.stdout)["gates"][0]["rules"][1]["waived"] == told
    assert f"| ranks | waived | roc_auc of everybody | {report['rules'][1]['found']}; {told}" in as_markdown.stdout
    assert "| rule ranks | roc_auc of everybody | passed | waived | **worse** |" in as_markdown.stdout
    line = next(n for n, text in enumerate((workspace / YAML).read_text().splitlines(), 1) if "ranks" in text)
    assert f"::warning file={YAML},line={line},title=gate ranks::roc_auc of everybody" in for_github.stdout
    assert (workspace / "projects/shop/metrics/gate.json").read_bytes() == before

    waive(workspace, "2026-01-31")
    world.commit(workspace, "it has ended")
    ended = world.mlctl(workspace, "run", "shop")
    assert ended.returncode == 4
    assert "does not count: it ended on 2026-01-31" in ended.stderr
    assert gate_report(workspace)["waivers"] == [
        "waiver of ranks at projects/shop/waivers.yaml:2 does not count: it ended on 2026-01-31"
    ]

    waive(workspace, until, by="somebody")
    world.commit(workspace, "in another name")
    assert "it names somebody, and the last to touch it was tester" in world.mlctl(workspace, "run", "shop").stderr

    world.replace(workspace / "projects/shop/waivers.yaml", "rule: ranks", "rule: rank")
    wrong = world.mlctl(workspace, "run", "shop")
    assert wrong.returncode == 2
    assert (
        "projects/shop/waivers.yaml:2: waivers.0.rule: the gate has no rule 'rank'; did you mean 'ranks'?"
        in wrong.stderr
    )


def test_groups_measures_and_a_missing_champion_are_judged_on_a_real_model(workspace: Path) -> None:
    rules = """gate:
  everywhere: {metric: roc_auc, cohort: each, min: 0.5}
  selected: {metric: selection_share, across: plan, max_difference: 0.9}
  alike: {metric: roc_auc, between: [annual, others], max_difference: 0.01}
  champion: {metric: log_loss, better_than: champion, margin: 0.01}
  fast: {measure: latency_ms, max: 1000}
  quick: {measure: seconds, max: 0.0000001}
  small: {measure: size_bytes, max: 100}
  exact: {measure: parity, max: 0.0001}
  enough: {measure: rows, min: 100}"""
    world.replace(workspace / YAML, "gate: {ranks: {metric: roc_auc, min: 0.7}}", rules)
    world.replace(
        workspace / YAML,
        "cohorts: {annual: plan = 'annual'}",
        "cohorts: {annual: plan = 'annual', others: plan <> 'annual', nobody: orders_90d < 0}",
    )

    done = world.mlctl(workspace, "run", "shop")

    assert done.returncode == 4, done.stderr
    said = {
        (rule["rule"], rule["subject"]): (rule["passed"], rule["found"]) for rule in gate_report(workspace)["rules"]
    }
    refused = {rule for (rule, _), (passed, _) in said.items() if not passed}
    assert refused == {"alike", "quick", "small"}
    assert said["everywhere", "roc_auc of small cohorts"][1] == "too small to judge (fewer than 50 rows): nobody"
    assert said["champion", "log_loss of everybody"] == (True, "there is no champion yet")
    assert said["fast", "latency_ms of the model"] == (True, "within the limit")
    assert said["quick", "seconds of the model"] == (False, "beyond the limit")
    assert "measured on this machine: latency_ms" in done.stderr
    own = json.loads((workspace / ".mlctl/shop/evaluation/report.json").read_text())["model"]
    size = (workspace / f".mlctl/shop/model/{own}.onnx").stat().st_size
    assert said["small", "size_bytes of the model"] == (False, f"{size:,}")
    before = (workspace / "projects/shop/metrics/gate.json").read_bytes()
    again = world.mlctl(workspace, "gate", "shop")
    assert again.returncode == 4
    assert (workspace / "projects/shop/metrics/gate.json").read_bytes() == before


def test_the_preset_for_a_project_with_a_live_release_adds_its_two_rules(finished_workspace: Path) -> None:
    shown = world.mlctl(finished_workspace, "compose", "shop", "gate=champion", "--json")

    assert shown.returncode == 0, shown.stderr
    rules = json.loads(shown.stdout)["gate"]
    assert rules["not_worse_than_champion"]["better_than"] == "champion"
    assert rules["not_worse_than_champion"]["margin"] == 0.005
    assert "better_than_constant" in rules


def test_what_to_compare_with_must_be_a_revision(finished_workspace: Path) -> None:
    for revision in ("origin/nowhere", "--all"):
        done = world.mlctl(finished_workspace, "gate", "shop", f"--against={revision}")
        assert done.returncode == 2
        assert "git knows no such revision here" in done.stderr
    same = world.mlctl(finished_workspace, "gate", "shop", "--against", "HEAD")
    assert same.returncode == 0
    assert "nothing is better or worse than at HEAD" in same.stdout
