"""Which picture each part of the report gets, with its text alternative and the numbers behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlctl.judging.curves import Points, thinned
from mlctl.report import charts
from mlctl.report.words import number

TABLE_POINTS = 9
"""Points of each series in the table beside a curve."""
MOST_SQUARES = 20
"""Classes up to which their confusion is drawn; of more, the table a class tells enough."""
MOST_OUTCOMES = 8
"""Classes whose partial dependence is drawn."""


@dataclass(frozen=True)
class Figure:
    """A chart, and the same for who does not see it.

    Attributes:
        title: What it shows.
        says: How to read it.
        svg: The chart.
        header: Of the numbers behind it.
        rows: The numbers.
    """

    title: str
    says: str
    svg: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def curves(told: Mapping[str, Any], order: Sequence[str]) -> list[Figure]:
    """The figures of whatever curves the task has, models in their order.

    Args:
        told: The curves of the report's contents.
        order: The models, the adopted one first.
    """
    found = []
    for name, (title, says, x, y, diagonal) in _LINES.items():
        if name in told and (series := _ordered(told[name], order)):
            found.append(_lines(name, series, (title, says), (x, y), diagonal))
    if told.get("calibration", {}).get("rows"):
        found.append(_calibration(told["calibration"]))
    if "histogram" in told:
        found.append(_histogram(told["histogram"]))
    if told.get("foretold", {}).get("rows"):
        found.append(_foretold(told["foretold"]))
    if "confusion" in told and len(told["confusion"]["classes"]) <= MOST_SQUARES:
        found.append(_confusion(told["confusion"]))
    return found


_LINES = {
    "roc": (
        "ROC",
        "Share of the positives found for each share of the negatives taken along; the dashed line is chance.",
        "false_positive_share",
        "true_positive_share",
        True,
    ),
    "pr": (
        "Precision and recall",
        "How many of the chosen are positive, for each share of the positives found.",
        "recall",
        "precision",
        False,
    ),
    "lift": (
        "Gain",
        "Share of the positives found when the highest scores are taken first; the dashed line is chance.",
        "share_of_rows",
        "gain",
        True,
    ),
    "coverage": (
        "Coverage and accuracy",
        "How right the decisions are when only the surest rows are decided.",
        "coverage",
        "accuracy",
        False,
    ),
    "residuals": (
        "Residuals",
        "Quantiles of truth minus foretold, in the label's unit; 0 is a hit.",
        "quantile",
        "residual",
        False,
    ),
}


def ladder(rungs: Sequence[Mapping[str, Any]], metric: str) -> Figure | None:
    """Each rung's metric on rows held out, with its interval."""
    known = [rung for rung in rungs if rung["value"] is not None]
    lines = [(rung["name"], rung["value"], rung["low"], rung["high"]) for rung in known]
    return _intervals("ladder", lines, ("What complexity bought", "Each rung on training rows held out."), metric)


def learning(told: Mapping[str, Any]) -> Figure:
    """The metric on rows held out, by how many rows the adopted model learnt from."""
    values = [
        {"x": point["rows"], "y": point["value"], "low": point["low"], "high": point["high"], "series": told["model"]}
        for point in told["points"]
    ]
    header = ("share", "rows", "value", "low", "high")
    rows = tuple(tuple(number(point[name]) for name in header) for point in told["points"])
    says = f"{told['metric']} on rows held out, with 95 % intervals, when a share of the other rows teaches."
    svg = charts.band("learning", values, ("rows learnt from", told["metric"]))
    return Figure("Learning curve", says, svg, header, rows)


def cohorts(lines: Sequence[Mapping[str, Any]], everybody: Mapping[str, Any], metric: str) -> Figure | None:
    """The first metric of everybody and of each cohort, with intervals."""
    all_of = [("everybody", everybody)] + [(line["cohort"], (line["measured"] or {}).get(metric)) for line in lines]
    known = [
        (name, found["value"], found["low"], found["high"])
        for name, found in all_of
        if found and found["value"] is not None
    ]
    return _intervals("cohorts", known, ("Cohorts", "The adopted model on each cohort."), metric)


def importance(lines: Sequence[Mapping[str, Any]]) -> Figure | None:
    """A bar a feature."""
    if not lines:
        return None
    values = [{"series": line["feature"], "x": line["share"]} for line in lines]
    rows = tuple((line["feature"], number(line["share"])) for line in lines)
    svg = charts.bars("importance", values, "share of what the model learnt")
    return Figure("Importance", "Which features the adopted model learnt from.", svg, ("feature", "share"), rows)


def dependence(lines: Sequence[Mapping[str, Any]], classes: Sequence[str]) -> list[Figure]:
    """A figure a feature: the mean score at each of its values, and where most single rows lie."""
    found = []
    for index, line in enumerate(lines):
        several = len(line["outcomes"]) > 1
        numbers = all(isinstance(value, (int, float)) for value in line["values"])
        values = [
            {
                "x": value if numbers else "missing" if value is None else str(value),
                "y": outcome["mean"][place],
                "low": outcome["low"][place],
                "high": outcome["high"][place],
                "series": str(classes[code]) if several else "score",
            }
            for code, outcome in enumerate(line["outcomes"][:MOST_OUTCOMES])
            for place, value in enumerate(line["values"])
        ]
        if not values:
            continue
        says = "Mean score when everybody had this value; around it lie the scores of most rows (tenth to ninetieth)."
        rows = tuple((v["series"], *(number(v[name]) for name in ("x", "y", "low", "high"))) for v in values)
        svg = charts.band(f"dependence_{index}", values, (line["feature"], "mean score"))
        found.append(Figure(line["feature"], says, svg, ("of", line["feature"], "mean", "low", "high"), rows))
    return found


def _ordered(series: Mapping[str, Points], order: Sequence[str]) -> dict[str, Points]:
    """The series that have points: models in their order, whatever else as it comes."""
    known = [name for name in order if name in series] + [name for name in series if name not in order]
    return {name: series[name] for name in known if all(series[name].values())}


def _lines(
    name: str, series: Mapping[str, Points], words: tuple[str, str], axes: tuple[str, str], diagonal: bool
) -> Figure:
    values, rows = [], []
    for each, points in series.items():
        pairs = zip(points[axes[0]], points[axes[1]], strict=True)
        values += [{"n": n, "x": round(x, 5), "y": round(y, 5), "series": each} for n, (x, y) in enumerate(pairs)]
        few = thinned({axis: points[axis] for axis in axes}, TABLE_POINTS)
        rows += [(each, number(x), number(y)) for x, y in zip(few[axes[0]], few[axes[1]], strict=True)]
    titles = (axes[0].replace("_", " "), axes[1].replace("_", " "))
    return Figure(*words, charts.lines(name, values, titles, diagonal), ("of", *titles), tuple(rows))


def _intervals(name: str, lines: Sequence[tuple[Any, ...]], words: tuple[str, str], metric: str) -> Figure | None:
    if not lines:
        return None
    values = [
        {"series": of, "x": value, "low": value if low is None else low, "high": value if high is None else high}
        for of, value, low, high in lines
    ]
    rows = tuple((str(of), *map(number, found)) for of, *found in lines)
    return Figure(*words, charts.intervals(name, values, metric), ("of", metric, "low", "high"), rows)


def _calibration(points: Points) -> Figure:
    names = ("mean_score", "positive_share", "low", "high", "rows")
    lines = list(zip(*(points[name] for name in names), strict=True))
    values = [dict(zip(("x", "y", "low", "high"), line[:4], strict=True)) for line in lines]
    titles = ("mean score", "share that came true")
    says = (
        "What really happened at each height of the score, with 95 % intervals; on the dashed line scores are honest."
    )
    rows = tuple(tuple(map(number, line)) for line in lines)
    return Figure("Calibration", says, charts.points("calibration", values, titles, True), (*titles, *names[2:]), rows)


def _histogram(points: Points) -> Figure:
    values, rows = [], []
    for low, high, zeros, ones in zip(*points.values(), strict=True):
        for series, count in (("label 0", zeros), ("label 1", ones)):
            values.append({"x": round(low, 4), "x2": round(high, 4), "y": count, "series": series})
        rows.append(tuple(map(number, (low, high, zeros, ones))))
    svg = charts.histogram("histogram", values, ("score", "rows"))
    return Figure("Scores", "How many rows have which score.", svg, ("from", "to", "label 0", "label 1"), tuple(rows))


def _foretold(points: Points) -> Figure:
    names = ("mean_predicted", "mean_true", "low", "high", "rows")
    lines = list(zip(*(points[name] for name in names), strict=True))
    values = [dict(zip(("x", "y", "low", "high"), line[:4], strict=True)) for line in lines]
    titles = ("mean foretold", "mean true")
    says = "Of rows with like foretold numbers, the true mean and where four fifths of the truths lie."
    rows = tuple(tuple(map(number, line)) for line in lines)
    return Figure(
        "Foretold and true", says, charts.points("foretold", values, titles, True), (*titles, *names[2:]), rows
    )


def _confusion(told: Mapping[str, Any]) -> Figure:
    names, values, rows = told["classes"], [], []
    for true, line in zip(names, told["counts"], strict=True):
        total = sum(line) or 1
        for decided, count in zip(names, line, strict=True):
            values.append({"x": decided, "y": true, "text": f"{count:,}", "share": count / total})
        rows.append((true, *(f"{count:,}" for count in line)))
    svg = charts.squares("confusion", values, ("decided", "true"))
    return Figure(
        "Confusion", "How many rows of each true class are decided as which.", svg, ("true", *names), tuple(rows)
    )
