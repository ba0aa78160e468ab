"""The champion: the release that every other one is held against, kept in the project's folder and in git's sight.

  projects/NAME/champion.json        which release it is; a change of it is a change in git
  projects/NAME/releases/ID/         the sealed folder; git holds its pointer `ID.dvc`, DVC its bytes

Promoting copies the release that `package` sealed, opens the copy, hands it to DVC and then replaces `champion.json` in
one rename: whoever reads it sees the old champion or the new one. The same promotion twice changes nothing.
"""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from mlctl import dvc
from mlctl.files import lock, read_json, write_bytes, write_json
from mlctl.release import Release, open_release, read_manifest
from mlctl.times import moment_text
from mlctl.workspace import Places

CHAMPION: Final = "champion"
"""Its name among the models of an evaluation."""


def champion_id(places: Places) -> str:
    """The champion's id; empty when there is none.

    Raises:
        IntegrityError: champion.json cannot be read.
    """
    if not places.champion.is_file():
        return ""
    return str(read_json(places.champion, f"mlctl promote projects/{places.name}")["release"])


def to_serve(places: Places) -> Path:
    """The folder of the release that answers: the champion's, or the sealed one while nothing was promoted.

    Raises:
        IntegrityError: champion.json cannot be read.
    """
    identity = champion_id(places)
    return places.releases / identity if identity else places.release


def open_champion(places: Places) -> Release | None:
    """The champion, opened; None when nothing was promoted yet.

    Raises:
        IntegrityError: Its folder is missing or damaged.
    """
    identity = champion_id(places)
    if not identity:
        return None
    folder = places.releases / identity
    return open_release(folder, f"dvc checkout {folder.as_posix()}.dvc (or dvc pull)")


def promote(places: Places, now: datetime) -> dict[str, Any]:
    """Makes the sealed release the champion.

    Returns:
        What stands in champion.json, and `already` when it stood there before.

    Raises:
        IntegrityError: There is no release, or it is damaged.
        ConflictError: Somebody else works on the project.
        ExternalError: DVC or the disk.
    """
    again = f"mlctl run projects/{places.name}"
    with lock(places.lock, f"projects/{places.name}"):
        sealed = read_manifest(places.release, again)
        identity, before = sealed["id"], champion_id(places)
        if identity == before:
            return {**read_json(places.champion), "already": True}
        folder = places.releases / identity
        _copied(places.release, folder)
        open_release(folder, again)
        dvc.add(folder.as_posix())
        told = {"format_version": "1.0", "release": identity, "promoted_at": moment_text(now), "before": before or None}
        write_json(places.champion, told)
        return {**told, "already": False}


def _copied(source: Path, target: Path) -> None:
    """The files of a release at another place; the manifest comes last, so a half-made copy is no release."""
    files = sorted(source.iterdir(), key=lambda path: path.name == "manifest.json")
    if target.is_dir() and {path.name for path in target.iterdir()} - {path.name for path in files}:
        shutil.rmtree(target)
    for path in files:
        write_bytes(target / path.name, path.read_bytes())
