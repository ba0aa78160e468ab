"""Small trees as tables: the graph's own scores, to the bit, in less than half the time.

A tree of few questions is a table over all their answers: the answers of a row are the bits of a number, and the number
is the place of its leaf. Columns are asked one after another, so the processor works on many rows at once,
where ONNX Runtime walks down each tree for each row. The trees are summed up in their order in float32, as ONNX Runtime
does on one thread; what follows them in the graph (squeezing, a sigmoid, a calibration) is left to ONNX Runtime.

Use it for many rows. Not for a single one: the tables gain nothing there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    import onnx

Scorer = Callable[["np.ndarray[Any, Any]"], "np.ndarray[Any, Any]"]

MOST_QUESTIONS: Final = 8
"""Trees with more questions stay with ONNX Runtime: their tables would not pay, nor fit into a byte of answers."""
_CHUNK_ROWS: Final = 131_072
"""Rows at once: few enough for the processor's cache, and so many that two threads do not wait for Python's lock."""
_SILENT_BELOW: Final = 3
_SUMS: Final = "sums"


@dataclass(frozen=True)
class _Tree:
    """One tree as a table.

    Attributes:
        questions: Column, threshold, and whether missing goes the way of `below`; question n is bit n.
        leaves: float32 array (2 ** questions,): what the tree adds, by the answers.
        output: The sum that it adds to.
    """

    questions: tuple[tuple[int, np.float32, bool], ...]
    leaves: np.ndarray[Any, Any]
    output: int


def scorer(file: bytes) -> Scorer | None:
    """A graph as a function from float32 rows (rows, columns) to float32 scores (rows,) or (rows, classes).

    None where its trees have too many questions, or where there are none.

    The function may be called from several threads at once. Its scores are those of ONNX Runtime on one thread.

    Args:
        file: A graph of a model kind, checked.
    """
    from onnx import load_from_string

    model = load_from_string(file)
    ensemble = next((node for node in model.graph.node if _SUMS in node.output), None)
    if ensemble is None or ensemble.op_type != "TreeEnsembleRegressor" or list(ensemble.input) != ["features"]:
        return None
    told = {attribute.name: _told(attribute) for attribute in ensemble.attribute}
    trees = _trees(told)
    if trees is None:
        return None
    rest, base = _rest(model, ensemble, told)

    def score(matrix: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        import numpy as np

        sums = np.zeros((len(matrix), len(base)), dtype=np.float32)
        for start in range(0, len(matrix), _CHUNK_ROWS):
            chunk = slice(start, start + _CHUNK_ROWS)
            _add(trees, matrix[chunk], sums[chunk].T)
        return rest(sums + base)

    return score


def _told(attribute: onnx.AttributeProto) -> Any:
    from onnx import helper

    return helper.get_attribute_value(attribute)


def _trees(told: dict[str, Any]) -> list[_Tree] | None:
    """The trees in their order; None where one has too many questions, or others than `below`."""
    import numpy as np

    places: dict[int, dict[int, int]] = {}
    for place, (tree, node) in enumerate(zip(told["nodes_treeids"], told["nodes_nodeids"], strict=True)):
        places.setdefault(tree, {})[node] = place
    leaves: dict[int, dict[int, tuple[int, float]]] = {}
    columns = [told[f"target_{name}"] for name in ("treeids", "nodeids", "ids", "weights")]
    for tree, node, output, adds in zip(*columns, strict=True):
        leaves.setdefault(tree, {})[node] = (output, adds)
    trees = []
    for number, place_of in places.items():
        inner = [place for place in place_of.values() if told["nodes_modes"][place] != b"LEAF"]
        outputs = {output for output, _ in leaves[number].values()}
        modes = {told["nodes_modes"][place] for place in inner}
        if len(inner) > MOST_QUESTIONS or len(outputs) != 1 or modes - {b"BRANCH_LT"}:
            return None
        questions = tuple(
            (
                told["nodes_featureids"][place],
                np.float32(told["nodes_values"][place]),
                bool(told["nodes_missing_value_tracks_true"][place]),
            )
            for place in inner
        )
        adds_of = {node: adds for node, (_, adds) in leaves[number].items()}
        trees.append(_Tree(questions, _table(told, place_of, inner, adds_of), outputs.pop()))
    return trees


def _table(
    told: dict[str, Any], place_of: dict[int, int], inner: list[int], adds: dict[int, float]
) -> np.ndarray[Any, Any]:
    """What the tree adds, for every combination of answers: float32 array (2 ** questions,)."""
    import numpy as np

    bit = {place: number for number, place in enumerate(inner)}
    table = np.zeros(2 ** len(inner), dtype=np.float32)
    root = next(iter(place_of))
    for code in range(len(table)):
        node = root
        while (place := place_of[node]) in bit:
            below = code >> bit[place] & 1
            node = told["nodes_truenodeids" if below else "nodes_falsenodeids"][place]
        table[code] = adds[node]
    return table


def _add(trees: list[_Tree], matrix: np.ndarray[Any, Any], sums: np.ndarray[Any, Any]) -> None:
    """Adds what the trees say of some rows to `sums`, float32 array (outputs, rows)."""
    import numpy as np

    columns = np.ascontiguousarray(matrix.T, dtype=np.float32)
    missing: np.ndarray[Any, Any] = np.isnan(columns)
    has_missing = np.asarray(missing.any(axis=1))
    for tree in trees:
        code = np.zeros(columns.shape[1], dtype=np.uint8)
        for bit, (column, threshold, missing_below) in enumerate(tree.questions):
            below: np.ndarray[Any, Any] = columns[column] < threshold
            if missing_below and has_missing[column]:
                below |= missing[column]
            code |= below.view(np.uint8) << np.uint8(bit)
        sums[tree.output] += tree.leaves.take(code)


def _rest(
    model: onnx.ModelProto, ensemble: onnx.NodeProto, told: dict[str, Any]
) -> tuple[Scorer, np.ndarray[Any, Any]]:
    """What the graph makes of the sums, on one thread, and what the sums begin with: float32 array (outputs,)."""
    import numpy as np
    import onnxruntime
    from onnx import TensorProto, helper

    outputs = told["n_targets"]
    model.graph.node.remove(ensemble)
    del model.graph.input[:]
    model.graph.input.append(helper.make_tensor_value_info(_SUMS, TensorProto.FLOAT, [None, outputs]))
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    settings.log_severity_level = _SILENT_BELOW
    session = onnxruntime.InferenceSession(model.SerializeToString(), settings, providers=["CPUExecutionProvider"])

    def rest(sums: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        score: np.ndarray[Any, Any] = session.run(["score"], {_SUMS: sums})[0]
        return score

    return rest, np.asarray(told.get("base_values", [0.0] * outputs), dtype=np.float32)
