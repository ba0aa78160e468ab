"""Data contracts in the open standard: ODCS 3.1 (Open Data Contract Standard, bitol.io), both ways.

What both sides know is carried over: types, required, unique, primary keys, meaning, personal data, units, allowed
values and limits. What only a project knows (where a source lies, its zone) goes into `customProperties` under names
that begin with `mlctl.`, so that export, import and export again give the same text.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mlctl.errors import ConfigError
from mlctl.spec import Project
from mlctl.strict_yaml import read_yaml, yaml_text

VERSION: Final = "v3.1.0"
_STATUSES: Final = ("proposed", "draft", "active", "deprecated", "retired")
_LOGICAL: Final = {
    "text": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "time": "timestamp",
}
_LIMITS: Final = {"min": "minimum", "max": "maximum", "matches": "pattern"}
_PERSONAL: Final = "personal"


def export(project: Project) -> str:
    """The contract of a project's sources and `columns` checks, as YAML."""
    schema = [_object(project, name) for name in project.sources]
    contract = {
        "apiVersion": VERSION,
        "kind": "DataContract",
        "id": f"mlctl.{project.name}",
        "name": project.name,
        "version": "1.0.0",
        "status": "active",
        **({"description": {"purpose": project.about}} if project.about else {}),
        **({"team": {"name": project.owner}} if project.owner else {}),
        "schema": schema,
    }
    return yaml_text(contract)


def draft(path: Path) -> str:
    """The sections `sources:` and `checks:` that a contract says, as YAML.

    Raises:
        ConfigError: The file is absent, unreadable, or no ODCS contract.
    """
    contract = _read(path)
    faults = _faults(contract)
    if faults:
        raise ConfigError(f"{path} is no ODCS contract", why=" | ".join(faults), next_step="mlctl contract lint FILE")
    sources: dict[str, Any] = {}
    checks: dict[str, Any] = {}
    for table in contract["schema"]:
        name = str(table["name"])
        sources[name] = _source(table)
        checks[name] = _check(name, table)
    return yaml_text({"sources": sources, "checks": checks})


def lint(path: Path) -> list[str]:
    """What is missing or wrong in a contract; empty when it can be used.

    Raises:
        ConfigError: The file is absent or no YAML.
    """
    return _faults(_read(path))


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ConfigError.bad_override(str(path), "there is no such file")
    return read_yaml(path)[0]


def _faults(contract: Mapping[str, Any]) -> list[str]:
    faults = [f"{key} is missing" for key in ("apiVersion", "kind", "id", "version", "status") if not contract.get(key)]
    if contract.get("kind") not in (None, "DataContract"):
        faults.append(f"kind is {contract['kind']!r}, not DataContract")
    if not str(contract.get("apiVersion", "v3.")).startswith("v3."):
        faults.append(f"apiVersion is {contract['apiVersion']!r}; mlctl reads v3")
    if contract.get("status") not in (None, *_STATUSES):
        faults.append(f"status is {contract['status']!r}; it is one of {', '.join(_STATUSES)}")
    schema = contract.get("schema")
    if not isinstance(schema, list) or not schema:
        return [*faults, "schema holds no object"]
    for place, table in enumerate(schema):
        if not isinstance(table, Mapping) or not table.get("name"):
            faults.append(f"schema[{place}] has no name")
            continue
        for at, column in enumerate(table.get("properties") or []):
            if not isinstance(column, Mapping) or not column.get("name"):
                faults.append(f"schema[{place}].properties[{at}] has no name")
            elif column.get("logicalType") not in (None, *_LOGICAL.values(), "date", "time", "object", "array"):
                faults.append(
                    f"{table['name']}.{column['name']}: logicalType {column['logicalType']!r} is none of the standard"
                )
    return faults


def _object(project: Project, name: str) -> dict[str, Any]:
    source = project.sources[name]
    rules: dict[str, Any] = {}
    for check in project.checks.values():
        if check.kind == "columns" and check.source == name:
            rules.update(check.columns)
    names = list(dict.fromkeys([*source.key, *filter(None, [source.time_column()]), *rules, *source.notes]))
    told = source.model_dump(mode="json", exclude_defaults=True, exclude={"name", "notes", "key", "about", "owner"})
    custom = [{"property": f"mlctl.{key}", "value": value} for key, value in {"kind": source.kind, **told}.items()]
    return {
        "name": name,
        "logicalType": "object",
        "physicalType": "table",
        **({"description": source.about} if source.about else {}),
        "properties": [_property(source, column, rules.get(column)) for column in names],
        "customProperties": custom,
    }


def _property(source: Any, column: str, rule: Any) -> dict[str, Any]:
    note = source.notes.get(column)
    kind = (rule.type if rule is not None else None) or ("time" if column == source.time_column() else None)
    limits = {
        odcs: getattr(rule, ours)
        for ours, odcs in _LIMITS.items()
        if rule is not None and getattr(rule, ours) is not None
    }
    told: dict[str, Any] = {"name": column}
    if kind:
        told["logicalType"] = _LOGICAL[kind]
    if limits:
        told["logicalTypeOptions"] = limits
    if rule is not None and not rule.nullable:
        told["required"] = True
    if rule is not None and rule.unique:
        told["unique"] = True
    if column in source.key:
        told |= {"primaryKey": True, "primaryKeyPosition": source.key.index(column) + 1}
    if note is not None and note.about:
        told["description"] = note.about
    if note is not None and note.pii is not None:
        told["classification"] = _PERSONAL if note.pii else "public"
    if rule is not None and rule.one_of:
        values = {
            "type": "library",
            "metric": "invalidValues",
            "arguments": {"validValues": list(rule.one_of)},
            "mustBe": 0,
        }
        told["quality"] = [values]
    if note is not None and note.unit:
        told["customProperties"] = [{"property": "mlctl.unit", "value": note.unit}]
    return told


def _source(table: Mapping[str, Any]) -> dict[str, Any]:
    source = {"kind": "parquet", "path": f"{table['name']}.parquet"}
    custom = {item["property"]: item["value"] for item in table.get("customProperties") or []}
    ours = {key.removeprefix("mlctl."): value for key, value in custom.items() if key.startswith("mlctl.")}
    result: dict[str, Any] = {**(source if not ours else {}), **ours}
    keys = [c for c in table.get("properties") or [] if c.get("primaryKey")]
    if keys:
        result["key"] = [str(c["name"]) for c in sorted(keys, key=lambda c: c.get("primaryKeyPosition", 1))]
    if table.get("description"):
        result["about"] = table["description"]
    notes = {str(c["name"]): note for c in table.get("properties") or [] if (note := _note(c))}
    return {**result, **({"notes": notes} if notes else {})}


def _note(column: Mapping[str, Any]) -> dict[str, Any]:
    note: dict[str, Any] = {}
    if column.get("description"):
        note["about"] = column["description"]
    if column.get("classification"):
        note["pii"] = column["classification"] == _PERSONAL
    for item in column.get("customProperties") or []:
        if item["property"] == "mlctl.unit":
            note["unit"] = item["value"]
    return note


def _check(name: str, table: Mapping[str, Any]) -> dict[str, Any]:
    ours = {odcs: kind for kind, odcs in _LOGICAL.items()} | {"date": "time"}
    columns = {}
    for column in table.get("properties") or []:
        rule: dict[str, Any] = {}
        if column.get("logicalType") in ours:
            rule["type"] = ours[column["logicalType"]]
        options = column.get("logicalTypeOptions") or {}
        rule |= {key: options[odcs] for key, odcs in _LIMITS.items() if odcs in options}
        if column.get("required"):
            rule["nullable"] = False
        if column.get("unique"):
            rule["unique"] = True
        for quality in column.get("quality") or []:
            if quality.get("metric") == "invalidValues":
                rule["one_of"] = list((quality.get("arguments") or {}).get("validValues") or [])
        columns[str(column["name"])] = rule
    return {"kind": "columns", "source": name, "columns": columns}
