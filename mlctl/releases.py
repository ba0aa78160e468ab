"""The champion: the release that every other one is held against, kept in the project's folder and in git's sight.

  projects/NAME/rollout.flagd.json   which release it is (`mlctl/rollout/`); a change of it is a change in git
  projects/NAME/releases/ID/         the sealed folder; git holds its pointer `ID.dvc`, DVC its bytes

Promoting copies the release that `package` sealed, opens the copy, hands it to DVC and then changes the rollout in one
rename: whoever reads it sees the old champion or the new one. The same promotion twice changes nothing.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

from mlctl import dvc, rollout
from mlctl.files import lock, write_bytes
from mlctl.release import Release, open_release, read_manifest
from mlctl.rollout import Note, Traffic
from mlctl.workspace import Places

CHAMPION: Final = "champion"
"""Its name among the models of an evaluation."""


def champion_id(places: Places) -> str:
    """The champion's id; empty when there is none.

    Raises:
        IntegrityError: The rollout cannot be read.
    """
    return rollout.read(places).champion


def to_serve(places: Places) -> Path:
    """The folder of the release that answers: the champion's, or the sealed one while nothing was promoted.

    Raises:
        IntegrityError: The rollout cannot be read.
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


def promote(places: Places, note: Note) -> dict[str, Any]:
    """Makes the sealed release the champion; a trial that was running ends.

    Args:
        places: The project's paths.
        note: By whose word, when and why.

    Returns:
        The champion, who was it before, and `already` when it was it before.

    Raises:
        IntegrityError: There is no release, or it is damaged.
        ConflictError: Somebody else works on the project, or promoted another release meanwhile.
        ExternalError: DVC or the disk.
    """
    with lock(places.lock, f"projects/{places.name}"):
        found = rollout.read(places)
        identity = keep(places)
        if identity != found.champion:
            rollout.change(places, found, Traffic(identity), note)
        return {
            "format_version": "1.0",
            "release": identity,
            "before": found.champion or None,
            "already": identity == found.champion,
        }


def keep(places: Places) -> str:
    """Keeps the sealed release in the project's folder, opened and with its DVC pointer, and gives its id.

    The caller holds the project's lock.

    Raises:
        IntegrityError: There is no release, or it is damaged.
        ExternalError: DVC or the disk.
    """
    again = f"mlctl run projects/{places.name}"
    identity: str = read_manifest(places.release, again)["id"]
    folder = places.releases / identity
    if not folder.with_name(f"{identity}.dvc").is_file() or not (folder / "manifest.json").is_file():
        _copied(places.release, folder)
        open_release(folder, again)
        dvc.add(folder.as_posix())
    return identity


def _copied(source: Path, target: Path) -> None:
    """The files of a release at another place; the manifest comes last, so a half-made copy is no release."""
    files = sorted(source.iterdir(), key=lambda path: path.name == "manifest.json")
    if target.is_dir() and {path.name for path in target.iterdir()} - {path.name for path in files}:
        shutil.rmtree(target)
    for path in files:
        write_bytes(target / path.name, path.read_bytes())
