"""A ramp that goes on by evidence: before its next step champion and challenger are compared."""

from __future__ import annotations

from dataclasses import replace

from mlctl import ramp as ramping
from mlctl import rollout
from mlctl.comparing.verdict import KEEP, compare
from mlctl.ramp import Asked, Stands
from mlctl.rollout import Note
from mlctl.workspace import Places


def ramp(places: Places, asked: Asked, note: Note) -> Stands:
    """Does what was asked; before the next step of a trial the labels are asked.

    A challenger that is worse, or that breaks a guard, loses its share. The comparison is the history's evidence.

    Raises:
        ConfigError, IntegrityError, ConflictError, ExternalError: As `mlctl.ramp.to`, and as `compare`.
        DataError: A table lacks what the label reads.
    """
    if not asked.next_step or rollout.read(places).traffic.mode == "off":
        return ramping.ramp(places, asked, note)
    found = compare(places)
    said = replace(note, evidence=found.record())
    if found.verdict == KEEP:
        return ramping.ramp(places, Asked(percent=0.0), replace(said, why=f"sent away: {found.why}"))
    return ramping.ramp(places, asked, said)
