"""A fresh clone takes the same snapshot again, to the byte, and makes the same release."""

from __future__ import annotations

import json
from pathlib import Path

from tests import world


def test_a_clone_without_data_ends_in_the_committed_state(finished_workspace: Path, tmp_path: Path) -> None:
    world.git(tmp_path, "clone", "--quiet", str(finished_workspace), "clone")
    clone = tmp_path / "clone"

    done = world.mlctl(clone, "run", "shop", "--json")

    assert done.returncode == 0, done.stderr
    assert "hashes to what data.dvc pins" in done.stderr
    assert world.git(clone, "status", "--porcelain") == ""
    release = json.loads((finished_workspace / ".mlctl/shop/release/manifest.json").read_text())["id"]
    assert json.loads(done.stdout)["release"] == release


def test_one_project_of_two_in_a_fresh_clone_leaves_the_other_s_data_pinned(workspace: Path, tmp_path: Path) -> None:
    other = workspace / "projects/other/project.yaml"
    other.parent.mkdir()
    other.write_text((workspace / "projects/shop/project.yaml").read_text().replace("name: shop", "name: other"))
    assert world.mlctl(workspace, "run", "other").returncode == 0
    world.commit(workspace, "two projects")
    world.git(tmp_path, "clone", "--quiet", str(workspace), "clone")
    clone = tmp_path / "clone"

    assert world.mlctl(clone, "run", "shop").returncode == 0
    assert world.git(clone, "status", "--porcelain") == ""
    assert world.mlctl(clone, "run", "other").returncode == 0
    assert "data.dvc" not in world.git(clone, "status", "--porcelain")


def test_sources_that_changed_their_past_are_refused(finished_workspace: Path, tmp_path: Path) -> None:
    world.git(tmp_path, "clone", "--quiet", str(finished_workspace), "clone")
    clone = tmp_path / "clone"
    pinned = next(line for line in (clone / "data.dvc").read_text().splitlines() if "version:" in line)
    (clone / "data.dvc").write_text((clone / "data.dvc").read_text().replace(pinned, "      version: " + "f" * 64))

    done = world.mlctl(clone, "run", "shop")

    assert done.returncode == 6
    assert "f" * 64 in done.stderr
    assert pinned.split()[-1] in done.stderr
    assert not (clone / "data").exists()
