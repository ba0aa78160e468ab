"""What would help a model: more rows, other options or other features, each where it is so by construction."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from mlctl import kinds
from mlctl.config import validation
from mlctl.judging import splits
from mlctl.stages._ground import Ground
from mlctl.stages._learning import LearningCurve, learning_curve
from mlctl.stages._rows import scored
from tests.test_spec import VALID

LOOKUP = {"kind": "lookup", "source": "customers", "column": "left", "is": True}


def curve(model: dict[str, Any], features: np.ndarray[Any, Any], label: np.ndarray[Any, Any]) -> LearningCurve | None:
    """The curve on rows of numbers, in the folds that training makes of them."""
    project, faults = validation.read({**VALID, "label": LOOKUP, "split": {"kind": "folds"}})
    assert project is not None, faults
    names = [f"f{place}" for place in range(features.shape[1])]
    spine = {project.entity.key: [f"c{i:05d}" for i in range(len(label))], "label": label.astype(float)}
    moments = pl.Series("as_of", [datetime(2026, 1, 1, tzinfo=UTC)] * len(label)).cast(pl.Datetime("us", "UTC"))
    columns = pl.DataFrame(features, schema=names)
    rows = pl.concat([pl.DataFrame(spine).with_columns(moments), columns], how="horizontal")
    ground = Ground(project, rows, names, ("0", "1"), tuple(splits.parts(project, rows)), next(iter(project.metrics)))
    teaches, judges = ground.parts[-1]
    options = kinds.options("models", model)
    asked, taught = rows.filter(pl.Series(judges)), rows.filter(pl.Series(teaches))
    whole = scored(project, options, taught, asked, (names, ("0", "1"))).astype("float64")
    return learning_curve(ground, options, whole, np.full(asked.height, 0.5))


def test_many_features_and_few_rows_call_for_rows() -> None:
    draw = np.random.default_rng(1)
    features = draw.normal(size=(900, 60))
    label = features.sum(axis=1) + draw.normal(size=900) > 0

    found = curve({"kind": "logistic"}, features, label)

    assert found is not None
    assert [point["share"] for point in found.points] == [0.125, 0.25, 0.5, 1.0]
    assert [point["rows"] for point in found.points] == sorted(point["rows"] for point in found.points)
    assert found.helps == "rows"
    assert "data is the bottleneck" in found.says


def test_one_feature_that_is_learnt_at_once_calls_for_features() -> None:
    draw = np.random.default_rng(2)
    features = draw.normal(size=(3000, 1))
    label = features[:, 0] + 2 * draw.normal(size=3000) > 0

    found = curve({"kind": "logistic"}, features, label)

    assert found is not None
    assert found.helps == "features"


def test_trees_that_know_noise_by_heart_call_for_options() -> None:
    draw = np.random.default_rng(3)
    features = draw.normal(size=(1500, 6))
    label = features[:, 0] + 3 * draw.normal(size=1500) > 0

    found = curve({"kind": "xgboost", "trees": 300, "depth": 8, "learning_rate": 0.3}, features, label)

    assert found is not None
    assert found.known is not None
    assert found.known > 0.99
    assert found.helps == "options"


def test_half_of_the_rows_without_an_outcome_says_so_and_guesses_nothing() -> None:
    draw = np.random.default_rng(4)
    # who stands in no half: as the draw of the entities has it, by the seed of `tune:`
    late = np.random.Generator(np.random.PCG64(7)).random(200) >= 0.5

    found = curve({"kind": "logistic"}, draw.normal(size=(200, 2)), late & (draw.random(200) > 0.5))

    assert found is not None
    assert [point["share"] for point in found.points] == [1.0]
    assert (found.gain, found.helps) == (None, "unknown")


def test_what_does_not_learn_has_no_curve() -> None:
    draw = np.random.default_rng(5)

    assert curve({"kind": "constant"}, draw.normal(size=(90, 2)), draw.random(90) > 0.5) is None
