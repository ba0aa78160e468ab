"""The report of a project: what it decides, on what data, how well, where it fails, and who made it from what.

One page that opens without a network (`page`), the same as JSON (`contents`) and in short as Markdown (`short`).
Everything is read from what the stages left on disk; what is not there is said and not guessed.
"""

from __future__ import annotations

from pathlib import Path

from mlctl.errors import ConfigError
from mlctl.files import canonical_json, write_text
from mlctl.report.contents import contents
from mlctl.report.page import page
from mlctl.report.short import short
from mlctl.spec import Project
from mlctl.workspace import Places

FORMATS = {"html": "index.html", "json": "report.json", "md": "report.md"}
"""Formats, and the file's name in the project's report folder."""


def report(places: Places, project: Project, format: str = "html", target: Path | None = None) -> Path:
    """Writes the report and tells where it lies; the same artefacts give the same bytes.

    Args:
        places: The project's.
        project: As the stages ran it.
        format: html, json or md.
        target: The file to write; default: `.mlctl/NAME/report/`.

    Raises:
        ConfigError: There is no such format.
        IntegrityError: An artefact is damaged.
        ExternalError: The file cannot be written.
    """
    if format not in FORMATS:
        raise ConfigError.bad_argument(f"--format {format}", f"it is one of {', '.join(FORMATS)}")
    told = contents(places, project)
    text = {"html": page, "json": canonical_json, "md": short}[format](told)
    path = target or places.state / "report" / FORMATS[format]
    write_text(path, text)
    return path
