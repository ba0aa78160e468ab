"""From YAML to a project: read, compose (Hydra), resolve (OmegaConf), validate (`validation.read`).

Every value keeps its origin, so that a fault names file:line and who set it:
  * *project file*: `projects/NAME/project.yaml`;
  * *preset*: a file of a Hydra group in `conf/` (or the defaults that come with mlctl), chosen by the project's
    `defaults:` list or by an override such as `model=logistic`;
  * *command line*: an override such as `model.c=0.5`;
  * *default*: nobody set it.

Nothing of a project's YAML is ever imported or called. The environment is not read here: `${oc.env:NAME}` stays as it
is in everything that is written down and is filled in only where a secret is used (`with_secrets`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import mlctl
from mlctl import rollout, spec, text_encoder
from mlctl.config import tuned, validation
from mlctl.environment import REFERENCE, SECRET_KEYS, from_environment, is_secret, untouched
from mlctl.errors import ConfigError, Fault, did_you_mean, listed
from mlctl.files import canonical_json, sha256_of, write_text
from mlctl.strict_yaml import read_yaml, yaml_text
from mlctl.workspace import Places

GROUPS: Final = {
    "model": "xgboost",
    "metrics": "binary",
    "gate": "default",
    "serving": "batch",
    "monitors": "default",
    "engine": "local",
    "database": "embedded",
    "cost": "default",
}
"""Hydra groups that every project composes, with the preset that holds when nobody chooses."""

_BY_TASK: Final = {
    "multiclass": {"metrics": "multiclass"},
    "regression": {"metrics": "regression", "gate": "regression"},
    "ranking": {"model": "blend", "metrics": "ranking", "gate": "ranking", "serving": "http"},
}
"""Presets that hold instead, by what the label's `task` is."""


@dataclass(frozen=True)
class Origin:
    """Who set a value, and where."""

    place: str
    set_by: str


@dataclass(frozen=True)
class Composed:
    """A composed configuration.

    Attributes:
        project: The valid project.
        mapping: What was composed, defaults filled in, environment references unresolved.
        origins: Origin of each dotted key that somebody set.
        overrides: The command line's part.
    """

    project: spec.Project
    mapping: dict[str, Any]
    origins: Mapping[str, Origin]
    overrides: tuple[str, ...]


def compose(places: Places, overrides: Sequence[str] = ()) -> Composed:
    """Composes and validates one project.

    Args:
        places: The project's paths, relative to the current folder, the workspace's root.
        overrides: Hydra overrides such as `model=logistic` and `model.c=0.5`.

    Raises:
        ConfigError: Every fault of the YAML and the overrides.
    """
    body, lines = read_yaml(places.config)
    origins = {key: Origin(f"{places.config}:{line}", "project file") for key, line in lines.items()}
    choices, changes = _split_overrides(overrides)
    chosen = _chosen_presets(body, choices, places.config)
    for group in choices:
        # a preset chosen on the command line takes the place of the project's own section
        body.pop(group, None)
        origins = {key: origin for key, origin in origins.items() if key.split(".")[0] != group}
    preset_origins = _preset_origins(chosen)
    mapping = _hydra(places, body, chosen, overrides, changes)
    origins = {**preset_origins, **origins}
    said = {key for key, origin in origins.items() if origin.set_by == "project file"}
    laid = tuned.lay(places, mapping, said | {change.partition("=")[0].lstrip("+~") for change in changes})
    origins |= {key: Origin(f"{places.tuned}:{line}", "tuned.yaml") for key, line in laid.items()}
    for change in changes:
        key = change.partition("=")[0].lstrip("+~")
        origins[key] = Origin(f"override {change}", "command line")
    if mapping.get("name", places.name) != places.name:
        fault = Fault("name", f"{mapping['name']!r} is not the folder's name {places.name!r}")
        raise ConfigError.of_project(places.name, [_placed(fault, origins)])
    mapping, missing = text_encoder.pinned(mapping)
    project, faults = validation.read({**mapping, "name": places.name})
    faults = [*faults, *missing, *_environment_faults(mapping)]
    if faults or project is None:
        placed = [_placed(fault, origins) for fault in faults]
        raise ConfigError.of_project(places.name, sorted(placed, key=_by_place))
    return Composed(project, project.mapping(), origins, tuple(overrides))


def write_params(places: Places, composed: Composed, waivers: Sequence[Mapping[str, Any]] = ()) -> bool:
    """Writes `params.yaml`, which the stages read and DVC compares; True when it changed.

    The key `mlctl` holds the version and a digest of the package's code, so that a stage re-runs when its code changes;
    `admitted` a digest of admitted.yaml, so that the check re-runs when rows were admitted; `champion` the release that
    every other one is held against, so that the evaluation re-runs when one was promoted; `waivers` what
    `waivers.params` gives, so that the gate judges again when one comes or ends. Without it none counts.

    Raises:
        ExternalError: The file cannot be written.
    """
    from mlctl.lineage import code
    from mlctl.quarantine import digest

    head = f"# Written by `mlctl compose projects/{places.name}`; edit project.yaml instead.\n"
    own = {
        "admitted": digest(places),
        "champion": rollout.read(places).champion,
        "waivers": list(waivers),
        "mlctl": code(),
    }
    data = {**composed.mapping, **own}
    text = head + yaml_text(data)
    if places.params.is_file() and places.params.read_text(encoding="utf-8") == text:
        return False
    write_text(places.params, text)
    return True


def read_params(places: Places) -> spec.Project:
    """The project as the last `compose` wrote it: what a stage works by.

    Raises:
        ConfigError: params.yaml is missing, was edited or is of another version of mlctl.
    """
    if not places.params.is_file():
        raise ConfigError(f"{places.params} is missing", next_step=f"mlctl compose projects/{places.name}")
    mapping, lines = read_yaml(places.params)
    for own in ("mlctl", "admitted", "waivers", "champion"):
        mapping.pop(own, None)
    project, faults = validation.read(mapping)
    if project is None:
        origins = {key: Origin(f"{places.params}:{line}", "params.yaml") for key, line in lines.items()}
        raise ConfigError.of_project(places.name, [_placed(fault, origins) for fault in faults])
    return project


def read_params_now(places: Places, section: str) -> spec.Project:
    """As `read_params`, with a section that no stage works by as project.yaml says it now, run or not.

    Raises:
        ConfigError: As `read_params` and `compose`.
    """
    return read_params(places).model_copy(update={section: getattr(compose(places).project, section)})


def with_secrets(database: spec.Database) -> spec.Database:
    """The database with `${oc.env:NAME}` of its dsn filled in from the environment.

    Raises:
        ConfigError: The variable is not set.
    """
    if database.dsn is None:
        return database
    return database.model_copy(update={"dsn": from_environment(database.dsn, "database.dsn")})


def gate_places(places: Places) -> dict[str, str]:
    """By rule of the gate, the `file:line` that says it, in the project's YAML or in a preset.

    Raises:
        ConfigError: Every fault of the YAML.
    """
    composed = compose(places)
    found = {name: composed.origins.get(f"gate.{name}") for name in composed.project.gate}
    return {name: origin.place for name, origin in found.items() if origin is not None}


def section_digest(project: spec.Project, sections: Sequence[str]) -> str:
    """A hash of some sections, equal exactly when they say the same."""
    mapping = project.mapping()
    return sha256_of(canonical_json({section: mapping[section] for section in sections}))


def sweep(overrides: Sequence[str]) -> list[tuple[str, ...]]:
    """The runs of a Hydra multirun: every combination of `a=1,2` and `range(1,4)`.

    Raises:
        ConfigError: An override is not in Hydra's grammar.
    """
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
        batches = BasicSweeper.split_arguments(parsed, max_batch_size=None)
    except HydraException as error:
        raise ConfigError.bad_override(" ".join(overrides), _cause(error)) from error
    return [tuple(run) for run in batches[0]]


def _split_overrides(overrides: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Overrides that choose a preset (`model=logistic`), and those that set a key."""
    choices, changes = {}, []
    for override in overrides:
        key, sign, value = override.partition("=")
        if not sign and not override.startswith("~"):
            raise ConfigError.bad_override(override, "an override is KEY=VALUE, GROUP=PRESET or ~KEY")
        if re.match(r"[+~]*hydra\b", key):
            raise ConfigError.bad_override(override, "hydra's own settings are not part of a project")
        if key in GROUPS:
            choices[key] = value
        else:
            changes.append(override)
    return choices, changes


def _chosen_presets(body: dict[str, Any], choices: Mapping[str, str], path: Path) -> dict[str, str | None]:
    """The preset of each group; None where the project's own section is all there is."""
    chosen: dict[str, str | None] = {}
    entries = body.pop("defaults", None) or []
    if not isinstance(entries, list):
        raise ConfigError.unreadable_yaml(str(path), f"defaults: {entries!r} is not a list of `- GROUP: PRESET`")
    for entry in entries:
        if entry == "_self_":
            continue
        if not isinstance(entry, dict) or len(entry) != 1:
            raise ConfigError.unreadable_yaml(str(path), f"defaults: {entry!r} is not `GROUP: PRESET`")
        group, preset = next(iter(entry.items()))
        group = str(group).removeprefix("override ").strip().lstrip("/")
        if group not in GROUPS:
            raise ConfigError.unreadable_yaml(
                str(path), f"defaults: unknown group {group!r}; {did_you_mean(group, GROUPS) or listed(GROUPS)}"
            )
        chosen[group] = str(preset)
    label = body.get("label")
    by_task = _BY_TASK.get(_task(label), {}) if isinstance(label, dict) else {}
    for group, preset in {**GROUPS, **by_task}.items():
        own = body.get(group)
        if group in choices:
            chosen[group] = choices[group]
        elif isinstance(own, str):
            chosen[group] = body.pop(group)
        elif isinstance(own, dict) and "kind" in own:
            chosen.setdefault(group, None)
        else:
            chosen.setdefault(group, preset)
    for group, preset in chosen.items():
        known = presets(group)
        if preset is not None and preset not in known:
            raise ConfigError.bad_override(
                f"{group}={preset}", did_you_mean(preset, known) or f"{group} has: {listed(known)}"
            )
    return chosen


def _task(label: Mapping[str, Any]) -> str:
    return "ranking" if label.get("kind") == spec.INTERACTIONS else str(label.get("task"))


def presets(group: str) -> list[str]:
    """Names of a group's presets."""
    return sorted({path.stem for folder in _search_path() for path in (folder / group).glob("*.yaml")})


def _search_path() -> list[Path]:
    """The workspace's conf/, then the defaults that come with mlctl (beside the package in a checkout)."""
    package = Path(mlctl.__file__).parent
    shipped = package / "conf" if (package / "conf").is_dir() else package.parent / "conf"
    found = [Path("conf").resolve(), shipped.resolve()]
    return [folder for index, folder in enumerate(found) if folder.is_dir() and folder not in found[:index]]


def _preset_origins(chosen: Mapping[str, str | None]) -> dict[str, Origin]:
    origins: dict[str, Origin] = {}
    for group, preset in chosen.items():
        for folder in _search_path():
            path = folder / group / f"{preset}.yaml"
            if preset is not None and path.is_file():
                shown = Path(os.path.relpath(path))
                _, lines = read_yaml(shown)
                origins |= {
                    f"{group}.{key}": Origin(f"{shown}:{line}", f"preset {group}={preset}")
                    for key, line in lines.items()
                }
                break
    return origins


def _hydra(
    places: Places,
    body: dict[str, Any],
    chosen: Mapping[str, str | None],
    overrides: Sequence[str],
    changes: Sequence[str],
) -> dict[str, Any]:
    """What Hydra composes from presets, the project's own keys and the command line, resolved."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.conf import HydraConf
    from hydra.core.config_store import ConfigStore
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    defaults = [{group: preset} for group, preset in chosen.items() if preset is not None]
    store = ConfigStore.instance()
    # Hydra's own launchers, sweepers and logging are of no use here, and take as long to compose as all the rest
    store.store(group="hydra", name="config", node=HydraConf(defaults=[]), provider="mlctl")
    store.store("project", {"defaults": [*defaults, "_self_"], **body}, provider=str(places.config))
    # an unset key can be set without Hydra's `+`: the typed record decides what exists
    lenient = [change if change[0] in "+~" else f"++{change}" for change in changes]
    folders = _search_path()
    extra = [f"hydra.searchpath=[{','.join(f'file://{folder}' for folder in folders[1:])}]"] if folders[1:] else []
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(folders[0]), version_base=None), untouched():
            config = hydra_compose("project", overrides=[*extra, *lenient])
            mapping = OmegaConf.to_container(config, resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        key = getattr(error, "full_key", None)
        if key and not any(change.lstrip("+~").startswith(key) for change in changes):
            raise _unresolved(places, key, error) from error
        wrong = next((change for change in changes if change in str(error)), " ".join(overrides) or str(places.config))
        raise ConfigError.bad_override(wrong, _cause(error)) from error
    return {str(key): value for key, value in mapping.items()} if isinstance(mapping, dict) else {}


def _unresolved(places: Places, key: str, error: Exception) -> ConfigError:
    """An interpolation that cannot be resolved, with the line of the key that holds it."""
    _, lines = read_yaml(places.config)
    origins = {name: Origin(f"{places.config}:{line}", "project file") for name, line in lines.items()}
    fault = Fault(key, (getattr(error, "msg", None) or _cause(error)).splitlines()[0])
    return ConfigError.of_project(places.name, [_placed(fault, origins)])


def _cause(error: BaseException) -> str:
    """The innermost reason: Hydra's own text hides it."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split())


def _environment_faults(mapping: Mapping[str, Any]) -> list[Fault]:
    found: list[Fault] = []

    def visit(value: Any, key: str) -> None:
        if isinstance(value, Mapping):
            for name, item in value.items():
                visit(item, f"{key}.{name}" if key else str(name))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                visit(item, f"{key}.{index}")
        elif isinstance(value, str) and REFERENCE.search(value) and not is_secret(key):
            hint = f"only {listed(SECRET_KEYS)} may: what else is computed would depend on the machine"
            found.append(Fault(key, "reads the environment", hint=hint))

    visit(mapping, "")
    return found


def _placed(fault: Fault, origins: Mapping[str, Origin]) -> Fault:
    """The fault with the place of its key, or of the nearest key above it."""
    key = fault.key
    while key:
        if key in origins:
            return Fault(fault.key, fault.message, origins[key].place, origins[key].set_by, fault.hint)
        key = key.rpartition(".")[0]
    return fault


def _by_place(fault: Fault) -> tuple[str, int, str]:
    file, _, line = fault.place.rpartition(":")
    return (file, int(line), fault.key) if line.isdigit() else (fault.place, 0, fault.key)


def value_at(mapping: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key, or KeyError."""
    value: Any = mapping
    for part in key.split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value
