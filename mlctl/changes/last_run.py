"""What the last run was made from, as dvc.lock and params.yaml say it, and which stages read what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from mlctl import dvc
from mlctl.strict_yaml import read_yaml
from mlctl.workspace import Places


@dataclass(frozen=True)
class Stage:
    """A stage of dvc.yaml: its name, the paths and sections that it reads, and the paths that it writes."""

    name: str
    reads: tuple[str, ...]
    sections: tuple[str, ...]
    writes: tuple[str, ...]


def stages(places: Places) -> list[Stage]:
    """The stages of a project in the order of dvc.yaml.

    Raises:
        ExternalError: dvc.yaml cannot be read.
    """
    text = dvc.PIPELINE.read_text(encoding="utf-8").replace("${item.project}", places.name)
    found = []
    for name, told in yaml.safe_load(text)["stages"].items():
        sections = [section for entry in told.get("params", ()) for part in entry.values() for section in part]
        outputs = [*told.get("outs", ()), *told.get("metrics", ()), *told.get("plots", ())]
        writes = tuple(entry if isinstance(entry, str) else next(iter(entry)) for entry in outputs)
        found.append(Stage(name, tuple(map(str, told.get("deps", ()))), tuple(sections), writes))
    return found


def recorded(places: Places) -> dict[str, dict[str, Any]]:
    """What dvc.lock says that each stage which has run was given of params.yaml: by stage, its sections."""
    text = dvc.LOCK.read_text(encoding="utf-8") if dvc.LOCK.is_file() else ""
    entries = "".join(re.findall(rf"(?m)^  \w+@{places.name}:\n(?:    .*\n)*", text))
    told = _words(entries) or {}
    return {name.partition("@")[0]: _merged(entry.get("params", {})) for name, entry in told.items()}


def _words(text: str) -> Any:
    """YAML as DVC writes it, by version 1.2: `yes` and days are texts."""

    class Loader(yaml.SafeLoader):
        pass

    left_out = ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")
    Loader.yaml_implicit_resolvers = {
        first: [(tag, form) for tag, form in found if tag not in left_out]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false", re.IGNORECASE), list("tTfF"))
    return Loader(text).get_single_data()


def _merged(params: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {section: value for sections in params.values() for section, value in sections.items()}


def composed_then(places: Places, given: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The configuration of the last run: what its stages were given, and for the rest what params.yaml says."""
    told: dict[str, Any] = {}
    if places.params.is_file():
        told, _ = read_yaml(places.params)
    for sections in given.values():
        told |= sections
    return told
