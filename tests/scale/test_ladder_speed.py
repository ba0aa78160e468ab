"""The whole ladder on a large table: frozen, trained, judged with intervals.

Promised on 2 cores: 200,000 rows x 50 features, constant, logistic and xgboost, each fitted on three quarters of the
rows and on their three inner folds, judged by six metrics with 500 resamples of entities, within 30 s without tuning.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mlctl.config import validation
from mlctl.files import sha256_of_file, write_json
from mlctl.stages.evaluate import evaluate
from mlctl.stages.freeze import freeze
from mlctl.stages.train import train
from mlctl.workspace import Places
from tests.test_spec import VALID

ROWS, COLUMNS = 200_000, 50
METRICS = ("roc_auc", "average_precision", "log_loss", "brier", "ece")


def table(seed: int, rows: int) -> pl.DataFrame:
    draw = np.random.default_rng(seed)
    matrix = draw.normal(size=(rows, COLUMNS)).astype(np.float32)
    strength = matrix[:, :10].sum(axis=1) / 3 + np.where(matrix[:, 10] > 1, 1.5, 0) * (matrix[:, 11] > 0)
    label = (draw.random(rows) < 1 / (1 + np.exp(-strength))).astype(float)
    names = {f"f{place:02d}": matrix[:, place].astype(float) for place in range(COLUMNS)}
    keys = {"customer_id": [f"{seed}-{row:07d}" for row in range(rows)]}
    # the second table judges, once the outcomes of the first are known
    as_of = pl.Series("as_of", [datetime(2026, 1 + 6 * seed, 1, tzinfo=UTC)], dtype=pl.Datetime("us", "UTC"))
    return pl.DataFrame({**keys, **names, "label": label}).with_columns(as_of.new_from_index(0, rows))


@pytest.mark.scale
def test_the_whole_ladder_takes_half_a_minute_at_most(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.chdir(tmp_path)
    places = Places("shop")
    places.features.mkdir(parents=True)
    metrics = {name: {"kind": name} for name in METRICS}
    project, faults = validation.read({**VALID, "cohorts": {"some": "f00 > 1"}, "metrics": metrics})
    assert project is not None, faults
    report = {
        "columns": [f"f{place:02d}" for place in range(COLUMNS)],
        "classes": ["0", "1"],
        "cold": {"train": {"rows": 0}, "test": {"rows": 0}},
    }
    for seed, (name, rows) in enumerate({"train": ROWS * 3 // 4, "test": ROWS // 4}.items()):
        path = places.features / f"{name}.parquet"
        table(seed, rows).write_parquet(path)
        report[name] = {"rows": rows, "sha256": sha256_of_file(path)}
    write_json(places.features / "report.json", report)
    begun = time.monotonic()
    took = {}
    for stage in (freeze, train, evaluate):
        started = time.monotonic()
        done = stage(places, project)
        took[stage.__name__] = time.monotonic() - started
        with capsys.disabled():
            print(f"\n{stage.__name__}: {took[stage.__name__]:.1f} s; {done.line}")
    assert time.monotonic() - begun < 30
