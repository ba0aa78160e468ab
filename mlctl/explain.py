"""What a kind or a key means, its value in a project and who set it; and the JSON Schema of all of it.

Everything here is derived from the typed records: there is no second place that could say something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mlctl import config, kinds
from mlctl.environment import is_secret
from mlctl.errors import ConfigError
from mlctl.kinds import Record, describe
from mlctl.spec import KIND_SECTIONS, OF_RANKING, ONE_KIND, Project
from mlctl.workspace import Places

INTERPOLATION: Final = {"type": "string", "pattern": r"^\$\{.*\}$"}


def explain(what: str | None, places: Places | None) -> str:
    """The explanation as plain text.

    Args:
        what: `None` (everything there is), a seam (`sources`), a kind (`sources.csv`, `model.xgboost`), a section
            (`gate`) or a dotted key (`model.depth`).
        places: The project whose value is shown, if there is one.

    Raises:
        ConfigError: There is no such kind or key.
    """
    if what is None:
        return _overview()
    parts = what.split(".")
    seam = ONE_KIND.get(parts[0], parts[0])
    for asked in (seam, OF_RANKING.get(parts[0], seam)):
        if len(parts) == 2 and asked in kinds.SEAMS and parts[1] in kinds.names(asked):
            return kinds.explain(asked, parts[1])
    lines = _section_lines(parts[0]) if len(parts) == 1 else []
    if len(parts) == 1 and not lines:
        lines = [kinds.explain(seam, what) for seam in kinds.SEAMS if what in kinds.names(seam)]
    if places is not None and not lines:
        lines += _value_lines(what, places)
    if not lines:
        known = [*Project.model_fields, *(f"{seam}.{kind}" for seam in kinds.SEAMS for kind in kinds.names(seam))]
        raise ConfigError.unknown_key(what, known)
    return "\n".join(lines)


def schema() -> dict[str, Any]:
    """JSON Schema (draft-07) of project.yaml; every scalar may also be an interpolation `${...}`."""
    definitions: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    for name, info in Project.model_fields.items():
        properties[name] = _section_schema(name, info, definitions)
    properties["defaults"] = {"description": "presets of Hydra groups, such as - model: logistic", "type": "array"}
    whole = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "mlctl project",
        "type": "object",
        "additionalProperties": False,
        "required": ["entity", "sources", "label"],
        "properties": properties,
        "definitions": definitions,
    }
    return dict(_with_interpolation(whole))


def _overview() -> str:
    lines = ["Sections of project.yaml (mlctl explain SECTION):"]
    lines += [f"  {name}: {info.description}" for name, info in Project.model_fields.items()]
    lines += ["", "Kinds (mlctl explain SEAM.KIND):"]
    lines += [f"  {seam}: {', '.join(kinds.names(seam))}" for seam in kinds.SEAMS]
    return "\n".join(lines)


def _section_lines(section: str) -> list[str]:
    seam = ONE_KIND.get(section, section)
    lines = []
    info = Project.model_fields.get(section)
    if info is not None:
        lines += [f"{section}: {info.description}"]
        record = _record_of(info.annotation)
        lines += [f"  {line}" for line in describe(record)] if record else []
    if seam in kinds.SEAMS:
        lines += [f"kinds: {', '.join(kinds.names(seam))} (mlctl explain {seam}.KIND)"]
    if section in OF_RANKING:
        theirs = OF_RANKING[section]
        lines += [f"of a recommender: {', '.join(kinds.names(theirs))} (mlctl explain {theirs}.KIND)"]
    return lines


def _value_lines(key: str, places: Places) -> list[str]:
    composed = config.compose(places)
    try:
        value = config.value_at(composed.mapping, key)
    except (KeyError, IndexError, TypeError, ValueError):
        return []
    if is_secret(key) and value:
        from mlctl.database import masked

        value = masked(value)
    lines = [f"{key} = {value!r} in {places.folder}"]
    nearest = key
    while nearest and nearest not in composed.origins:
        nearest = nearest.rpartition(".")[0]
    origin = composed.origins.get(nearest)
    set_here = origin is not None and (nearest == key or any(name.startswith(f"{key}.") for name in composed.origins))
    if set_here and origin is not None:
        lines.append(f"set by: {origin.set_by}, {origin.place}")
    else:
        lines.append("set by: default (nobody set it)")
    described = _description(composed.project, key)
    return lines + ([f"meaning: {described}"] if described else [])


def _description(project: Project, key: str) -> str:
    """The description of the record field that a dotted key names, or the empty string."""
    value: Any = project
    described = ""
    for part in key.split("."):
        if isinstance(value, Record):
            field = next(
                ((name, info) for name, info in type(value).model_fields.items() if part in (name, info.alias)), None
            )
            if field is None:
                return ""
            described, value = field[1].description or "", getattr(value, field[0])
        elif isinstance(value, Mapping) and part in value:
            described, value = "", value[part]
        else:
            return described
    return described


def _record_of(annotation: Any) -> type[Record] | None:
    if isinstance(annotation, type) and issubclass(annotation, Record) and annotation is not Record:
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _record_of(argument)
        if found is not None:
            return found
    return None


def _section_schema(name: str, info: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    seam = KIND_SECTIONS.get(name) or ONE_KIND.get(name)
    if seam is None:
        from pydantic import TypeAdapter

        found = TypeAdapter(info.annotation).json_schema(by_alias=True, ref_template="#/definitions/{model}")
        definitions.update(found.pop("$defs", {}))
        return {"description": info.description, **found}
    variants = [_kind_schema(seam, kind, definitions) for kind in kinds.names(seam)]
    if name in OF_RANKING:
        variants += [_kind_schema(OF_RANKING[name], kind, definitions) for kind in kinds.names(OF_RANKING[name])]
    entry: dict[str, Any] = {"anyOf": variants}
    if name in KIND_SECTIONS:
        return {"description": info.description, "type": "object", "additionalProperties": entry}
    # a preset's name alone, or some of its keys, are enough where a preset says the rest
    return {
        "description": info.description,
        "anyOf": [{"type": "string"}, *variants, {"type": "object", "not": {"required": ["kind"]}}],
    }


def _kind_schema(seam: str, kind: str, definitions: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = kinds.load(seam, kind).Options.model_json_schema(
        by_alias=True, ref_template=f"#/definitions/{seam}_{kind}_{{model}}"
    )
    definitions.update({f"{seam}_{kind}_{inner}": value for inner, value in found.pop("$defs", {}).items()})
    found["properties"]["kind"] = {"const": kind}
    found["required"] = sorted({"kind", *found.get("required", [])})
    return found


def _with_interpolation(node: Any) -> Any:
    """The schema with `${...}` allowed wherever a number or a truth value is asked for."""
    if isinstance(node, dict):
        node = {key: _with_interpolation(value) for key, value in node.items()}
        if node.get("type") in ("number", "integer", "boolean") or "enum" in node:
            return {"anyOf": [node, INTERPOLATION]}
    if isinstance(node, list):
        return [_with_interpolation(item) for item in node]
    return node
