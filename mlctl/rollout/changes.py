"""Reading a rollout and changing it: compare, set, and never two truths.

The rename of the rollout file is the moment at which a change is made; the file holds the history's next line whole. A
process that is killed between the two leaves a history that is one line short, and the next change, or the same one
again, adds it first.
"""

from __future__ import annotations

from typing import Final

from mlctl.errors import ConflictError, IntegrityError
from mlctl.files import lock, write_text
from mlctl.rollout import chain, flag_file
from mlctl.rollout.record import Note, Rollout, Traffic
from mlctl.times import moment_text
from mlctl.workspace import Places

_PATIENCE_S: Final = 10.0
"""How long a change waits for another one, which takes milliseconds."""


def read(places: Places) -> Rollout:
    """The rollout as it is now; of revision 0 where nothing was promoted yet. Takes no lock.

    Raises:
        IntegrityError: The file was edited by hand, or is damaged.
    """
    try:
        text = places.rollout.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Rollout()
    except (OSError, ValueError) as error:
        raise IntegrityError.refused(str(places.rollout), str(error), _again(places)) from error
    try:
        return flag_file.parsed(places.name, text)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        why = str(error) if isinstance(error, ValueError) else "it is not what mlctl writes"
        raise IntegrityError.refused(str(places.rollout), why, _again(places)) from error


def change(places: Places, expected: Rollout, wanted: Traffic, note: Note) -> Rollout:
    """Sets the traffic, if the rollout is still as it was when that was decided. What is so already changes nothing.

    Args:
        places: The project's paths.
        expected: The rollout that the decision rests on, as `read` gave it.
        wanted: Which release is to answer whom.
        note: Who, when, why, and with what evidence.

    Returns:
        The rollout as it is now.

    Raises:
        ConflictError: Somebody changed it first.
        IntegrityError: The file, or the end of its history, was edited by hand or is damaged.
        ExternalError: The file system refused; nothing was changed.
        ValueError: The evidence holds a NaN or an infinity.
    """
    with lock(places.rollout_lock, str(places.rollout), _PATIENCE_S):
        found = read(places)
        newest = _newest(places, found)
        if found.traffic == wanted:
            return found
        if found.seal != expected.seal:
            raise ConflictError.changed_first(str(places.rollout), _told(found), _look(places))
        made = Rollout(wanted, newest.revision + 1, note, newest.seal)
        write_text(places.rollout, flag_file.text_of(places.name, made))
        chain.add(places.rollout_history, made)
        return made


def verified_history(places: Places) -> list[Rollout]:
    """Every state that there was, the first first, with the proof that none was changed, lost or put in between.

    Raises:
        IntegrityError: The chain does not hold, or does not lead to the rollout file.
    """
    states, now = chain.read(places.rollout_history, _again(places)), read(places)
    if now.revision and (not states or now.before == states[-1].seal):
        states.append(now)
    if (states[-1].seal if states else "") != now.seal:
        why = f"it ends with revision {states[-1].revision}, and the rollout is another revision {now.revision}"
        raise IntegrityError.refused(str(places.rollout_history), why, _again(places))
    return states


def _newest(places: Places, found: Rollout) -> Rollout:
    """What the next state builds on: the end of the history, after adding what a killed process could not.

    A file that git brought back to an older state is not the end: the history goes on from where it was.
    """
    end = chain.last(places.rollout_history, _again(places))
    if not found.revision or (end is not None and end.revision >= found.revision):
        return end or found
    chain.add(places.rollout_history, found)
    return found


def _told(rollout: Rollout) -> str:
    note = rollout.note
    who = "" if note is None else f" by {note.by} at {moment_text(note.at)}"
    return f"it is revision {rollout.revision} now{who}: {_shares(rollout.traffic)}"


def _shares(traffic: Traffic) -> str:
    if not traffic.challenger:
        return f"champion {traffic.champion or 'none'}"
    return f"champion {traffic.champion}, challenger {traffic.challenger}, {traffic.mode} {traffic.percent:g} %"


def _look(places: Places) -> str:
    return f"mlctl ramp {places.name} --status, then decide again"


def _again(places: Places) -> str:
    return f"git checkout {places.rollout} {places.rollout_history}"
