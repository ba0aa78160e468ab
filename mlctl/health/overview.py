"""All projects on one page: which is well, what was promised and what is now, what each costs, and its own page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mlctl.health.showing import WORDS
from mlctl.report.page import laid_out
from mlctl.report.sections import Section, Table
from mlctl.report.words import interval, number

_GRAVITY: Final = ("ok", "note", "warn", "alarm")


def overview(told: Sequence[Mapping[str, Any]], format: str) -> Any:
    """The overview of the health of several projects.

    Args:
        told: The contents of each.
        format: `html` or `md`; else the data itself.
    """
    # who is ill comes first
    told = sorted(told, key=lambda one: -_GRAVITY.index(one["now"]["verdict"]))
    lines = [_line(one) for one in told]
    if format == "json":
        return {"format_version": "1.0", "projects": lines}
    head = ("project", "now", "watched", "promised", "realised", "open alarms", "a month", "owner")
    rows = tuple(tuple(str(line[name]) for name in head) for line in lines)
    if format == "md":
        bars = ["| " + " | ".join(row) + " |" for row in (head, tuple("---" for _ in head), *rows)]
        return "\n".join(bars) + "\n"
    bad = frozenset(index for index, one in enumerate(told) if one["now"]["verdict"] == "alarm")
    links = tuple(f"{one['project']}/report/health.html" for one in told)
    parts = [Section("projects", "Projects", tables=(Table(head, rows, bad, links),))]
    parts += [_findings(one) for one in told if one["now"]["findings"]]
    said = f"{len(bad)} of {len(told)} alarmed" if bad else f"none of {len(told)} alarmed"
    return laid_out("All projects, watched", "", parts, (not bad, said))


def _line(one: Mapping[str, Any]) -> dict[str, Any]:
    now, cost = one["now"], one["cost"]
    first = next(iter(one["promised"]["metrics"].items()), None)
    realised = next((series for series in one["series"] if series["what"].startswith("realised ")), None)
    return {
        "project": one["project"],
        "now": WORDS[now["verdict"]],
        "watched": now["day"],
        "promised": f"{first[0]} {interval(first[1])}" if first else "nothing",
        "realised": f"{number(realised['points'][-1]['value'])} ({realised['what']})" if realised else "not known yet",
        "open alarms": now["open_alarms"],
        "a month": f"{cost['forecast']:.2g} {cost['currency']}",
        "owner": one["owner"] or "nobody",
    }


def _findings(one: Mapping[str, Any]) -> Section:
    found = one["now"]["findings"]
    rows = tuple((line["severity"], line["sentence"]) for line in found)
    bad = frozenset(index for index, line in enumerate(found) if line["severity"] == "alarm")
    return Section(one["project"], one["project"], (one["about"],), (Table(("severity", "finding"), rows, bad),))
