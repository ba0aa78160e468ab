"""The doctor: what this machine and workspace have, and one line to mend each problem. Changes nothing."""

from __future__ import annotations

import importlib.util
import locale
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, Literal

from mlctl import config, database, workspace
from mlctl.errors import MlctlError

FREE_BYTES: Final = 2_000_000_000
_PACKAGES: Final = (
    "polars",
    "pandera",
    "scikit-learn",
    "xgboost",
    "onnxruntime",
    "dvc",
    "hydra-core",
    "omegaconf",
    "psycopg",
)


@dataclass(frozen=True)
class Examined:
    """One thing that was looked at: its state, what was found, and what mends it."""

    state: Literal["ok", "warn", "fail"]
    what: str
    found: str
    mend: str = ""


def examine(start: Path) -> list[Examined]:
    """Looks over machine, packages, workspace, every project's YAML and its database."""
    found = [_python(), *_packages(), _disk(start), _encoding(), _git_program()]
    try:
        root = workspace.root_above(start)
    except MlctlError as error:
        return [*found, Examined("fail", "workspace", error.what, error.next_step)]
    os.chdir(root)
    found += [Examined("ok", "workspace", str(root)), _dvc(), _git_state()]
    for name in workspace.projects(root):
        found += _project(workspace.Places(name))
    return found


def _python() -> Examined:
    text = ".".join(str(part) for part in sys.version_info[:3])
    good = (3, 11) <= sys.version_info[:2] < (3, 14)
    return Examined("ok" if good else "fail", "python", text, "" if good else "use Python 3.11, 3.12 or 3.13")


def _packages() -> list[Examined]:
    found = []
    for package in _PACKAGES:
        try:
            found.append(Examined("ok", package, version(package)))
        except PackageNotFoundError:
            found.append(Examined("fail", package, "not installed", "run .ci/setup"))
    return found


def _disk(start: Path) -> Examined:
    free = shutil.disk_usage(start).free
    text = f"{free / 1e9:.1f} GB free"
    if free < FREE_BYTES:
        return Examined("warn", "disk", text, "free some: snapshots, caches and the database live in the workspace")
    return Examined("ok", "disk", text)


def _encoding() -> Examined:
    name = locale.getpreferredencoding(False)
    good = name.lower().replace("-", "") == "utf8"
    return Examined("ok" if good else "warn", "encoding", name, "" if good else "export PYTHONUTF8=1")


def _git_program() -> Examined:
    path = shutil.which("git")
    return Examined("ok", "git", path) if path else Examined("fail", "git", "not found", "install git")


def _dvc() -> Examined:
    if not Path(".dvc").is_dir():
        return Examined("fail", "dvc", "the workspace is not initialised", "dvc init")
    if importlib.util.find_spec("dvc") is None:
        return Examined("fail", "dvc", "not installed", "run .ci/setup")
    return Examined("ok", "dvc", "initialised")


def _git_state() -> Examined:
    done = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return Examined("warn", "git state", "not a git checkout: releases will name no commit", "git init")
    changed = len(done.stdout.splitlines())
    if changed:
        return Examined("warn", "git state", f"{changed} uncommitted files: releases made now say so", "git commit")
    return Examined("ok", "git state", "clean")


def _project(places: workspace.Places) -> list[Examined]:
    what = f"projects/{places.name}"
    try:
        composed = config.compose(places)
        settings = config.with_secrets(composed.project.database)
    except MlctlError as error:
        faults = [text for heading, text in error.lines() if heading == "fault"]
        return [Examined("fail", what, f"{error.what}: {faults[0] if faults else error.where}", error.next_step)]
    found = [
        Examined("ok", what, f"{len(composed.project.features)} features, model {composed.mapping['model']['kind']}")
    ]
    if settings.kind == "embedded":
        state = "running" if database.running(Path.cwd()) else "not running; commands start it when they need it"
        return [*found, Examined("ok", f"{what} database", f"embedded PostgreSQL, {state}")]
    try:
        with database.open_database(settings, Path.cwd()):
            return [*found, Examined("ok", f"{what} database", database.masked(settings.dsn or ""))]
    except MlctlError as error:
        return [*found, Examined("fail", f"{what} database", error.why, "start the database, or correct database.dsn")]
