"""A password is shown nowhere and lies in no file, whichever way it came in and whatever went wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import world

DSN = "postgresql://nobody:hunter2@127.0.0.1:1/none"
BY_HAND = "host=127.0.0.1 port=1 user=nobody password=hunter2"


def files_with_it(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "shop", "database=postgres", f"database.dsn='{DSN}'"],
        ["run", "shop", "database=postgres", f"database.dsn='{BY_HAND}'"],
        ["run", "shop", "database=postgres", f"++database.dsn='{DSN}'", "--json"],
        ["run", "shop", "-m", "database=postgres", f"database.dsn='{DSN}'"],
        ["run", "shop", "database=postgres", "model.depth=99", f"database.dsn='{DSN}'"],
    ],
    ids=["url", "words", "json", "sweep", "beside a fault"],
)
def test_a_password_on_the_command_line_is_kept_by_nobody(workspace: Path, arguments: list[str]) -> None:
    done = world.mlctl(workspace, *arguments)

    assert done.returncode in (2, 7), done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    assert files_with_it(workspace) == []


def test_a_password_in_the_environment_stays_there(workspace: Path) -> None:
    world.replace(workspace / "projects/shop/project.yaml", "refresh:", "database: postgres\nrefresh:")
    for arguments in (["run", "shop"], ["score", "shop"], ["compose", "shop", "--json"], ["explain", "database.dsn"],
                      ["run", "shop", "--json"], ["doctor"], ["db", "psql", "shop", "--", "-c", "select 1"]):  # fmt: skip
        done = world.mlctl(workspace, *arguments, MLCTL_DSN=DSN)
        assert "hunter2" not in done.stdout + done.stderr, arguments
        assert "Traceback" not in done.stderr, arguments
    assert files_with_it(workspace) == []


def test_a_password_in_the_yaml_is_refused_and_goes_nowhere(workspace: Path) -> None:
    path = workspace / "projects/shop/project.yaml"
    path.write_text(f'{path.read_text()}database: {{kind: postgres, dsn: "{DSN}"}}\n')
    run = world.mlctl(workspace, "run", "shop")
    explained = world.mlctl(workspace, "explain", "database.dsn")

    assert run.returncode == explained.returncode == 2
    assert "`dsn` holds a password; put the whole dsn into the environment" in run.stderr
    assert "hunter2" not in run.stdout + run.stderr + explained.stdout + explained.stderr
    assert files_with_it(workspace) == [path]


def test_who_is_told_of_a_running_command_does_not_see_its_password(workspace: Path) -> None:
    command = ["run", "shop", "database=postgres", f"database.dsn='{DSN}'"]
    world.mlctl(workspace, *command)
    (held_by,) = (workspace / ".mlctl/locks").glob("shop.lock")
    assert held_by.read_text().endswith("mlctl run shop database=postgres database.dsn=***\n")
    assert f"on {os.uname().nodename}: " in held_by.read_text()
