"""The points behind the pictures, worked out by hand or by a slower way."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlctl.judging import curves
from mlctl.judging.plots import NAMES, plots, plots_of_lists

TRUTH = np.array([1.0, 0.0, 1.0, 0.0])
SCORE = np.array([0.9, 0.8, 0.6, 0.1])


def test_roc_goes_from_nothing_to_everything_by_the_rows_in_between() -> None:
    assert curves.roc(TRUTH, SCORE) == {
        "false_positive_share": [0.0, 0.0, 0.5, 0.5, 1.0],
        "true_positive_share": [0.0, 0.5, 0.5, 1.0, 1.0],
    }


def test_rows_of_one_score_are_one_step_whatever_their_order() -> None:
    same = np.array([0.5, 0.5, 0.5, 0.1])

    assert curves.roc(TRUTH, same) == {
        "false_positive_share": [0.0, 0.5, 1.0],
        "true_positive_share": [0.0, 1.0, 1.0],
    }
    assert curves.roc(TRUTH[[2, 1, 0, 3]], same) == curves.roc(TRUTH, same)


def test_precision_recall_and_lift_by_hand() -> None:
    assert curves.pr(TRUTH, SCORE) == {
        "recall": [0.5, 0.5, 1.0, 1.0],
        "precision": pytest.approx([1.0, 0.5, 2 / 3, 0.5]),
    }
    assert curves.lift(TRUTH, SCORE) == {
        "share_of_rows": [0.0, 0.25, 0.5, 0.75, 1.0],
        "gain": [0.0, 0.5, 0.5, 1.0, 1.0],
        "lift": pytest.approx([2.0, 2.0, 1.0, 4 / 3, 1.0]),
    }


def test_calibration_has_bins_of_equally_many_rows_and_wilson_intervals() -> None:
    points = curves.calibration(TRUTH, SCORE, bins=2)

    assert points["mean_score"] == pytest.approx([0.35, 0.85])
    assert points["positive_share"] == [0.5, 0.5]
    assert points["rows"] == [2.0, 2.0]
    # one of two: 0.5 -+ 1.96 / 2.9207 * sqrt(0.25 / 2 + 3.8415 / 16)
    assert (points["low"][0], points["high"][0]) == pytest.approx((0.0945, 0.9055), abs=5e-5)


def test_wilson_stays_between_0_and_1() -> None:
    assert curves.wilson(0.0, 5) == pytest.approx((0.0, 0.4345), abs=5e-5)
    assert curves.wilson(1.0, 5) == pytest.approx((0.5655, 1.0), abs=5e-5)


def test_coverage_takes_the_surest_rows_first() -> None:
    # confidences 0.9, 0.8, 0.6, 0.9: the first and the last together, and both are right
    assert curves.coverage(TRUTH, SCORE) == {
        "coverage": [0.5, 0.75, 1.0],
        "accuracy": pytest.approx([1.0, 2 / 3, 0.75]),
        "confidence": pytest.approx([0.9, 0.8, 0.6]),
    }
    # decided from 0.85 on, the second row is right and the third is wrong
    assert curves.coverage(TRUTH, SCORE, 0.85)["accuracy"] == pytest.approx([1.0, 1.0, 0.75])


def test_several_classes_are_decided_by_the_likeliest() -> None:
    truth = np.array([0.0, 1.0, 2.0, 2.0])
    score = np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.1, 0.1, 0.8], [0.2, 0.2, 0.6]])

    assert curves.confusion(truth, score) == [[1, 0, 0], [1, 0, 0], [0, 0, 2]]
    assert curves.coverage(truth, score)["accuracy"] == pytest.approx([1.0, 1.0, 1.0, 0.75])
    of_classes = curves.of_classes(curves.confusion(truth, score), ["a", "b", "c"])
    assert of_classes[0] == {"class": "a", "rows": 1, "precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3)}
    assert of_classes[1] == {"class": "b", "rows": 1, "precision": None, "recall": 0.0, "f1": 0.0}


def test_a_histogram_counts_every_row_once() -> None:
    found = curves.histogram(TRUTH, SCORE, bins=2)

    assert found == {"from": [0.0, 0.5], "to": [0.5, 1.0], "rows_of_0": [1.0, 1.0], "rows_of_1": [0.0, 2.0]}


def test_numbers_have_bins_and_residuals() -> None:
    truth, foretold = np.array([10.0, 20.0, 30.0, 60.0]), np.array([12.0, 18.0, 40.0, 50.0])

    points = curves.foretold(truth, foretold, bins=2)
    residuals = curves.residuals(truth, foretold)

    assert (points["mean_predicted"], points["mean_true"], points["rows"]) == ([15.0, 45.0], [15.0, 45.0], [2.0, 2.0])
    # nine tenths of the way from 10 to 20
    assert (points["low"][0], points["high"][0]) == pytest.approx((11.0, 19.0))
    # the residuals are -10, -2, 2 and 10
    assert [residuals["residual"][place] for place in (0, 10, 20)] == [-10.0, 0.0, 10.0]


@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_one_outcome_alone_has_no_roc(outcome: float) -> None:
    assert curves.roc(np.full(3, outcome), np.array([0.1, 0.2, 0.3]))["true_positive_share"] == []


def test_nothing_has_no_points() -> None:
    none = np.zeros(0)

    for points in (curves.roc(none, none), curves.pr(none, none), curves.lift(none, none), curves.coverage(none, none)):
        assert set(map(len, points.values())) == {0}
    assert curves.calibration(none, none)["rows"] == []
    assert curves.foretold(none, none)["rows"] == []
    assert curves.residuals(none, none)["quantile"] == []


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.1, 0.2, 0.5, 0.9])), min_size=1, max_size=40))
def test_every_point_of_a_roc_is_a_threshold_counted_the_slow_way(rows: list[tuple[bool, float]]) -> None:
    truth, score = np.array([float(one) for one, _ in rows]), np.array([value for _, value in rows])
    points = curves.roc(truth, score)
    ones = [value for one, value in rows if one]
    zeros = [value for one, value in rows if not one]
    slow = [
        (sum(value >= level for value in zeros) / len(zeros), sum(value >= level for value in ones) / len(ones))
        for level in sorted({value for _, value in rows}, reverse=True)
        if ones and zeros
    ]

    assert list(zip(*points.values(), strict=True))[1:] == slow


def test_long_curves_are_thinned_and_keep_their_ends() -> None:
    generator = np.random.default_rng(3)
    truth, score = (generator.random(5000) < 0.3).astype(float), generator.random(5000)
    points = curves.roc(truth, score)

    assert len(points["true_positive_share"]) == curves.MOST
    assert (points["true_positive_share"][0], points["true_positive_share"][-1]) == (0.0, 1.0)
    assert points == curves.roc(truth, score)


def table(text: str) -> tuple[list[str], list[list[str]]]:
    lines = list(csv.reader(io.StringIO(text)))
    return lines[0], lines[1:]


DRAWN = {
    "roc.csv": ("false_positive_share", "true_positive_share"),
    "pr.csv": ("recall", "precision"),
    "calibration.csv": ("mean_score", "mean_truth"),
    "lift.csv": ("share_of_rows", "gain"),
    "coverage.csv": ("coverage", "accuracy"),
    "importance.csv": ("importance", "feature"),
}


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_dvc_finds_every_file_and_the_columns_that_it_draws_whatever_the_label(task: str) -> None:
    truth, score = {
        "binary": (TRUTH, SCORE),
        "multiclass": (np.array([0.0, 1.0, 1.0, 0.0]), np.column_stack([1 - SCORE, SCORE])),
        "regression": (np.array([1.5, 20.0, -3.0, 0.0]), np.array([1.0, 19.0, 2.0, 0.0])),
    }[task]

    found = plots(task, truth, score, {'a "b", c': 0.25, "z": 0.75})

    assert tuple(found) == NAMES
    for name, columns in DRAWN.items():
        header, rows = table(found[name])
        assert set(columns) <= set(header), name
        empty = task == "regression" and name in ("roc.csv", "pr.csv", "lift.csv", "coverage.csv")
        assert bool(rows) is not empty, name
    assert table(found["importance.csv"]) == (["feature", "importance"], [["z", "0.750000"], ['a "b", c', "0.250000"]])


def test_a_plot_file_by_hand() -> None:
    assert plots("binary", TRUTH, SCORE, {})["roc.csv"] == (
        "false_positive_share,true_positive_share\n0,0\n0,0.5\n0.5,0.5\n0.5,1\n1,1\n"
    )


def test_the_series_of_lists_by_hand() -> None:
    hits = np.array([[True, False], [False, False], [True, True]])

    found = plots_of_lists(hits, np.array([1, 2, 4]), np.array([0, 7, 7]), 8, {"warm: ease": 1.0})

    assert tuple(found) == NAMES
    assert all(set(columns) <= set(table(found[name])[0]) for name, columns in DRAWN.items())
    # one place: 1, 0 and 1/4 of what came; two: 1, 0 and 2/4
    assert found["pr.csv"] == "recall,precision\n0.416667,0.666667\n0.5,0.5\n"
    assert found["lift.csv"] == "share_of_rows,gain,lift\n0.125,0.416667,3.333333\n0.25,0.5,2\n"
    # of the two of whom seven items are known one list hits; of all three, two
    assert found["coverage.csv"] == "coverage,accuracy,confidence\n0.666667,0.5,7\n1,0.666667,0\n"
    assert table(found["importance.csv"])[1] == [["warm: ease", "1.000000"]]
    assert [table(found[name])[1] for name in ("roc.csv", "calibration.csv")] == [[], []]
