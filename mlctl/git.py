"""Git by its command line: what it says, or nothing where it refuses, is not there, or takes too long."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Final

_PATIENCE_S: Final = 20.0


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
