"""The report as one HTML page that needs nothing but itself: no network, no script, no file beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from mlctl.report.sections import Section, sections

TEMPLATES: Final = Path(__file__).parent / "templates"


def page(told: Mapping[str, Any]) -> str:
    """The page of the report's contents. Every text from outside is escaped; the charts escape theirs themselves."""
    verdict = None
    if told["gate"]:
        passed = told["gate"]["passed"]
        verdict = (passed, "the gate lets it pass" if passed else "the gate refuses it")
    return laid_out(told["project"], told["decides"]["about"], sections(told), verdict, told["missing"])


def laid_out(
    title: str,
    about: str,
    parts: Sequence[Section],
    verdict: tuple[bool, str] | None = None,
    missing: Sequence[str] = (),
) -> str:
    """A page of sections.

    Args:
        title: Its heading.
        about: What it is about, in a sentence; may be empty.
        parts: The sections.
        verdict: Whether all is well, and in which words; None: nothing is said.
        missing: What could not be told, a sentence each.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("report.html")
    return template.render(title=title, about=about, sections=parts, verdict=verdict, missing=missing) + "\n"
