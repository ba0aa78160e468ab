"""`mlctl parity`: what was answered over HTTP is computed again as a batch computes it, and compared bit by bit.

Two ways, by what the log holds. The values that were scored, where they were written down (`log: inputs`), go through
the release again. Rows whose features were looked up are computed anew from the checked tables, at the store's moment,
and then scored: this is where a difference between training and serving would show. A gate that replays nothing
refuses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any, Final

from mlctl import online, releases, snapshot
from mlctl.decide import FAILED
from mlctl.errors import IntegrityError
from mlctl.materializing import features_at
from mlctl.plan import compile_plan
from mlctl.server import prediction_log
from mlctl.server.answers import TIMEOUT, TIMEOUT_PREVIOUS, Answerer
from mlctl.server.inputs import Inputs
from mlctl.server.lookups import STALE_FEATURE, UNKNOWN_ENTITY
from mlctl.stages import Tell
from mlctl.stages.features import checked_tables
from mlctl.workspace import Places

_COMPARED: Final = ("score", "decision", "reason", "confidence")
_UNASKED: Final = frozenset({*FAILED, TIMEOUT, TIMEOUT_PREVIOUS, UNKNOWN_ENTITY, STALE_FEATURE})
_EXAMPLES: Final = 5

Line = Mapping[str, Any]


@dataclass(frozen=True)
class Parity:
    """What the replay found.

    Attributes:
        release: The release that replayed.
        replayed: Answers that were computed again.
        looked_up: How many of those had their features computed again too.
        differing: How many came out otherwise.
        examples: Some of them, a sentence each.
        not_replayed: Why other answers were not, and how many.
    """

    release: str
    replayed: int
    looked_up: int
    differing: int
    examples: tuple[str, ...]
    not_replayed: Mapping[str, int]

    @property
    def passed(self) -> bool:
        """Whether something was replayed, and all of it came out the same."""
        return self.replayed > 0 and self.differing == 0

    def record(self) -> dict[str, Any]:
        """The outcome as JSON-ready data."""
        return {"format_version": "1.0", "passed": self.passed, **asdict(self)}


def parity(places: Places, tell: Tell) -> Parity:
    """Replays the prediction log.

    Raises:
        IntegrityError: Release, store or tables are missing or damaged.
    """
    tell("parity", "")
    answerer = Answerer.open(releases.to_serve(places), places.name, f"mlctl run projects/{places.name}")
    inputs = Inputs(answerer.schema, answerer.release.project.entity.key, 1)
    computed = _Computed(places, answerer, inputs)
    skipped: Counter[str] = Counter()
    rows: list[dict[str, Any]] = []
    lines: list[dict[str, Any]] = []
    wrong: dict[int, list[str]] = {}
    looked_up = 0
    for line in prediction_log.read(places.predictions):
        if why := _unasked(answerer, line):
            skipped[why] += 1
            continue
        again, why = computed.row(line) if "store" in line else (None, "")
        used: dict[str, Any] | None = line.get("inputs")
        if again is None and used is None:
            skipped[why or "its values were not written down (serving.log: inputs)"] += 1
            continue
        if again is not None and used is not None:
            wrong[len(lines)] = _different(line, {n: used[n] for n in again}, again)
        looked_up += again is not None
        rows.append(used if used is not None else again or {})
        lines.append(line)
    answers = answerer.release.decide(inputs.table(rows)).to_dicts() if rows else []
    for place, (line, answer) in enumerate(zip(lines, answers, strict=True)):
        was = {name: line[name] for name in _COMPARED}
        wrong[place] = wrong.get(place, []) + _different(line, was, {name: answer[name] for name in _COMPARED})
    differing = sum(map(bool, wrong.values()))
    examples = tuple(chain.from_iterable(wrong.values()))[:_EXAMPLES]
    outcome = Parity(answerer.release.id, len(rows), looked_up, differing, examples, dict(skipped))
    for sentence in told(outcome):
        tell("parity", sentence)
    return outcome


def of_golden_rows(places: Places) -> str:
    """Asks the sealed release for its golden rows one by one, as a server does, and all at once, as a batch does.

    Returns:
        What was found, in a sentence.

    Raises:
        IntegrityError: The release is damaged, or an answer differs in a bit.
    """
    again = f"mlctl run projects/{places.name}"
    answerer = Answerer.open(places.release, places.name, again)
    inputs = Inputs(answerer.schema, answerer.release.project.entity.key, 1)
    table = inputs.table(list(answerer.examples))
    for row, together in zip(answerer.examples, answerer.release.decide(table).to_dicts(), strict=True):
        alone = answerer.answers(inputs, [row])[0]
        if differing := [name for name in _COMPARED if alone[name] != together[name]]:
            said = " and in a batch ".join(repr(answer[differing[0]]) for answer in (alone, together))
            raise IntegrityError.refused(str(places.release), f"{differing[0]} of a golden row is alone {said}", again)
    return f"{len(answerer.examples)} golden rows, one by one as over HTTP and together as in a batch: the same bits"


def told(outcome: Parity) -> list[str]:
    """The outcome in sentences."""
    verdict = f"{outcome.differing:,} came out otherwise" if outcome.differing else "all came out the same, to the bit"
    looked_up = f", {outcome.looked_up:,} of them from features computed anew" if outcome.looked_up else ""
    first = f"{outcome.replayed:,} answers replayed{looked_up}: {verdict}"
    if not outcome.replayed:
        first = "no answer could be replayed, so nothing is proved"
    return [
        first,
        *outcome.examples,
        *(f"{count:,} not replayed: {why}" for why, count in outcome.not_replayed.items()),
    ]


class _Computed:
    """The features at the store's moment, computed as a batch computes them, once they are asked for."""

    def __init__(self, places: Places, answerer: Answerer, inputs: Inputs) -> None:
        self._places, self._answerer, self._inputs = places, answerer, inputs
        self._store = online.open_store(places.online, f"mlctl materialize projects/{places.name}")
        self._rows: dict[str, dict[str, Any]] | None = None

    def row(self, line: Line) -> tuple[dict[str, Any] | None, str]:
        """The features of a line's entity without those that the request said itself; or why they are not known."""
        if self._store is None or line["store"] != self._store.id:
            return None, "its features are of another generation of the online store"
        if "inputs" not in line and line["said"]:
            return None, "the request said features, which were not written down (serving.log: inputs)"
        if self._rows is None:
            self._rows = self._all()
        row = self._rows.get(str(line[self._inputs.key]))
        if row is None:
            return None, "its entity is not in the checked tables any more"
        return {name: row[name] for name in self._inputs.schema if name not in line["said"]}, ""

    def _all(self) -> dict[str, dict[str, Any]]:
        taken = snapshot.read(self._places)
        if self._store is None or taken is None or taken.version != self._store.dataset:
            return {}
        project = self._answerer.release.project
        _, tables = checked_tables(self._places, project)
        plan = compile_plan(project, {name: table.columns for name, table in tables.items()})
        rows = features_at(plan, tables, self._store.as_of)
        return {row[plan.entity.key]: row for row in rows.iter_rows(named=True)}


def _unasked(answerer: Answerer, line: Line) -> str:
    """Why an answer is none of the release's; empty when it is."""
    if line["release"] != answerer.release.id:
        return f"answered by another release than {answerer.release.id}"
    return f"the fallback answered ({line['reason']})" if line["reason"] in _UNASKED else ""


def _different(line: Line, was: Mapping[str, Any], again: Mapping[str, Any]) -> list[str]:
    """What differs, a sentence a value, beginning with the answer's id."""
    names = (name for name in was if was[name] != again[name])
    return [f"{line['id']}: {name} was {was[name]!r} and is {again[name]!r} in a batch" for name in names]
