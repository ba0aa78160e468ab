"""Kinds: the word after `kind:` in YAML is the name of the file that implements it.

`kind: csv` under `sources:` is `mlctl/sources/csv.py`. There is no table to edit and no decorator: a new kind is one
new file with `Options`, `EXAMPLE` and its seam's functions. Files that begin with `_` are helpers of their seam.
Private plug-ins come in by the entry-point groups `mlctl.sources`, `mlctl.checks`, ... and never by a dotted path in
YAML.

Glossary: a *seam* is a folder (`sources`), a *kind* a file in it (`csv`), *options* are the typed YAML of one kind.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from types import ModuleType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict

from mlctl.errors import ConfigError

SEAMS: Final = (
    "sources",
    "checks",
    "features",
    "models",
    "recommenders",
    "metrics",
    "rankings",
    "serving",
    "engines",
    "monitors",
    "alerts",
)


class Record(BaseModel):
    """A frozen, fully typed piece of configuration; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True, defer_build=True)


@cache
def names(seam: str) -> tuple[str, ...]:
    """The kinds of a seam, sorted; nothing is imported to find them.

    >>> "csv" in names("sources")
    True
    """
    folder = Path(__file__).parent / seam
    own = {path.stem for path in folder.glob("*.py") if not path.name.startswith("_")}
    return tuple(sorted(own | {point.name for point in _plugins() if point.group == f"mlctl.{seam}"}))


@cache
def load(seam: str, kind: str) -> ModuleType:
    """The module that implements a kind.

    Raises:
        ConfigError: The seam has no such kind.
    """
    if kind not in names(seam):
        raise ConfigError.unknown_kind(seam, kind, names(seam))
    for point in _plugins():
        if (point.group, point.name) == (f"mlctl.{seam}", kind):
            module: ModuleType = point.load()
            return module
    return importlib.import_module(f"mlctl.{seam}.{kind}")


@cache
def _plugins() -> tuple[EntryPoint, ...]:
    # looked for once: every installed package is asked
    points = (point for distribution in distributions() for point in distribution.entry_points)
    return tuple(point for point in points if point.group.startswith("mlctl."))


def options(seam: str, mapping: Mapping[str, Any]) -> Any:
    """The typed options of one kind, from YAML that names its `kind`.

    Raises:
        ConfigError: The seam has no such kind.
        pydantic.ValidationError: A key is unknown, missing or of the wrong type.
    """
    return load(seam, str(mapping.get("kind"))).Options.model_validate(dict(mapping))


def explain(seam: str, kind: str) -> str:
    """What a kind is for, its options with type, default and meaning, and an example, as plain text.

    Raises:
        ConfigError: The seam has no such kind.
    """
    module = load(seam, kind)
    lines = [(module.__doc__ or "").strip(), "", "Options:"]
    lines += [f"  {line}" for line in describe(module.Options)]
    lines += ["", "Example:"]
    lines += [f"  {key}: {_yaml_value(value)}" for key, value in module.EXAMPLE.items()]
    return "\n".join(lines)


def describe(record: type[BaseModel]) -> list[str]:
    """One line a field: name, type, default, meaning."""
    lines = []
    for name, info in record.model_fields.items():
        shown = _type_words(info.annotation)
        if info.is_required():
            default = "required"
        elif info.default_factory is not None:
            default = "default empty"
        else:
            default = f"default {_yaml_value(info.default)}"
        lines.append(f"{info.alias or name} ({shown}, {default}): {info.description or ''}")
    return lines


def _type_words(annotation: Any) -> str:
    """A type as people write it: `text | null` and not how it is checked."""
    if get_origin(annotation) is Annotated:
        return _type_words(get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        return " | ".join(str(value) for value in get_args(annotation))
    if annotation is type(None):
        return "null"
    parts = [_type_words(part) for part in get_args(annotation) if part is not ...]
    if get_origin(annotation) in (Union, UnionType):
        return " | ".join(parts)
    name = getattr(get_origin(annotation) or annotation, "__name__", str(annotation))
    return f"{name} of {', '.join(parts)}" if parts else str(name)


def _yaml_value(value: Any) -> str:
    import yaml

    dumped: str = yaml.safe_dump(_plain(value), default_flow_style=True, sort_keys=False, width=1000)
    return dumped.strip().removesuffix("...").strip()


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
