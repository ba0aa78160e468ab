"""What the gate measures itself of a recommender: its size, and how long one history takes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from mlctl.files import read_json
from mlctl.gates import Evidence
from mlctl.recommend.answering import top
from mlctl.recommend.blends import Blend
from mlctl.spec import Project
from mlctl.stages._gate_evidence import CALLS, WARM_CALLS, fastest
from mlctl.stages.recommending._cases import Cases
from mlctl.stages.recommending._ground import cases_of
from mlctl.stages.recommending.evaluate import rung_of
from mlctl.workspace import Places

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def of_lists(places: Places, project: Project, evaluation: Mapping[str, Any], timed: bool) -> Evidence:
    """What the rules ask for and the evaluation report does not hold; groups are compared as cohorts alone.

    Args:
        places: The project's paths.
        project: The project.
        evaluation: The evaluation report.
        timed: Whether the clock is asked at all.

    Raises:
        IntegrityError: The model or the cases are missing, or not the ones that were recorded.
    """
    asked = [rule for rule in project.gate.values() if rule.measure is not None]
    if not asked:
        return Evidence()
    trained, own = read_json(places.model / "report.json", f"mlctl run projects/{places.name}"), evaluation["model"]
    measures = {
        "size_bytes": float(trained["models"][own]["bytes"]),
        "rows": float(evaluation["test_set"]["rows"]),
    }
    limits = [rule.max for rule in asked if rule.measure == "latency_ms" and rule.max is not None]
    if timed and limits:
        rung, (_, cases) = rung_of(places, trained, own), cases_of(places, "test")
        measures["latency_ms"] = fastest(partial(_latency_ms, rung, cases), min(limits))
    return Evidence(measures)


def _latency_ms(rung: Blend, cases: Cases) -> float:
    """How long one history takes, in milliseconds: the 99th percentile of 1,000 calls."""
    took = []
    for call in range(WARM_CALLS + CALLS):
        history = cases.histories[call % len(cases.histories)]
        started = time.perf_counter_ns()
        top(rung.scores([history])[0], 10)
        took.append(time.perf_counter_ns() - started)
    return sorted(took[WARM_CALLS:])[CALLS * 99 // 100 - 1] / 1e6
