"""`mlctl validate`: every fault of the YAML of projects, before anything is committed; nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import PurePath
from typing import Final

from mlctl import config
from mlctl.errors import ConfigError
from mlctl.gates import waivers
from mlctl.workspace import Places

_FOLDER: Final = "projects"


def projects_of(words: Sequence[str]) -> list[str] | None:
    """The projects that words and file names mean; None for all, where a file belongs to more than one.

    >>> projects_of(["projects/churn/project.yaml", "support"]), projects_of(["conf/model/xgboost.yaml"])
    (['churn', 'support'], None)
    """
    found: dict[str, None] = {}
    for word in words:
        path = PurePath(word)
        if path.suffix not in (".yaml", ".yml"):
            found[word] = None
        elif _FOLDER in path.parts[:-2]:
            found[path.parts[path.parts.index(_FOLDER) + 1]] = None
        else:
            return None
    return list(found) or None


def faults(every: Sequence[Places], now: datetime) -> dict[str, tuple[str, ...]]:
    """The faults of each project that has any, as lines with file and number."""
    found: dict[str, tuple[str, ...]] = {}
    for places in every:
        try:
            waivers.judged(places, config.compose(places).project, now.date())
        except ConfigError as error:
            told = [str(fault) for fault in error.faults] or [
                ": ".join(filter(None, (error.where, error.what, error.why)))
            ]
            found[places.name] = tuple(told)
    return found
