"""The rows that a column contract means are those that pandera means, on tables of every mixture."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandera.polars as pandera
import polars as pl
import pytest
from pandera.config import ValidationDepth, config_context

from mlctl import kinds
from mlctl.checks import Context

SHAPE = {
    "n": pandera.Column(None, [pandera.Check.ge(0), pandera.Check.le(50)], nullable=False),
    "word": pandera.Column(None, [pandera.Check.isin(["a", "b"])], nullable=True),
    "code": pandera.Column(None, [pandera.Check.str_matches("^c[0-9]+$")], nullable=True),
}


def table(seed: int) -> pl.DataFrame:
    draw = np.random.default_rng(seed)
    rows = int(draw.integers(1, 80))

    def some(values: list[object]) -> list[object]:
        return [None if draw.random() < 0.15 else value for value in values]

    return pl.DataFrame(
        {
            "n": some(draw.integers(-5, 60, rows).tolist()),
            "word": some([["a", "b", "z"][i] for i in draw.integers(0, 3, rows)]),
            "code": some([f"{'c' if draw.random() < 0.8 else 'd'}{i}" for i in draw.integers(0, 90, rows)]),
        },
        schema={"n": pl.Int64, "word": pl.String, "code": pl.String},
    )


@pytest.mark.parametrize("seed", range(40))
def test_both_mean_the_same_rows(seed: int) -> None:
    rows = table(seed)
    contract = {
        "n": {"type": "integer", "nullable": False, "min": 0, "max": 50},
        "word": {"one_of": ["a", "b"]},
        "code": {"matches": "c[0-9]+"},
    }
    module = kinds.load("checks", "columns")
    options = module.Options(kind="columns", source="t", columns=contract)
    ours: dict[str, set[int]] = {}
    for finding in module.check(options, rows, Context(as_of=datetime(2026, 1, 1, tzinfo=UTC))):
        ours.setdefault(finding.rule.split(".")[1], set()).update(finding.rows)
    theirs: dict[str, set[int]] = {}
    with config_context(validation_enabled=True, validation_depth=ValidationDepth.SCHEMA_AND_DATA):
        try:
            pandera.DataFrameSchema(SHAPE).validate(rows, lazy=True)
        except pandera.errors.SchemaErrors as errors:
            for case in errors.failure_cases.to_dicts():
                if case["index"] is not None:
                    theirs.setdefault(case["column"], set()).add(case["index"])
    missing = set(rows["n"].is_null().arg_true().to_list())
    if missing:
        # pandera tells the missing values of a column as one case without rows
        theirs.setdefault("n", set()).update(missing)

    assert {column: found for column, found in ours.items() if found} == {c: f for c, f in theirs.items() if f}
