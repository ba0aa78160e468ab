"""Data contracts in the open standard: ODCS 3.1 (Open Data Contract Standard, bitol.io), written and proved.

What both sides know is carried over: types, required, unique, primary keys, meaning, personal data, allowed values,
limits, freshness. What only a project knows (where a source lies, its zone, what happens to a bad row) goes into
`customProperties` under names that begin with `mlctl.`, so that export, import and export again give the same text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from mlctl.errors import ConfigError, did_you_mean, listed
from mlctl.spec import Project
from mlctl.strict_yaml import read_yaml, yaml_text

VERSION: Final = "v3.1.0"
OURS: Final = "mlctl."
PERSONAL: Final = "personal"
LOGICAL: Final = {
    "text": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "time": "timestamp",
}
"""Our types and the standard's."""
LIMITS: Final = {
    "string": {"matches": "pattern"},
    "integer": {"min": "minimum", "max": "maximum"},
    "number": {"min": "minimum", "max": "maximum"},
}
"""For a logical type, our rules and the options of the standard that say the same."""
METRICS: Final = ("nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount")

_TYPES: Final = (*LOGICAL.values(), "date", "time", "object", "array")
_RANGE: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "format")
_OPTIONS: Final = {
    "string": ("minLength", "maxLength", "pattern", "format"),
    "integer": ("multipleOf", *_RANGE),
    "number": ("multipleOf", *_RANGE),
    "date": _RANGE,
    "timestamp": (*_RANGE, "timezone", "defaultTimezone"),
    "time": (*_RANGE, "timezone", "defaultTimezone"),
    "object": ("maxProperties", "minProperties", "required"),
    "array": ("maxItems", "minItems", "uniqueItems"),
}
_OPERATORS: Final = (
    *("mustBe", "mustNotBe", "mustBeGreaterThan", "mustBeGreaterOrEqualTo", "mustBeLessThan", "mustBeLessOrEqualTo"),
    *("mustBeBetween", "mustNotBeBetween"),
)
_UNITS: Final = {"h": "h", "d": "d", "w": "d"}
_STATED: Final = ("type", "nullable", "unique", "one_of")


def export(project: Project, source: str | None = None, types: Mapping[str, Mapping[str, str]] | None = None) -> str:
    """The contract of a project's sources, of their `columns` checks and of their notes, as YAML.

    Args:
        project: The project.
        source: Only this source; None for all of them.
        types: For each source the columns of its snapshot and their types, which become physical types.

    Raises:
        ConfigError: There is no such source.
    """
    if source is not None and source not in project.sources:
        why = did_you_mean(source, project.sources) or f"its sources are {listed(project.sources)}"
        raise ConfigError.bad_argument(source, why)
    names = [source] if source is not None else list(project.sources)
    promises = [promise for name in names if (promise := _freshness(project, name))]
    contract = {
        "apiVersion": VERSION,
        "kind": "DataContract",
        "id": f"mlctl.{project.name}" + (f".{source}" if source is not None else ""),
        "name": project.name,
        "version": "1.0.0",
        "status": "active",
        **({"description": {"purpose": project.about}} if project.about else {}),
        **({"team": {"name": project.owner}} if project.owner else {}),
        "schema": [_object(project, name, (types or {}).get(name, {})) for name in names],
        **({"slaProperties": promises} if promises else {}),
    }
    return yaml_text(contract)


def lint(path: Path) -> list[str]:
    """What is missing or wrong in a contract; empty when it can be used.

    Raises:
        ConfigError: The file is absent or no YAML.
    """
    return faults(read(path))


def read(path: Path) -> dict[str, Any]:
    """The contract in a file.

    Raises:
        ConfigError: The file is absent or no YAML.
    """
    if not path.is_file():
        raise ConfigError.bad_argument(str(path), "there is no such file")
    return read_yaml(path)[0]


def faults(contract: Mapping[str, Any]) -> list[str]:
    """What is missing or wrong in a contract, in its order."""
    found = [f"{key} is missing" for key in ("apiVersion", "kind", "id", "version", "status") if not contract.get(key)]
    if contract.get("kind") not in (None, "DataContract"):
        found.append(f"kind is {contract['kind']!r}, not DataContract")
    if not str(contract.get("apiVersion", "v3.")).startswith("v3."):
        found.append(f"apiVersion is {contract['apiVersion']!r}; mlctl reads v3")
    schema = contract.get("schema")
    if not isinstance(schema, list) or not schema:
        return [*found, "schema holds no object"]
    for place, table in enumerate(schema):
        if not isinstance(table, Mapping) or not table.get("name"):
            found.append(f"schema[{place}] has no name")
            continue
        found += _faults_of_properties(str(table["name"]), table.get("properties") or [], f"schema[{place}].properties")
    names = [table.get("name") for table in schema if isinstance(table, Mapping)]
    return found + [f"{name} stands twice in schema" for name in dict.fromkeys(names) if names.count(name) > 1 and name]


def _faults_of_properties(table: str, columns: Any, where: str) -> Iterator[str]:
    if not isinstance(columns, list):
        yield f"{where} is no list"
        return
    names: set[str] = set()
    for at, column in enumerate(columns):
        if not isinstance(column, Mapping) or not column.get("name"):
            yield f"{where}[{at}] has no name"
            continue
        name = f"{table}.{column['name']}"
        if name in names:
            yield f"{name} stands twice"
        names.add(name)
        yield from _faults_of_column(name, column)


def _faults_of_column(name: str, column: Mapping[str, Any]) -> Iterator[str]:
    logical, options = column.get("logicalType"), column.get("logicalTypeOptions") or {}
    if logical not in (None, *_TYPES):
        near = did_you_mean(str(logical), _TYPES) or f"it is one of {listed(_TYPES, 9)}"
        yield f"{name}: logicalType {logical!r} is none of the standard; {near}"
    elif options and logical is not None:
        for key in options:
            if key not in _OPTIONS.get(logical, ()):
                yield f"{name}: logicalTypeOptions of a {logical} have no {key!r}"
    for key in ("required", "unique", "primaryKey"):
        if not isinstance(column.get(key, False), bool):
            yield f"{name}: {key} is {column[key]!r}, neither true nor false"
    for quality in column.get("quality") or []:
        metric = quality.get("metric")
        if metric is not None and metric not in METRICS:
            yield f"{name}: the metric {metric!r} is none of {listed(METRICS, 9)}"
        if metric is not None and sum(operator in quality for operator in _OPERATORS) != 1:
            yield f"{name}: the metric {metric} needs exactly one of {listed(_OPERATORS, 9)}"


def _freshness(project: Project, name: str) -> dict[str, Any] | None:
    """How old the newest row may be, as a promise of service."""
    source = project.sources[name]
    if source.max_age is None or source.time_column() is None:
        return None
    count, unit = int(source.max_age[:-1]), source.max_age[-1]
    value = count * 7 if unit == "w" else count
    return {"property": "freshness", "value": value, "unit": _UNITS[unit], "element": f"{name}.{source.time_column()}"}


def _object(project: Project, name: str, types: Mapping[str, str]) -> dict[str, Any]:
    source = project.sources[name]
    checks = [c for c in project.checks.values() if c.kind == "columns" and c.source == name]
    rules: dict[str, Any] = {column: rule for check in checks for column, rule in check.columns.items()}
    named = [*source.key, *filter(None, [source.time_column()]), *rules, *source.notes, *types]
    told = source.model_dump(mode="json", exclude_defaults=True, exclude={"name", "notes", "key", "about", "kind"})
    custom = [_custom(key, value) for key, value in {"kind": source.kind, **told}.items()]
    if checks:
        policy = checks[0].model_dump(mode="json", exclude_defaults=True, exclude={"kind", "source", "columns"})
        custom += [_custom("check", policy)] if policy else []
    return {
        "name": name,
        "logicalType": "object",
        "physicalType": "table",
        **({"description": source.about} if source.about else {}),
        "properties": [
            _property(source, column, rules.get(column), types.get(column)) for column in dict.fromkeys(named)
        ],
        "customProperties": custom,
    }


def _property(source: Any, column: str, rule: Any, physical: str | None) -> dict[str, Any]:
    kind = (rule.type if rule is not None else None) or ("time" if column == source.time_column() else None)
    logical = LOGICAL[kind] if kind else None
    told: dict[str, Any] = {"name": column}
    said = rule.model_dump(mode="json", exclude_defaults=True) if rule is not None else {}
    same = LIMITS.get(str(logical), {})
    options = {theirs: said[ours] for ours, theirs in same.items() if ours in said}
    told |= {"logicalType": logical} if logical else {}
    told |= {"logicalTypeOptions": options} if options else {}
    told |= {"physicalType": physical} if physical else {}
    told |= {"required": True} if said.get("nullable") is False else {}
    told |= {"unique": True} if said.get("unique") else {}
    if column in source.key:
        told |= {"primaryKey": True, "primaryKeyPosition": source.key.index(column) + 1}
    note = source.notes.get(column)
    told |= {"description": note.about} if note is not None and note.about else {}
    told |= {"classification": PERSONAL} if note is not None and note.pii else {}
    if said.get("one_of"):
        valid = {"validValues": list(said["one_of"])}
        told["quality"] = [{"type": "library", "metric": "invalidValues", "arguments": valid, "mustBe": 0}]
    # the standard has no word for what is left of the rule and of the note
    rest = {key: value for key, value in said.items() if key not in (*_STATED, *same)}
    custom = [_custom("rule", rest)] if rest else []
    if note is not None:
        kept = {"unit": note.unit, "owner": note.owner, "pii": False if note.pii is False else None}
        custom += [_custom(key, value) for key, value in kept.items() if value is not None]
    return {**told, **({"customProperties": custom} if custom else {})}


def _custom(key: str, value: Any) -> dict[str, Any]:
    return {"property": f"{OURS}{key}", "value": value}


def ours(element: Mapping[str, Any]) -> dict[str, Any]:
    """What an exported contract keeps of the project in the `customProperties` of a table or a column."""
    custom: Sequence[Mapping[str, Any]] = element.get("customProperties") or ()
    return {
        str(item["property"]).removeprefix(OURS): item.get("value")
        for item in custom
        if str(item.get("property")).startswith(OURS)
    }
