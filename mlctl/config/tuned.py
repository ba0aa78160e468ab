"""`projects/NAME/tuned.yaml`: what `mlctl tune` found better, laid over the preset and under what people write.

It is small, committed and read by `compose`; deleting it is the way back.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from mlctl.errors import ConfigError
from mlctl.files import write_text
from mlctl.strict_yaml import read_yaml, yaml_text
from mlctl.workspace import Places


def read(places: Places) -> tuple[dict[str, Any], dict[str, int]]:
    """The options of the model and the line of each; nothing where there is no such file.

    Raises:
        ConfigError: It holds anything but `model:` with a `kind:`.
    """
    if not places.tuned.is_file():
        return {}, {}
    body, lines = read_yaml(places.tuned)
    model = body.get("model")
    if set(body) != {"model"} or not isinstance(model, dict) or "kind" not in model:
        why = "it holds `model:` with its `kind:` and the options that were found"
        raise ConfigError.unreadable_yaml(str(places.tuned), why)
    return model, {key.removeprefix("model."): line for key, line in lines.items() if key != "model"}


def lay(places: Places, mapping: dict[str, Any], said: Set[str]) -> dict[str, int]:
    """Lays what was found over presets and defaults, where it is of this model and nobody said otherwise.

    Args:
        places: The project's paths.
        mapping: The composed configuration; its `model` is changed.
        said: Dotted keys that people set, which stay.

    Returns:
        The dotted keys that were set, each with its line.

    Raises:
        ConfigError: The file is none that `mlctl tune` writes.
    """
    found, lines = read(places)
    model = mapping.get("model")
    if not isinstance(model, dict) or found.get("kind") != model.get("kind"):
        return {}
    laid = {key: value for key, value in found.items() if key != "kind" and f"model.{key}" not in said}
    model.update(laid)
    return {f"model.{key}": lines[key] for key in laid}


def write(places: Places, model: Mapping[str, Any], found: str) -> None:
    """Writes the options, below a line that says where they come from.

    Raises:
        ExternalError: The file cannot be written.
    """
    head = f"# Written by `mlctl tune projects/{places.name}`; delete it to go back.\n# {found}\n"
    write_text(places.tuned, head + yaml_text({"model": dict(model)}))
