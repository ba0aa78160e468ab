"""What each column of a row adds to the sum behind its score, exactly, from the graph alone.

Sums of weighted columns: weight times standardised value, which is the value's distance from the mean. Trees: Shapley
values where a column that is not asked sends a row down both ways, in the shares of the training rows that went there
(path-dependent TreeSHAP, Lundberg et al., "Consistent individualized feature attribution for tree ensembles", 2018).
Of one leaf they are an integral of a product over the path's columns; a polynomial, so a few points give it exactly
(Yu et al., "Linear TreeShap", NeurIPS 2022). The shares are the ensemble's `nodes_hitrates`: the weight of the rows
that passed each node.

Sums are log odds of a probability, before any calibration; of a number they are the number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mlctl.errors import IntegrityError
from mlctl.models._terms import sparse
from mlctl.text import TextColumn

if TYPE_CHECKING:
    import numpy as np
    import onnx

_SUMS: Final = "sums"
"""What the graphs of `mlctl/models` call the output that the score is made of."""
_TABLED: Final = 8
"""Trees with at most so many questions are one table over all their answers."""
_CHUNK_ROWS: Final = 8192
"""Rows at once, so that a column stays in the processor's cache."""


@dataclass(frozen=True)
class Additive:
    """Sums taken apart: `base` plus the parts of a row's columns is the row's sum.

    Attributes:
        base: float64 array (outputs,); one output, or one a class.
        parts: float64 array (rows, outputs, columns).
    """

    base: np.ndarray[Any, Any]
    parts: np.ndarray[Any, Any]


@dataclass(frozen=True)
class _Path:
    """The way to one leaf: which answers lead there, and what it adds to which output."""

    features: tuple[int, ...]
    answers: tuple[tuple[tuple[int, bool], ...], ...]
    shares: np.ndarray[Any, Any]
    adds: float
    output: int


@dataclass(frozen=True)
class _Tree:
    """One tree: its questions (column, threshold, whether missing counts as below) and its leaves."""

    questions: tuple[tuple[int, float, bool], ...]
    paths: tuple[_Path, ...]


def additive(file: bytes, matrix: np.ndarray[Any, Any], texts: Sequence[TextColumn] = ()) -> Additive | None:
    """The sums of rows taken apart by column; None where the graph has no such sum (a constant, a rule).

    Args:
        file: The graph.
        matrix: float32 rows (rows, columns), NaN is missing; with texts a tail of pairs behind the columns.
        texts: The texts of the encoding that made the rows.

    Raises:
        IntegrityError: The graph's trees do not say how many training rows passed each node.
    """
    from onnx import load_from_string

    graph = load_from_string(file).graph
    node = next((node for node in graph.node if _SUMS in node.output), None)
    if node is None:
        return None
    if node.op_type != "TreeEnsembleRegressor":
        return _of_weights(graph, matrix, texts)
    attributes = {attribute.name: attribute for attribute in node.attribute}
    trees = list(_trees(attributes))
    base = _base(attributes, trees)
    return Additive(base, _of_trees(trees, matrix, len(base)))


def _of_weights(graph: onnx.GraphProto, matrix: np.ndarray[Any, Any], texts: Sequence[TextColumn]) -> Additive:
    import numpy as np
    from onnx import numpy_helper

    learnt = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    columns = len(learnt["medians"])
    values = matrix[:, :columns].astype(np.float64)
    filled = np.where(np.isnan(values), learnt["medians"], values)
    scaled = np.clip((filled - learnt["means"]) / learnt["deviations"], learnt["lowest"], learnt["highest"])
    weights = learnt["weights"].reshape(columns, -1)
    parts = scaled[:, None, :] * weights.T[None, :, :]
    if texts:
        shares = sparse(matrix, columns, texts[-1].last).tocsc()
        for column, first, last in texts:
            parts[:, :, column] = shares[:, first - 1 : last] @ learnt["term_weights"][first : last + 1]
    return Additive(learnt["intercept"].reshape(-1), parts)


def _trees(attributes: dict[str, onnx.AttributeProto]) -> Iterator[_Tree]:
    """The ensemble's trees, in their order.

    Raises:
        IntegrityError: The rows that passed each node are not told.
    """
    named = ("treeids", "nodeids", "featureids", "values", "truenodeids", "falsenodeids", "modes")
    told = {name: _list(attributes[f"nodes_{name}"]) for name in named}
    told["missing"] = _list(attributes["nodes_missing_value_tracks_true"])
    if "nodes_hitrates" not in attributes:
        why = "its trees do not say how many training rows passed each node, which contributions are made of"
        raise IntegrityError.refused("model.onnx", why, "make the release again: mlctl run projects/NAME")
    told["rows"] = _list(attributes["nodes_hitrates"])
    leaves = {
        (tree, node): (output, adds)
        for tree, node, output, adds in zip(
            *(_list(attributes[f"target_{name}"]) for name in ("treeids", "nodeids", "ids", "weights")), strict=True
        )
    }
    by_tree: dict[int, dict[int, dict[str, Any]]] = {}
    for place, tree in enumerate(told["treeids"]):
        node = {name: values[place] for name, values in told.items()}
        by_tree.setdefault(tree, {})[node["nodeids"]] = node
    for number, nodes in by_tree.items():
        inner = [node for node in nodes.values() if node["modes"] != b"LEAF"]
        place_of = {node["nodeids"]: place for place, node in enumerate(inner)}
        questions = tuple((node["featureids"], node["values"], bool(node["missing"])) for node in inner)
        root = next(iter(nodes))
        paths = tuple(
            _path(way, nodes, place_of, leaves.get((number, leaf), (0, 0.0))) for leaf, way in _ways(nodes, root, ())
        )
        yield _Tree(questions, paths)


def _list(attribute: onnx.AttributeProto) -> list[Any]:
    return list(attribute.ints) or list(attribute.floats) or list(attribute.strings)


def _ways(
    nodes: dict[int, dict[str, Any]], at: int, way: tuple[tuple[int, bool], ...]
) -> Iterator[tuple[int, tuple[tuple[int, bool], ...]]]:
    """Each leaf below a node, with the nodes above it and the answers that lead to it."""
    node = nodes[at]
    if node["modes"] == b"LEAF":
        yield at, way
        return
    yield from _ways(nodes, node["truenodeids"], (*way, (at, True)))
    yield from _ways(nodes, node["falsenodeids"], (*way, (at, False)))


def _path(
    way: tuple[tuple[int, bool], ...],
    nodes: dict[int, dict[str, Any]],
    place_of: dict[int, int],
    leaf: tuple[int, float],
) -> _Path:
    import numpy as np

    answers: dict[int, list[tuple[int, bool]]] = {}
    shares: dict[int, float] = {}
    for at, answer in way:
        node = nodes[at]
        child = nodes[node["truenodeids" if answer else "falsenodeids"]]
        feature = node["featureids"]
        answers.setdefault(feature, []).append((place_of[at], answer))
        share = child["rows"] / node["rows"] if node["rows"] else 0.0
        shares[feature] = shares.get(feature, 1.0) * share
    told = tuple(tuple(found) for found in answers.values())
    return _Path(tuple(answers), told, np.array(list(shares.values())), leaf[1], leaf[0])


def _base(attributes: dict[str, onnx.AttributeProto], trees: list[_Tree]) -> np.ndarray[Any, Any]:
    """What the sums are on average over the training rows: float64 array (outputs,)."""
    import numpy as np

    base = np.zeros(attributes["n_targets"].i)
    if "base_values" in attributes:
        base += _list(attributes["base_values"])
    for tree in trees:
        for path in tree.paths:
            base[path.output] += path.adds * float(np.prod(path.shares))
    return base


def _of_trees(trees: list[_Tree], matrix: np.ndarray[Any, Any], outputs: int) -> np.ndarray[Any, Any]:
    import numpy as np

    parts = np.zeros((len(matrix), outputs, matrix.shape[1]))
    tables = [_table(tree) if len(tree.questions) <= _TABLED else None for tree in trees]
    for start in range(0, len(matrix), _CHUNK_ROWS):
        columns = np.ascontiguousarray(matrix[start : start + _CHUNK_ROWS].T, dtype=np.float32)
        missing = np.isnan(columns)
        found = np.zeros((outputs, *columns.shape))
        for tree, table in zip(trees, tables, strict=True):
            answers = [_answer(columns, missing, question) for question in tree.questions]
            if table is None:
                for output, feature, added in _added(tree, np.array(answers)):
                    found[output, feature] += added
                continue
            code = np.zeros(columns.shape[1], dtype=np.intp)
            for place, answer in enumerate(answers):
                code += answer.astype(np.intp) << place
            for (output, feature), by_code in table.items():
                found[output, feature] += by_code[code]
        parts[start : start + _CHUNK_ROWS] = found.transpose(2, 0, 1)
    return parts


def _answer(
    columns: np.ndarray[Any, Any], missing: np.ndarray[Any, Any], question: tuple[int, float, bool]
) -> np.ndarray[Any, Any]:
    """Whether each row goes the way of `below`: bool array (rows,)."""
    import numpy as np

    feature, threshold, missing_below = question
    below: np.ndarray[Any, Any] = columns[feature] < np.float32(threshold)
    return below | missing[feature] if missing_below else below


def _table(tree: _Tree) -> dict[tuple[int, int], np.ndarray[Any, Any]]:
    """What each column adds to each output, for every combination of the tree's answers (bit n: question n)."""
    import numpy as np

    codes = np.arange(2 ** len(tree.questions))
    answers = (codes[None, :] >> np.arange(len(tree.questions))[:, None] & 1).astype(bool)
    table: dict[tuple[int, int], np.ndarray[Any, Any]] = {}
    for output, feature, added in _added(tree, answers):
        table[output, feature] = table.get((output, feature), np.zeros(len(codes))) + added
    return table


def _added(tree: _Tree, answers: np.ndarray[Any, Any]) -> Iterator[tuple[int, int, np.ndarray[Any, Any]]]:
    """What each leaf adds by each column of its path, given the answers: bool array (questions, rows)."""
    import numpy as np

    for path in tree.paths:
        if not path.features:
            continue
        followed = np.array([np.all([answers[at] == wanted for at, wanted in one], axis=0) for one in path.answers])
        for place, share in enumerate(_shapley(followed.astype(np.float64), path.shares)):
            yield path.output, path.features[place], path.adds * share


def _shapley(followed: np.ndarray[Any, Any], shares: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Each column's Shapley value in the game that pays 1 at the leaf: float64 array (columns, rows).

    A column in the game pays 1 or 0 (did the row go this way), one that is not in it pays its share. The Shapley value
    of column i is (followed - share)_i times the integral over t in 0..1 of the product of the others' t * followed +
    (1 - t) * share, since the weight of a coalition is such an integral of its powers of t.

    Args:
        followed: 1.0 where all answers about the column lead to the leaf, else 0.0: float64 array (columns, rows).
        shares: The share of training rows that go this way: float64 array (columns,).
    """
    import numpy as np

    count = len(shares)
    points, weights = np.polynomial.legendre.leggauss((count + 1) // 2)
    others = np.zeros_like(followed)
    for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
        factors = point * followed + (1 - point) * shares[:, None]
        ones = np.ones((1, followed.shape[1]))
        # by products from both ends and not by division, because a factor can be 0
        before = np.cumprod(np.concatenate([ones, factors[:-1]]), axis=0)
        after = np.cumprod(np.concatenate([ones, factors[:0:-1]]), axis=0)[::-1]
        others += weight * before * after
    value: np.ndarray[Any, Any] = (followed - shares[:, None]) * others
    return value
