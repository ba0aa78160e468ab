"""The report as one HTML page that needs nothing but itself: no network, no script, no file beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mlctl.report.sections import sections

TEMPLATES: Final = Path(__file__).parent / "templates"


def page(told: Mapping[str, Any]) -> str:
    """The page of the report's contents. Every text from outside is escaped; the charts escape theirs themselves."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(told=told, sections=sections(told)) + "\n"
