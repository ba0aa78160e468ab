"""Where artefacts lie. All paths are relative to the workspace's root, where every command runs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mlctl.errors import ConfigError

STATE: Final = Path(".mlctl")
DATA: Final = Path("data")
_NAME: Final = re.compile(r"[a-z_][a-z0-9_]*")


@dataclass(frozen=True)
class Places:
    """Every path of one project."""

    name: str

    @property
    def folder(self) -> Path:
        """The project's folder, which people edit."""
        return Path("projects") / self.name

    @property
    def config(self) -> Path:
        """The YAML that people write."""
        return self.folder / "project.yaml"

    @property
    def params(self) -> Path:
        """The composed configuration that the stages read."""
        return self.folder / "params.yaml"

    @property
    def admitted(self) -> Path:
        """Rows that may pass a rule, which people review; need not exist."""
        return self.folder / "admitted.yaml"

    @property
    def waivers(self) -> Path:
        """Refusals of the gate that somebody answers for; need not exist."""
        return self.folder / "waivers.yaml"

    @property
    def reviews(self) -> Path:
        """What experts said of groups; need not exist."""
        return self.folder / "reviews.yaml"

    @property
    def tuned(self) -> Path:
        """Options that `mlctl tune` found; need not exist."""
        return self.folder / "tuned.yaml"

    @property
    def data(self) -> Path:
        """The snapshot: one Parquet file a source and `snapshot.json`."""
        return DATA / self.name

    @property
    def state(self) -> Path:
        """What stages make."""
        return STATE / self.name

    @property
    def checked(self) -> Path:
        """Checked tables, the quarantined rows and the findings."""
        return self.state / "checked"

    @property
    def features(self) -> Path:
        """Training and test tables."""
        return self.state / "features"

    @property
    def frozen(self) -> Path:
        """What settles the evaluation before anything is trained: hashes, probes, scores that need no training."""
        return self.state / "frozen"

    @property
    def model(self) -> Path:
        """The trained ladder as ONNX, and its encoding."""
        return self.state / "model"

    @property
    def evaluation(self) -> Path:
        """Test scores and the full report."""
        return self.state / "evaluation"

    @property
    def release(self) -> Path:
        """The sealed release."""
        return self.state / "release"

    @property
    def releases(self) -> Path:
        """Releases that were promoted, one folder each, with its DVC pointer beside it."""
        return self.folder / "releases"

    @property
    def rollout(self) -> Path:
        """Which release answers whom: champion, challenger, share; need not exist."""
        return self.folder / "rollout.flagd.json"

    @property
    def rollout_history(self) -> Path:
        """Every state of the rollout that there was; need not exist."""
        return self.folder / "history.jsonl"

    @property
    def rollout_lock(self) -> Path:
        """Held for the milliseconds in which the rollout is changed, also while another command works."""
        return STATE / "locks" / f"{self.name}.rollout.lock"

    @property
    def history(self) -> Path:
        """Features at many moments, made by `mlctl backfill`."""
        return self.state / "history"

    @property
    def online(self) -> Path:
        """Everybody's latest features, for servers that look them up."""
        return self.state / "online"

    @property
    def catalogue(self) -> Path:
        """Items that came after the release, for servers that recommend."""
        return self.state / "catalogue"

    @property
    def predictions(self) -> Path:
        """What was answered over HTTP, in segments that are only added to."""
        return self.state / "predictions"

    @property
    def ledger(self) -> Path:
        """What work has cost, in files that are only added to."""
        return self.state / "ledger"

    @property
    def retrain(self) -> Path:
        """What the last `mlctl retrain` found, and what one that was killed has to know again."""
        return self.state / "retrain"

    @property
    def alerts(self) -> Path:
        """Open alarms, what waits to be sent, silences, and what was done about alarms."""
        return self.state / "alerts"

    @property
    def sketches(self) -> Path:
        """Sketches of what was scored, a file a day and origin, and the baselines that they were counted by."""
        return self.state / "sketches"

    @property
    def scored(self) -> Path:
        """Scores of batches, kept until their labels are known."""
        return self.state / "scored"

    @property
    def watched(self) -> Path:
        """What the monitors observed, a file a day."""
        return self.state / "watched"

    @property
    def trial(self) -> Path:
        """What champion and challenger both answered, in segments that are only added to, and one file a batch."""
        return self.state / "trial"

    @property
    def metrics(self) -> Path:
        """Small JSON files that DVC shows and compares."""
        return self.folder / "metrics"

    @property
    def plots(self) -> Path:
        """Series that DVC plots."""
        return self.folder / "plots"

    @property
    def lock(self) -> Path:
        """Held by the command that works on the project."""
        return STATE / "locks" / f"{self.name}.lock"

    @property
    def stage_lock(self) -> Path:
        """Held by the one stage that writes artefacts of the project."""
        return STATE / "locks" / f"{self.name}.stage.lock"


def root_above(start: Path) -> Path:
    """The nearest folder from `start` upwards that holds dvc.yaml and projects/.

    Raises:
        ConfigError: There is none.
    """
    for folder in [start.resolve(), *start.resolve().parents]:
        if (folder / "dvc.yaml").is_file() and (folder / "projects").is_dir():
            return folder
    raise ConfigError.no_workspace(start)


def projects(root: Path) -> list[str]:
    """Names of the workspace's projects, sorted."""
    return sorted(path.parent.name for path in (root / "projects").glob("*/project.yaml"))


def project_named(root: Path, text: str) -> Places:
    """The project that a command line means: a folder, or a name alone.

    Raises:
        ConfigError: It is no project of this workspace.
    """
    known = projects(root)
    name = text.rstrip("/")
    if "/" in name:
        folder = Path(name) if Path(name).is_absolute() else root / name
        if folder.parent.resolve() != (root / "projects").resolve():
            raise ConfigError.no_project(Path(text), known)
        name = folder.name
    if name not in known or not _NAME.fullmatch(name):
        raise ConfigError.no_project(Path(text), known)
    return Places(name)
