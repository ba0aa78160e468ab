"""`mlctl ramp`: a challenger is named, proved to be whole, and gets its share; or loses it, at once.

Taking the share away reads and writes the rollout file and nothing else: no release, no database, no network.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from mlctl import alarms, config, releases, rollout
from mlctl.errors import ConfigError, ConflictError
from mlctl.rollout import Note, Rollout, Traffic
from mlctl.rollout.ramping import Next, next_step
from mlctl.workspace import Places


@dataclass(frozen=True)
class Asked:
    """What `mlctl ramp` was asked for: a share, a shadow, the next step, or how it stands."""

    percent: float | None = None
    shadow: bool = False
    next_step: bool = False
    status: bool = False
    challenger: str = ""


@dataclass(frozen=True)
class Stands:
    """How a rollout stands.

    Attributes:
        project: The project.
        now: The rollout.
        changed: Whether this command changed it; None: it was only asked.
        step: The next of `rollout.steps`; None where there is no challenger.
    """

    project: str
    now: Rollout
    changed: bool | None
    step: Next | None

    def record(self) -> dict[str, Any]:
        """How it stands as JSON-ready data."""
        step = None if self.step is None else asdict(self.step)
        told = {**self.now.record(), "percent": self.now.traffic.percent, "changed": self.changed, "next": step}
        return {"format_version": "1.0", "project": self.project, **told}


SEALED: Final = "sealed"
"""The word for the release that `package` sealed last."""
_TRIES: Final = 100


def ramp(places: Places, asked: Asked, note: Note) -> Stands:
    """Does what was asked, and says how it stands.

    Raises:
        ConfigError: One of a share, a shadow and the next step is asked for at once, or it is no share.
        IntegrityError, ConflictError, ExternalError: As `to`.
    """
    ways = [asked.percent is not None, asked.shadow, asked.next_step]
    if sum(ways) + asked.status > 1:
        raise ConfigError.bad_argument("ramp", "give one of PERCENT, --shadow, --next and --status")
    before = rollout.read(places)
    now = before
    if asked.percent is not None:
        now = to(places, asked.percent, _because(note, f"{asked.percent:g} %"), asked.challenger)
    elif asked.shadow:
        now = shadow(places, _because(note, "in the shadow"), asked.challenger)
    elif asked.next_step:
        now = advance(places, before, note)
    # taking a share away must not depend on anything that may be broken
    tried = now.challenger and asked.percent != 0
    step = _next(places, now, note) if tried else None
    return Stands(places.name, now, now != before if any(ways) else None, step)


def advance(places: Places, found: Rollout, note: Note) -> Rollout:
    """Takes the next of `rollout.steps`; leaves the rollout as it is where that waits for something.

    Raises:
        ConfigError: There is nothing to try.
        IntegrityError, ConflictError, ExternalError: As `to`.
    """
    started = found if found.challenger else replace(found, traffic=_tried(places, found, "", note))
    step = _next(places, started, note)
    if not step.due or step.percent is None:
        return found
    return rollout.change(places, found, started.traffic.at(step.percent), _because(note, "the next step"))


def _next(places: Places, found: Rollout, note: Note) -> Next:
    """The next of `rollout.steps`; not due while an alarm holds the ramp."""
    step, alarm = next_step(config.read_params(places).rollout, found, note.at), alarms.held(places)
    if alarm is None or not step.due:
        return step
    return Next(step.percent, False, f"alarm {alarm.id} ({alarm.cause}) holds it: mlctl alerts show {places.name}")


def to(places: Places, percent: float, note: Note, challenger: str = "") -> Rollout:
    """Gives the challenger a share; 0 takes it away, also from a shadow.

    Args:
        places: The project's paths.
        percent: 0 to 100, by 0.001.
        note: By whose word, when and why.
        challenger: `sealed`, or the number or id of a kept release; empty: the one there is, else the sealed.

    Raises:
        ConfigError: It is no share, or there is nothing to try.
        IntegrityError: The challenger is missing or damaged, or the rollout cannot be read.
        ConflictError: Somebody changed the rollout first.
        ExternalError: DVC or the disk.
    """
    found = rollout.read(places)
    try:
        Traffic("champion", "challenger").at(percent)
    except ValueError as error:
        raise ConfigError.bad_argument(str(percent), str(error), f"mlctl ramp {places.name} 1") from error
    if percent == 0:
        return off(places, note)
    traffic = _tried(places, found, challenger, note)
    return rollout.change(places, found, traffic.at(percent), note)


def shadow(places: Places, note: Note, challenger: str = "") -> Rollout:
    """Lets the challenger answer in the background. Arguments and errors as of `to`."""
    found = rollout.read(places)
    traffic = _tried(places, found, challenger, note)
    return rollout.change(places, found, replace(traffic, mode="shadow", weight=0), note)


def send_away(places: Places, challenger: str, note: Note) -> Rollout:
    """Takes a challenger's share away, if it is still the one that is tried.

    Raises:
        IntegrityError, ConflictError, ExternalError: As `off`.
    """
    found = rollout.read(places)
    return off(places, note) if found.challenger == challenger and found.traffic.mode != "off" else found


def off(places: Places, note: Note) -> Rollout:
    """Takes the challenger's share away, whoever changes the rollout at the same time.

    Raises:
        IntegrityError: The rollout cannot be read.
        ConflictError: The rollout's lock is held for seconds.
        ExternalError: The disk.
    """
    for _ in range(_TRIES):
        found = rollout.read(places)
        try:
            return rollout.change(places, found, replace(found.traffic, mode="off", weight=0), note)
        except ConflictError:
            if rollout.read(places) == found:
                raise
    raise ConflictError.held(str(places.rollout), "who changes it again and again")


def _tried(places: Places, found: Rollout, challenger: str, note: Note) -> Traffic:
    """The releases with this challenger, off, after it was opened once."""
    again = f"mlctl promote projects/{places.name}"
    if not found.champion:
        why = "nothing was promoted yet, so there is no champion to try a challenger against"
        raise ConfigError.bad_argument("ramp", why, again)
    identity = _named(places, found, challenger, note)
    if identity == found.champion:
        why = f"the release {identity} is the champion itself"
        raise ConfigError.bad_argument("ramp", why, f"mlctl run projects/{places.name}, which makes another release")
    folder = places.releases / identity
    releases.prove(places.name, folder, f"dvc checkout {folder.as_posix()}.dvc (or dvc pull)")
    return Traffic(found.champion, identity)


def _because(note: Note, reason: str) -> Note:
    return note if note.why else replace(note, why=reason)


def _named(places: Places, found: Rollout, challenger: str, note: Note) -> str:
    """The id that a word means."""
    if not challenger and found.challenger:
        return found.challenger
    if challenger in ("", SEALED):
        return releases.keep(places, note).release
    entry = releases.named(places, releases.Reference(places.name, which=challenger.rpartition("/")[2]))
    return entry.release if entry is not None else found.challenger
