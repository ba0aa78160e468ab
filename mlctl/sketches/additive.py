"""Foretells the mean score of a day from the histograms of its inputs alone, and so splits a shift in two.

An additive model of the score over the bins of the features (ridge regression on one column a bin) has a mean that
hangs on the share of rows in each bin and on nothing else: re-weighting the training rows to a day's inputs is adding
up shares times coefficients. What the inputs foretell is *explained*; the rest comes from how inputs go together, from
another model, or from a fault on the way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mlctl.sketches.shapes import Shape
from mlctl.sketches.sheet import DECISION, SCORE, WORDS, Sheet, columns_of
from mlctl.sketches.sketch import Sketch

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

_GROUPS: Final = 10
_RIDGE: Final = 1.0
_MOST_ROWS: Final = 100_000
_MOST_DECISIONS: Final = 10


@dataclass(frozen=True)
class Split:
    """How far an output moved, and why.

    Attributes:
        shift: The day's mean less the training rows' one.
        explained: What of it the inputs foretell.
        by: By feature its part of what is explained, the largest first.
    """

    shift: float
    explained: float
    by: Mapping[str, float]

    @property
    def unexplained(self) -> float:
        """What the inputs do not foretell."""
        return self.shift - self.explained


@dataclass(frozen=True)
class Additive:
    """Coefficients by output, feature and bin; the last one of each feature is for a missing value.

    Attributes:
        outputs: By output (`@score`, or `@decision=WORD`) the coefficients by feature.
        r2: By output, the share of the variance of single rows that the inputs explain, 0 to 1.
    """

    outputs: Mapping[str, Mapping[str, Sequence[float]]]
    r2: Mapping[str, float]

    @classmethod
    def learn(
        cls, rows: pl.DataFrame, shapes: Mapping[str, Shape], columns: Mapping[str, pl.Series]
    ) -> Additive | None:
        """Learns from scored rows; None where there is nothing to learn from.

        Args:
            rows: Scored rows.
            shapes: By feature its shape.
            columns: What `columns_of` made of the rows.
        """
        import numpy as np

        names = [name for name in shapes if not name.endswith(WORDS) and name in columns]
        step = max(1, rows.height // _MOST_ROWS)
        targets = {name: values[::step] for name, values in _targets(rows).items()}
        known = ~np.any([np.isnan(values) for values in targets.values()], axis=0) if targets else np.zeros(0, bool)
        if not names or not known.any():
            return None
        members, places, width = _groups(names, shapes, columns, step)
        solved = _solve(members[known], width, np.stack([values[known] for values in targets.values()]))
        outputs: dict[str, dict[str, list[float]]] = {}
        for place, output in enumerate(targets):
            outputs[output] = {name: _rounded(solved[0][place][places[name]]) for name in names}
        return cls(outputs, dict(zip(targets, _rounded(solved[1]), strict=True)))

    def split(self, output: str, sheet: Sheet, whole: Sheet, shapes: Mapping[str, Shape]) -> Split:
        """How far one output of a sheet lies from the training rows', and what of it the inputs foretell."""
        by = {}
        for name, coefficients in self.outputs[output].items():
            ours, theirs = _shares(sheet.columns.get(name)), _shares(whole.columns[name])
            if ours:
                by[name] = sum(c * (a - b) for c, a, b in zip(coefficients, ours, theirs, strict=True))
        explained = sum(by.values())
        ordered = dict(sorted(by.items(), key=lambda item: -abs(item[1])))
        return Split(level(output, sheet, shapes) - level(output, whole, shapes), explained, ordered)

    def record(self) -> dict[str, Any]:
        """The coefficients as JSON-ready data."""
        return {
            "outputs": {o: {n: list(c) for n, c in by.items()} for o, by in self.outputs.items()},
            "r2": dict(self.r2),
        }

    @classmethod
    def of_record(cls, told: Mapping[str, Any]) -> Additive:
        """What `record` gave."""
        return cls(told["outputs"], told["r2"])


def _rounded(values: np.ndarray[Any, Any]) -> list[float]:
    """Nine digits, which the order of sums does not change."""
    return [float(f"{value:.9g}") for value in values.tolist()]


def level(output: str, sheet: Sheet, shapes: Mapping[str, Shape]) -> float:
    """The mean score of a sheet, or the share of one decision; 0 where there is none."""
    if output == SCORE:
        return sheet.columns[SCORE].mean(shapes[SCORE]) or 0.0
    word, sketch, shape = output.removeprefix(f"{DECISION}="), sheet.columns[DECISION], shapes[DECISION]
    place = shape.categories.index(word) if word in shape.categories else -1
    return sketch.bins[place] / sketch.known if sketch.known and sketch.bins else 0.0


def _shares(sketch: Sketch | None) -> list[float]:
    """Shares of all rows by bin, and last of those without a value."""
    if sketch is None or not sketch.rows:
        return []
    return [*(count / sketch.rows for count in sketch.bins), sketch.null_share]


def _targets(rows: pl.DataFrame) -> dict[str, np.ndarray[Any, Any]]:
    import numpy as np

    found = {}
    score = columns_of(rows.select("score"), ())[SCORE]
    found[SCORE] = score.cast(float).to_numpy().astype(np.float64)
    if "decision" in rows.columns:
        common = rows["decision"].value_counts(name="/rows").sort(["/rows", "decision"], descending=[True, False])
        for word in common["decision"].head(_MOST_DECISIONS):
            found[f"{DECISION}={word}"] = (rows["decision"] == word).fill_null(False).to_numpy().astype(np.float64)
    return found


def _groups(
    names: Sequence[str], shapes: Mapping[str, Shape], columns: Mapping[str, pl.Series], step: int
) -> tuple[np.ndarray[Any, Any], dict[str, np.ndarray[Any, Any]], int]:
    """Of every row and feature the column of its bin's group; by feature the columns of its bins; how many columns."""
    import numpy as np

    members, places, width = [], {}, 0
    for name in names:
        bins = shapes[name].bins
        place = _bin_of(columns[name][::step], shapes[name])
        # neighbours go together until each group has its part of the rows; a missing value stands alone
        counts = np.bincount(place, minlength=bins + 1)[:bins]
        whole = max(1, int(counts.sum()))
        group = np.minimum((np.cumsum(counts) - counts) * _GROUPS // whole, _GROUPS - 1)
        if shapes[name].kind == "category":
            group = np.arange(bins)
        group = np.unique(group, return_inverse=True)[1]
        columns_here = width + np.append(group, group.max(initial=-1) + 1)
        places[name] = columns_here
        members.append(columns_here[place])
        width = int(columns_here.max()) + 1
    return np.stack(members, axis=1), places, width


def _bin_of(values: pl.Series, shape: Shape) -> np.ndarray[Any, Any]:
    """[rows] the bin of each value; one behind the last for a missing one."""
    import numpy as np
    import polars as pl

    if shape.kind == "number":
        numbers = values.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
        place = np.searchsorted(np.asarray(shape.edges), numbers, side="right")
        return np.where(np.isfinite(numbers), place, shape.bins)
    codes = {name: place for place, name in enumerate(shape.categories)}
    text = values.cast(pl.String, strict=False)
    known = text.replace_strict(codes, default=len(codes), return_dtype=pl.Int64)
    return pl.select(pl.when(text.is_null()).then(shape.bins).otherwise(known)).to_series().to_numpy()


def _solve(
    members: np.ndarray[Any, Any], width: int, targets: np.ndarray[Any, Any]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Coefficients (outputs, columns), and by output the share of variance that they explain."""
    import numpy as np
    from scipy.sparse import csr_matrix

    rows, features = members.shape
    where = (np.repeat(np.arange(rows), features), members.ravel())
    table = csr_matrix((np.ones(rows * features), where), shape=(rows, width))
    centred = targets - targets.mean(axis=1, keepdims=True)
    normal = (table.T @ table).toarray() + _RIDGE * np.eye(width)
    coefficients = np.linalg.solve(normal, table.T @ centred.T).T
    left = centred - (table @ coefficients.T).T
    whole = (centred**2).sum(axis=1)
    return coefficients, np.clip(1 - (left**2).sum(axis=1) / np.where(whole > 0, whole, 1), 0, 1)
