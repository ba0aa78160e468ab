"""What training saw, sealed with the release: shapes, the sketch of all training rows, and what days were like.

The days are the moments of training, each a day's rows; where there are fewer than `FEWEST_DAYS` of them, days are
drawn from the training rows (disjoint parts in a fixed random order), which show how a statistic of so many rows
scatters, but not how the world moves from day to day. Which of both it is stands in `observed`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from mlctl.errors import IntegrityError
from mlctl.features import fulfils
from mlctl.files import sha256_of
from mlctl.sketches.additive import Additive
from mlctl.sketches.norms import Norm, norms
from mlctl.sketches.screen import Screen
from mlctl.sketches.shapes import Shape, shape_of
from mlctl.sketches.sheet import DECISION, OUTPUTS, Sheet, columns_of, sheet_of
from mlctl.sketches.sketch import Sketch
from mlctl.sketches.statistics import DEVIATION, Scale, deviation_error, distances, statistics

if TYPE_CHECKING:
    import polars as pl

FORMAT: Final = "1.0"
FEWEST_DAYS: Final = 14
DRAWN_DAYS: Final = 40
_SMALLEST_DAY: Final = 30


@dataclass(frozen=True)
class Day:
    """One training day.

    Attributes:
        day: Which; None where it was drawn.
        rows: Its rows.
        values: By column and statistic, the value on the even scale (`statistics.py`); distances as they are.
    """

    day: date | None
    rows: int
    values: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Baseline:
    """What training saw.

    Attributes:
        id: Hash of its content; sheets name the baseline by which they were counted.
        shapes: By column its shape.
        whole: The sheet of all training rows.
        days: What days were like.
        observed: Whether the days are real ones, and not drawn from all rows.
        importance: By column the model's weight of it, shares of 1.
        texts: Features that are read by their words.
        cohorts: By cohort its condition over features.
        additive: Foretells scores and decisions from the histograms of the inputs alone; None where there are none.
        evaluation: By metric, what the release was promised to reach (value, low, high), options to measure it again,
            and its place among the metrics.
    """

    id: str
    shapes: Mapping[str, Shape]
    whole: Sheet
    days: tuple[Day, ...]
    observed: bool
    importance: Mapping[str, float]
    texts: tuple[str, ...]
    cohorts: Mapping[str, str]
    additive: Additive | None
    evaluation: Mapping[str, Mapping[str, Any]]

    @cached_property
    def norms(self) -> Mapping[str, Mapping[str, Norm]]:
        """By column and statistic, what it is like on a usual day."""
        found = norms(self.days, self.observed)
        for column, sketch, shape in self._sketches():
            if (norm := found.get(column, {}).get(DEVIATION)) is not None:
                # days of the same entities hardly differ, and a part of them does
                found[column][DEVIATION] = replace(norm, slack=deviation_error(sketch, shape))
        return found

    def _sketches(self) -> Iterator[tuple[str, Sketch, Shape]]:
        """What training saw of each column; the outputs of a cohort go by its name in front."""
        for name, shape in self.shapes.items():
            yield name, self.whole.columns[name], shape
        for cohort, outputs in self.whole.cohorts.items():
            for name, sketch in outputs.items():
                yield f"{cohort}{name}", sketch, self.shapes[name]

    @cached_property
    def screen(self) -> Screen:
        """Tells which columns of a day could be surprising at all."""
        names = {name: (shape, self.scale(name), self.norms.get(name, {})) for name, shape in self.shapes.items()}
        return Screen(names)

    def scale(self, column: str) -> Scale:
        """The unit of a column's statistics."""
        return Scale.of(self.whole.columns[column], self.shapes[column])

    def sheet(self, rows: pl.DataFrame) -> Sheet:
        """The sheet of scored rows: features, score, decision, reason, variant."""
        return sheet_of(rows, self.shapes, self.texts, _members(rows, self.cohorts))

    def record(self) -> dict[str, Any]:
        """The baseline as JSON-ready data."""
        return {
            "format_version": FORMAT,
            "shapes": {name: shape.model_dump(mode="json") for name, shape in self.shapes.items()},
            "whole": self.whole.record(),
            "days": [[None if day.day is None else day.day.isoformat(), day.rows, day.values] for day in self.days],
            "observed": self.observed,
            "importance": dict(self.importance),
            "texts": list(self.texts),
            "cohorts": dict(self.cohorts),
            "additive": None if self.additive is None else self.additive.record(),
            "evaluation": {name: dict(told) for name, told in self.evaluation.items()},
        }

    def text(self) -> str:
        """The baseline as it is sealed: one line of JSON, keys sorted."""
        return _text(self.record())


def _text(record: Mapping[str, Any]) -> str:
    return json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False) + "\n"


def of_record(told: Mapping[str, Any], where: str = "baseline.json") -> Baseline:
    """The baseline that a sealed record says.

    Raises:
        IntegrityError: It is of another format.
    """
    if told.get("format_version") != FORMAT:
        why = f"its format is {told.get('format_version')}, this mlctl reads {FORMAT}"
        raise IntegrityError.refused(where, why, "mlctl run projects/NAME")
    days = tuple(
        Day(None if day is None else date.fromisoformat(day), rows, values) for day, rows, values in told["days"]
    )
    return Baseline(
        id=sha256_of(_text(told))[:16],
        shapes={name: Shape.model_validate(shape) for name, shape in told["shapes"].items()},
        whole=Sheet.of_record(told["whole"]),
        days=days,
        observed=told["observed"],
        importance=told["importance"],
        texts=tuple(told["texts"]),
        cohorts=told["cohorts"],
        additive=None if told["additive"] is None else Additive.of_record(told["additive"]),
        evaluation=told["evaluation"],
    )


@dataclass(frozen=True)
class Learnt:
    """What a baseline is made of beside rows: see `Baseline`."""

    importance: Mapping[str, float]
    texts: Sequence[str]
    cohorts: Mapping[str, str]
    evaluation: Mapping[str, Mapping[str, Any]]
    bins: int = 32
    categories: int = 100


def learn(rows: pl.DataFrame, days: Mapping[date, pl.DataFrame], learnt: Learnt) -> Baseline:
    """The baseline of training rows.

    Args:
        rows: Features and outputs (score, decision, reason, variant) of the rows that the model knows, or knows others
            like them; their scores are of models that had not seen them.
        days: The same of real days, where there are any.
        learnt: What else it holds.
    """
    found = columns_of(rows, learnt.texts)
    shapes = {name: shape_of(values, learnt.bins, learnt.categories) for name, values in found.items()}
    features = [name for name in shapes if name not in OUTPUTS]
    additive = (
        Additive.learn(rows, {name: shapes[name] for name in features}, found) if "score" in rows.columns else None
    )
    whole = sheet_of(rows, shapes, learnt.texts, _members(rows, learnt.cohorts))
    observed = len(days) >= FEWEST_DAYS
    parts: Mapping[Any, pl.DataFrame] = days if observed else _drawn(rows)
    told = []
    for key, part in parts.items():
        sheet = sheet_of(part, shapes, learnt.texts, _members(part, learnt.cohorts))
        told.append(Day(key if observed else None, part.height, day_values(sheet, shapes, whole, additive)))
    record = Baseline(
        id="",
        shapes=shapes,
        whole=whole,
        days=tuple(told),
        observed=observed,
        importance=learnt.importance,
        texts=tuple(learnt.texts),
        cohorts=learnt.cohorts,
        additive=additive,
        evaluation=learnt.evaluation,
    ).record()
    return of_record(record)


def _members(rows: pl.DataFrame, cohorts: Mapping[str, str]) -> dict[str, pl.Series]:
    """By cohort, which rows belong to it."""
    return {name: fulfils(rows, text, f"cohorts.{name}") for name, text in cohorts.items()}


def day_values(
    sheet: Sheet, shapes: Mapping[str, Shape], whole: Sheet, additive: Additive | None
) -> dict[str, dict[str, float]]:
    """By column every statistic and distance of one day; of outputs also what the inputs do not explain.

    The outputs of a cohort go by its name in front, such as `annual@score`.
    """
    found: dict[str, dict[str, float]] = {}
    for name, shape in shapes.items():
        sketch, reference = sheet.columns[name], whole.columns[name]
        told = {what: value for what, (_, value) in statistics(sketch, shape, Scale.of(reference, shape)).items()}
        found[name] = {
            what: float(f"{value:.9g}") for what, value in (told | distances(sketch, reference, shape)).items()
        }
    for cohort, outputs in sheet.cohorts.items():
        for name, sketch in outputs.items():
            scale = Scale.of(whole.cohorts[cohort][name], shapes[name])
            values = statistics(sketch, shapes[name], scale).items()
            found[f"{cohort}{name}"] = {what: float(f"{value:.9g}") for what, (_, value) in values}
    if additive is not None:
        for output in additive.outputs:
            left = additive.split(output, sheet, whole, shapes).unexplained
            found.setdefault(output, {})["unexplained"] = float(f"{left:.9g}")
    return found


def _drawn(rows: pl.DataFrame) -> dict[int, pl.DataFrame]:
    """Disjoint parts of the rows in a fixed random order, as even as can be."""
    import numpy as np

    count = max(1, min(DRAWN_DAYS, rows.height // _SMALLEST_DAY))
    order = np.random.Generator(np.random.PCG64(7)).permutation(rows.height)
    return {place: rows[np.sort(part)] for place, part in enumerate(np.array_split(order, count))}


__all__ = ["DECISION", "Baseline", "Day", "Learnt", "day_values", "learn", "of_record"]
