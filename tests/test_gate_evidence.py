"""What the gate measures by the clock: a slow moment of the machine refuses nothing, a slow graph is refused."""

from __future__ import annotations

import numpy as np
import pytest

from mlctl.stages._gate_evidence import CALLS, THROUGHPUT_ROWS, WARM_CALLS, fastest, latency_ms, seconds


@pytest.mark.parametrize(
    ("times", "limit", "smallest", "asked"),
    [
        ([1.0], 1.0, 1.0, 1), ([3.0, 1.0], 1.0, 1.0, 2), ([3.0, 2.0, 1.0], 1.0, 1.0, 3), ([3.0, 2.0, 4.0, 0.5], 1.0, 2.0, 3),
    ],
)  # fmt: skip
def test_the_clock_is_asked_again_only_while_the_limit_is_not_kept(times, limit, smallest, asked):
    left = list(times)

    assert fastest(lambda: left.pop(0), limit) == smallest
    assert len(times) - len(left) == asked


def test_one_row_is_asked_often_and_many_rows_once():
    shapes = []

    def score(rows):
        shapes.append(rows.shape)
        return np.zeros(len(rows), dtype=np.float32)

    assert latency_ms(score, 7) > 0
    assert seconds(score, 7) > 0
    assert shapes == [(1, 7)] * (WARM_CALLS + CALLS) + [(THROUGHPUT_ROWS, 7)]
