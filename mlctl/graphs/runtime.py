"""Graphs at work: check that a graph is what a model kind may make, score rows with it, compare it with its library.

Nothing here knows a training library. ONNX Runtime is the only thing that computes a score, in evaluation and in
production alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from mlctl.errors import IntegrityError, first_line, listed
from mlctl.graphs import tree_tables
from mlctl.models import Fitted

if TYPE_CHECKING:
    import numpy as np
    import onnx

Scorer = Callable[["np.ndarray[Any, Any]"], "np.ndarray[Any, Any]"]

BATCH_ROWS: Final = 131_072
"""Rows scored at once, which bounds the memory whatever the size of the table."""

_CELLS: Final = 16_000_000
"""Most numbers that scoring rows of texts holds at once."""

MANY_ROWS: Final = 10_000
"""Rows from which on tables of small trees are made."""

_DOMAINS: Final = frozenset({"", "ai.onnx", "ai.onnx.ml"})
_SILENT_BELOW: Final = 3
"""ONNX Runtime's severity `error`: it warns of things on stderr that concern nobody here."""


def scorer(onnx: bytes, threads: int = 1) -> Scorer:
    """A loaded graph as a function from float32 rows (rows, columns) to float32 scores (rows,) or (rows, classes).

    The function may be called from several threads at once. On one thread a row's score does not depend on the rows
    beside it; more threads sum up the trees in another order, which the last bits of a score show.

    Raises:
        IntegrityError: ONNX Runtime cannot load the graph.
    """
    import numpy as np
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    settings.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    settings.log_severity_level = _SILENT_BELOW
    try:
        session = onnxruntime.InferenceSession(onnx, settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no class but this one
        raise _refused(f"ONNX Runtime cannot load it: {first_line(error)}") from error

    by_tables, making = cache(partial(tree_tables.scorer, onnx)), Lock()
    # the graph's own shape: [rows], or [rows, classes]
    classes = session.get_outputs()[0].shape[1:]
    fixed = isinstance(session.get_inputs()[0].shape[1], int)

    def score(matrix: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        # the same bits; making the tables takes as long as some thousand rows
        if threads == 1 and len(matrix) >= MANY_ROWS:
            with making:
                fast = by_tables()
            if fast is not None:
                return fast(np.asarray(matrix, dtype=np.float32))
        rows = np.ascontiguousarray(matrix, dtype=np.float32)
        scores = np.empty((len(rows), *classes), dtype=np.float32)
        # with texts every row becomes a table, of its terms by the classes
        most = BATCH_ROWS if fixed else max(1, _CELLS // (rows.shape[1] * max(classes, default=1)))
        for start in range(0, len(rows), most):
            batch = rows[start : start + most]
            scores[start : start + len(batch)] = session.run(["score"], {"features": batch})[0]
        return scores

    return score


def score_onnx(onnx: bytes, matrix: np.ndarray[Any, Any], threads: int = 1) -> np.ndarray[Any, Any]:
    """The scores float32 (rows,) or (rows, classes) of float32 rows (rows, columns).

    Loads the graph anew: keep a `scorer` for many calls.

    Raises:
        IntegrityError: ONNX Runtime cannot load the graph.
    """
    return scorer(onnx, threads)(matrix)


def hostile(matrix: np.ndarray[Any, Any], seed: int = 7) -> np.ndarray[Any, Any]:
    """Rows that break careless graphs, made from the columns of `matrix`.

    All values missing, zero, huge, tiny, at the ends of float32; the lowest and the highest of each column; and one
    drawn row with each column in turn missing, then very low, then very high.

    Returns:
        float32 array (rows, columns) of 3 * columns + 11 rows, without infinities.
    """
    import numpy as np

    columns = matrix.shape[1]
    ends = np.finfo(np.float32)
    levels = (np.nan, 0.0, 1e30, -1e30, ends.max, ends.min, ends.tiny, -ends.tiny, ends.smallest_subnormal)
    flat = [np.full((1, columns), level, dtype=np.float32) for level in levels]
    drawn = (
        matrix[np.random.default_rng(seed).integers(len(matrix))]
        if len(matrix)
        else np.zeros(columns, dtype=np.float32)
    )
    known = matrix if len(matrix) else drawn[None, :]
    flat += [np.fmin.reduce(known, axis=0)[None, :], np.fmax.reduce(known, axis=0)[None, :]]
    for level in (np.nan, ends.min, ends.max):
        rows = np.tile(drawn, (columns, 1))
        np.fill_diagonal(rows, level)
        flat.append(rows)
    return np.concatenate(flat).astype(np.float32)


def parity(fitted: Fitted, matrix: np.ndarray[Any, Any], seed: int = 7, unit: float = 1.0) -> float:
    """The largest difference between the graph and the training library, over the given and the `hostile` rows.

    Args:
        fitted: The model.
        matrix: float32 rows (rows, columns).
        seed: Seed of the drawn hostile row.
        unit: What a difference is a share of: 1 for probabilities, the labels' deviation for a number. Scores larger
            than it are compared by their own size, since float32 holds seven digits.

    Returns:
        A difference as a share of `unit`; infinity when either side gives a score that is not finite.

    Raises:
        IntegrityError: ONNX Runtime cannot load the graph.
    """
    import numpy as np

    score = scorer(fitted.onnx)
    largest = 0.0
    for rows in (matrix, hostile(matrix, seed)):
        for start in range(0, len(rows), BATCH_ROWS):
            batch = rows[start : start + BATCH_ROWS]
            native = np.asarray(fitted.predict(batch), dtype=np.float64)
            difference = np.abs(score(batch).astype(np.float64) - native) / np.maximum(unit, np.abs(native))
            if not np.isfinite(difference).all():
                return float("inf")
            largest = max(largest, float(difference.max()))
    return largest


def check_graph(onnx: bytes, allowed: frozenset[str], columns: int | None, classes: int | None = None) -> None:
    """Lets a graph pass that a model kind may have made.

    Args:
        onnx: The file.
        allowed: The operators of the kind (its `OPS`).
        columns: How many columns the encoding gives; None where texts make that differ from table to table.
        classes: How many columns the score has; None where it is an array (rows,).

    Raises:
        IntegrityError: It cannot be parsed, holds another operator, a foreign domain, a subgraph, a function or
            external data, or does not lead from `features` float32 (rows, columns) to such a `score` float32.
    """
    from google.protobuf.message import DecodeError
    from onnx import checker, load_from_string

    try:
        model = load_from_string(onnx)
    except DecodeError as error:
        raise _refused(f"it is no ONNX file: {first_line(error)}") from error
    worst = next(iter(_faults(model, allowed, columns, classes)), None)
    if worst is not None:
        raise _refused(worst)
    try:
        checker.check_model(model)
    except checker.ValidationError as error:
        raise _refused(f"it is no valid graph: {first_line(error)}") from error


def _faults(model: onnx.ModelProto, allowed: frozenset[str], columns: int | None, classes: int | None) -> Iterable[str]:
    """What is wrong, worst first."""
    from onnx import TensorProto

    graph = model.graph
    domains = {opset.domain for opset in model.opset_import} | {node.domain for node in graph.node}
    if domains - _DOMAINS:
        yield f"it uses the foreign domain {listed(sorted(domains - _DOMAINS))}"
    if model.functions or model.training_info:
        yield "it brings functions or training steps of its own"
    if foreign := {node.op_type for node in graph.node} - allowed:
        yield f"it holds {listed(sorted(foreign))}; allowed: {listed(sorted(allowed))}"
    attributes = [attribute for node in graph.node for attribute in node.attribute]
    if any(attribute.HasField("g") or attribute.graphs for attribute in attributes):
        yield "it holds a graph inside a node"
    tensors = [*graph.initializer, *(part for item in graph.sparse_initializer for part in (item.values, item.indices))]
    tensors += [tensor for attribute in attributes for tensor in (attribute.t, *attribute.tensors)]
    if any(tensor.data_location == TensorProto.EXTERNAL or tensor.external_data for tensor in tensors):
        yield "it reads data from outside the file"
    inputs, outputs = [_signature(value) for value in graph.input], [_signature(value) for value in graph.output]
    if inputs != [("features", TensorProto.FLOAT, (None, columns))]:
        yield f"its inputs are {listed(map(_shown, inputs))}; wanted: features float32 (rows, {columns})"
    shape = (None,) if classes is None else (None, classes)
    if outputs != [("score", TensorProto.FLOAT, shape)]:
        wanted = "(rows,)" if classes is None else f"(rows, {classes})"
        yield f"its outputs are {listed(map(_shown, outputs))}; wanted: score float32 {wanted}"


def _signature(value: onnx.ValueInfoProto) -> tuple[str, int, tuple[int | None, ...] | None]:
    tensor = value.type.tensor_type
    sizes = tuple(size.dim_value if size.HasField("dim_value") else None for size in tensor.shape.dim)
    return value.name, tensor.elem_type, sizes if tensor.HasField("shape") else None


def _shown(signature: tuple[str, int, tuple[int | None, ...] | None]) -> str:
    name, element, sizes = signature
    return f"{name} (element type {element}, shape {sizes})"


def _refused(why: str) -> IntegrityError:
    return IntegrityError.refused("the model's graph", why, "make the release again: mlctl package projects/NAME")
