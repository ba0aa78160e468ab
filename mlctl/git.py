"""Git by its command line: what it says, or nothing where it refuses, is not there, or takes too long."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from mlctl.errors import ExternalError

_PATIENCE_S: Final = 20.0
_LOCKED: Final = "index.lock"


def said(*arguments: str, timeout_s: float | None = _PATIENCE_S) -> str | None:
    """What git prints in the current folder; None where it refuses, cannot be run or does not end in time."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, timeout=timeout_s, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", errors="replace") if done.returncode == 0 else None


def json_at(revision: str, path: Path) -> dict[str, Any]:
    """A JSON file as it is at a revision; empty where it is not there, or is none."""
    text = said("show", f"{revision}:./{path.as_posix()}")
    try:
        return dict(json.loads(text)) if text is not None else {}
    except ValueError:
        return {}


def changed(patterns: Sequence[str]) -> list[str]:
    """The files that patterns name (`*` stays in its folder) and that are not as they were committed, sorted.

    Empty outside of git.
    """
    paths = [f":(glob){pattern}" for pattern in patterns]
    other = said("diff", "--name-only", "-z", "--relative", "--no-renames", "HEAD", "--", *paths) or ""
    new = said("ls-files", "--others", "--exclude-standard", "-z", "--", *paths) or ""
    return sorted({path for path in (other + new).split("\0") if path})


def stage(paths: Sequence[str]) -> None:
    """Puts files into the index as they are.

    Raises:
        ExternalError: Git refused.
    """
    _done("add", "--all", "--", *paths)


def commit(paths: Sequence[str], message: str) -> str:
    """Commits these files as they are, and nothing else that is staged or changed; gives the commit's SHA.

    Raises:
        ExternalError: Git refused: nobody is named as author, a hook says no, or a merge is under way.
    """
    stage(paths)
    _done("commit", "--quiet", "--message", message, "--only", "--", *paths)
    return (said("rev-parse", "HEAD") or "").strip()


def tag(name: str, sha: str, message: str) -> None:
    """Puts an annotated tag on a commit.

    Raises:
        ExternalError: Git refused.
    """
    _done("tag", "--annotate", "--message", message, name, sha)


def _done(*arguments: str) -> None:
    """Runs git to its end, also when this process is killed meanwhile; waits for another git that is at work."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False, start_new_session=True)
        if done.returncode == 0:
            return
        if _LOCKED not in done.stderr or time.monotonic() > until:
            lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
            raise ExternalError.git(arguments[0], " | ".join(lines[-3:]) or f"exit code {done.returncode}")
        time.sleep(0.05)
