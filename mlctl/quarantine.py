"""Rows that a check set aside: kept with their reasons, listed, and let in again by a file that people review.

Every row has an id that hangs on its content alone, so the same row is known again in a later snapshot. `admitted.yaml`
beside the project's YAML names, for a rule, the ids of rows that are right after all, and why; the check stage lets
them through and says so. A row whose rule was corrected needs no admission: checks always run on the whole snapshot.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field, TypeAdapter, ValidationError

from mlctl.errors import ConfigError, IntegrityError, first_line
from mlctl.files import sha256_of, write_text
from mlctl.findings import Finding, of_severity
from mlctl.kinds import Record
from mlctl.strict_yaml import read_yaml
from mlctl.workspace import Places

if TYPE_CHECKING:
    import polars as pl

ID_LENGTH: Final = 16
_ID: Final = re.compile(f"[0-9a-f]{{{ID_LENGTH}}}")


class Admission(Record):
    """Rows that may pass a rule."""

    rule: str = Field(min_length=1, description="the reason code, such as orders.amount_eur.max")
    because: str = Field(default="", description="why they are right, for the reviewer")
    rows: tuple[str, ...] = Field(min_length=1, description="ids of the rows, as mlctl quarantine lists them")


def admissions(places: Places) -> tuple[Admission, ...]:
    """What `admitted.yaml` says; nothing when there is no such file.

    Raises:
        ConfigError: It is not YAML, or says something else.
    """
    if not places.admitted.is_file():
        return ()
    body, _ = read_yaml(places.admitted)
    try:
        return TypeAdapter(tuple[Admission, ...]).validate_python(body.get("admitted") or ())
    except ValidationError as error:
        raise ConfigError.unreadable_yaml(str(places.admitted), first_line(error)) from error


def digest(places: Places) -> str:
    """A hash of what is admitted, empty for nothing; params.yaml holds it, so that DVC re-runs the check."""
    admitted = admissions(places)
    return sha256_of(repr(admitted))[:ID_LENGTH] if admitted else ""


def row_ids(rows: pl.DataFrame) -> tuple[list[str], list[str]]:
    """The rows as JSON with their columns by name, and the id that each content hashes to."""
    import polars as pl

    if rows.height == 0:
        return [], []
    ordered = rows.select(sorted(rows.columns))
    texts = ordered.select(pl.struct(pl.all()).struct.json_encode()).to_series().to_list()
    return texts, [sha256_of(text)[:ID_LENGTH] for text in texts]


def set_aside(
    source: str, table: pl.DataFrame, findings: Iterable[Finding], admitted: Sequence[Admission]
) -> tuple[pl.DataFrame, dict[str, int]]:
    """The rows of one source that are set aside, and how many rows were admitted to pass each rule.

    Grain: one row of the source: its position, id, every reason code, and its content as JSON. Time: none.
    """
    import polars as pl

    reasons: dict[int, list[str]] = {}
    for finding in of_severity(findings, "quarantine"):
        for row in finding.rows:
            reasons.setdefault(row, []).append(finding.rule)
    positions = sorted(reasons)
    texts, ids = row_ids(table[positions])
    allowed = {(admission.rule, row) for admission in admitted for row in admission.rows}
    passed: dict[str, int] = {}
    kept: list[tuple[int, str, str, str]] = []
    for position, text, row_id in zip(positions, texts, ids, strict=True):
        left = []
        for rule in reasons[position]:
            if (rule, row_id) in allowed:
                passed[rule] = passed.get(rule, 0) + 1
            else:
                left.append(rule)
        if left:
            kept.append((position, row_id, ", ".join(left), text))
    columns = list(zip(*kept, strict=True)) or [(), (), (), ()]
    types = {"row": pl.Int64, "row_id": pl.String, "rules": pl.String, "content": pl.String}
    removed = pl.DataFrame(dict(zip(types, columns, strict=True)), schema=types)
    return removed.insert_column(0, pl.Series("source", [source] * removed.height, dtype=pl.String)), passed


def listing(places: Places) -> list[dict[str, Any]]:
    """What lies in quarantine, one entry a rule: source, rule, rows, ids and up to three examples.

    Raises:
        IntegrityError: The check has not run.
    """
    rules = _by_rule(_quarantined(places))
    return [
        {
            "source": rows["source"][0],
            "rule": rule,
            "rows": rows.height,
            "examples": rows.select("row_id", "content").head(3).to_dicts(),
        }
        for rule, rows in sorted(rules.items())
    ]


def admit(places: Places, what: Sequence[str], because: str) -> tuple[Admission, ...]:
    """Writes into `admitted.yaml` that rows may pass: all that a rule set aside now, or single ones by id.

    Returns:
        What was added.

    Raises:
        ConfigError: It is neither a rule nor a row that is in quarantine.
        IntegrityError: The check has not run.
        ExternalError: The file cannot be written.
    """
    rows = _quarantined(places)
    rules = _by_rule(rows)
    added: dict[str, list[str]] = {}
    for word in what:
        if word in rules:
            added.setdefault(word, []).extend(rules[word]["row_id"])
            continue
        meant = {rule: word for rule, broken in rules.items() if word in broken["row_id"].to_list()}
        if not meant:
            raise ConfigError.unknown_key(word, [*rules, *([] if not _ID.fullmatch(word) else rows["row_id"])])
        for rule, row in meant.items():
            added.setdefault(rule, []).append(row)
    new = tuple(
        Admission(rule=rule, because=because, rows=tuple(sorted(set(ids)))) for rule, ids in sorted(added.items())
    )
    _write(places, (*admissions(places), *new))
    return new


def told(passed: Mapping[str, int]) -> tuple[str, ...]:
    """One line for each rule that admitted rows passed."""
    return tuple(f"admitted: {rows:,} rows may pass {rule} (admitted.yaml)" for rule, rows in sorted(passed.items()))


def _write(places: Places, entries: Sequence[Admission]) -> None:
    import yaml

    head = "# Rows that may pass a rule, written by `mlctl quarantine --admit`. Review and commit it.\n"
    body = {"admitted": [entry.model_dump(mode="json") for entry in entries]}
    write_text(places.admitted, head + yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=120))


def _quarantined(places: Places) -> pl.DataFrame:
    import polars as pl

    path = places.checked / "quarantine.parquet"
    if not path.is_file():
        raise IntegrityError.missing(str(path), f"mlctl check projects/{places.name}")
    return pl.read_parquet(path)


def _by_rule(rows: pl.DataFrame) -> dict[str, pl.DataFrame]:
    import polars as pl

    apart = rows.with_columns(pl.col("rules").str.split(", ")).explode("rules")
    return {str(rule): part for (rule,), part in apart.partition_by("rules", as_dict=True, maintain_order=True).items()}


def shown(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """The listing as lines for people."""
    lines = []
    for entry in entries:
        lines.append(f"{entry['rule']}: {entry['rows']:,} rows of {entry['source']}")
        lines += [f"    {example['row_id']}  {example['content'][:160]}" for example in entry["examples"]]
    return lines or ["nothing is in quarantine"]
