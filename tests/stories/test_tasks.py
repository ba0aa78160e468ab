"""From a file to published scores, of several classes and of a number, without an edit by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests import world


@pytest.fixture(scope="module")
def homes(finished_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace beside a table of homes: their heating is a class (one is rare), their price a number."""
    folder = world.copy_workspace(finished_workspace, tmp_path_factory.mktemp("tasks") / "workspace")
    draw = np.random.default_rng(3)
    rows = 600
    area, age = draw.uniform(20, 200, rows), draw.integers(0, 100, rows)
    strength = np.column_stack([0.03 * (100 - age), 0.03 * age, np.full(rows, 1.0)]) + draw.gumbel(size=(rows, 3))
    heating = np.array(["gas", "oil", "wood"], dtype=object)[strength.argmax(axis=1)]
    heating[:3] = "coal"
    table = pl.DataFrame(
        {
            "home_id": [f"h{row:04d}" for row in range(rows)],
            "area_m2": area.round(1),
            "age_years": age,
            "town": draw.choice(["Ulm", "Köln", "Bonn"], rows),
            "heating": heating.tolist(),
            "price_eur": (2000 * area - 500 * age + draw.normal(0, 9000, rows)).round(2),
        }
    )
    table.write_csv(folder / "homes.csv")
    return folder


def test_several_classes_are_foretold_by_name_and_rare_ones_together(homes: Path) -> None:
    made = world.mlctl(homes, "init", "heating", "--from", "homes.csv", "--label", "heating", "--entity", "home_id")
    assert made.returncode == 0, made.stderr
    text = (homes / "projects/heating/project.yaml").read_text()
    assert "task: multiclass, other: other, classes: [gas, oil, wood]" in text

    done = world.mlctl(homes, "run", "heating", "--json")

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert sum(told["published"]["decisions"].values()) == 600
    assert set(told["published"]["decisions"]) <= {"gas", "oil", "wood", "other"}
    assert told["metrics"]["accuracy"] > 0.4
    manifest = json.loads((homes / ".mlctl/heating/release/manifest.json").read_text())
    assert manifest["classes"] == ["gas", "oil", "wood", "other"]
    assert manifest["signature"]["output"] == ["score", "float32", [None, 4]]


def test_a_number_is_foretold_and_published_in_its_own_unit(homes: Path) -> None:
    made = world.mlctl(homes, "init", "prices", "--from", "homes.csv", "--label", "price_eur", "--entity", "home_id")
    assert made.returncode == 0, made.stderr

    done = world.mlctl(homes, "run", "prices", "--json")

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["metrics"]["r2"] > 0.9
    assert told["published"]["decisions"] == {"foretold": 600}
    assert told["metrics"]["model"] == "linear"
    row = world.mlctl(homes, "db", "psql", "prices", "--", "-At", "-c", "select max(score) > 1000 from prices_scores")
    assert row.stdout.strip() == "t"


def test_a_promised_share_of_errors_is_chosen_on_rows_held_out_and_sealed(workspace: Path) -> None:
    world.replace(
        workspace / "projects/shop/project.yaml", "decide: {evidence: orders_365d}", "decide: {max_error: 0.25}"
    )

    done = world.mlctl(workspace, "run", "shop", "--json")

    assert done.returncode == 0, done.stderr
    policy = json.loads((workspace / ".mlctl/shop/model/policy.json").read_text())
    sealed = json.loads((workspace / ".mlctl/shop/release/manifest.json").read_text())["decide"]
    assert 0.5 < policy["min_confidence"] == sealed["min_confidence"] < 1
    assert "confidence from" in done.stderr
    assert json.loads(done.stdout)["published"]["decisions"]["review"] > 0


def test_the_curve_of_coverage_decides_by_the_threshold_that_was_chosen(workspace: Path) -> None:
    world.replace(
        workspace / "projects/shop/project.yaml",
        "decide: {evidence: orders_365d}",
        "decide: {worth: {tp: 1, fp: -4}}",
    )
    assert world.mlctl(workspace, "run", "shop").returncode == 0

    state = workspace / ".mlctl/shop"
    threshold = json.loads((state / "model/policy.json").read_text())["threshold"]
    own = json.loads((state / "evaluation/report.json").read_text())["model"]
    scored = pl.read_parquet(state / "evaluation/scores.parquet")
    right = ((scored[own] >= threshold).cast(pl.Float64) == scored["label"]).mean()
    everybody = pl.read_csv(workspace / "projects/shop/plots/coverage.csv").row(-1, named=True)
    assert threshold > 0.6
    assert everybody["coverage"] == 1.0
    assert everybody["accuracy"] == pytest.approx(right, abs=1e-5)
