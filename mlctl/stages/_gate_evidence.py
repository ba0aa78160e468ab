"""What the gate measures itself: the graph's size, parity and speed, and how much groups differ."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from mlctl.encoding import read
from mlctl.errors import IntegrityError
from mlctl.features import fulfils
from mlctl.files import read_json, sha256_of_file
from mlctl.gates import Evidence
from mlctl.graphs import runtime
from mlctl.judging.comparisons import differences
from mlctl.judging.splits import entity_codes
from mlctl.metrics import Measure, measuring
from mlctl.spec import Project
from mlctl.spec.gate_rules import REPLAY, SHARES, Rule
from mlctl.stages._replay import replayed
from mlctl.stages._rows import part
from mlctl.workspace import Places

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

ATTEMPTS: Final = 3
"""How often a clock may be asked: another program on the machine must not refuse a release."""
CALLS: Final = 1_000
WARM_CALLS: Final = 100
_USUAL_TERMS: Final = 256
"""Terms of a text of some forty words."""
THROUGHPUT_ROWS: Final = 100_000
MOST_GROUPS: Final = 20


def evidence(places: Places, project: Project, evaluation: Mapping[str, Any], timed: bool) -> Evidence:
    """What the rules ask for and the evaluation report does not hold.

    Args:
        places: The project's paths.
        project: The project.
        evaluation: The evaluation report.
        timed: Whether the clock is asked at all.

    Raises:
        DataError: A cohort's condition cannot be computed.
        IntegrityError: The model or the test set is missing, or not the one that was recorded.
    """
    asked = [rule for rule in project.gate.values() if rule.measure is not None]
    fair = {name: rule for name, rule in project.gate.items() if rule.max_difference is not None}
    measures = _measures(places, evaluation, asked, timed) if asked else {}
    if any(rule.measure == REPLAY for rule in asked) and (found := replayed(places, project, evaluation)) is not None:
        measures[REPLAY] = found
    pairs, small = _differences(places, project, evaluation, fair) if fair else ({}, {})
    return Evidence(measures, pairs, small)


def _measures(places: Places, evaluation: Mapping[str, Any], asked: list[Rule], timed: bool) -> dict[str, float]:
    again = f"mlctl run projects/{places.name}"
    trained, own = read_json(places.model / "report.json", again), evaluation["model"]
    recorded, path = trained["models"][own], places.model / f"{own}.onnx"
    if (found := sha256_of_file(path)) != recorded["sha256"]:
        raise IntegrityError.damaged(str(path), recorded["sha256"], found, again)
    measures = {
        "size_bytes": float(recorded["bytes"]),
        "parity": float(recorded["parity"]),
        "rows": float(evaluation["test_set"]["rows"]),
    }
    if timed and any(rule.is_timed() for rule in asked):
        score = runtime.scorer(path.read_bytes(), threads=1)
        encoding = read(places.model / f"{own}.encoding.json", again)
        columns = encoding.width or len(encoding.columns()) + 2 * _USUAL_TERMS
        clocks = {"latency_ms": latency_ms, "seconds": seconds}
        for name, clock in clocks.items():
            limits = [rule.max for rule in asked if rule.measure == name and rule.max is not None]
            if any(rule.measure == name for rule in asked):
                measures[name] = fastest(partial(clock, score, columns), min(limits, default=0.0))
    return measures


def fastest(clock: Callable[[], float], limit: float) -> float:
    """The smallest of up to three times; the first that is within the limit is enough."""
    best = clock()
    for _ in range(ATTEMPTS - 1):
        if best <= limit:
            break
        best = min(best, clock())
    return best


def latency_ms(score: runtime.Scorer, columns: int) -> float:
    """How long one row takes, in milliseconds: the 99th percentile of 1,000 calls on one thread."""
    row = _drawn(1, columns)
    for _ in range(WARM_CALLS):
        score(row)
    took = []
    for _ in range(CALLS):
        started = time.perf_counter_ns()
        score(row)
        took.append(time.perf_counter_ns() - started)
    return sorted(took)[CALLS * 99 // 100 - 1] / 1e6


def seconds(score: runtime.Scorer, columns: int) -> float:
    """How long 100,000 rows take, in seconds, on one thread."""
    rows = _drawn(THROUGHPUT_ROWS, columns)
    started = time.perf_counter_ns()
    score(rows)
    return (time.perf_counter_ns() - started) / 1e9


def _drawn(rows: int, columns: int) -> np.ndarray[Any, Any]:
    import numpy as np

    return np.random.Generator(np.random.PCG64(7)).normal(size=(rows, columns)).astype(np.float32)


def _differences(
    places: Places, project: Project, evaluation: Mapping[str, Any], fair: Mapping[str, Rule]
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, list[str]]]:
    """By rule, each pair of its groups, and the groups that are too small."""
    import polars as pl

    rows, _ = part(places, "test")
    scored = pl.read_parquet(places.evaluation / "scores.parquet")
    if not scored["label"].equals(rows["label"]):
        again = f"mlctl evaluate projects/{places.name}"
        raise IntegrityError.refused("the evaluation's scores", "they are of another test set", again)
    arrays = {
        "truth": rows["label"].to_numpy().astype("float64"),
        "score": scored[evaluation["model"]].to_numpy(),
        "entity": entity_codes(project, rows),
    }
    threshold = read_json(places.model / "policy.json")["threshold"] if project.label.task == "binary" else None
    pairs, small = {}, {}
    for name, rule in fair.items():
        members = _members(rows, project, rule)
        small[name] = [group for group, mask in members.items() if int(mask.sum()) < rule.min_rows]
        kept = {group: mask for group, mask in members.items() if group not in small[name]}
        pairs[name] = differences(arrays, kept, _measure(project, str(rule.metric), threshold))
    return pairs, small


def _members(rows: pl.DataFrame, project: Project, rule: Rule) -> dict[str, np.ndarray[Any, Any]]:
    """By group, a bool array (rows,); none where the feature is missing or has too many values to be groups."""
    if rule.between is not None:
        return {name: fulfils(rows, project.cohorts[name], f"cohorts.{name}").to_numpy() for name in rule.between}
    import polars as pl

    feature = str(rule.across)
    if feature not in rows.columns or rows[feature].n_unique() > MOST_GROUPS:
        return {}
    values = rows[feature].cast(pl.String).fill_null("missing")
    return {value: (values == value).to_numpy() for value in sorted(values.unique())}


def _measure(project: Project, metric: str, threshold: float | None) -> Measure:
    """A metric of the project, or a share; only a binary label has shares."""

    def share(counted: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]) -> float:
        total = float(weight.sum())
        return float((counted * weight).sum()) / total if total else float("nan")

    if metric in SHARES and threshold is None:
        return lambda *_: float("nan")
    if metric == "selection_share":
        return lambda _, score, weight: share(score >= threshold, weight)
    if metric == "positive_share":
        return lambda truth, _, weight: share(truth, weight)
    return measuring(project.metrics[metric])[0]
