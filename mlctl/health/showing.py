"""Health as a page, and in short as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mlctl.report import charts, timelines
from mlctl.report.figures import Figure
from mlctl.report.page import laid_out
from mlctl.report.sections import Section, Table
from mlctl.report.words import cut, interval, number, share

MOST_CHARTS: Final = 24
"""Series that are drawn; the rest stand in the table."""
_MOST_ROWS: Final = 60
_TABLE_POINTS: Final = 14
WORDS: Final = {"ok": "all is quiet", "note": "quiet, as far as it can be judged", "warn": "warned", "alarm": "alarm"}
"""A verdict, for people."""


def page(told: Mapping[str, Any]) -> str:
    """The page of a project's health."""
    word = told["now"]["verdict"]
    said = f"{WORDS[word]} on {told['now']['day']}"
    parts = [_now(told), _promised(told["promised"]), _verdicts(told), _performance(told), _shapes(told), _drift(told)]
    parts += [_happened(told), _alarms(told), _cost(told["cost"])]
    return laid_out(f"{told['project']}, watched", told["about"], parts, (word not in ("alarm", "warn"), said))


def short(told: Mapping[str, Any]) -> str:
    """The health of a project in a few lines of Markdown."""
    now, promised, cost = told["now"], told["promised"], told["cost"]
    lines = [f"## {told['project']}: {WORDS[now['verdict']]} on {now['day']}", ""]
    lines += [f"- **{finding['severity']}** {finding['sentence']}" for finding in now["findings"][:20]]
    lines += ["" if now["findings"] else "Nothing was found.", ""][bool(now["findings"]) :]
    lines += ["| promised at release | value (95 % interval) |", "|---|---|"]
    lines += [f"| {name} | {interval(found)} |" for name, found in promised["metrics"].items()]
    latest = [(one, one["points"][-1]) for one in told["series"] if one["where"] == "everybody"]
    lines += ["", "| now | value | promised |", "|---|---|---|"] if latest else []
    lines += [f"| {one['what']} | {number(last['value'])} | {number(last['expected'])} |" for one, last in latest]
    amount = f"{number(cost['total'])} {cost['currency']} in {cost['month']}"
    lines += ["", f"{now['open_alarms']} open alarms; {now['quiet_days']} of {len(told['days'])} days were quiet; "
              f"{amount}."]  # fmt: skip
    return "\n".join(lines) + "\n"


def _now(told: Mapping[str, Any]) -> Section:
    now = told["now"]
    words = [
        f"{number(now['rows'])} rows were scored on {now['day']} by {', '.join(now['releases']) or 'no release'}; "
        f"{now['quiet_days']} of {len(told['days'])} days from {told['from']} to {told['to']} were quiet."
    ]
    if told["waiting"]:
        words.append(f"{told['waiting']} messages wait for a channel that did not take them: mlctl alerts flush.")
    found = [
        (line["severity"], line["rule"], line["where"], line["value"], line["limit"], line.get("cause", ""))
        for line in now["findings"]
    ]
    # what to do comes with what was found: the page is opened by whoever was woken
    runbooks = dict.fromkeys(line["runbook"] for line in now["findings"])
    words += [f"What to do: {runbook}" for runbook in runbooks if runbook]
    head = ("severity", "rule", "where", "found", "allowed", "what coincides")
    bad = frozenset(index for index, line in enumerate(found) if line[0] == "alarm")
    return Section("now", "Now", tuple(words), (Table(head, tuple(found), bad),) if found else ())


def _promised(promised: Mapping[str, Any]) -> Section:
    if not promised["metrics"]:
        return Section("promised", "What was promised", absent="Nothing was evaluated here yet.")
    passed = {True: "passed", False: "refused", None: "not asked"}[promised["gate"]]
    who = promised["champion"] or promised["sealed"] or "no release"
    words = f"Release {who[:16]} answers ({promised['model']}; gate {passed})."
    if promised["challenger"]:
        words += f" Challenger {promised['challenger'][:16]} answers {promised['percent']:g} %."
    rows = tuple((name, interval(found)) for name, found in promised["metrics"].items())
    rules = tuple(
        (str(rule.get("rule", "")), "pass" if rule.get("passed") else "refused") for rule in promised["rules"]
    )
    tables = [Table(("metric", "at release, on rows no model has seen (95 % interval)"), rows)]
    tables += [Table(("rule of the gate", "verdict"), rules)] if rules else []
    return Section("promised", "What was promised", (words,), tuple(tables))


def _verdicts(told: Mapping[str, Any]) -> Section:
    order = list(dict.fromkeys(name for day in told["days"] for name in day["monitors"]))
    values = [
        {"x": day["day"], "y": name, "verdict": day["monitors"][name]}
        for day in told["days"]
        for name in order
        if name in day["monitors"]
    ]
    if not values:
        return Section("days", "Day by day", absent="The project has no monitors.")
    loud = [day for day in told["days"] if day["verdict"] in ("alarm", "warn")][-_TABLE_POINTS:]
    rows = tuple((day["day"], number(day["rows"]), day["verdict"]) for day in loud)
    says = "A square a day and monitor: green is quiet, grey could not be judged."
    drawn = timelines.strip("days", values, order)
    return Section("days", "Day by day", figures=(Figure("Verdicts", says, drawn, ("day", "rows", "verdict"), rows),))


def _performance(told: Mapping[str, Any]) -> Section:
    """Metrics over time beside what was promised; how far labels have come, below."""
    named = [one for one in told["series"] if one["where"] == "everybody" and _is_metric(one["what"])]
    metrics = list(dict.fromkeys(one["what"].partition(" ")[2] for one in named))
    figures = []
    for metric in metrics:
        own = [one for one in named if one["what"].endswith(f" {metric}")]
        says = "Realised by labels that are in, estimated by scores alone; inside the band nothing alarms."
        figures.append(_figure(f"performance_{metric}", metric, says, own, told["events"]))
    figures += [
        _figure(f"labels_{index}", one["what"], "How labels mature, on each day.", [one], [])
        for index, one in enumerate(told["series"])
        if one["where"] == "everybody" and "labels" in one["what"] and not _is_metric(one["what"])
    ]
    if not figures:
        why = "No label of what was scored is known yet, or no monitor of kind performance looks."
        return Section("performance", "Performance over time", absent=why)
    return Section("performance", "Performance over time", figures=tuple(figures))


def _is_metric(what: str) -> bool:
    return what.startswith(("realised ", "estimated "))


def _shapes(told: Mapping[str, Any]) -> Section:
    """How the values of the columns that moved farthest lie, beside training."""
    if not told["shapes"]:
        return Section("values", "Values against training", absent="Nothing was scored on the last day.")
    figures = []
    for index, one in enumerate(told["shapes"]):
        bars = [{"series": bar["values"], "x": bar["now"], "before": bar["training"]} for bar in one["bars"]]
        missing = f"; missing {share(one['missing']['now'])}, in training {share(one['missing']['training'])}"
        says = f"{number(one['rows'])} rows{missing}. Jensen-Shannon distance {number(one['distance'])}."
        rows = tuple((bar["values"], share(bar["training"]), share(bar["now"])) for bar in one["bars"])
        drawn = charts.against(f"values_{index}", bars, "share of rows")
        figures.append(Figure(one["column"].lstrip("@"), says, drawn, ("values", "training", "now"), rows))
    words = f"Bars are {told['to']}, the mark on each is training; those that moved farthest come first."
    return Section("values", "Values against training", (words,), figures=tuple(figures))


def _drift(told: Mapping[str, Any]) -> Section:
    """A chart for each series that moved most, then a table of all."""
    series = [one for one in told["series"] if one["where"] != "everybody"]
    if not series:
        return Section("drift", "Features, scores and sources", absent="No monitor has measured anything yet.")
    figures = [
        _figure(
            f"drift_{index}",
            f"{one['what']} of {one['where']}",
            f"{one['monitor']}; {one['days_beyond']} days beyond the band.",
            [one],
            told["events"],
        )
        for index, one in enumerate(series[:MOST_CHARTS])
    ]
    head = ("monitor", "what", "of", "days beyond", "last", "expected")
    rows = tuple(
        (
            one["monitor"], one["what"], cut(one["where"]), str(one["days_beyond"]),
            number(one["points"][-1]["value"]), number(one["points"][-1]["expected"]),
        )
        for one in series[:_MOST_ROWS]
    )  # fmt: skip
    words = f"{len(series)} numbers are watched; those that were beyond their limits come first."
    return Section("drift", "Features, scores and sources", (words,), (Table(head, rows),), tuple(figures))


def _figure(
    name: str, title: str, says: str, series: Sequence[Mapping[str, Any]], events: Sequence[Mapping[str, Any]]
) -> Figure:
    values = [
        {"x": point["day"], "y": point["value"], "series": one["what"].partition(" ")[0], **_limits(point, index)}
        for index, one in enumerate(series)
        for point in one["points"]
    ]
    days = {value["x"] for value in values}
    shown = [{"x": event["day"], "kind": event["kind"]} for event in events if event["day"] in days]
    safe = "".join(letter if letter.isalnum() else "_" for letter in name)
    rows = tuple(
        (point["day"], number(point["value"]), number(point["expected"]), number(point["low"]), number(point["high"]))
        for one in series
        for point in one["points"][-_TABLE_POINTS:]
    )
    drawn = timelines.timeline(safe, values, "", shown)
    return Figure(title, says, drawn, ("day", "found", "expected", "from", "to"), rows)


def _limits(point: Mapping[str, Any], index: int) -> dict[str, Any]:
    """The band of the first series alone: of several in one chart it is the same."""
    return {"low": point["low"], "high": point["high"]} if index == 0 else {}


def _happened(told: Mapping[str, Any]) -> Section:
    rows = tuple((event["day"], event["kind"], event["what"], cut(event["why"], 160)) for event in told["events"])
    if not rows:
        return Section("events", "What happened", absent="No release came and no alarm was told in these days.")
    says = "Each is a dashed line in the charts above: green a release, orange an alarm, grey its end, pink an act."
    return Section("events", "What happened", (says,), (Table(("day", "", "what", "why"), rows),))


def _alarms(told: Mapping[str, Any]) -> Section:
    rows = tuple(
        (
            alarm["id"], alarm["day"], "open" if alarm["open"] else "over", alarm["severity"], cut(alarm["cause"], 100),
            str(len(alarm["findings"])), ", ".join(alarm["told"]) or "nobody", alarm["verdict"] or "not marked",
        )
        for alarm in told["alarms"]
    )  # fmt: skip
    words = tuple(
        f"{month['month']}: {month['alarms']} alarms, {month['false']} marked false, {month['most']} may be."
        for month in told["budget"]
    )
    if not rows:
        return Section("alarms", "Alarms", words, absent="There was none in these days.")
    head = ("alarm", "since", "", "severity", "cause", "findings", "told", "judged by people")
    return Section("alarms", "Alarms", words, (Table(head, rows),))


def _cost(cost: Mapping[str, Any]) -> Section:
    if not cost["acts"]:
        return Section("cost", "Cost", absent="The ledger holds nothing of this month.")
    words = f"{_money(cost['total'])} {cost['currency']} in {cost['month']}"
    words += f", {_money(cost['a_run'])} a run" if cost["a_run"] is not None else ""
    words += f", {_money(cost['a_thousand'])} for 1,000 predictions" if cost["a_thousand"] is not None else ""
    words += f"; {_money(cost['forecast'])} by its end, budget {cost['budget']:g}" if cost["budget"] else ""
    acts = tuple((line["name"], str(line["times"]), f"{line['cpu_s']:,.1f}", _money(line["money"]))
                 for line in cost["acts"])  # fmt: skip
    return Section("cost", "Cost", (f"{words}.",), (Table(("act", "times", "CPU s", cost["currency"]), acts),))


def _money(amount: float) -> str:
    return f"{amount:,.2f}" if amount >= 1 else f"{amount:.2g}"
