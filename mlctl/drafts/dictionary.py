"""The dictionary of a project: for each column what it means, whose it is, who reads it, and what was last found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlctl import snapshot
from mlctl.errors import ConfigError, IntegrityError, did_you_mean, listed
from mlctl.files import read_json
from mlctl.plan.impact import readers
from mlctl.spec import Project
from mlctl.workspace import Places


@dataclass(frozen=True)
class Entry:
    """One column.

    Attributes:
        source: The source's name.
        column: The column's name.
        type: Its type in the snapshot.
        about: Its meaning, as the project's notes say.
        unit: Its unit, or None.
        pii: Whether it says something about a person; None: nobody looked.
        owner: Who answers for it.
        readers: Features, label, checks, cohorts and model that read it.
        finding: What the last check said about it, or the empty string.
    """

    source: str
    column: str
    type: str
    about: str
    unit: str | None
    pii: bool | None
    owner: str
    readers: tuple[str, ...]
    finding: str


def entries(places: Places, project: Project, what: str | None) -> list[Entry]:
    """The dictionary, or the part of it that `SOURCE` or `SOURCE.COLUMN` names.

    Raises:
        ConfigError: There is no such source or column.
        IntegrityError: There is no snapshot.
    """
    taken = snapshot.read(places)
    if taken is None:
        raise IntegrityError.missing(str(places.data), f"mlctl ingest projects/{places.name}")
    findings = _findings(places.checked / "report.json")
    source_wanted, _, column_wanted = (what or "").partition(".")
    found = []
    for name, source in project.sources.items():
        for column, dtype in taken.sources.get(name, {"columns": {}})["columns"].items():
            note = source.notes.get(column)
            found.append(
                Entry(
                    source=name,
                    column=column,
                    type=str(dtype),
                    about=note.about if note else "",
                    unit=note.unit if note else None,
                    pii=note.pii if note else None,
                    owner=(note.owner if note and note.owner else source.owner) or project.owner,
                    readers=readers(project, name, column),
                    finding="; ".join(text for text, about in findings if about(name, column)),
                )
            )
    chosen = [e for e in found if source_wanted in ("", e.source) and column_wanted in ("", e.column)]
    if not chosen:
        known = sorted({e.source for e in found} | {f"{e.source}.{e.column}" for e in found})
        why = did_you_mean(what or "", known) or f"known: {listed(known)}"
        raise ConfigError.bad_argument(what or "", why)
    return chosen


def markdown(found: list[Entry]) -> str:
    """The dictionary as a Markdown table."""
    lines = [
        "| column | type | meaning | unit | person | owner | read by | last finding |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for entry in found:
        cells = [
            f"`{entry.source}.{entry.column}`",
            entry.type,
            entry.about,
            entry.unit or "",
            personal(entry.pii),
            entry.owner,
        ]
        cells += [", ".join(entry.readers), entry.finding]
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def personal(pii: bool | None) -> str:
    """Whether a column says something about a person, in a word."""
    return {True: "yes", False: "no", None: "?"}[pii]


def _findings(path: Path) -> list[tuple[str, Callable[[str, str], bool]]]:
    """What the last check found, and whether that is about a column of a source."""
    if not path.is_file():
        return []
    report: Any = read_json(path)
    found: list[tuple[str, Callable[[str, str], bool]]] = []
    for record in report["findings"]:
        rule, where = str(record["rule"]), str(record["where"]).removeprefix("column ").split(", ")

        def about(source: str, column: str, rule: str = rule, where: list[str] = where) -> bool:
            return rule.startswith(f"{source}.") and (column in where or rule.startswith(f"{source}.{column}."))

        found.append((f"{record['severity']}: {record['value']}, allowed is {record['limit']}", about))
    return found
