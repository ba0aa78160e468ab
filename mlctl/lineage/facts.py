"""What is known of a project as it lies there: data, features, parameters, metrics, scores; small enough for git.

A release keeps the facts of the moment at which it was registered, so that two of them can be compared without their
data, and without training anything again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mlctl import lineage, snapshot
from mlctl.files import read_json, sha256_of_file
from mlctl.spec import Project
from mlctl.times import moment_text
from mlctl.workspace import Places

if TYPE_CHECKING:
    import numpy as np

EVERYBODY: Final = "everybody"
"""The group of all test rows."""
_POINTS: Final = 21
"""Quantiles of the scores that are kept: every twentieth."""
_PLACES: Final = frozenset({"name", "about", "owner", "database", "refresh", "engine"})
"""Sections that say nothing about what a release answers."""


@dataclass(frozen=True)
class Facts:
    """A project at one moment.

    Attributes:
        release: The id of the release; empty where the gate refused one.
        model: The rung of the ladder that was taken.
        metric: The metric that it had to earn its place by.
        data: `as_of`, `version`, and by source its `rows` and `columns` (name to type).
        features: The columns that the model sees.
        params: By dotted key what the configuration says, without where data and scores lie.
        metrics: By group and metric `value`, `low`, `high` (95 % interval) and `better`.
        scores: `mean`, `quantiles` (every twentieth) and, where it decides between classes, `shares` by class; empty
            where items are ranked.
        gate: Whether it `passed`, and the rules that `refused`.
        made_from: `git`, `code`, `python` and `libraries`.
    """

    release: str = ""
    model: str = ""
    metric: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    features: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    gate: Mapping[str, Any] = field(default_factory=dict)
    made_from: Mapping[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """The facts as JSON-ready data; `told` reads them again."""
        return {**asdict(self), "features": list(self.features)}


def told(record: Mapping[str, Any]) -> Facts:
    """The facts that `Facts.record` wrote; what a newer version tells beside them is not read."""
    known = {name: record[name] for name in Facts.__dataclass_fields__ if name in record}
    return Facts(**{**known, "features": tuple(known.get("features", ()))})


def of_project(places: Places, project: Project) -> Facts:
    """The facts of what the stages left, released or refused.

    Raises:
        IntegrityError: A stage has not run, or an artefact is damaged.
    """
    again = f"mlctl run projects/{places.name}"
    gate = read_json(places.metrics / "gate.json", again)
    evaluation = read_json(places.evaluation / "report.json", again)
    taken = snapshot.read(places)
    data = {}
    if taken is not None:
        sources = {name: {"rows": s["rows"], "columns": dict(s["columns"])} for name, s in taken.sources.items()}
        data = {"as_of": moment_text(taken.as_of), "version": taken.version, "sources": sources}
    sealed = places.release / "manifest.json"
    # a refused evaluation leaves the release before it where it was
    own = gate["passed"] and gate["evaluation"] == sha256_of_file(places.evaluation / "report.json")
    manifest = read_json(sealed, again) if own and sealed.is_file() else {}
    made = manifest.get("lineage") or lineage.of_project(places.name, "", "")
    return Facts(
        release=str(manifest.get("id", "")),
        model=str(evaluation["model"]),
        metric=str(evaluation["ladder"]["metric"]),
        data=data,
        features=tuple(read_json(places.features / "report.json", again)["columns"]),
        params=dict(leaves({key: value for key, value in project.mapping().items() if key not in _PLACES})),
        metrics=dict(sorted(gate["groups"].items(), key=lambda item: item[0] != EVERYBODY)),
        scores=_distribution(places, evaluation) if (places.evaluation / "scores.parquet").is_file() else {},
        gate={"passed": gate["passed"], "refused": sorted({r["rule"] for r in gate["rules"] if not r["passed"]})},
        made_from={"git": made["git"], **{name: made[name] for name in ("mlctl", "python", "libraries")}},
    )


def leaves(data: Any, key: str = "") -> list[tuple[str, Any]]:
    """Every value of nested mappings by its dotted key; a list is one value.

    >>> leaves({"model": {"depth": 3}, "about": ""})
    [('model.depth', 3), ('about', '')]
    """
    if not isinstance(data, Mapping) or not data:
        return [(key, data)]
    return [leaf for name, value in data.items() for leaf in leaves(value, f"{key}.{name}" if key else str(name))]


def _distribution(places: Places, evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """The scores of the test rows by the model that was taken."""
    import polars as pl

    column = pl.read_parquet(places.evaluation / "scores.parquet", columns=[evaluation["model"]]).to_series()
    scores = column.to_numpy()
    if scores.ndim == 1:
        return _summary(scores)
    counts = pl.Series(scores.argmax(axis=1)).value_counts().rows()
    shares = {str(evaluation["classes"][index]): round(count / len(scores), 6) for index, count in sorted(counts)}
    return {**_summary(scores.max(axis=1)), "shares": shares}


def _summary(values: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Mean and quantiles of an array of numbers, float64 (rows,), to six digits."""
    import numpy as np

    quantiles = np.quantile(values, np.linspace(0, 1, _POINTS))
    return {"mean": round(float(values.mean()), 6), "quantiles": [round(float(value), 6) for value in quantiles]}
