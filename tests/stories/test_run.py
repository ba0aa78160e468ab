"""One command turns a folder of YAML into audited scores; the same command again changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

from tests import world


def psql(folder: Path, query: str) -> list[list[str]]:
    done = world.mlctl(folder, "db", "psql", "shop", "--", "-At", "-c", query)
    assert done.returncode == 0, done.stderr
    return [line.split("|") for line in done.stdout.strip().splitlines()]


def test_everybody_has_one_whole_score(finished_workspace: Path) -> None:
    (row,) = psql(
        finished_workspace,
        "select count(*), count(distinct customer_id), count(score), min(score) >= 0 and max(score) <= 1,"
        " count(distinct release), min(as_of)::date from shop_scores",
    )

    assert row == ["600", "600", "600", "t", "1", "2026-11-01"]


def test_the_view_has_the_promised_columns(finished_workspace: Path) -> None:
    rows = psql(
        finished_workspace,
        "select column_name from information_schema.columns where table_name = 'shop_scores' order by ordinal_position",
    )

    assert [name for (name,) in rows] == [
        "customer_id", "score", "decision", "reason", "confidence", "release", "variant", "as_of", "scored_at",
        "contributions",
    ]  # fmt: skip


def test_who_has_no_history_is_told_so_and_gets_the_base_rate(finished_workspace: Path) -> None:
    prior = json.loads((finished_workspace / ".mlctl/shop/release/manifest.json").read_text())["prior"]

    rows = psql(
        finished_workspace,
        "select reason, decision, min(score), max(score) from shop_scores where reason = 'cold_start' group by 1, 2",
    )

    assert [(reason, decision) for reason, decision, _, _ in rows] == [("cold_start", "review")]
    assert float(rows[0][2]) == float(rows[0][3]) == prior


def test_the_same_command_again_changes_nothing_and_says_why(workspace: Path) -> None:
    first = json.loads(world.mlctl(workspace, "run", "shop", "--json").stdout)
    before = psql(workspace, "select md5(string_agg(t::text, ',' order by customer_id)) from shop_scores t")

    done = world.mlctl(workspace, "run", "shop", "--json")

    second = json.loads(done.stdout)
    assert done.returncode == 0
    assert second["format_version"] == "1.0"
    assert {stage["outcome"] for stage in second["stages"]} == {"skipped"}
    assert all(stage["why"].startswith("unchanged: ") for stage in second["stages"])
    assert second["published"]["already"] is True
    assert second["published"]["run_id"] == first["published"]["run_id"]
    assert psql(workspace, "select md5(string_agg(t::text, ',' order by customer_id)) from shop_scores t") == before
    assert world.git(workspace, "status", "--porcelain") == ""


def test_dvc_agrees_that_all_is_up_to_date(workspace: Path) -> None:
    assert "up to date" in world.dvc(workspace, "status").stdout
    assert "up to date" in world.dvc(workspace, "repro").stdout
    assert "package@shop" in world.dvc(workspace, "dag").stdout
    assert "roc_auc" in world.dvc(workspace, "metrics", "show").stdout
    assert world.dvc(workspace, "params", "diff").returncode == 0


def test_later_data_makes_new_scores(workspace: Path) -> None:
    before = json.loads(world.mlctl(workspace, "run", "shop", "--json").stdout)

    taken = world.mlctl(workspace, "ingest", "shop", "--as-of", "2026-11-15", "--json")
    after = json.loads(world.mlctl(workspace, "run", "shop", "--json").stdout)

    assert json.loads(taken.stdout)["as_of"] == "2026-11-15"
    assert after["dataset"]["rows"] > before["dataset"]["rows"]
    assert after["published"]["rows"] > before["published"]["rows"]
    assert after["published"]["run_id"] != before["published"]["run_id"]
    assert psql(workspace, "select distinct as_of::date from shop_scores") == [["2026-11-15"]]
