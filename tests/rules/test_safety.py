"""What the package never does: run code from data, read the clock below the command line, name this machine."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "mlctl").rglob("*.py"))
BANNED_MODULES = {"pickle", "joblib", "cloudpickle", "dill", "marshal", "shelve"}
BANNED_CALLS = {"eval", "exec", "compile", "__import__"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_runs_code_from_data(path: Path) -> None:
    text = path.read_text()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name.split(".")[0] for alias in node.names} | {
                (getattr(node, "module", "") or "").split(".")[0]
            }
            assert not names & BANNED_MODULES
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in BANNED_CALLS
        if isinstance(node, ast.keyword) and node.arg == "shell":
            pytest.fail("shell=")
    assert "yaml.load(" not in text
    assert "_target_" not in text
    assert "hydra.utils" not in text


@pytest.mark.parametrize("path", [path for path in FILES if path.parent.name != "cli"], ids=lambda path: path.stem)
def test_only_the_command_line_reads_the_clock(path: Path) -> None:
    calls = re.findall(r"(?:datetime|date)\.(?:now|utcnow|today)\(|time\.time\(", path.read_text())

    assert not calls


def test_no_committed_file_names_a_host_of_packages() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    hosts = re.compile("pypi" + r"\.org|files\.python" + "hosted", re.IGNORECASE)
    for name in tracked:
        path = ROOT / name
        if path.is_file():
            assert not hosts.search(path.read_text(encoding="utf-8", errors="ignore")), name
