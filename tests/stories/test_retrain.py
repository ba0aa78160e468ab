"""One command from new data to who answers: what it makes, commits, refuses and leaves alone."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import world

MONTH = "2026-12-01"
KILLED = ["ingest", "features", "package", "register", "challenge", "score"]


@pytest.fixture(scope="module")
def retrained(finished_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The shop with a champion, and a month of data later a challenger, after its retraining was killed again and again."""
    folder = world.copy_workspace(finished_workspace, tmp_path_factory.mktemp("retrain") / "workspace")
    first = world.mlctl(folder, "retrain", "shop")
    assert first.returncode == 0, first.stderr
    (folder / "notes.txt").write_text("mine, staged\n")
    world.git(folder, "add", "notes.txt")
    (folder / "dvc.yaml").write_text((folder / "dvc.yaml").read_text() + "# mine, not staged\n")
    for step in KILLED:
        world.killed_at(folder, step, "retrain", "shop", "--as-of", MONTH)
    second = world.mlctl(folder, "retrain", "shop", "--as-of", MONTH, "--json")
    assert second.returncode == 0, second.stderr
    (folder.parent / "second.json").write_text(second.stdout)
    yield folder


def rollout(folder: Path) -> dict[str, str]:
    variants = json.loads((folder / "projects/shop/rollout.flagd.json").read_text())["flags"]["shop"]["variants"]
    return {str(name): str(value) for name, value in variants.items()}


def listed(folder: Path) -> list[dict[str, object]]:
    told = world.mlctl(folder, "releases", "shop", "--json")
    assert told.returncode == 0, told.stderr
    found: list[dict[str, object]] = json.loads(told.stdout)["releases"]
    return found


def test_the_first_release_is_champion_and_the_next_one_challenges_it(retrained: Path) -> None:
    told = json.loads((retrained.parent / "second.json").read_text())["projects"][0]
    lines = listed(retrained)

    assert [(line["name"], line["alias"]) for line in lines] == [("shop/2", "challenger"), ("shop/1", "champion")]
    assert rollout(retrained) == {"champion": lines[1]["release"], "challenger": lines[0]["release"]}
    assert told["outcome"] == "challenger"
    assert told["why"][0].endswith("as of 2026-12-01")
    assert {difference["part"] for difference in told["differences"]} >= {"data", "metrics", "scores"}
    assert [stage["stage"] for stage in told["stages"]][:2] == ["ingest", "compose"]
    assert told["budget_s"] == 1200
    assert (retrained / ".mlctl/shop/retrain/report.md").read_text().startswith("### `shop`: shop/2 (")


def test_one_commit_holds_what_it_made_and_nothing_of_anybody_else(retrained: Path) -> None:
    files = world.git(retrained, "show", "--name-only", "--format=%s", "HEAD").split("\n")

    assert files[0] == f"Retrain shop on the data of {MONTH}"
    assert {"data.dvc", "dvc.lock", "projects/shop/metrics/gate.json", "projects/shop/rollout.flagd.json"} <= set(files)
    assert not {"notes.txt", "dvc.yaml"} & set(files)
    assert world.git(retrained, "status", "--porcelain").splitlines() == [" M dvc.yaml", "A  notes.txt"]
    assert "up to date" in world.dvc(retrained, "status").stdout


def test_of_six_that_were_killed_nothing_is_left_over_and_nothing_stands_twice(retrained: Path) -> None:
    states = (retrained / "projects/shop/history.jsonl").read_text().splitlines()
    subjects = world.git(retrained, "log", "--format=%s", "-2").splitlines()

    assert [json.loads(line)["revision"] for line in states] == [1, 2], "champion, then challenger"
    assert subjects == [f"Retrain shop on the data of {MONTH}", "Retrain shop"]
    assert world.psql(retrained, "SELECT count(*) FROM mlctl.generations") == "2"
    assert [path for path in retrained.rglob("*") if path.suffix in (".tmp", ".old") or ".new." in path.name] == []
    assert not (retrained / ".mlctl/shop/retrain/begun.json").exists()


def test_again_nothing_is_new_and_nothing_changes(retrained: Path) -> None:
    head = world.git(retrained, "rev-parse", "HEAD")

    again = world.mlctl(retrained, "retrain", "shop", "--as-of", MONTH)

    assert again.returncode == 0, again.stderr
    assert "nothing is new since the last retraining: shop/2 (" in again.stderr
    assert world.git(retrained, "rev-parse", "HEAD") == head


def test_two_releases_are_compared_by_any_of_their_names(retrained: Path) -> None:
    by_alias = world.mlctl(retrained, "diff", "shop@champion", "shop@challenger", "--format", "json")
    by_number = world.mlctl(retrained, "diff", "shop/1", "projects/shop/2", "--format", "json")
    unknown = world.mlctl(retrained, "diff", "shop/1", "shop/9")

    assert by_alias.returncode == 0, by_alias.stderr
    assert by_alias.stdout == by_number.stdout
    assert json.loads(by_alias.stdout)["differences"]
    assert unknown.returncode == 2
    assert "there is no such release; kept: shop/1, shop/2" in unknown.stderr


def test_promotion_and_going_back_move_one_pointer_and_are_written_down(retrained: Path, tmp_path: Path) -> None:
    folder = world.copy_workspace(retrained, tmp_path / "workspace")
    first, second = (str(line["release"]) for line in reversed(listed(folder)))

    promoted = world.mlctl(folder, "promote", "shop@challenger", "--why", "it is better", "--json")
    assert promoted.returncode == 0, promoted.stderr
    assert json.loads(promoted.stdout)["before"] == first
    assert rollout(folder) == {"champion": second}
    assert world.mlctl(folder, "promote", "shop/2", "--tag").returncode == 0, "the same again changes nothing"
    gto = [str(Path(sys.executable).parent / "gto"), "show", "--json"]
    seen = json.loads(subprocess.run(gto, cwd=folder, capture_output=True, text=True, check=True).stdout)
    assert (seen["shop"]["version"], seen["shop"]["stage"]) == ("v2.0.0", {"champion": "v2.0.0"})

    back = world.mlctl(folder, "rollback", "shop", "--why", "it is not")
    assert back.returncode == 0, back.stderr
    assert rollout(folder) == {"champion": first}
    again = world.mlctl(folder, "rollback", "shop")
    assert again.returncode == 0, again.stderr
    assert (
        f"shop/1 ({first}) answers again, in place of {second}; it did already, and nothing is changed" in again.stderr
    )
    assert rollout(folder) == {"champion": first}
    told = [json.loads(line) for line in (folder / "projects/shop/history.jsonl").read_text().splitlines()]
    assert [line["why"] for line in told][-2:] == ["it is better", "it is not"]
    assert told[-1]["by"] == "tester <tester@example.com>"


def test_a_damaged_release_is_refused_before_anything_changes(retrained: Path, tmp_path: Path) -> None:
    folder = world.copy_workspace(retrained, tmp_path / "workspace")
    before = rollout(folder)
    path = folder / "projects/shop/releases" / before["challenger"] / "model.onnx"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"\0")

    refused = world.mlctl(folder, "promote", "shop@challenger")

    assert refused.returncode == 6, refused.stderr
    assert "model.onnx is not what was recorded" in refused.stderr
    assert rollout(folder) == before


def test_a_refusal_leaves_the_champion_and_is_told_again_at_once(finished_workspace: Path, tmp_path: Path) -> None:
    folder = world.copy_workspace(finished_workspace, tmp_path / "workspace")
    assert world.mlctl(folder, "promote", "shop").returncode == 0
    world.replace(folder / "projects/shop/project.yaml", "min: 0.7", "min: 0.99")
    world.commit(folder, "ask more")
    before = rollout(folder)

    refused = world.mlctl(folder, "retrain")
    again = world.mlctl(folder, "retrain", "--no-commit")

    assert refused.returncode == 4, refused.stderr
    assert "the champion is what it was" in refused.stderr
    assert "why: parameters: gate.ranks.min" in refused.stdout
    assert world.git(folder, "log", "-1", "--format=%s%n%b").splitlines()[:3] == [
        "Retrain shop",
        "shop: the gate refused",
        "  parameters: gate.ranks.min",
    ]
    assert again.returncode == 4
    assert "nothing is new since the last retraining: the gate refused" in again.stderr
    assert rollout(folder) == before


def test_of_two_at_once_the_second_is_told_who_is_at_work(workspace: Path) -> None:
    first = world.begin(workspace, "retrain", "shop")
    assert first.stderr is not None
    assert "ingest" in first.stderr.readline()
    first.send_signal(signal.SIGSTOP)

    second = world.mlctl(workspace, "retrain", "shop")

    assert second.returncode == 5, second.stderr
    assert f"pid {first.pid} on " in second.stderr
    assert "mlctl retrain shop" in second.stderr
    first.kill()
    first.communicate()
