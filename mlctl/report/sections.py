"""The sections of the page, in the order in which the data flows: paragraphs, tables and figures, ready to be shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlctl.judging import calibration
from mlctl.report import figures
from mlctl.report.figures import Figure
from mlctl.report.words import cut, interval, number, share, verdict


@dataclass(frozen=True)
class Table:
    """A table: its heads, and lines of texts; `refused` are the lines to mark, `links` where each line's name leads."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    refused: frozenset[int] = frozenset()
    links: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """A part of the page under one heading; empty ones say `absent`."""

    id: str
    title: str
    words: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    absent: str = field(default="")


def sections(told: Mapping[str, Any]) -> list[Section]:
    """Every section of the report's contents; what could not be told says so."""
    return [
        _decides(told["decides"]),
        _data(told["data"]),
        _gate(told["gate"]),
        _ladder(told["ladder"]),
        _learning(told["learning"]),
        _models(told["models"]),
        _curves(told),
        _cohorts(told),
        _slices(told),
        _errors(told),
        _importance(told),
        _lineage(told["lineage"]),
    ]


def _decides(decides: Mapping[str, Any]) -> Section:
    task = decides["task"]
    facts = [
        ("about", decides["about"] or "not said"),
        ("owner", decides["owner"] or "nobody is named"),
        ("one decision for each", decides["entity"]),
        ("task", task),
        ("label", ", ".join(f"{key} {number(value)}" for key, value in decides["label"].items() if key != "task")),
    ]
    if task == "binary":
        limit = number(decides["threshold"]) if decides["threshold"] is not None else "the threshold"
        facts.append(("decision", f"{decides['above']} from a score of {limit} on, else {decides['below']}"))
    if task == "multiclass":
        facts.append(("decision", f"one of {', '.join(decides['classes'])}"))
    unsure = [f"with less of {decides['evidence']} than asked for"] if decides["evidence"] else []
    unsure += [f"with a confidence below {number(decides['min_confidence'])}"] if decides["min_confidence"] else []
    facts.append(("not decided by the model", f"{' or '.join(unsure)}: {decides['fallback']}" if unsure else "nobody"))
    facts += [("how it was set", each) for each in decides["how"] or ()]
    return Section("decides", "What it decides", tables=(Table(("", ""), tuple(facts)),))


def _data(data: Mapping[str, Any] | None) -> Section:
    if data is None:
        return Section("data", "Data", absent="Nothing was checked yet.")
    names = ("rows", "rules", "checked", "quarantined", "repaired")
    counts = tuple((line["table"], *(number(line.get(name)) for name in names)) for line in data["tables"])
    parts = tuple(
        (line["part"], number(line["rows"]), share(line["positive_share"]), ", ".join(line["as_of"] or ()))
        for line in data["parts"]
    )
    keys = ("severity", "rule", "where", "value", "limit", "rows")
    findings = tuple(tuple(number(line.get(key)) for key in keys) for line in data["findings"])
    tables = [_known(Table(("part", "rows", "label 1", "as of"), parts))] if parts else []
    tables += [Table(("source", "rows", "rules", "values checked", "set aside", "mended"), counts)] if counts else []
    tables += [Table(keys, findings)] if findings else []
    said = [f"Version {data['version']}."] if data["version"] else []
    said += [f"{len(data['features'])} features: {', '.join(data['features'])}."] if data["features"] else []
    probes = data["probes"] or {"ran": {}, "not_run": {}, "findings": []}
    if probes["ran"]:
        said.append(f"Probes for leaks that ran before anything was trained: {', '.join(probes['ran'])}.")
    said += [f"The probe {name} did not run: {number(why)}." for name, why in probes["not_run"].items()]
    leaks = tuple(tuple(number(line.get(key)) for key in keys) for line in probes["findings"])
    tables += [Table(keys, leaks)] if leaks else []
    return Section("data", "Data", tuple(said), tuple(tables))


def _gate(gate: Mapping[str, Any] | None) -> Section:
    if gate is None:
        return Section("gate", "Gate", absent="The gate has not judged yet.")
    rules = gate["rules"]
    rows = tuple(
        (
            rule["rule"],
            verdict(rule),
            rule["subject"],
            rule["found"],
            rule["wanted"],
            rule.get("waived", ""),
        )
        for rule in rules
    )
    refused = frozenset(index for index, rule in enumerate(rules) if verdict(rule) == "refused")
    passed = sum(bool(rule["passed"]) for rule in rules)
    said = [f"{'Passed' if gate['passed'] else 'Refused'}: {passed} of {len(rules)} verdicts hold."]
    said += [str(line) for line in gate["waivers"]]
    header = ("rule", "verdict", "judged", "found", "wanted", "waived")
    return Section("gate", "Gate", tuple(said), (_known(Table(header, rows, refused)),))


def _ladder(ladder: Mapping[str, Any] | None) -> Section:
    title = "Ladder: what complexity bought"
    if ladder is None:
        return Section("ladder", title, absent="No ladder was trained yet.")
    rows = tuple(
        (
            rung["name"],
            interval(rung),
            rung["against"] or "",
            interval({"low": rung["gain_low"], "high": rung["gain_high"]}) if rung["against"] else "",
            "yes" if rung["earned"] else "no",
        )
        for rung in ladder["rungs"]
    )
    said = (
        f"{ladder['adopted']} is adopted. A rung earns its place only if the paired 95 % interval of its gain over the "
        "rung below lies on the better side of 0, on training rows that it did not learn from."
    )
    told = ladder.get("calibration")
    bent = (f"{calibration.line(told).capitalize()}.",) if told else ()
    header = ("rung", str(ladder["metric"]), "against", "gain (paired)", "earned its place")
    return Section(
        "ladder",
        title,
        (said, *bent),
        (Table(header, rows),),
        _those(figures.ladder(ladder["rungs"], ladder["metric"])),
    )


def _learning(learning: Mapping[str, Any] | None) -> Section:
    title = "Learning: what would help"
    if learning is None:
        return Section("learning", title, absent="The adopted model does not learn from rows, or nothing was trained.")
    said = f"{learning['says'][0].upper()}{learning['says'][1:]}."
    return Section("learning", title, (said,), (), (figures.learning(learning),))


def _models(models: Mapping[str, Any] | None) -> Section:
    if models is None:
        return Section("metrics", "Metrics", absent="Nothing was evaluated yet.")
    names, own = models["metrics"], models["own"]
    of_model = models["order"]
    rows = tuple((model, *(interval(models["measured"][model][name]) for name in names)) for model in of_model)
    paired = tuple(
        (f"{own} - {model}", *(interval(models["measured"][model][name].get("own_minus_this", {})) for name in names))
        for model in of_model
        if model != own
    )
    header = tuple(f"{name} ({models['better'][name]} is better)" for name in names)
    said = [f"{number(models['rows'])} test rows, all judged on the same resamples, with 95 % intervals."]
    champion = models["champion"] or {}
    if champion.get("not_measured"):
        said.append(f"The champion was not measured: {champion['not_measured']}.")
    tables = [Table(("model", *header), rows)] + ([Table(("difference (paired)", *names), paired)] if paired else [])
    return Section("metrics", "Metrics", tuple(said), tuple(tables))


def _curves(told: Mapping[str, Any]) -> Section:
    found = told["curves"]
    if not found:
        return Section("curves", "Curves", absent="There are no scores of test rows to draw.")
    tables = []
    if "of_classes" in found:
        keys = ("class", "rows", "precision", "recall", "f1")
        tables.append(Table(keys, tuple(tuple(number(line[key]) for key in keys) for line in found["of_classes"])))
    return Section("curves", "Curves", (), tuple(tables), tuple(figures.curves(found, told["models"]["order"])))


def _cohorts(told: Mapping[str, Any]) -> Section:
    lines, models = told["cohorts"], told["models"]
    if not lines or models is None:
        return Section("cohorts", "Cohorts", absent="No cohorts were judged.")
    metric = models["metrics"][0]
    drawn = _those(figures.cohorts(lines, models["measured"][models["own"]][metric], metric))
    return Section("cohorts", "Cohorts", (), (_groups(lines, models["metrics"], ("cohort", "condition")),), drawn)


def _slices(told: Mapping[str, Any]) -> Section:
    title, lines, models = "Weak groups that were found", told["slices"], told["models"]
    if lines is None or models is None:
        return Section("slices", title, absent="Nobody has looked for weak groups in this evaluation.")
    if not lines:
        return Section("slices", title, ("No group is served worse than the rest by more than chance.",))
    said = (
        "Nobody named these: they were searched for among the features. effect is how much larger the loss is than "
        "that of the rest, in standard deviations; p_value is corrected for everything that was tried."
    )
    return Section("slices", title, (said,), (_groups(lines, models["metrics"], ("condition", "effect", "p_value")),))


def _groups(lines: Sequence[Mapping[str, Any]], metrics: Sequence[str], first: Sequence[str]) -> Table:
    """A line a group: some of its own keys, its rows, and every metric or why it was not measured."""
    rows = tuple(
        (
            *(number(line[key]) for key in first),
            number(line["rows"]),
            share(line["positive_share"]),
            *(
                [interval(line["measured"][name]) for name in metrics]
                if line["measured"]
                else [line["not_measured"] or "not measured", *[""] * (len(metrics) - 1)]
            ),
        )
        for line in lines
    )
    return _known(Table((*first, "rows", "label 1", *metrics), rows))


def _errors(told: Mapping[str, Any]) -> Section:
    lines, title = told["errors"], "Errors to look at"
    if not lines:
        return Section("errors", title, absent="There are none, or no scores to find them by.")
    several = told["decides"]["task"] == "multiclass"
    rows = tuple(
        (
            line["key"],
            line["as_of"],
            number(line["truth"]),
            *([line["foretold"]] if several else []),
            number(line["score"]),
            "; ".join(f"{r['feature']} {cut(number(r['value']))} ({r['moved_by']:+.3g})" for r in line["reasons"]),
        )
        for line in lines
    )
    header = (told["decides"]["entity"], "as of", "truth", *(["foretold"] if several else []), "score", "moved most by")
    said = (
        "Where the model was most sure and wrong (a number: farthest off). In brackets, how much the score falls when "
        "the feature is as usual."
    )
    return Section("errors", title, (said,), (Table(header, rows),))


def _importance(told: Mapping[str, Any]) -> Section:
    title = "Importance and partial dependence"
    drawn = _those(figures.importance(told["importance"] or []))
    drawn += tuple(figures.dependence(told["dependence"] or [], told["decides"]["classes"]))
    if not drawn:
        return Section("importance", title, absent="The adopted model tells no importance.")
    said = (
        "Partial dependence asks the model about rows in which one feature was changed alone; where features move "
        "together in life, such rows may not exist."
    )
    return Section("importance", title, (said,), (), drawn)


def _lineage(lineage: Mapping[str, Any] | None) -> Section:
    if lineage is None:
        return Section("lineage", "Lineage", absent="There is no release, so there is no lineage to tell.")
    facts = [("release", lineage["release"]), ("model", number(lineage["model"]))]
    facts += list(_flat(lineage["lineage"] or {}, "")) + list(_flat(lineage["files"] or {}, "file "))
    return Section("lineage", "Lineage", tables=(Table(("", ""), tuple(facts)),))


def _flat(found: Mapping[str, Any], before: str) -> Iterable[tuple[str, str]]:
    for key, value in found.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{key} ")
        else:
            yield f"{before}{key}", number(value)


def _known(table: Table) -> Table:
    """A table without the columns in which nothing is known."""
    kept = [place for place in range(len(table.header)) if any(row[place] not in ("-", "") for row in table.rows)]
    rows = tuple(tuple(row[place] for place in kept) for row in table.rows)
    return Table(tuple(table.header[place] for place in kept), rows, table.refused)


def _those(figure: Figure | None) -> tuple[Figure, ...]:
    return () if figure is None else (figure,)
