"""How a release is named: `churn`, `churn@champion`, `churn@challenger`, `churn/7`, `churn/1f2e`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mlctl import rollout
from mlctl.errors import ConfigError, listed
from mlctl.releases._champion import to_serve
from mlctl.releases._register import Entry, entries
from mlctl.workspace import Places

_FORM: Final = re.compile(
    r"(?:projects/)?(?P<project>[a-z_][a-z0-9_]*)/?(?:(?<=/)(?P<which>[0-9a-f]+)|@(?P<alias>\w+))?"
)
_DIGITS_OF_ID: Final = 8
"""A word of digits alone that is shorter is a number and no id."""
ALIASES: Final = ("champion", "challenger")


@dataclass(frozen=True)
class Reference:
    """A reference as it was typed.

    Attributes:
        project: The project's name.
        alias: `champion` or `challenger`; empty where none is said.
        which: A number, or the beginning of an id; empty where none is said.
    """

    project: str
    alias: str = ""
    which: str = ""

    @classmethod
    def read(cls, text: str) -> Reference | None:
        """What a word of the command line names; None when it has not the form of a reference.

        Raises:
            ConfigError: It names an alias that does not exist.

        >>> Reference.read("churn/7"), Reference.read("projects/churn@challenger").alias, Reference.read("./churn")
        (Reference(project='churn', alias='', which='7'), 'challenger', None)
        """
        match = _FORM.fullmatch(text)
        if match is None:
            return None
        alias = match["alias"] or ""
        if alias and alias not in ALIASES:
            raise ConfigError.bad_argument(text, f"an alias is one of {listed(ALIASES)}", "mlctl releases lists them")
        return cls(match["project"], alias, match["which"] or "")


def named(places: Places, reference: Reference) -> Entry | None:
    """The release that a reference names; None where it names only the project.

    Raises:
        ConfigError: There is no such release.
        IntegrityError: The rollout or an entry is damaged.
    """
    known = entries(places)
    if reference.alias:
        state = rollout.read(places)
        identity = state.champion if reference.alias == "champion" else state.challenger
        matching = [entry for entry in known if entry.release == identity]
        word, why = f"{places.name}@{reference.alias}", f"{places.name} has no {reference.alias}"
    elif reference.which:
        matching = [entry for entry in known if str(entry.number) == reference.which]
        if not matching and _may_be_id(reference.which):
            matching = [entry for entry in known if entry.release.startswith(reference.which)]
        word = f"{places.name}/{reference.which}"
        why = "it is the beginning of several ids" if len(matching) > 1 else "there is no such release"
    else:
        return None
    if len(matching) != 1:
        told = listed([entry.name for entry in known]) or "none"
        raise ConfigError.bad_argument(word, f"{why}; kept: {told}", f"mlctl releases {places.name}")
    return matching[0]


def _may_be_id(word: str) -> bool:
    """Whether a word can begin an id; few digits are a number, lest `churn/9` be the release whose id begins with 9."""
    return not word.isdecimal() or len(word) >= _DIGITS_OF_ID


def folder_of(places: Places, reference: Reference) -> Path:
    """The folder of the release that a reference names: of the project alone, that of the release that answers.

    Raises:
        ConfigError: There is no such release.
        IntegrityError: The rollout or an entry is damaged.
    """
    entry = named(places, reference)
    return to_serve(places) if entry is None else places.releases / entry.release
