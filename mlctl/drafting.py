"""A draft as the YAML that people write: the sections `sources:` and `checks:`, and values that read back the same."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from mlctl.discovery import Draft
from mlctl.profile import snake

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED: Final = ("yes", "no", "true", "false", "on", "off", "null", "y", "n")


def source_lines(draft: Draft) -> list[str]:
    """The section `sources:` as people write it; every guess says so, and why."""
    lines = ["sources:"]
    for name, found in draft.tables.items():
        source = {key: value for key, value in found.source.items() if key != "notes"}
        notes = found.source.get("notes", {})
        guessed = "  # a guess: which zone is it?" if "time_zone" in source else ""
        if not notes:
            lines.append(f"  {name}: {flow(source)}{guessed}")
            continue
        lines.append(f"  {name}:")
        lines += [f"    {key}: {flow(value)}{guessed * (key == 'time_zone')}" for key, value in source.items()]
        lines.append("    notes:")
        lines += [f"      {scalar(column)}: {flow(note)}{_why(found, column)}" for column, note in notes.items()]
    return lines


def check_lines(draft: Draft) -> list[str]:
    """The section `checks:` as people write it."""
    lines = ["checks:"]
    for name, check in draft.checks().items():
        lines += [f"  {name}:", "    kind: columns", f"    source: {name}", "    severity: quarantine", "    columns:"]
        lines += [f"      {scalar(column)}: {flow(rule)}" for column, rule in check["columns"].items()]
    return lines


def flow(value: Any) -> str:
    """A value as YAML on one line.

    >>> flow({"kind": "csv", "key": ["order id"], "nullable": False})
    '{kind: csv, key: ["order id"], nullable: false}'
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    return scalar(value)


def scalar(value: Any) -> str:
    r"""A value as a YAML scalar, also inside a flow mapping; a text that YAML would read as something else is quoted.

    >>> scalar("no"), scalar("a-b"), scalar(">50K"), scalar(True), scalar("two\nlines")
    ('"no"', '"a-b"', '">50K"', 'true', '"two\\nlines"')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return str(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _RESERVED:
        return value
    # JSON's quotes are YAML's; what does not print stands as its code
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else _code(c) for c in quoted)


def yaml_name(column: str) -> str:
    """A column's name as the name of a feature.

    >>> yaml_name("education-num"), yaml_name("1st")
    ('education_num', '_1st')
    """
    name = snake(column)
    return name if name and not name[0].isdigit() else f"_{name}"


def _code(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number < 1 << 16 else f"\\U{number:08x}"


def _why(found: Any, column: str) -> str:
    """The evidence of a guess as a comment at the end of its line."""
    told = "; ".join(found.profile.column(column).evidence)
    return f"  # a guess: {''.join(c for c in told if c.isprintable())}"
