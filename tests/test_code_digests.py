"""A change of code is seen by whatever rests on it: stages by all of the package, histories by what computes features."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mlctl

PACKAGE = Path(mlctl.__file__).parent
ASK = (
    "from pathlib import Path; from mlctl import config, history, lineage; "
    "print(lineage.code()['code'], history._code(), [path for path in config._search_path() if path.is_dir()])"
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("code")
    shutil.copytree(PACKAGE, folder / "mlctl", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(PACKAGE.parent / "conf", folder / "conf")
    return folder


def asked(folder: Path) -> list[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", ASK], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split(maxsplit=2)


@pytest.mark.parametrize(
    ("changed", "history_too"),
    [
        ("plan/compute.py", True),
        ("plan/windows.py", True),
        ("plan/events.py", True),
        ("history/bucket.py", True),
        ("features/count.py", True),
        ("stages/train.py", False),
        ("recommend/sealing.py", False),
        ("kinds.py", False),
    ],
)
def test_a_changed_module_changes_the_digests_that_rest_on_it(copy: Path, changed: str, history_too: bool):
    path = copy / "mlctl" / changed
    text = path.read_text()
    before = asked(copy)
    path.write_text(f"{text}\n# another line\n")
    after = asked(copy)
    path.write_text(text)

    assert before[0] != after[0]
    assert (before[1] != after[1]) is history_too


def test_the_presets_beside_the_package_are_found(copy: Path):
    assert str(copy / "conf") in asked(copy)[2]
