"""The style and the types hold: ruff and mypy have nothing to say."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def said(*command: str) -> str:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_ruff_finds_nothing() -> None:
    assert said("ruff", "check", "--no-cache", "mlctl", "tests") == ""


def test_ruff_would_format_nothing() -> None:
    assert said("ruff", "format", "--no-cache", "--check", "mlctl", "tests") == ""


def test_mypy_finds_nothing(tmp_path: Path) -> None:
    assert said("mypy", "--cache-dir", str(tmp_path)) == ""
