"""Who answers: the champion of the rollout, made so by promotion and unmade by going back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from mlctl import rollout
from mlctl.errors import ConfigError, listed
from mlctl.release import Release, open_release
from mlctl.releases._opening import prove
from mlctl.releases._register import Entry, entries
from mlctl.rollout import Note, Rollout, Traffic
from mlctl.workspace import Places

CHAMPION: Final = "champion"
"""Its name among the models of an evaluation."""
_BACK: Final = "rolled_back"
"""Evidence of going back: the release that answered until then."""


@dataclass(frozen=True)
class Promoted:
    """The champion as it is now, whose place it took, and whether it was it `already`: nothing was changed."""

    release: str
    name: str
    before: str
    already: bool

    def record(self) -> dict[str, Any]:
        """The outcome as JSON-ready data."""
        return {"format_version": "1.1", **asdict(self), "before": self.before or None}


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
    return open_release(*_kept(places, identity)) if identity else None


def promote(places: Places, entry: Entry, note: Note) -> Promoted:
    """Makes a release the champion; a trial that was running ends.

    Args:
        places: The project's paths.
        entry: The release.
        note: By whose word, when, why, with what evidence.

    Raises:
        IntegrityError: The release is missing, damaged or another project's: nothing is changed.
        ConflictError: Somebody else changed the rollout meanwhile.
        ExternalError: The disk.
    """
    found = rollout.read(places)
    already = entry.release == found.champion
    if not already:
        prove(places.name, *_kept(places, entry.release))
        rollout.change(places, found, Traffic(entry.release), note)
    return Promoted(entry.release, entry.name, found.champion, already)


def back(places: Places, to: Entry | None, note: Note) -> Promoted:
    """Makes an earlier champion the champion again, after proving that it can answer.

    Without a name it takes back the last promotion, and that once: typed again, as after a kill, it changes nothing.

    Args:
        places: The project's paths.
        to: The release to go back to; None: the champion before this one.
        note: By whose word, when and why.

    Raises:
        ConfigError: There was no champion before this one.
        IntegrityError: The release is missing, damaged or another project's, or the history does not hold: nothing is
            changed.
        ConflictError: Somebody else changed the rollout meanwhile.
    """
    found, known = rollout.read(places), {entry.release: entry for entry in entries(places)}
    history = rollout.verified_history(places)
    gone_from = _gone_from(history) if to is None else ""
    target = to.release if to is not None else found.champion if gone_from else _before(history)
    if not target:
        kept = listed([entry.name for entry in known.values()]) or "none"
        raise ConfigError.bad_argument(f"rollback {places.name}", f"no champion was before this one; kept: {kept}")
    name = known[target].name if target in known else target
    if target != found.champion:
        prove(places.name, *_kept(places, target))
        told = replace(note, evidence={**note.evidence, _BACK: found.champion})
        rollout.change(places, found, Traffic(target), told)
    return Promoted(target, name, gone_from or found.champion, target == found.champion)


def _gone_from(history: Sequence[Rollout]) -> str:
    """The release in whose place the champion answers by going back; empty where it was promoted."""
    came = next((here for here, then in pairwise(reversed(history)) if here.champion != then.champion), None)
    return "" if came is None or came.note is None else str(came.note.evidence.get(_BACK, ""))


def _before(history: Sequence[Rollout]) -> str:
    """The champion before this one: what was gone back from does not count."""
    stack: list[str] = []
    for state in history:
        if state.note is not None and _BACK in state.note.evidence:
            while stack and stack[-1] != state.champion:
                stack.pop()
        if not stack or stack[-1] != state.champion:
            stack.append(state.champion)
    return stack[-2] if len(stack) > 1 else ""


def _kept(places: Places, identity: str) -> tuple[Path, str]:
    """Where a release is kept, and what brings it back."""
    folder = places.releases / identity
    return folder, f"dvc checkout {folder.as_posix()}.dvc (or dvc pull)"
