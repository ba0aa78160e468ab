"""YAML read strictly: what people see in the file is what the program gets.

No tags, aliases, anchors or duplicate keys, and none of the plain words that YAML 1.1 turns into something else (`no`,
`010`, `12:30`). Dates stay text. Every key's line is kept, so that a fault can name it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from mlctl.errors import ConfigError

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 50
_TRAP: Final = re.compile(
    r"(?:yes|no|on|off|y|n|[-+]?0[0-9_]+|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?)", re.IGNORECASE
)


def read_yaml(path: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """A YAML mapping and the line of each of its dotted keys.

    Raises:
        ConfigError: It is missing, too large, not YAML, not a mapping, or uses what is refused.
    """
    import yaml

    if not path.is_file():
        raise ConfigError.unreadable_yaml(str(path), "the file does not exist")
    data = path.read_bytes()
    if len(data) > MAX_BYTES:
        raise ConfigError.unreadable_yaml(str(path), f"it has {len(data):,} bytes, allowed are {MAX_BYTES:,}")
    lines: dict[str, int] = {}
    try:
        text = data.decode("utf-8")
        try:
            node = _node(text, path, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except yaml.YAMLError:
            # libyaml reads ten times as fast, and what is wrong is said better by the reader in Python
            node = _node(text, path, yaml.SafeLoader)
        value = _value(node, "", lines, path)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        why = getattr(error, "problem", None) or str(error) or "it is nested too deeply"
        raise ConfigError.unreadable_yaml(place, why) from error
    if not isinstance(value, dict):
        raise ConfigError.unreadable_yaml(str(path), "it is not a mapping of keys")
    return value, lines


def yaml_text(data: Any) -> str:
    """Plain data as YAML that `read_yaml` gives back as it was."""
    import yaml

    class Strict(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> Any:
        # `n` is text for PyYAML and a trap for people, so the reader wants it quoted
        style = "'" if _TRAP.fullmatch(value) else '"' if "\x85" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Strict.add_representer(str, text)
    dumped: str = yaml.dump(data, Dumper=Strict, sort_keys=False, allow_unicode=True, width=120)
    return dumped


def _node(text: str, path: Path, loader: Any) -> Any:
    """The tree of a text that uses nothing of what is refused."""
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=loader):
        _refuse(event, path)
        # PyYAML needs quadratic time for what is nested deeply: it must not come to that
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise ConfigError.unreadable_yaml(str(path), f"it is nested deeper than {MAX_DEPTH}")
    node = yaml.compose(text, Loader=loader)
    if node is None:
        raise ConfigError.unreadable_yaml(str(path), "it is empty")
    return node


def _refuse(event: Any, path: Path) -> None:
    import yaml

    place = f"{path}:{event.start_mark.line + 1}"
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        raise ConfigError.unreadable_yaml(
            place, "anchors and aliases are not allowed; write the value out, or use ${key}"
        )
    if getattr(event, "tag", None) is not None:
        raise ConfigError.unreadable_yaml(place, f"the tag {event.tag!r} is not allowed")
    plain = isinstance(event, yaml.ScalarEvent) and event.implicit[0] and not event.style
    if plain and _TRAP.fullmatch(event.value):
        why = f"YAML reads {event.value} as something else; quote it for the text, or write the number, true or false"
        raise ConfigError.unreadable_yaml(place, why)


def _value(node: Any, prefix: str, lines: dict[str, int], path: Path) -> Any:
    import yaml

    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if key in found:
                raise ConfigError.unreadable_yaml(f"{path}:{line}", f"the key {key!r} stands twice")
            dotted = f"{prefix}.{key}" if prefix else key
            lines[dotted] = line
            found[key] = _value(value_node, dotted, lines, path)
        return found
    if isinstance(node, yaml.SequenceNode):
        items = []
        for index, item in enumerate(node.value):
            lines[f"{prefix}.{index}"] = item.start_mark.line + 1
            items.append(_value(item, f"{prefix}.{index}", lines, path))
        return items
    if node.tag == "tag:yaml.org,2002:timestamp":
        return str(node.value)
    constructor = yaml.SafeLoader("")
    return constructor.construct_object(node)
