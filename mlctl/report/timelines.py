"""Charts over days: what was found against what was expected, with what happened marked on the line of time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from mlctl.report.charts import COLOURS, Values, coloured, svg_of

_FAINT: Final = 0.14
_HEIGHT: Final = 130
_DIGITS: Final = 1e-6
_MARK: Final = "#010203"
EVENTS: Final = {"release": COLOURS[2], "alarm": COLOURS[4], "recovered": COLOURS[6], "act": COLOURS[3]}
"""The kinds of events that are marked, and their colours."""


def timeline(name: str, values: Values, title: str, events: Values = (), height: int = _HEIGHT) -> str:
    """Lines over days with the band that was expected, and a mark for each event.

    Args:
        name: Of the chart, unique in its page.
        values: With x (a day, ISO), y and series; low and high where there is a band.
        title: Of y.
        events: With x (a day) and kind (of `EVENTS`).
        height: Of the chart.
    """
    import altair as alt

    shown = [value for value in values if value["y"] is not None]
    chart = alt.Chart(alt.InlineData(values=shown))
    x = alt.X("x:T", title=None, axis=alt.Axis(format="%b %d", tickCount=5, labelFlush=False))
    y = alt.Y("y:Q", title=title, scale=alt.Scale(zero=False))
    layers: list[Any] = [*_marks(events, x), *_band(values, x, title)]
    layers.append(chart.mark_line(strokeWidth=1.8, clip=True).encode(x=x, y=y, color=coloured(shown)))
    layers.append(chart.mark_circle(size=14, opacity=1).encode(x=x, y=y, color=coloured(shown)))
    beyond = [value for value in shown if _outside(value)]
    if beyond:
        dots = alt.Chart(alt.InlineData(values=beyond)).mark_circle(size=60, opacity=1, color=EVENTS["alarm"])
        layers.append(dots.encode(x=x, y=y))
    return svg_of(name, alt.layer(*layers), height=height)


def _band(values: Values, x: Any, title: str) -> list[Any]:
    """What was expected, between its limits; a limit that is missing lies at the end of what is shown."""
    import altair as alt

    limited = [value for value in values if value.get("low") is not None or value.get("high") is not None]
    if not limited:
        return []
    known = [value["y"] for value in values if value["y"] is not None]
    known += [value[end] for value in limited for end in ("low", "high") if value.get(end) is not None]
    lowest, highest = min(known), max(known)
    filled = [
        {
            "x": value["x"],
            "low": lowest if value.get("low") is None else value["low"],
            "high": highest if value.get("high") is None else value["high"],
        }
        for value in limited
    ]
    area = alt.Chart(alt.InlineData(values=filled)).mark_area(opacity=_FAINT, color=_MARK)
    y = alt.Y("low:Q", title=title, scale=alt.Scale(zero=False))
    return [area.encode(x=x, y=y, y2="high:Q")]


def _marks(events: Values, x: Any) -> list[Any]:
    import altair as alt

    # a layer a kind: colours by a scale would be mixed with those of the lines
    return [
        alt.Chart(alt.InlineData(values=[event for event in events if event["kind"] == kind]))
        .mark_rule(strokeWidth=1.5, strokeDash=[5, 3], color=EVENTS[kind])
        .encode(x=x)
        for kind in dict.fromkeys(event["kind"] for event in events)
    ]


def _outside(value: dict[str, Any]) -> bool:
    return outside(value["y"], value.get("low"), value.get("high")) > 0


def outside(value: float | None, low: float | None, high: float | None) -> float:
    """How far a number lies beyond its limits; what is within the last digits of a float counts as inside.

    >>> outside(3.0, None, 2.5), outside(0.0, 1e-12, None), outside(None, 0.0, 1.0)
    (0.5, 0.0, 0.0)
    """
    if value is None:
        return 0.0
    over = max(value - high if high is not None else 0.0, low - value if low is not None else 0.0)
    return over if over > _DIGITS * max(1.0, abs(value)) else 0.0


def strip(name: str, values: Sequence[dict[str, Any]], order: Sequence[str]) -> str:
    """A square a day and monitor, coloured by its verdict.

    Args:
        name: Of the chart, unique in its page.
        values: With x (a day, ISO), y (the monitor) and verdict (`ok`, `note`, `warn`, `alarm`).
        order: The monitors from top to bottom.
    """
    import altair as alt

    colours = {"ok": "#7fb798", "note": "#b9bec7", "warn": COLOURS[1], "alarm": COLOURS[4]}
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    legend = alt.Legend(orient="bottom", title=None, columns=4)
    days = list(dict.fromkeys(value["x"] for value in values))
    shown = days[:: max(1, len(days) // 6)]
    axis = alt.Axis(values=shown, labelAngle=0, labelExpr="slice(datum.value, 5)", grid=False)
    drawn = (
        alt.Chart(alt.InlineData(values=list(values)))
        .mark_rect()
        .encode(
            x=alt.X("x:O", title=None, sort=days, axis=axis),
            y=alt.Y("y:N", title=None, sort=list(order), axis=alt.Axis(grid=False)),
            color=alt.Color("verdict:N", scale=scale, legend=legend),
        )
    )
    return svg_of(name, drawn, height=22 * len(order))
