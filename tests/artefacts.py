"""The artefacts of a project, written by hand: eight test rows, three models, known numbers everywhere."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from mlctl import encoding, kinds
from mlctl.config import validation
from mlctl.files import sha256_of_file, write_bytes, write_json
from mlctl.models import TrainingTable
from mlctl.spec import Label, Project
from mlctl.workspace import Places
from tests.test_spec import VALID

AGES = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, None]
PLANS = ["none", "annual", "none", "annual", "none", None, "none", "annual"]
TRUTH = {
    "binary": [1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0],
    "multiclass": [0.0, 1.0, 2.0, 0.0, 1.0, 2.0, 0.0, 1.0],
    "regression": [10.0, 21.0, 29.0, 45.0, 52.0, 58.0, 90.0, 5.0],
}
OWN = {
    "binary": [0.99, 0.97, 0.8, 0.3, 0.02, 0.1, 0.7, 0.4],
    "multiclass": np.eye(3)[[0, 1, 2, 0, 1, 2, 1, 1]] * 0.7 + 0.1,
    "regression": [11.0, 20.0, 30.0, 44.0, 50.0, 60.0, 70.0, 4.0],
}
LABELS: dict[str, dict[str, Any]] = {
    "binary": VALID["label"],
    "multiclass": {"kind": "last", "source": "orders", "column": "team", "horizon": "90d", "task": "multiclass"},
    "regression": {"kind": "sum", "source": "orders", "column": "eur", "horizon": "90d", "task": "regression"},
}


def make(task: str = "binary", key: str = "c1", **changes: Any) -> tuple[Places, Project]:
    """Writes the artefacts below the current folder.

    Args:
        task: binary, multiclass or regression.
        key: The first row's key.
        changes: To the sections of the project.
    """
    project, faults = validation.read({**VALID, **changes})
    if project is None:
        raise ValueError(faults)
    # not by `read`: the one metric here stands for whatever metric the task has
    project = project.model_copy(update={"label": Label.model_validate(LABELS[task])})
    places = Places("shop")
    classes = {"binary": ("0", "1"), "multiclass": ("billing", "delivery", "other"), "regression": ()}[task]
    _features(places, task, key, classes)
    _model(places, task, classes)
    _evaluation(places, task, classes)
    counts = {"orders": {"rows": 900, "rules": 3, "checked": 2700, "quarantined": 17, "repaired": 4}}
    finding = {
        "severity": "warn",
        "rule": "orders.old",
        "where": "column eur",
        "value": "5 of <b>",
        "limit": "0",
        "rows": 5,
    }
    write_json(places.checked / "report.json", {"dataset": "d" * 64, "counts": counts, "findings": [finding]})
    gate(places, passed=True)
    lineage = {
        "dataset": "d" * 64,
        "git": {"sha": "a" * 40, "dirty": False},
        "mlctl": {"version": "0.1.0", "code": "c"},
    }
    sealed = {
        "id": "feedbeef",
        "model": "xgboost",
        "lineage": lineage,
        "files": {"model.onnx": sha256_of_file(places.model / "xgboost.onnx")},
    }
    test_set = sha256_of_file(places.features / "test.parquet")
    write_json(places.release / "manifest.json", {**sealed, "evaluation": {"test_set": test_set}})
    return places, project


def gate(places: Places, passed: bool) -> None:
    """Writes the verdicts on the evaluation that lies there."""
    rule = {"rule": "ranks", "passed": passed, "subject": "roc_auc of everybody", "found": "0.8", "wanted": ">= 0.7"}
    evaluation = sha256_of_file(places.evaluation / "report.json")
    write_json(places.metrics / "gate.json", {"passed": passed, "evaluation": evaluation, "rules": [rule]})


def rows(task: str, key: str) -> pl.DataFrame:
    """The test rows. Grain: one row per customer. Time: as of 1 August 2026."""
    when = datetime(2026, 8, 1, tzinfo=UTC)
    table = {"customer_id": [key, *(f"c{n}" for n in range(2, 9))], "as_of": [when] * 8, "age": AGES, "plan": PLANS}
    return pl.DataFrame({**table, "label": TRUTH[task]})


def _features(places: Places, task: str, key: str, classes: tuple[str, ...]) -> None:
    path = places.features / "test.parquet"
    path.parent.mkdir(parents=True)
    rows(task, key).write_parquet(path)
    part = {"rows": 8, "positive_share": 0.5 if task == "binary" else None, "as_of": ["2026-08-01"]}
    parts = {"test": {**part, "sha256": sha256_of_file(path)}, "train": {**part, "sha256": "e" * 64}}
    write_json(places.features / "report.json", {"columns": ["age", "plan"], "classes": list(classes), **parts})


def _model(places: Places, task: str, classes: tuple[str, ...]) -> None:
    table = rows(task, "c1")
    learnt = encoding.learn(table.select("age", "plan"))
    taught = TrainingTable(encoding.encode(learnt, table), table["label"].to_numpy(), learnt.columns(), task, classes)
    fitted = kinds.load("models", "xgboost").fit(kinds.options("models", {"kind": "xgboost", "trees": 3}), taught)
    write_bytes(places.model / "xgboost.onnx", fitted.onnx)
    write_json(places.model / "xgboost.encoding.json", learnt.model_dump(mode="json"))
    shares = {"age": 0.6, "plan=annual": 0.25, "plan=none": 0.15, "plan=(other)": 0.0, "plan=(missing)": 0.0}
    points = [{"share": 0.5, "rows": 4, "value": 0.6, "low": 0.5, "high": 0.7}]
    points.append({"share": 1.0, "rows": 8, "value": 0.8, "low": 0.7, "high": 0.9})
    learning = {"model": "xgboost", "metric": "roc_auc", "points": points, "says": "data is the bottleneck: more rows"}
    trained = {"adopted": "xgboost", "models": {"xgboost": {"importance": shares}}, "learning": learning}
    write_json(places.model / "report.json", trained)
    policy = {"threshold": None if task == "regression" else 0.5, "min_confidence": 0.0, "set_level": None, "how": []}
    write_json(places.model / "policy.json", policy)


def _evaluation(places: Places, task: str, classes: tuple[str, ...]) -> None:
    own = np.asarray(OWN[task], dtype=float)
    flat = np.full(own.shape, 1 / 3 if own.ndim > 1 else 0.5)
    table = rows(task, "c1") if task != "binary" else pl.read_parquet(places.features / "test.parquet")
    shaped = pl.Array(pl.Float64, 3) if own.ndim > 1 else pl.Float64
    scored = table.select("customer_id", "as_of", "label").with_columns(
        pl.Series("constant", flat, dtype=shaped), pl.Series("xgboost", own, dtype=shaped)
    )
    (places.evaluation).mkdir(parents=True)
    scored.write_parquet(places.evaluation / "scores.parquet")
    measured = {"value": 0.8, "low": 0.75, "high": 0.85}
    below = {"value": 0.5, "low": 0.5, "high": 0.5, "own_minus_this": {"low": 0.25, "high": 0.35}}
    models = {"constant": {"roc_auc": below}, "xgboost": {"roc_auc": measured}}
    everybody = {"rows": 8, "positive_share": 0.5, "better": {"roc_auc": "higher"}, "models": models}
    rung = {"earned": True, "gain_low": None, "gain_high": None, "against": None}
    gained = {"earned": True, "gain_low": 0.2, "gain_high": 0.3, "against": "constant"}
    rungs = [
        {"name": "constant", **rung, "value": 0.5, "low": 0.5, "high": 0.5},
        {"name": "xgboost", **gained, **measured},
    ]
    cohorts = {
        "annual": {"condition": "plan = 'annual'", **everybody},
        "few": {"condition": "age > 65", "rows": 1, "positive_share": 1.0, "not_measured": "fewer than 50 rows"},
    }
    test_set = {"rows": 8, "sha256": sha256_of_file(places.features / "test.parquet")}
    report = {"task": task, "classes": list(classes), "model": "xgboost", "test_set": test_set, "everybody": everybody}
    ladder = {"metric": "roc_auc", "rungs": rungs}
    write_json(places.evaluation / "report.json", {**report, "cohorts": cohorts, "ladder": ladder})
