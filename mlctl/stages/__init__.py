"""A stage is one step on the data's way: a function from inputs on disk to outputs on disk plus a report.

Each reads what the stage before it wrote, and the composed `params.yaml`; each writes every file whole or not at all,
so a killed stage is simply run again. `ORDER` is the way of the data; all but `ingest` are stages of `dvc.yaml`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

ORDER: Final = ("compose", "ingest", "check", "features", "freeze", "train", "evaluate", "gate", "package")


Tell = Callable[[str, str], None]
"""Hears (`stage`, one line about it) as work goes on; an empty line says that the stage began."""


@dataclass(frozen=True)
class Report:
    """What a stage did.

    Attributes:
        stage: The stage's name.
        line: One line for people.
        details: More lines for people: findings, cohorts.
        data: The same and more, JSON-ready.
        refused: True when the stage's verdict is "no" (the gate); the command ends with exit code 4.
    """

    stage: str
    line: str
    data: Mapping[str, Any] = field(default_factory=dict)
    refused: bool = False
    details: tuple[str, ...] = ()
