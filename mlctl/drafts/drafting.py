"""A draft as the YAML that people write: the sections `sources:` and `checks:`, and values that read back the same."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mlctl.drafts.discovery import Draft
from mlctl.drafts.profile import ColumnProfile, snake
from mlctl.errors import ConfigError, listed
from mlctl.files import write_text

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED: Final = ("yes", "no", "true", "false", "on", "off", "null", "y", "n")
_EXAMPLE_MOST: Final = 40


def draft_text(draft: Draft) -> str:
    """The whole draft as YAML: what was seen as comments, `sources:`, `checks:`, and how the tables join."""
    lines: list[str] = []
    for found in draft.tables.values():
        told = found.profile
        lines.append(f"# {told.name}: {told.rows:,} rows x {len(told.columns)} columns, {told.kind} data (a guess)")
        lines += [f"#   {line}" for line in told.evidence]
        lines += [f"#   {_line_of(column)}" for column in told.columns]
    lines += ["", *source_lines(draft), "", *check_lines(draft)]
    lines += ["", "# joins, all of them guesses by name and values"] if draft.joins else []
    for join in draft.joins:
        shares = f"{join.left_share:.0%} of the left is known, {join.right_share:.0%} of the right is used"
        lines.append(f"# {join.left} = {join.right} ({join.form}; {shares})")
    return "".join(f"{_printable(line)}\n" for line in lines)


def write_draft(draft: Draft, folder: Path) -> tuple[Path, Path]:
    """Writes `draft.yaml` and `questions.md` into a project's folder and gives their paths.

    Raises:
        ConfigError: One of them is there already: people may have worked on it.
        ExternalError: The disk.
    """
    text, questions = folder / "draft.yaml", folder / "questions.md"
    for path in (text, questions):
        if path.exists():
            raise ConfigError.bad_argument(f"--write {folder}", f"{path} is there already", f"move {path} away")
    write_text(text, draft_text(draft))
    write_text(questions, "".join(["# To be asked\n\n", *[f"- {line}\n" for line in draft.questions()]]))
    return text, questions


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
    return f"  # a guess: {_printable('; '.join(found.profile.column(column).evidence))}"


def _line_of(column: ColumnProfile) -> str:
    """A column on one line: type, values, span and what is guessed of it."""
    missing = f", {column.missing / column.rows:.1%} missing" if column.missing else ""
    span = f", {column.least} to {column.most}" if column.least is not None else ""
    if column.quantiles and not column.is_time and not column.names_a_key:
        span += f", half of them at most {column.quantiles[2]:g}"
    if not span and column.examples:
        span = f", such as {listed([example[:_EXAMPLE_MOST] for example in column.examples], 3)}"
    why = f"  ({'; '.join(column.evidence)})" if column.evidence else ""
    return f"{column.name}: {column.kind}, {column.values:,} different{missing}{span}{why}"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
