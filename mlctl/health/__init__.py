"""The health of projects: what was promised, what is now, and what happened between; a page a project, and one for all.

Everything is what evaluation, monitors, rollout, alarms and the ledger wrote down; nothing is judged anew here. The
same content is told as JSON (`contents`), as a page that opens without a network, and in short as Markdown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from mlctl.errors import ConfigError
from mlctl.files import canonical_json, write_text
from mlctl.health.contents import contents
from mlctl.health.overview import overview
from mlctl.health.showing import page, short
from mlctl.spec import Project
from mlctl.watching import watch
from mlctl.workspace import STATE, Places

__all__ = ["contents", "overview", "page", "short", "told", "written"]


def told(places: Places, project: Project, days: int, now: datetime) -> dict[str, Any]:
    """The health of a project over its last watched days.

    Raises:
        IntegrityError: An artefact is damaged.
        DataError: A label cannot be computed.
        ExternalError: The disk.
    """
    last = watch.latest(places, now)
    report = watch.watch(places, project, last - timedelta(days=days - 1), last, now)
    return contents(places, project, report, now)


def written(found: Sequence[Mapping[str, Any]], format: str) -> list[Path] | str:
    """Pages as files, one a project and, of several, one for all; JSON and Markdown as text.

    Raises:
        ConfigError: There is no such format.
        ExternalError: The disk.
    """
    if format == "json":
        whole = {**overview(found, "json"), "details": list(found)}
        return canonical_json(whole if len(found) > 1 else found[0])
    if format == "md":
        parts = [overview(found, "md")] if len(found) > 1 else []
        return "\n".join([*parts, *(short(one) for one in found)])
    if format != "html":
        raise ConfigError.bad_argument(f"--format {format}", "it is one of html, json, md")
    paths = []
    for one in found:
        paths.append(Places(one["project"]).state / "report" / "health.html")
        write_text(paths[-1], page(one))
    if len(found) > 1:
        paths.append(STATE / "health.html")
        write_text(paths[-1], str(overview(found, "html")))
    return paths
