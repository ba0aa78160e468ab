"""Charts as SVG that stands inside a page: it takes the page's ink, so it reads in light and in dark and on paper.

Drawn by Vega-Lite (altair describes, vl-convert draws) with a font that the library brings; the same values always
give the same text. Nothing in it names an address or runs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

Values = Sequence[dict[str, Any]]
"""One mark each: x, y, and where there are any low, high and series."""

COLOURS: Final = ("#2b8cc4", "#e69f00", "#12a37a", "#c97ba8", "#d5622b", "#8f7fd1", "#8a8a8a", "#b5a300")
"""Told apart also by most who do not see all colours (after Okabe and Ito), on white and on black."""
_INK: Final = "#010203"
_WIDTH: Final = 380
_HEIGHT: Final = 220
_FAINT: Final = 0.16


def lines(name: str, values: Values, titles: tuple[str, str], diagonal: bool = False) -> str:
    """A line a series; with `diagonal`, what chance (or perfect honesty) would give, dashed.

    Args:
        name: Of the chart, unique in its page.
        values: With x, y and series, in the order in which the series are to be drawn.
        titles: Of x and y.
        diagonal: From 0 to 1.
    """
    import altair as alt

    chart = alt.Chart(alt.InlineData(values=list(values))).mark_line(clip=True, strokeWidth=2)
    drawn = chart.encode(
        x=_along(titles[0]),
        y=alt.Y("y:Q", title=titles[1], scale=alt.Scale(zero=False)),
        color=coloured(values),
        order=alt.Order("n:Q"),
    )
    alone = [value for value in values if sum(other["series"] == value["series"] for other in values) == 1]
    dots = alt.Chart(alt.InlineData(values=alone)).mark_circle(size=60, opacity=1)
    layers = [_diagonal()] if diagonal else []
    layers += [dots.encode(x="x:Q", y="y:Q", color=coloured(values))] if alone else []
    return svg_of(name, alt.layer(*layers, drawn))


def points(name: str, values: Values, titles: tuple[str, str], diagonal: bool = False) -> str:
    """A point and its interval for each value of x; with `diagonal`, the line where both are equal.

    Args:
        name: Of the chart, unique in its page.
        values: With x, y, low and high.
        titles: Of x and y.
        diagonal: From the lowest to the highest x; of probabilities from 0 to 1.
    """
    import altair as alt

    chart = alt.Chart(alt.InlineData(values=list(values)))
    ends = (min(value["x"] for value in values), max(value["x"] for value in values))
    if 0 <= ends[0] <= ends[1] <= 1:
        ends = (0.0, 1.0)  # probabilities, which may all be one
    x = _along(titles[0])
    bars = chart.mark_rule(color=COLOURS[0]).encode(x=x, y=alt.Y("low:Q", title=titles[1]), y2="high:Q")
    dots = chart.mark_circle(color=COLOURS[0], size=45, opacity=1).encode(x=x, y="y:Q")
    return svg_of(name, alt.layer(*([_diagonal(*ends)] if diagonal else []), bars, dots))


def intervals(name: str, values: Values, title: str) -> str:
    """A line a name, with its value and interval along x; names in the order in which they come.

    Args:
        name: Of the chart, unique in its page.
        values: With series (the name), x, low and high.
        title: Of x.
    """
    import altair as alt

    order = [value["series"] for value in values]
    chart = alt.Chart(alt.InlineData(values=list(values)))
    y = alt.Y("series:N", title=None, sort=order)
    bars = chart.mark_rule(color=COLOURS[0], strokeWidth=2).encode(
        y=y, x=_along(title, "low:Q").scale(zero=False), x2="high:Q"
    )
    dots = chart.mark_circle(color=COLOURS[0], size=60, opacity=1).encode(y=y, x="x:Q")
    return svg_of(name, alt.layer(bars, dots), height=26 * len(order) + 10)


def bars(name: str, values: Values, title: str) -> str:
    """A horizontal bar a name, in the order in which they come.

    Args:
        name: Of the chart, unique in its page.
        values: With series (the name) and x.
        title: Of x.
    """
    import altair as alt

    order = [value["series"] for value in values]
    chart = alt.Chart(alt.InlineData(values=list(values))).mark_bar(color=COLOURS[0])
    drawn = chart.encode(y=alt.Y("series:N", title=None, sort=order), x=_along(title))
    return svg_of(name, drawn, height=18 * len(order) + 10)


def histogram(name: str, values: Values, titles: tuple[str, str]) -> str:
    """Bars side by side from x to x2, stacked by series.

    Args:
        name: Of the chart, unique in its page.
        values: With x, x2, y and series.
        titles: Of x and y.
    """
    import altair as alt

    chart = alt.Chart(alt.InlineData(values=list(values))).mark_bar()
    drawn = chart.encode(
        x=_along(titles[0]).bin("binned"),
        x2="x2:Q",
        y=alt.Y("y:Q", title=titles[1]),
        color=coloured(values),
    )
    return svg_of(name, drawn)


def against(name: str, values: Values, title: str) -> str:
    """A horizontal bar a name for what is now, and a mark for what was before.

    Args:
        name: Of the chart, unique in its page.
        values: With series (the name), x (now) and before.
        title: Of x.
    """
    import altair as alt

    order = [value["series"] for value in values]
    chart = alt.Chart(alt.InlineData(values=list(values)))
    y = alt.Y("series:N", title=None, sort=order, axis=alt.Axis(grid=False))
    now = chart.mark_bar(color=COLOURS[0], opacity=0.7).encode(y=y, x=_along(title))
    before = chart.mark_tick(color=_INK, thickness=2.5, size=16, opacity=1).encode(y=y, x="before:Q")
    return svg_of(name, alt.layer(now, before), height=20 * len(order) + 10)


def band(name: str, values: Values, titles: tuple[str, str]) -> str:
    """A line along numbers with the band from low to high around it; texts get points with intervals.

    Args:
        name: Of the chart, unique in its page.
        values: With x (all numbers, or all texts), y, low and high, and series.
        titles: Of x and y.
    """
    import altair as alt

    chart = alt.Chart(alt.InlineData(values=list(values)))
    numbers = all(isinstance(value["x"], (int, float)) for value in values)
    order = list(dict.fromkeys(str(value["x"]) for value in values))
    x = _along(titles[0]) if numbers else alt.X("x:N", title=titles[0], sort=order)
    colour, y = coloured(values), alt.Y("low:Q", title=titles[1], scale=alt.Scale(zero=False))
    around = chart.mark_area(opacity=_FAINT) if numbers else chart.mark_rule(strokeWidth=2)
    middle = chart.mark_line(strokeWidth=2) if numbers else chart.mark_circle(size=60, opacity=1)
    drawn = alt.layer(around.encode(x=x, y=y, y2="high:Q", color=colour), middle.encode(x=x, y="y:Q", color=colour))
    return svg_of(name, drawn, height=150)


def squares(name: str, values: Values, titles: tuple[str, str]) -> str:
    """A table as squares, each with its number; the darker, the larger its share of the line (`share`, 0..1).

    Args:
        name: Of the chart, unique in its page.
        values: With x, y (texts, in order), text and share.
        titles: Of x and y.
    """
    import altair as alt

    order = list(dict.fromkeys(value["y"] for value in values))
    x, y = (
        alt.X("x:N", title=titles[0], sort=order, axis=alt.Axis(labelAngle=0)),
        alt.Y("y:N", title=titles[1], sort=order),
    )
    chart = alt.Chart(alt.InlineData(values=list(values)))
    # strength as opacity of one colour, so that it reads on white and on black
    colour = chart.mark_rect(color=COLOURS[0]).encode(
        x=x, y=y, opacity=alt.Opacity("share:Q", scale=alt.Scale(domain=[0, 1], range=[0.03, 0.8]), legend=None)
    )
    numbers = chart.mark_text(color=_INK).encode(x=x, y=y, text="text:N")
    return svg_of(name, alt.layer(colour, numbers), height=max(90, 36 * len(order)))


def _along(title: str, field: str = "x:Q") -> Any:
    """Numbers along x, so few that their labels do not touch."""
    import altair as alt

    return alt.X(field, title=title, axis=alt.Axis(labelFlush=False, tickCount=6))


def coloured(values: Values) -> Any:
    """A colour a series, always the same for the same place, with a legend where there are several."""
    import altair as alt

    series = list(dict.fromkeys(value["series"] for value in values))
    scale = alt.Scale(domain=series, range=[COLOURS[index % len(COLOURS)] for index in range(len(series))])
    legend = alt.Legend(orient="bottom", title=None, columns=4, labelLimit=150) if len(series) > 1 else None
    return alt.Color("series:N", scale=scale, legend=legend)


def _diagonal(low: float = 0.0, high: float = 1.0) -> Any:
    import altair as alt

    ends = alt.InlineData(values=[{"x": low, "y": low}, {"x": high, "y": high}])
    line = alt.Chart(ends).mark_line(strokeDash=[4, 4], strokeWidth=1, color=_INK, opacity=0.5)
    return line.encode(x="x:Q", y="y:Q")


def svg_of(name: str, chart: Any, height: int = _HEIGHT) -> str:
    """The chart drawn, with ids of its own, in the page's ink and without addresses."""
    import vl_convert

    words = {
        "labelColor": _INK,
        "titleColor": _INK,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
    }
    axis = {
        **words,
        "gridColor": _INK,
        "gridOpacity": _FAINT,
        "domain": False,
        "tickColor": _INK,
        "tickOpacity": _FAINT,
    }
    finished = chart.properties(width=_WIDTH, height=height).configure(
        font="Liberation Sans",
        aria=False,
        background="transparent",
        axis={**axis, "labelLimit": 170},
        legend=words,
        view={"stroke": None},
    )
    drawn = str(vl_convert.vegalite_to_svg(finished.to_dict()))
    drawn = re.sub(r' xmlns(:\w+)?="[^"]*"', "", drawn).replace(_INK, "currentColor")
    # the library counts on from chart to chart, and a page may hold many
    found = list(dict.fromkeys(re.findall(r'id="(\w+)"', drawn)))
    for index, identity in enumerate(found):
        drawn = re.sub(rf'(id="|url\(#){identity}(?=["\)])', rf"\g<1>{name}_{index}", drawn)
    return drawn.replace("<svg ", '<svg aria-hidden="true" ', 1)
