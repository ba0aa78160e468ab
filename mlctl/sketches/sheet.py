"""A sheet: the sketches of everything that was scored together, such as a night's batch or a segment of a server's log.

Beside the features stand the outputs, under names that no feature can have: `@score`, `@decision`, `@reason` and
`@variant`; of each declared cohort the outputs alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mlctl.sketches.counting import sketch_of, sketched
from mlctl.sketches.shapes import Shape
from mlctl.sketches.sketch import Sketch, together

if TYPE_CHECKING:
    import polars as pl

SCORE: Final = "@score"
DECISION: Final = "@decision"
VARIANT: Final = "@variant"
OUTPUTS: Final = {SCORE: "score", DECISION: "decision", "@reason": "reason", VARIANT: "variant"}
"""Names of the outputs' sketches, and the columns of scored rows that they are of."""
WORDS: Final = "@words"
LENGTH: Final = "@length"
DIRECTION: Final = "@direction_"
_DIRECTIONS: Final = 8
_SEED: Final = 7


@dataclass(frozen=True)
class Sheet:
    """Sketches by column.

    Attributes:
        rows: Rows that were scored.
        columns: By feature or output, its sketch.
        cohorts: By cohort the sketches of its outputs.
    """

    rows: int
    columns: Mapping[str, Sketch]
    cohorts: Mapping[str, Mapping[str, Sketch]] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """The sheet as JSON-ready data."""
        columns = {name: sketch.record() for name, sketch in self.columns.items()}
        cohorts = {
            cohort: {name: sketch.record() for name, sketch in outputs.items()}
            for cohort, outputs in self.cohorts.items()
        }
        return {"rows": self.rows, "columns": columns, "cohorts": cohorts}

    @classmethod
    def of_record(cls, told: Mapping[str, Any]) -> Sheet:
        """The sheet that `record` gave."""
        columns = {name: Sketch.of_record(sketch) for name, sketch in told["columns"].items()}
        cohorts = {
            cohort: {name: Sketch.of_record(sketch) for name, sketch in outputs.items()}
            for cohort, outputs in told["cohorts"].items()
        }
        return cls(told["rows"], columns, cohorts)


def scored_rows(features: pl.DataFrame, outputs: pl.DataFrame) -> pl.DataFrame:
    """Features and what was decided on them, side by side; a feature that is named like an output is not watched."""
    import polars as pl

    return pl.concat([features.drop(outputs.columns, strict=False), outputs], how="horizontal")


def added_up(sheets: Iterable[Sheet]) -> Sheet | None:
    """The sheet of all their rows; None where there is no sheet."""
    whole: Sheet | None = None
    for sheet in sheets:
        whole = sheet if whole is None else _sum(whole, sheet)
    return whole


def _sum(one: Sheet, other: Sheet) -> Sheet:
    cohorts = {
        cohort: _columns(one.cohorts.get(cohort, {}), other.cohorts.get(cohort, {}))
        for cohort in {**one.cohorts, **other.cohorts}
    }
    return Sheet(one.rows + other.rows, _columns(one.columns, other.columns), cohorts)


def _columns(one: Mapping[str, Sketch], other: Mapping[str, Sketch]) -> dict[str, Sketch]:
    empty = Sketch()
    return {name: together(one.get(name, empty), other.get(name, empty)) for name in {**one, **other}}


def sheet_of(
    rows: pl.DataFrame, shapes: Mapping[str, Shape], texts: Sequence[str], cohorts: Mapping[str, pl.Series]
) -> Sheet:
    """The sheet of scored rows.

    Args:
        rows: Features, and the outputs that are known: score, decision, reason, variant.
        shapes: By sketch what it counts.
        texts: Features that are read by their words.
        cohorts: By cohort which rows belong to it.
    """
    outputs = {name: shapes[name] for name in OUTPUTS if name in shapes}
    of_cohorts = {}
    for cohort, member in cohorts.items():
        some = columns_of(rows.filter(member), ())
        of_cohorts[cohort] = {name: sketch_of(some[name], shape) for name, shape in outputs.items() if name in some}
    return Sheet(rows.height, sketched(columns_of(rows, texts), shapes, rows.height), of_cohorts)


def columns_of(rows: pl.DataFrame, texts: Sequence[str]) -> dict[str, pl.Series]:
    """What is counted of rows: plain columns as they are, texts as words and lengths, vectors as a few projections."""
    import polars as pl

    found: dict[str, pl.Series] = {name: rows[column] for name, column in OUTPUTS.items() if column in rows.columns}
    if SCORE in found and isinstance(found[SCORE].dtype, pl.List | pl.Array):
        # of several classes the surest one's probability
        found[SCORE] = found[SCORE].cast(pl.List(pl.Float64)).list.max()
    for name in rows.columns:
        values = rows[name]
        if name in OUTPUTS.values():
            continue
        if name in texts:
            found[f"{name}{LENGTH}"] = values.str.len_chars()
            words = values.str.to_lowercase().str.extract_all(r"\w+")
            found[f"{name}{WORDS}"] = words.explode(empty_as_null=False, keep_nulls=True)
        elif isinstance(values.dtype, pl.List | pl.Array):
            found |= _projections(name, values)
        elif values.dtype.is_numeric() or values.dtype in (pl.String, pl.Boolean) or values.dtype == pl.Enum:
            found[name] = values
    return found


def _projections(name: str, values: pl.Series) -> dict[str, pl.Series]:
    """A vector's length, and where it lies on some fixed directions."""
    import numpy as np
    import polars as pl

    lists = values.cast(pl.List(pl.Float64))
    width = int(lists.list.len().max() or 0)  # type: ignore[arg-type]
    there = (lists.list.len() == width).fill_null(False).to_numpy()
    matrix = np.full((len(values), max(width, 1)), np.nan)
    if width:
        matrix[there] = np.asarray(lists.filter(pl.Series(there)).to_list(), dtype=np.float64)
    # drawn by the width alone, so that every sheet of one model uses the same directions
    directions = np.random.Generator(np.random.PCG64(_SEED)).normal(size=(max(width, 1), _DIRECTIONS))
    directions /= np.sqrt((directions**2).sum(axis=0))
    found = {f"{name}{LENGTH}": pl.Series(np.sqrt((matrix**2).sum(axis=1)))}
    for place in range(_DIRECTIONS):
        found[f"{name}{DIRECTION}{place}"] = pl.Series((matrix * directions[:, place]).sum(axis=1))
    return {column: numbers.fill_nan(None) for column, numbers in found.items()}
