"""From a contract in ODCS 3.1 to a draft: the sections `sources:` and `checks:`, and what could not be carried over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from mlctl.drafts.odcs import LIMITS, LOGICAL, PERSONAL, faults, ours, read
from mlctl.errors import ConfigError
from mlctl.files import write_text
from mlctl.plan import snake_case
from mlctl.strict_yaml import yaml_text

_FRESHNESS: Final = ("freshness", "latency")
_UNITS: Final = {"h": "h", "hr": "h", "hours": "h", "hour": "h", "d": "d", "days": "d", "day": "d"}
_PERSONAL: Final = (PERSONAL, "pii", "sensitive_personal")


class Imported(NamedTuple):
    """What a contract becomes.

    Attributes:
        text: The sections `sources:` and `checks:` as YAML.
        left: What the contract says and a project cannot, for people.
    """

    text: str
    left: tuple[str, ...]


def draft(path: Path) -> Imported:
    """The draft of a contract.

    Raises:
        ConfigError: The file is absent, unreadable, or no ODCS contract.
    """
    contract = read(path)
    wrong = faults(contract)
    if wrong:
        raise ConfigError(
            f"{path} is no ODCS contract",
            where=str(path),
            why=" | ".join(wrong),
            next_step=f"mlctl contract lint {path}",
        )
    sources: dict[str, Any] = {}
    checks: dict[str, Any] = {}
    left: list[str] = []
    for table in contract["schema"]:
        name = snake_case(str(table["name"]))
        sources[name] = _source(name, table, contract)
        checks[name] = _check(name, table, left)
    left += [f"{key} of the contract" for key in ("servers", "roles", "price", "support") if contract.get(key)]
    return Imported(yaml_text({"sources": sources, "checks": checks}), tuple(left))


def write_draft(imported: Imported, folder: Path) -> Path:
    """Writes `draft.yaml` into a project's folder and gives its path.

    Raises:
        ConfigError: It is there already: people may have worked on it.
        ExternalError: The disk.
    """
    path = folder / "draft.yaml"
    if path.exists():
        raise ConfigError.bad_argument(f"--project {folder.name}", f"{path} is there already", f"move {path} away")
    write_text(path, imported.text)
    return path


def _source(name: str, table: Mapping[str, Any], contract: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in ours(table).items() if key != "check"}
    source = kept or {"kind": "parquet", "path": f"{table.get('physicalName') or name}.parquet"}
    keys = [c for c in table.get("properties") or [] if c.get("primaryKey")]
    if keys:
        source["key"] = [str(c["name"]) for c in sorted(keys, key=lambda c: c.get("primaryKeyPosition", 1))]
    if table.get("description"):
        source["about"] = table["description"]
    for promise in contract.get("slaProperties") or []:
        element = str(promise.get("element", "")).partition(".")[0]
        unit = _UNITS.get(str(promise.get("unit")))
        if promise.get("property") in _FRESHNESS and element == table["name"] and unit and "max_age" not in source:
            source["max_age"] = f"{promise.get('value')}{unit}"
    notes = {str(c["name"]): note for c in table.get("properties") or [] if (note := _note(c))}
    return {**source, **({"notes": notes} if notes else {})}


def _note(column: Mapping[str, Any]) -> dict[str, Any]:
    kept = ours(column)
    note: dict[str, Any] = {"about": column["description"]} if column.get("description") else {}
    # another classification, such as restricted, does not say whether a person is meant
    if str(column.get("classification", "")).lower() in _PERSONAL:
        note["pii"] = True
    return note | {key: kept[key] for key in ("unit", "pii", "owner") if key in kept}


def _check(name: str, table: Mapping[str, Any], left: list[str]) -> dict[str, Any]:
    columns = {str(column["name"]): _rule(name, column, left) for column in table.get("properties") or []}
    left += [f"{name}: its rule {_called(quality)}" for quality in table.get("quality") or []]
    return {"kind": "columns", "source": name, **ours(table).get("check", {}), "columns": columns}


def _rule(table: str, column: Mapping[str, Any], left: list[str]) -> dict[str, Any]:
    types = {theirs: kind for kind, theirs in LOGICAL.items()} | {"date": "time"}
    logical, where = column.get("logicalType"), f"{table}.{column['name']}"
    rule: dict[str, Any] = {}
    if logical in types:
        rule["type"] = types[logical]
    elif logical is not None:
        left.append(f"{where}: the logicalType {logical}")
    same = {theirs: word for word, theirs in LIMITS.get(str(logical), {}).items()}
    for key, value in (column.get("logicalTypeOptions") or {}).items():
        if key in same:
            rule[same[key]] = value
        else:
            left.append(f"{where}: {key} {value}")
    if column.get("required"):
        rule["nullable"] = False
    if column.get("unique"):
        rule["unique"] = True
    for quality in column.get("quality") or []:
        carried = _of_quality(quality)
        rule |= carried
        left += [] if carried else [f"{where}: its rule {_called(quality)}"]
    if column.get("classification") and str(column["classification"]).lower() not in _PERSONAL:
        left.append(f"{where}: the classification {column['classification']}")
    kept: dict[str, Any] = ours(column).get("rule", {})
    return rule | kept


def _of_quality(quality: Mapping[str, Any]) -> dict[str, Any]:
    """A rule of the standard's library as ours; nothing where we have none that means the same."""
    values = (quality.get("arguments") or {}).get("validValues")
    if quality.get("mustBe") != 0:
        return {}
    if quality.get("metric") == "invalidValues" and values:
        return {"one_of": list(values)}
    return {"nullValues": {"nullable": False}, "duplicateValues": {"unique": True}}.get(str(quality.get("metric")), {})


def _called(quality: Mapping[str, Any]) -> str:
    return str(quality.get("name") or quality.get("metric") or quality.get("description") or quality.get("type"))
