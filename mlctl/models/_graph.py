"""ONNX graphs with one input `features` and one output `score`, whose bytes depend on nothing but their content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from mlctl.models import OPSET

if TYPE_CHECKING:
    import numpy as np
    import onnx

ML_OPSET: Final = 3
"""The operator set of `ai.onnx.ml`, where the trees are."""

IR_VERSION: Final = 8
"""The file format that goes with OPSET: every ONNX Runtime since 1.10 reads it."""


def build(
    nodes: Sequence[onnx.NodeProto],
    constants: Mapping[str, np.ndarray[Any, Any]],
    columns: int | None,
    classes: int | None = None,
) -> bytes:
    """The graph of nodes in their order, from `features` float32 (rows, columns) to `score` float32.

    Args:
        nodes: The steps; the first ones read `features`, the last one writes `score`.
        constants: The learnt arrays by the name that the nodes use.
        columns: How many columns a row of `features` has; None where that differs from table to table.
        classes: How many columns `score` has; None where it is an array (rows,).

    Returns:
        The file: fixed names and producer, no doc strings, no external data.
    """
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        list(nodes),
        "mlctl",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, columns])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [None] if classes is None else [None, classes])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(
        graph,
        producer_name="mlctl",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)],
    )
    file: bytes = model.SerializeToString(deterministic=True)
    return file


def operators(onnx_bytes: bytes) -> frozenset[str]:
    """The operators that a graph holds.

    Raises:
        google.protobuf.message.DecodeError: The bytes are no ONNX file.
    """
    import onnx

    return frozenset(node.op_type for node in onnx.load_from_string(onnx_bytes).graph.node)
