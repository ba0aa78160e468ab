"""Numbers as people read them, the same on the page and in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def number(value: Any) -> str:
    """A number with the digits that matter; None is a dash, a text stays.

    >>> number(0.87911), number(12345), number(3.0), number(None), number(1234.5)
    ('0.879', '12,345', '3', '-', '1,234')
    """
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return f"{int(value):,}"
    if not isinstance(value, float):
        return str(value)
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3f}" if abs(value) >= 0.001 else f"{value:.2g}"


def cut(text: str, most: int = 60) -> str:
    """A text, or its beginning where it is long.

    >>> cut("a long story", 9)
    'a long...'
    """
    return text if len(text) <= most else f"{text[: most - 3]}..."


def share(value: float | None) -> str:
    """A share in percent.

    >>> share(0.4377)
    '43.8%'
    """
    return "-" if value is None else f"{value:.1%}"


def interval(measured: Mapping[str, Any]) -> str:
    """A value and its 95 % interval, or the interval alone, which is then of a difference and bears signs.

    >>> interval({"value": 0.5, "low": 0.25, "high": 0.75}), interval({"low": -0.125, "high": 0.25})
    ('0.500 [0.250, 0.750]', '[-0.125, +0.250]')
    """
    low, high = measured.get("low"), measured.get("high")
    if "value" not in measured:
        return "not measured" if low is None or high is None else f"[{low:+.3f}, {high:+.3f}]"
    if measured["value"] is None:
        return "not defined"
    ends = "(no interval)" if low is None or high is None else f"[{low:.3f}, {high:.3f}]"
    return f"{measured['value']:.3f} {ends}"


def verdict(rule: Mapping[str, Any]) -> str:
    """What became of a rule of the gate: pass, refused, or waived where a signed waiver lets a refusal pass.

    >>> verdict({"passed": False, "waived": "by ann until 2026-12-01"})
    'waived'
    """
    if rule["passed"]:
        return "pass"
    return "waived" if rule.get("waived") else "refused"
