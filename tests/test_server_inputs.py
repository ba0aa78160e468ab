"""The rows of a request in the types of the release, and the field of each wrong value."""

from __future__ import annotations

import polars as pl
import pytest

from mlctl.server.inputs import Inputs, Refused

INPUTS = Inputs(
    {"orders": "UInt32", "spend": "Float64", "plan": "String", "is_new": "Boolean", "empty": "Null"}, "customer_id", 3
)
ROW = {"orders": 3, "spend": 2.5, "plan": "monthly", "is_new": True, "empty": None}


def test_rows_have_the_types_of_the_release():
    rows = INPUTS.rows([ROW, {**ROW, "orders": 4.0, "spend": 7, "plan": None, "customer_id": "c1"}])

    assert rows[1] == {"orders": 4, "spend": 7.0, "plan": None, "is_new": True, "empty": None, "customer_id": "c1"}
    assert [type(value) for value in list(rows[1].values())[:2]] == [int, float]
    assert INPUTS.table(rows).schema == {
        "orders": pl.UInt32,
        "spend": pl.Float64,
        "plan": pl.String,
        "is_new": pl.Boolean,
        "empty": pl.Null,
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("orders", 1.5),
        ("orders", 2**53),
        ("orders", True),
        ("orders", "1"),
        ("spend", [1.0]),
        ("spend", False),
        ("plan", 3),
        ("plan", {}),
        ("is_new", 1),
        ("is_new", "true"),
        ("empty", 0),
        ("customer_id", 1.5),
        ("customer_id", True),
        ("other", 1),
    ],
)
def test_a_wrong_value_is_refused_by_its_field(name, value):
    with pytest.raises(Refused) as refused:
        INPUTS.rows([ROW, {**ROW, name: value}])

    assert (refused.value.status, refused.value.field) == (422, f"[1].{name}")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_only_bytes_can_say_is_refused_too(value):
    with pytest.raises(Refused, match="finite"):
        INPUTS.value(value, "Float64", "spend")


@pytest.mark.parametrize("name", list(ROW))
def test_a_missing_feature_is_refused_and_null_is_not(name):
    with pytest.raises(Refused) as refused:
        INPUTS.rows({key: value for key, value in ROW.items() if key != name})
    assert (refused.value.status, refused.value.field) == (422, name)

    assert INPUTS.rows({**ROW, name: None})[0][name] is None


def test_no_row_and_too_many_are_refused():
    for rows, status in (([], 422), ([ROW] * 4, 413), ("x", 400), (None, 400), ([1], 422)):
        with pytest.raises(Refused) as refused:
            INPUTS.rows(rows)
        assert refused.value.status == status
