"""The terms of texts as a sum of weighted rows: in numpy and scipy, and as steps in ONNX.

A row's tail is pairs of a term's number and its weight (`mlctl/encoding.py`). Whatever stands there is put within
bounds first, so that no row can ask for a term that does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    import onnx
    from scipy.sparse import csr_array

OPS: Final = frozenset({"Slice", "IsNaN", "Where", "Clip", "Cast", "Gather", "Unsqueeze", "MatMul", "Squeeze", "Add"})
"""The ONNX operators that terms add."""


def sparse(matrix: np.ndarray[Any, Any], columns: int, terms: int) -> csr_array:
    """The weights of the terms: float64 sparse array (rows, terms).

    Args:
        matrix: float32 rows; the tail begins behind `columns`.
        columns: How many columns stand before the tail.
        terms: How many terms there are.
    """
    import numpy as np
    from scipy.sparse import csr_array

    tail = np.nan_to_num(matrix[:, columns:].reshape(len(matrix), (matrix.shape[1] - columns) // 2, 2), nan=0.0)
    numbers = np.clip(tail[:, :, 0], 0, terms).astype(np.int64)
    weights = np.clip(tail[:, :, 1], 0, 1).astype(np.float64)
    there = (numbers > 0) & (weights > 0)
    ends = np.concatenate([[0], np.cumsum(there.sum(axis=1))])
    found = csr_array((weights[there], numbers[there] - 1, ends), shape=(len(matrix), terms))
    found.sum_duplicates()
    return found


def steps(
    weights: np.ndarray[Any, Any], columns: int
) -> tuple[list[onnx.NodeProto], Mapping[str, np.ndarray[Any, Any]]]:
    """The nodes from `features` to `columns` (the rows without tail) and `of_terms`, and their constants.

    Args:
        weights: float array (terms,), or (terms, classes).
        columns: How many columns stand before the tail.

    Returns:
        Nodes; `columns` is float32 (rows, columns), `of_terms` float64 (rows,) or (rows, classes).
    """
    import numpy as np
    from onnx import TensorProto, helper

    # number 0 fills up and weighs nothing
    table = np.concatenate([np.zeros((1, *weights.shape[1:])), weights]).astype(np.float32)
    table = table.reshape(len(table), -1)
    last = np.iinfo(np.int64).max
    named: list[tuple[str, list[str], str]] = [
        ("Slice", ["features", "at_0", "at_tail", "axis_1"], "columns"),
        ("Slice", ["features", "at_tail", "at_end", "axis_1"], "tail"),
        ("IsNaN", ["tail"], "tail_missing"),
        ("Where", ["tail_missing", "nothing", "tail"], "pairs"),
        ("Slice", ["pairs", "at_0", "at_end", "axis_1", "step_2"], "numbers"),
        ("Slice", ["pairs", "at_1", "at_end", "axis_1", "step_2"], "shares"),
        ("Clip", ["numbers", "nothing", "highest_number"], "known_numbers"),
        ("Clip", ["shares", "nothing", "whole"], "known_shares"),
        ("Cast", ["known_numbers"], "term_places"),
        ("Gather", ["term_weights", "term_places"], "narrow_rows"),
        ("Cast", ["narrow_rows"], "rows_of_terms"),
        ("Cast", ["known_shares"], "wide_shares"),
        ("Unsqueeze", ["wide_shares", "axis_1"], "shares_in_a_row"),
        ("MatMul", ["shares_in_a_row", "rows_of_terms"], "of_terms_in_a_row"),
        ("Squeeze", ["of_terms_in_a_row", "axes_dropped"], "of_terms"),
    ]
    # summed in float64: a text may say one term a thousand times
    to = {"term_places": {"to": TensorProto.INT64}, "rows_of_terms": {"to": TensorProto.DOUBLE}}
    to["wide_shares"] = to["rows_of_terms"]
    nodes = [
        helper.make_node(operator, inputs, [output], output, **to.get(output, {})) for operator, inputs, output in named
    ]
    numbers = {"at_0": 0, "at_1": 1, "at_tail": columns, "at_end": last, "axis_1": 1, "step_2": 2}
    constants: dict[str, Any] = {name: np.array([number], dtype=np.int64) for name, number in numbers.items()}
    constants["axes_dropped"] = np.array([1, 2] if weights.ndim == 1 else [1], dtype=np.int64)
    constants |= {"nothing": np.array(0, np.float32), "whole": np.array(1, np.float32), "term_weights": table}
    return nodes, {**constants, "highest_number": np.array(len(weights), np.float32)}
