"""The report of a project: what it decides, on what data, how well, where it fails, and who made it from what.

One page that opens without a network (`page`), the same as JSON (`contents`) and in short as Markdown (`short`).
Everything is read from what the stages left on disk; what is not there is said and not guessed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from mlctl.errors import ConfigError, listed
from mlctl.files import canonical_json, write_text
from mlctl.report.contents import contents
from mlctl.report.page import page
from mlctl.report.short import short
from mlctl.spec import Project
from mlctl.workspace import Places

_FORMS: Final = {"html": page, "json": canonical_json, "md": short}


def report(places: Places, project: Project, format: str = "html") -> str:
    """The report as text; the same artefacts give the same bytes.

    Args:
        places: The project's.
        project: As the stages ran it.
        format: html, json or md.

    Raises:
        ConfigError: There is no such format.
        IntegrityError: An artefact is damaged.
        DataError: A feature of the test rows is not what the model learnt from.
    """
    if format not in _FORMS:
        raise ConfigError.bad_argument(f"--format {format}", f"it is one of {listed(list(_FORMS))}")
    return _FORMS[format](contents(places, project))


def write(places: Places, text: str, format: str, target: Path | None = None) -> Path | None:
    """Writes the report where it was asked for; a page without a place goes to `.mlctl/NAME/report/index.html`.

    Returns:
        Where it lies; None when it was not written, because only pages need a file.

    Raises:
        ExternalError: The file cannot be written.
    """
    path = target or (places.state / "report" / "index.html" if format == "html" else None)
    if path is not None:
        write_text(path, text)
    return path
