"""`mlctl decay`: the index that answers is measured, and each measurement is written down."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlctl import config, database
from mlctl.database import views
from mlctl.errors import IntegrityError
from mlctl.files import append_line, read_lines
from mlctl.findings import Finding
from mlctl.index import decay, generations, table
from mlctl.index.filters import Filter
from mlctl.index.generations import IndexGeneration
from mlctl.index.recall import EVERYTHING, Truth, measured
from mlctl.index.search import Session
from mlctl.indexing.ground import Ground, read_ground, sampled
from mlctl.indexing.making import declared
from mlctl.server import prediction_log
from mlctl.times import moment, moment_text
from mlctl.workspace import Places

if TYPE_CHECKING:
    from mlctl.database.views import Connection

_WEEK: Final = timedelta(days=7)


@dataclass(frozen=True)
class Decayed:
    """What was measured, what of it is beyond its limit, and when the index should be made anew."""

    facts: dict[str, Any]
    findings: tuple[Finding, ...]
    due: datetime | None
    why: str

    def record(self) -> dict[str, Any]:
        """The measurement as JSON-ready data."""
        return {
            "format_version": "1.0",
            "facts": self.facts,
            "findings": [finding.record() for finding in self.findings],
            "due": None if self.due is None else moment_text(self.due),
            "why": self.why,
        }

    def lines(self) -> list[str]:
        """The measurement for people."""
        facts = self.facts
        told = [f"recall@{facts['k']} {one['recall']:.4f} of {one['filter']}" for one in facts["recall"]]
        strays = facts["strays"]
        told.append(
            f"{strays['items']:,} items: {strays['missing']:,} without a vector, {strays['changed']:,} with one of "
            f"another text, {strays['silent']:,} that the model knows nothing of; {strays['gone']:,} vectors of items "
            "that are gone"
        )
        ages = ", ".join(f"{count:,} up to {age}" for age, count in facts["ages"]["counts"].items() if count)
        told.append(f"vectors by age: {ages.replace('up to older', 'older')}")
        if facts["overlap"] is not None:
            told.append(f"{facts['overlap']:.1%} of the neighbours are those of generation {facts['overlap_with']}")
        told += [f"{kept:.1%} of the neighbours among {name}" for name, kept in facts.get("overlaps", {}).items()]
        if facts["new_items"] is not None:
            told.append(f"vectors of new items lie where the others do: p = {facts['new_items']:.3f}")
        if facts["traffic"]:
            told.append("answers: " + ", ".join(f"{share:.1%} {state}" for state, share in facts["traffic"].items()))
        when = "never" if self.due is None else moment_text(self.due)
        return [*told, f"to be made anew {when}: {self.why}"]


def decayed(places: Places, now: datetime) -> Decayed:
    """Measures the index that answers, and writes the measurement down.

    Raises:
        ConfigError: The project recommends nothing.
        IntegrityError: There is no index, or release or tables are missing or damaged.
        ExternalError: The database or the disk.
    """
    ground = read_ground(places)
    where = config.with_secrets(config.read_params(places).database)
    with database.open_database(where, Path.cwd()) as connection, views.told(connection):
        history = generations.history(connection, where.schema_name, places.name)
        live = next((one for one in history if one.status == "live"), None)
        if live is None or live.live_at is None:
            raise IntegrityError.missing(f"the index of {places.name}", f"mlctl index projects/{places.name}")
        facts = _facts(places, ground, connection, (live, history), now)
    append_line(_kept(places), json.dumps(facts, separators=(",", ":")))
    limits = ground.settings.decay
    due, why = decay.due(measurements(places, live.run_id), limits, now)
    return Decayed(facts, tuple(decay.findings(facts, limits)), due, why)


def measurements(places: Places, run_id: str = "", until: datetime | None = None) -> list[dict[str, Any]]:
    """What was measured, oldest first: of one generation, or of all; up to a moment."""
    return [
        one
        for one in read_lines(_kept(places))
        if run_id in ("", one["generation"]) and (until is None or moment(one["at"]) <= until)
    ]


def _kept(places: Places) -> Path:
    return places.state / "decay.ndjson"


def _facts(
    places: Places,
    ground: Ground,
    connection: Connection,
    which: tuple[IndexGeneration, Sequence[IndexGeneration]],
    now: datetime,
) -> dict[str, Any]:
    live, history = which
    catalogue = ground.catalogue()
    items = decay.held(connection, live.table)
    ids, vectors = table.read_back(connection, live.table)
    shown = {item: place for place, item in enumerate(catalogue.items[catalogue.key].to_list())}
    still = [place for place, item in enumerate(ids) if item in shown]
    rows = catalogue.items[[shown[ids[place]] for place in still]]
    truth = Truth(vectors[still], rows, sampled(ground, ground.settings.queries)[0], ground.k)
    session, index = Session(connection), live.index
    wanted = {EVERYTHING: Filter(), **declared(places, ground.settings, catalogue.columns)}
    newest = [item in items and items[item][1] == live.began_at for item in ids]
    new = [place for place, fresh in enumerate(newest) if fresh]
    old = [place for place, fresh in enumerate(newest) if not fresh]
    before = _week_ago(live, history)
    return {
        "at": moment_text(now),
        "generation": live.run_id,
        "table": live.table,
        "live_at": moment_text(live.live_at or live.began_at),
        "k": ground.k,
        "objective": live.about["objective"],
        "recall": [measured(session, index, truth, named).record() for named in wanted.items()],
        "strays": decay.strays(catalogue, items),
        "ages": decay.ages([made for _, made in items.values()], now),
        **overlaps(before, live),
        "overlap_with": "" if before is None else before.run_id[:12],
        "new_items": decay.moved(vectors[new], vectors[old]),
        "traffic": decay.traffic(prediction_log.read(places.predictions)),
    }


def overlaps(before: IndexGeneration | None, live: IndexGeneration) -> dict[str, Any]:
    """The share of neighbours kept of all items, and of those that hold a declared filter."""
    then, now = (_samples(one) for one in (before, live))
    kept = {name: decay.overlap(then[name], now[name]) for name in now if name in then}
    return {
        "overlap": kept.pop(EVERYTHING, None),
        "overlaps": {name: one for name, one in kept.items() if one is not None},
    }


def _samples(generation: IndexGeneration | None) -> dict[str, Any]:
    """By filter the neighbours of a generation's sample; one of an older version has those of all items alone."""
    found: dict[str, Any] = {} if generation is None else generation.about["neighbours"]
    old = any(isinstance(one, list) for one in found.values())
    return {EVERYTHING: found} if old else found


def _week_ago(live: IndexGeneration, history: Sequence[IndexGeneration]) -> IndexGeneration | None:
    """Of the generations that answered before, the one whose begin is nearest to a week before this one's."""
    earlier = [one for one in history if one.live_at is not None and one.number < live.number]
    return min(earlier, key=lambda one: abs(live.began_at - _WEEK - one.began_at), default=None)
