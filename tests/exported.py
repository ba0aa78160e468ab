"""What `mlctl export docker` wrote, started by its entrypoint with the libraries that it lists and no others."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import packages_distributions
from pathlib import Path

from tests import served, world

_ONLY = """
import re, sys
from importlib.abc import MetaPathFinder
allowed = set(sys.argv.pop(1).split(","))
known = set(sys.argv.pop(1).split(","))
class Others(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in known - allowed:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Others())
from mlctl.cli import main
main()
"""


def listed(folder: Path) -> set[str]:
    """The libraries that go into the image."""
    return {line.partition("==")[0] for line in (folder / "requirements.txt").read_text().splitlines()}


def entry(folder: Path) -> list[str]:
    """The words of the image's entrypoint, behind the program, as they run here."""
    found = re.search(r"^ENTRYPOINT (.*)$", (folder / "Dockerfile").read_text(), re.MULTILINE)
    words: list[str] = json.loads(found[1]) if found else []
    assert words[:3] == ["python", "-m", "mlctl.cli"]
    here = [word.replace("/app/", "").replace("0.0.0.0", "127.0.0.1") for word in words[3:]]
    here[here.index("--port") + 1] = "0"
    return here


def begin(folder: Path, words: list[str], **environment: str) -> subprocess.Popen[str]:
    """Begins a command of the image in its folder."""
    ours = {name: {re.sub(r"[-_.]+", "-", one).lower() for one in of} for name, of in packages_distributions().items()}
    allowed = {name for name, of in ours.items() if of & listed(folder)} | {"mlctl"}
    program = [sys.executable, "-c", _ONLY, ",".join(allowed), ",".join(ours), *words]
    surroundings = world.surroundings(PYTHONPATH=".", **environment)
    return subprocess.Popen(program, cwd=folder / "app", env=surroundings, stderr=subprocess.PIPE, text=True)


@contextmanager
def serve(folder: Path, **environment: str) -> Iterator[served.Server]:
    """The server of an image, once it answers."""
    server = served.Server(begin(folder, entry(folder), **environment))
    try:
        server.answers()
        yield server
    finally:
        server.end()
