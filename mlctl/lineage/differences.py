"""What changed between two releases, or between a release and a try: from data and schema to metrics and scores.

And why: the inputs that are not the same. Everything is read from facts (`facts.py`); nothing is trained again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final

from mlctl.errors import listed
from mlctl.lineage.facts import Facts

PARTS: Final = ("data", "schema", "features", "parameters", "metrics", "scores", "gate")
_SHOWN: Final = 8


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it was.

    Attributes:
        part: One of `PARTS`.
        what: What differs, such as `orders` or `roc_auc of everybody`.
        before: As it was, for people; empty where it was not.
        now: As it is, for people; empty where it is gone.
        remark: What that means: how many more, better or worse, beyond the interval or not.
    """

    part: str
    what: str
    before: str
    now: str
    remark: str = ""

    def record(self) -> dict[str, str]:
        """The difference as JSON-ready data."""
        return asdict(self)


def differences(before: Facts, now: Facts) -> list[Difference]:
    """Every difference between two, in the order of `PARTS`."""
    found = [
        *_of_data(before, now),
        *_of_schema(before, now),
        *_of_names("features", before.features, now.features),
        *_of_params(before.params, now.params),
        *_of_metrics(before, now),
        *_of_scores(before.scores, now.scores),
    ]
    gates = [_gate(before), _gate(now)]
    if gates[0] != gates[1]:
        found.append(Difference("gate", "verdict", *gates))
    return found


def causes(before: Facts, now: Facts) -> list[str]:
    """Which inputs are not the same, a sentence each; empty where all of them are."""
    said = []
    if before.data.get("version") != now.data.get("version"):
        versions = [f"{facts.data.get('version', 'none')[:12]}" for facts in (before, now)]
        moments = [str(facts.data.get("as_of", "never")) for facts in (before, now)]
        said.append(f"data: {versions[0]} as of {moments[0]} -> {versions[1]} as of {moments[1]}")
    keys = [difference.what for difference in _of_params(before.params, now.params)]
    if keys:
        said.append(f"parameters: {listed(keys, _SHOWN)}")
    code = [(facts.made_from.get("mlctl") or {}).get("code", "none") for facts in (before, now)]
    if code[0] != code[1]:
        commits = [str((facts.made_from.get("git") or {}).get("sha") or "no commit")[:12] for facts in (before, now)]
        said.append(f"code: {code[0]} (commit {commits[0]}) -> {code[1]} (commit {commits[1]})")
    libraries = [_libraries(facts) for facts in (before, now)]
    other = [
        f"{name} {libraries[0].get(name, 'none')} -> {version}"
        for name, version in libraries[1].items()
        if libraries[0].get(name) != version
    ]
    if other:
        said.append(f"libraries: {listed(other, _SHOWN)}")
    return said


def _libraries(facts: Facts) -> dict[str, str]:
    return {**facts.made_from.get("libraries", {}), "python": str(facts.made_from.get("python", ""))}


def _of_data(before: Facts, now: Facts) -> Iterator[Difference]:
    moments = [str(facts.data.get("as_of", "")) for facts in (before, now)]
    if moments[0] != moments[1]:
        yield Difference("data", "as of", *moments)
    sources = [facts.data.get("sources", {}) for facts in (before, now)]
    for name in _either(*sources):
        rows = [source[name]["rows"] if name in source else None for source in sources]
        if rows[0] != rows[1]:
            texts = [f"{count:,} rows" if count is not None else "" for count in rows]
            remark = _turn(*texts) or f"{(rows[1] or 0) - (rows[0] or 0):+,} rows"
            yield Difference("data", name, texts[0], texts[1], remark)


def _of_schema(before: Facts, now: Facts) -> Iterator[Difference]:
    sources = [facts.data.get("sources", {}) for facts in (before, now)]
    for name in _either(*sources):
        columns = [source.get(name, {}).get("columns", {}) for source in sources]
        for column in _either(*columns):
            types = [str(told.get(column, "")) for told in columns]
            if types[0] != types[1]:
                yield Difference("schema", f"{name}.{column}", types[0], types[1], _turn(*types))


def _of_names(part: str, before: Sequence[str], now: Sequence[str]) -> Iterator[Difference]:
    for name in [*(name for name in now if name not in before), *(name for name in before if name not in now)]:
        texts = ("" if name not in before else name, "" if name not in now else name)
        yield Difference(part, name, *texts, remark=_turn(*texts))


def _of_params(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    for key in _either(before, now):
        if before.get(key) != now.get(key):
            texts = ["" if key not in told else str(told[key]) for told in (before, now)]
            yield Difference("parameters", key, texts[0], texts[1], _turn(*texts))


def _of_metrics(before: Facts, now: Facts) -> Iterator[Difference]:
    if before.model != now.model:
        yield Difference("metrics", "model taken", before.model, now.model)
    for group in _either(now.metrics, before.metrics):
        then, here = before.metrics.get(group, {}), now.metrics.get(group, {})
        for metric in _either(here, then):
            values = [then.get(metric), here.get(metric)]
            texts = [_measured(value) for value in values]
            if texts[0] != texts[1]:
                yield Difference("metrics", f"{metric} of {group}", texts[0], texts[1], _better(*values))


def _measured(measure: Mapping[str, Any] | None) -> str:
    if measure is None or measure["value"] is None:
        return ""
    interval = "" if measure["low"] is None else f" [{measure['low']:.4f}, {measure['high']:.4f}]"
    return f"{measure['value']:.4f}{interval}"


def _better(before: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> str:
    """Better or worse, and whether the 95 % intervals lie apart; other rows judged the two, so nothing is paired."""
    if before is None or now is None or before["value"] is None or now["value"] is None:
        return ""
    if before["value"] == now["value"]:
        return "the same"
    word = "better" if (now["value"] > before["value"]) == (now["better"] == "higher") else "worse"
    if None in (before["low"], before["high"], now["low"], now["high"]):
        return word
    apart = before["high"] < now["low"] or now["high"] < before["low"]
    return word if apart else f"{word}, within the intervals"


def _of_scores(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    if not before or not now:
        return
    if before["mean"] != now["mean"]:
        yield Difference("scores", "mean", f"{before['mean']:.4f}", f"{now['mean']:.4f}")
    if before["quantiles"] != now["quantiles"]:
        texts = [", ".join(f"{facts['quantiles'][at]:.3f}" for at in (2, 10, 18)) for facts in (before, now)]
        moved = largest_shift(before["quantiles"], now["quantiles"])
        yield Difference(
            "scores", "quantiles 0.1, 0.5, 0.9", texts[0], texts[1], f"{moved:.1%} of the rows moved past a score"
        )
    shares = [facts.get("shares", {}) for facts in (before, now)]
    for name in _either(*shares):
        parts = [told.get(name, 0.0) for told in shares]
        if parts[0] != parts[1]:
            yield Difference("scores", f"share of {name}", *[f"{part:.1%}" for part in parts])


def largest_shift(before: Sequence[float], now: Sequence[float]) -> float:
    """The largest distance between two cumulative distributions that are told by evenly spaced quantiles.

    Kolmogorov's distance, as far as the quantiles tell it.

    >>> largest_shift([0.0, 0.5, 1.0], [0.0, 0.5, 1.0]), largest_shift([0.0, 0.5, 1.0], [0.5, 0.75, 1.0])
    (0.0, 0.5)
    """
    return max(abs(_share_below(before, value) - _share_below(now, value)) for value in {*before, *now})


def _share_below(quantiles: Sequence[float], value: float) -> float:
    """The share of rows at or below a value, between two quantiles by a straight line."""
    step = 1 / (len(quantiles) - 1)
    if value < quantiles[0]:
        return 0.0
    share = 0.0
    for index, (low, high) in enumerate(pairwise(quantiles)):
        if value >= high:
            share = (index + 1) * step
        elif value >= low:
            return (index + (value - low) / (high - low)) * step
    return share


def _gate(facts: Facts) -> str:
    if not facts.gate:
        return ""
    refused = facts.gate.get("refused", ())
    return "passed" if facts.gate["passed"] else f"refused by {listed(refused, _SHOWN)}"


def _turn(before: str, now: str) -> str:
    return "new" if not before else "gone" if not now else ""


def _either(first: Iterable[str], second: Iterable[str]) -> list[str]:
    return list(dict.fromkeys([*first, *second]))


def markdown(title: str, found: Sequence[Difference], why: Sequence[str]) -> str:
    """The differences as Markdown, a table a part."""
    lines = [f"### {title}", "", *(f"- {cause}" for cause in why or ["no input changed"]), ""]
    for part in PARTS:
        rows = [difference for difference in found if difference.part == part]
        if rows:
            lines += [f"| {part} | before | now | |", "|---|---|---|---|"]
            lines += [_row([row.what, row.before, row.now, row.remark]) for row in rows]
            lines.append("")
    return "\n".join(lines if found else [*lines, "Nothing is different.", ""])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"
