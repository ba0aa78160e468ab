"""Stopped politely, a run says that the same command goes on, and it does, to the same state."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from tests import world


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_polite_stop_is_told_and_the_same_command_goes_on(workspace: Path, number: int, code: int) -> None:
    # DVC could bring the model back from its cache, and then there would be nothing to stop
    shutil.rmtree(workspace / ".dvc/cache")
    shutil.rmtree(workspace / ".mlctl/shop/model")
    run = world.begin(workspace, "run", "shop")
    assert run.stderr is not None
    assert any(line.split() == ["train", "..."] for line in run.stderr)

    run.send_signal(number)

    assert "the same command goes on" in run.stderr.read()
    assert run.wait() == code
    done = world.mlctl(workspace, "run", "shop")
    assert done.returncode == 0, done.stderr
    assert world.git(workspace, "status", "--porcelain") == ""
    assert not list(workspace.rglob("*.tmp"))
