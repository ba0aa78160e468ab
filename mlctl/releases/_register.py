"""Which releases are kept, and what is known of each."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from mlctl import config, dvc
from mlctl.errors import ConflictError, IntegrityError
from mlctl.files import lock, read_json, write_bytes, write_json
from mlctl.lineage import facts
from mlctl.lineage.facts import Facts
from mlctl.releases._opening import identity_of, prove
from mlctl.rollout import Note
from mlctl.times import moment_text
from mlctl.workspace import STATE, Places

_PATIENCE_S = 10.0
"""How long a claim of a number waits for another one, which takes milliseconds."""


@dataclass(frozen=True)
class Entry:
    """A release that is kept.

    Attributes:
        project: Whose it is.
        number: 1 for the first.
        release: Its id.
        registered_at: When it was registered.
        by: By whose word.
        facts: What was known of it then, as `facts.told` reads it.
    """

    project: str
    number: int
    release: str
    registered_at: str
    by: str
    facts: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its reference, such as `churn/7`."""
        return f"{self.project}/{self.number}"

    def record(self) -> dict[str, Any]:
        """The entry as JSON-ready data."""
        return {"format_version": "1.0", **asdict(self)}


def entries(places: Places) -> list[Entry]:
    """Every release that is kept, by number.

    Raises:
        IntegrityError: An entry is damaged, or two of them have one number, as a merge in git can leave them.
    """
    found = [_read(path) for path in places.releases.glob("*.json")]
    found.sort(key=lambda entry: (entry.number, entry.release))
    for one, other in pairwise(found):
        if one.number == other.number:
            why = f"{one.release} and {other.release} are both {one.name}: two branches counted on"
            next_step = f"give the later one another number in {places.releases / f'{other.release}.json'}"
            raise IntegrityError.refused(str(places.releases), why, next_step)
    return found


def _read(path: Path) -> Entry:
    told = read_json(path, f"git checkout {path}")
    try:
        return Entry(**{name: told[name] for name in Entry.__dataclass_fields__})
    except (KeyError, TypeError) as error:
        raise IntegrityError.refused(str(path), f"it does not say {error}", f"git checkout {path}") from error


def facts_of(places: Places, release: str) -> Facts:
    """The facts of a release that is kept; none of one that is not.

    Raises:
        IntegrityError: Its entry is damaged.
    """
    path = places.releases / f"{release}.json"
    return facts.told(_read(path).facts) if path.is_file() else Facts()


def register(places: Places, found: Facts, note: Note) -> Entry:
    """Keeps the sealed release and gives it a number. The same release again changes nothing.

    Args:
        places: The project's paths.
        found: The facts of the sealed release.
        note: By whose word and when.

    Raises:
        IntegrityError: There is no release, or it is damaged, or another project's.
        ConflictError: Somebody else works on the project, or sealed another release meanwhile.
        ExternalError: DVC or the disk.
    """
    again = f"mlctl run projects/{places.name}"
    with lock(places.lock, f"projects/{places.name}"):
        sealed = identity_of(places.name, places.release, again)
        if sealed != found.release:
            raise ConflictError.changed_first(str(places.release), f"it holds {sealed} now, not {found.release}", again)
        folder = places.releases / sealed
        if not (folder.with_suffix(".dvc").is_file() and folder.is_dir()):
            _copied(places.release, folder)
            prove(places.name, folder, again)
            dvc.add(folder.as_posix())
        return claim(places, sealed, found, note)


def keep(places: Places, note: Note) -> Entry:
    """Keeps the sealed release as `register` does, with the facts of what lies there now.

    Raises:
        IntegrityError, ConflictError, ExternalError: As `register`.
    """
    return register(places, facts.of_project(places, config.read_params(places)), note)


def claim(places: Places, release: str, found: Facts, note: Note) -> Entry:
    """The entry of a release: the one that it has, or a new one with the next number.

    Raises:
        ConflictError: Others keep the register busy.
        IntegrityError: An entry is damaged.
        ExternalError: The disk.
    """
    path = places.releases / f"{release}.json"
    if path.is_file():
        return _read(path)
    with lock(STATE / "locks" / f"{places.name}.releases.lock", str(places.releases), _PATIENCE_S):
        known = entries(places)
        for entry in known:
            if entry.release == release:
                return entry
        number = 1 + max((entry.number for entry in known), default=0)
        made = Entry(places.name, number, release, moment_text(note.at), note.by, found.record())
        write_json(path, made.record())
        return made


def _copied(source: Path, target: Path) -> None:
    """The files of a release at another place; the manifest comes last, so a half-made copy is no release."""
    files = sorted(source.iterdir(), key=lambda path: path.name == "manifest.json")
    if target.is_dir() and {path.name for path in target.iterdir()} - {path.name for path in files}:
        shutil.rmtree(target)
    for path in files:
        write_bytes(target / path.name, path.read_bytes())
