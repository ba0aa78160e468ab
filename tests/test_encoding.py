"""Features as columns: what training did not show has a place, what changed its type is refused."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from mlctl.encoding import Encoding, encode, learn
from mlctl.errors import DataError
from mlctl.spec import EncodingPolicy


def rows(encoding: Encoding, features: pl.DataFrame) -> list[list[float | None]]:
    matrix = encode(encoding, features)
    assert matrix.dtype == np.float32
    assert matrix.shape == (features.height, len(encoding.columns()))
    return [[None if math.isnan(value) else value for value in row] for row in matrix.tolist()]


def test_numbers_pass_truth_values_are_one_and_zero_and_missing_stays_missing():
    table = pl.DataFrame({"b": [True, False, None], "i": [1, None, 3], "f": [0.5, float("nan"), None], "n": [None] * 3})
    encoding = learn(table)

    assert encoding.columns() == ("b", "i", "f", "n")
    assert rows(encoding, table) == [[1, 1, 0.5, None], [0, None, None, None], [None, 3, None, None]]


def test_an_unseen_value_is_other_and_a_missing_one_is_missing():
    encoding = learn(pl.DataFrame({"plan": ["b", "a", "b", None]}))

    assert encoding.columns() == ("plan=a", "plan=b", "plan=(other)", "plan=(missing)")
    assert rows(encoding, pl.DataFrame({"plan": ["a", "b", "zzz", None, ""]})) == [
        [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 1, 0],
    ]  # fmt: skip


def test_a_value_of_less_than_one_row_in_two_hundred_is_other():
    at_the_share = learn(pl.DataFrame({"x": ["a"] * 398 + ["b"] * 2}))
    below = learn(pl.DataFrame({"x": ["a"] * 400 + ["b"] * 2}))

    assert at_the_share.features[0].categories == ("a", "b")
    assert below.features[0].categories == ("a",)


def test_the_most_common_values_get_columns_and_ties_go_by_name():
    names = [f"v{n:02d}" for n in range(EncodingPolicy().most_values + 5)]

    assert learn(pl.DataFrame({"x": names[::-1]})).features[0].categories == tuple(
        names[: EncodingPolicy().most_values]
    )
    assert "v54" in learn(pl.DataFrame({"x": [*names, "v54"]})).features[0].categories


@pytest.mark.parametrize("name", ["count", "rows", "value", "len"])
def test_a_feature_may_have_any_name(name):
    assert learn(pl.DataFrame({name: ["a", "b"]})).columns()[0] == f"{name}=a"


def test_an_all_missing_text_column_is_learnt_and_takes_values_later():
    encoding = learn(pl.DataFrame({"x": [None, None]}, schema={"x": pl.String}))

    assert rows(encoding, pl.DataFrame({"x": ["a", None]})) == [[1, 0], [0, 1]]
    assert rows(learn(pl.DataFrame({"x": ["a"]})), pl.DataFrame({"x": [None]})) == [[0, 0, 1]]


def test_another_type_than_in_training_is_refused():
    with pytest.raises(DataError) as caught:
        encode(learn(pl.DataFrame({"x": ["1"]})), pl.DataFrame({"x": [1]}))
    assert "was a category in training and is Int64 now" in str(caught.value)
    with pytest.raises(DataError, match=r"."):
        encode(learn(pl.DataFrame({"x": [1]})), pl.DataFrame({"x": ["1"]}))
    with pytest.raises(DataError, match=r"."):
        learn(pl.DataFrame({"x": [[1]]}))


def test_columns_stand_in_the_order_of_training_and_a_missing_one_is_refused():
    encoding = learn(pl.DataFrame({"a": [1.0], "b": [2.0]}))

    assert rows(encoding, pl.DataFrame({"c": ["x"], "b": [20.0], "a": [10.0]})) == [[10, 20]]
    with pytest.raises(DataError, match="'b'"):
        encode(encoding, pl.DataFrame({"a": [1.0]}))


def test_an_encoding_is_written_and_read_to_itself():
    encoding = learn(pl.DataFrame({"a": [1.0, 2.0], "p": ["x", None]}))

    assert Encoding.model_validate_json(encoding.model_dump_json()) == encoding
    assert learn(pl.DataFrame({"a": [2.0, 1.0], "p": [None, "x"]})) == encoding
