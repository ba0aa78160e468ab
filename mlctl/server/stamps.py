"""What changes on the disk when a release is replaced: asked often, so it reads nothing while nothing changes."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from mlctl.errors import MlctlError
from mlctl.files import read_json

Stamp = tuple[Path, int, int]


def stamp(folder: Path) -> Stamp | None:
    """What changes when a release is replaced; None while it has no manifest, which is written last."""
    with suppress(OSError):
        found = (folder / "manifest.json").stat()
        return folder, found.st_ino, found.st_mtime_ns
    return None


def stamp_if(folder: Path, release: str) -> Stamp | None:
    """The stamp of a folder that holds a release; None where another one lies there by now.

    Whoever opened the release and looks for the stamp afterwards would else take one that came meanwhile for the old.
    """
    found = stamp(folder)
    with suppress(MlctlError, KeyError, TypeError):
        return found if read_json(folder / "manifest.json")["id"] == release else None
    return None
