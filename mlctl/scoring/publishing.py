"""Scores on their way to their readers: everybody scored by the sealed release, audited, shown; and shown as before.

What readers see is one generation, whole, and changes in one short transaction (`mlctl/database/generations.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlctl import config, database, ramp, snapshot
from mlctl.costs import ledger
from mlctl.database import generations
from mlctl.database.generations import Generation, PublishOrder
from mlctl.errors import ConfigError, DataError, Fault, IntegrityError, listed
from mlctl.files import canonical_json, sha256_of
from mlctl.release import BASELINE
from mlctl.rollout import Note
from mlctl.rollout.flag_file import CHALLENGER
from mlctl.scoring import holdout, predictions, sharing, streaming
from mlctl.scoring.sharing import Scored, Sharers, When
from mlctl.serving import batch
from mlctl.sketches import shelf
from mlctl.sketches.sheet import scored_rows
from mlctl.sketches.shelf import day_of
from mlctl.spec import Project
from mlctl.stages import Tell
from mlctl.stages.features import checked_files
from mlctl.times import moment_text
from mlctl.workspace import Places

if TYPE_CHECKING:
    import polars as pl
    import psycopg
    from psycopg.rows import TupleRow

_SHOWN: Final = 8
"""Decisions that are told on one line."""


@dataclass(frozen=True)
class Published:
    """Where the scores are: the view, its rows and its run id; `already` when this very run was live before.

    `database_bytes` is what all generations that are kept take.
    """

    view: str
    rows: int
    run_id: str
    already: bool
    decisions: Mapping[str, int]
    database_bytes: int = 0


@dataclass(frozen=True)
class Back:
    """The generation that is shown again, and whether it was shown `already`: nothing was changed."""

    live: Generation
    already: bool


def publish(places: Places, project: Project, now: datetime, tell: Tell, as_of: datetime | None = None) -> Published:
    """Scores everybody and publishes: written beside the live scores, audited, then swapped in.

    The champion scores, or the sealed release while none was promoted; a challenger its share (`sharing.py`). The
    run id is made of project, moment, dataset and these: the same run twice changes nothing.

    Args:
        places: The project's paths.
        project: The project.
        now: When it is published.
        tell: Hears what happens.
        as_of: Score as of this moment of the snapshot; None: as of its end.

    Raises:
        ConfigError: The moment lies behind the snapshot, or the project answers over HTTP.
        DataError: The audit speaks against it; the live scores stay.
        IntegrityError: Release or tables are missing or damaged.
        ConflictError: Somebody else publishes this project now.
        ExternalError: The database.
    """
    return entered(places, now, lambda: _published(places, project, now, tell, as_of))


def entered(places: Places, now: datetime, publishing: Callable[[], Published]) -> Published:
    """Publishes, and writes down what it took: the rows, and as predictions those that were not there already."""
    with ledger.entered(places, "score", now) as line:
        published = publishing()
        line.rows, line.predictions = published.rows, 0 if published.already else published.rows
        if published.database_bytes:
            line.details[ledger.DATABASE_BYTES] = published.database_bytes
        return published


def _published(places: Places, project: Project, now: datetime, tell: Tell, as_of: datetime | None) -> Published:
    if project.serving.kind != "batch":
        hint = f"mlctl serve projects/{places.name}, or serving: {{kind: batch}}"
        fault = Fault("serving.kind", "only a batch publishes scores", hint=hint)
        raise ConfigError.of_project(places.name, [fault])
    tell("score", "")
    again = f"mlctl run projects/{places.name}"
    taken = snapshot.read(places)
    if taken is None:
        raise IntegrityError.missing(str(places.data), again)
    moment = as_of or taken.as_of
    if moment > taken.as_of:
        why = f"the snapshot ends at {moment_text(taken.as_of)}; mlctl ingest projects/{places.name} --latest"
        raise ConfigError.bad_override(f"--as-of {moment_text(moment)}", why)
    who = sharing.sharers(places)
    if who.waiting and who.waiting != who.traffic.challenger:
        said = f"mlctl promote {places.name}, or mlctl ramp {places.name} 1"
        tell("score", f"the sealed release {who.waiting} waits: {said}")
    run_id = _run_id(places, taken, moment, who)
    where = config.with_secrets(project.database)
    with database.open_database(where, Path.cwd()) as connection:
        live = generations.live(connection, where.schema_name, places.name)
        if live is not None and live.run_id == run_id:
            tell("score", f"{live.rows:,} scores in {live.view} are of this release and snapshot already")
            return Published(live.view, live.rows, run_id, True, {})
        run = _Run(places, project, who, run_id, (moment, now), None if live is None else live.rows)
        _, files = checked_files(places, project)
        if streaming.streams(who, project):
            made, scores = _streamed(connection, run, files)
        else:
            scored = run.audited(sharing.score(who, places, project, files, run.when))
            if scored.fault:
                _send_away(places, who, scored, now, tell)
                run = replace(run, run_id=_run_id(places, taken, moment, who.alone()))
            scores = run.kept(scored)
            made = generations.publish(connection, run.order, scores)
        stored = generations.kept_bytes(connection, where.schema_name, places.name)
    counts = scores["decision"].value_counts().sort("decision")
    decisions = dict(zip(counts["decision"], counts["count"], strict=True))
    often = sorted(decisions.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{count:,} {decision}" for decision, count in often[:_SHOWN])
    if len(often) > _SHOWN:
        shown += f" and {len(often) - _SHOWN} decisions more"
    tell("score", f"{made.rows:,} audited scores in {made.view} ({shown})")
    return Published(made.view, made.rows, run.run_id, False, decisions, stored)


@dataclass(frozen=True)
class _Run:
    """A batch that is not shown yet.

    Attributes:
        places: The project's paths.
        project: The project.
        who: Who scores.
        run_id: Its id.
        when: The moment of the features, and the present.
        live_rows: Rows of the generation that readers see now; None when there is none.
    """

    places: Places
    project: Project
    who: Sharers
    run_id: str
    when: When
    live_rows: int | None

    @property
    def order(self) -> PublishOrder:
        """What is to be published where."""
        as_of, now = self.when
        return _order(self.places, self.project, now, (self.run_id, self.who.champion, as_of))

    def acted_upon(self, scores: pl.DataFrame) -> pl.DataFrame:
        """Scores of which those who are held out bear no decision."""
        return holdout.applied(self.places.name, self.project.cost.holdout_share, scores)

    def audited(self, scored: Scored) -> Scored:
        """The batch, after its audit.

        Raises:
            DataError: The audit speaks against it.
        """
        options: Any = self.project.serving
        findings = batch.audit(options, scored.scores, scored.champion.manifest["evaluation"], self.live_rows)
        if findings:
            raise DataError.audit_failed([finding.sentence() for finding in findings])
        return scored

    def kept(self, scored: Scored) -> pl.DataFrame:
        """What readers get; it is kept, with sketches of the batch and both answers of those whom two releases scored.

        They are kept before they are shown: whoever is killed in between writes the same files again.
        """
        scores = self.acted_upon(scored.scores)
        predictions.keep(self.places, self.run_id, scores)
        if scored.pairs is not None:
            sharing.keep(self.places, self.run_id, scored.pairs)
        self._sketched(scored)
        return scores

    def _sketched(self, scored: Scored) -> None:
        """Keeps sketches of what each release scored, held against what its own training saw."""
        who, (as_of, now) = self.who, self.when
        outputs = scored.scores.select("score", "decision", "reason", "variant")
        by_challenger = outputs["variant"] == CHALLENGER
        told = {"day": day_of(as_of), "origin": "batch", "scored_at": now}
        if (baseline := shelf.sealed(who.folder / BASELINE)) is not None:
            rows = scored_rows(scored.features, outputs).filter(~by_challenger)
            shelf.keep(
                self.places, baseline, baseline.sheet(rows), told | {"name": self.run_id, "release": who.champion}
            )
        if who.challenger is None or scored.tried is None or not scored.tried.height:
            return
        if (baseline := shelf.sealed(who.challenger / BASELINE)) is not None:
            rows, tried = scored_rows(scored.tried, outputs.filter(by_challenger)), who.traffic.challenger
            name = f"{self.run_id}.{tried}"
            shelf.keep(self.places, baseline, baseline.sheet(rows), told | {"name": name, "release": tried})


def _streamed(
    connection: psycopg.Connection[TupleRow], run: _Run, files: Mapping[str, Path]
) -> tuple[Generation, pl.DataFrame]:
    """Everybody scored while the scores are written; audited before they are shown."""
    stream = streaming.begin(run.who, run.places, files, run.when)
    shown: list[pl.DataFrame] = []

    def approve() -> None:
        shown.append(run.kept(run.audited(stream.scored())))

    made = generations.publish(connection, run.order, stream.coming(run.acted_upon, approve))
    return made, shown[0]


def kept(places: Places, project: Project) -> list[Generation]:
    """The generations that can be shown, one a run, in the order in which they were first published, the last first.

    Raises:
        ExternalError: The database.
    """
    where = config.with_secrets(project.database)
    with database.open_database(where, Path.cwd()) as connection:
        return _kept(generations.history(connection, where.schema_name, places.name))


def back(places: Places, project: Project, to: str | None, now: datetime) -> Back:
    """Shows an earlier generation again, in one short transaction; readers never see none, or two.

    Without a run it takes back the last publication, and that once: typed again, it changes nothing.

    Args:
        places: The project's paths.
        project: The project.
        to: A run id, or its beginning; None: the run that was shown before the live one.
        now: When it is shown.

    Raises:
        ConfigError: There is no such generation.
        ConflictError: Somebody else publishes this project now.
        ExternalError: The database.
    """
    where = config.with_secrets(project.database)
    with database.open_database(where, Path.cwd()) as connection:
        history = generations.history(connection, where.schema_name, places.name)
        target = to_show(history, to)
        order = _order(places, project, now, (target.run_id, target.release, target.as_of))
        return Back(generations.back(connection, order), target.status == "live")


def _kept(history: list[Generation]) -> list[Generation]:
    """The newest record of each run whose table is kept; the run that first came last is the first."""
    newest: dict[str, Generation] = {}
    first: dict[str, int] = {}
    for record in history:
        if record.status != "dropped":
            newest.setdefault(record.run_id, record)
            first[record.run_id] = record.number
    return sorted(newest.values(), key=lambda record: -first[record.run_id])


def to_show(history: list[Generation], to: str | None) -> Generation:
    """The run to go back to; the live one itself where that came by going back.

    Args:
        history: Every publication, newest first.
        to: A run id, or its beginning; None: the run that was shown before the live one.

    Raises:
        ConfigError: There is no such run.
    """
    found = _kept(history)
    known = listed([record.run_id for record in found], 10) or "none"
    if to is not None:
        matching = [record for record in found if record.run_id.startswith(to)]
        if len(matching) != 1:
            raise ConfigError.bad_override(f"--to {to}", f"the runs that are kept: {known}")
        return matching[0]
    live = next((record for record in found if record.status == "live"), None)
    if live is not None and live is not found[0]:
        return live
    before = None if live is None else _shown_before(history, live)
    if before is None:
        raise ConfigError.bad_override("rollback", f"no run before the live one is kept; kept: {known}")
    return before


def _shown_before(history: list[Generation], live: Generation) -> Generation | None:
    """The run that readers saw before the live one, if it is kept."""
    earlier = (record for record in history if record.number < live.number and record.run_id != live.run_id)
    return next((record for record in earlier if record.status != "dropped"), None)


def _order(places: Places, project: Project, now: datetime, run: tuple[str, str, datetime]) -> PublishOrder:
    run_id, release, as_of = run
    return PublishOrder(
        schema=project.database.schema_name,
        project=places.name,
        run_id=run_id,
        release=release,
        as_of=as_of,
        now=now,
        keep=project.database.keep,
        entity=project.entity.key,
        numbers=project.label.task in ("regression", "ranking"),
    )


def _run_id(places: Places, taken: snapshot.Snapshot, moment: datetime, who: Sharers) -> str:
    return sha256_of(canonical_json([places.name, moment_text(moment), taken.version, who.identity]))[:16]


def _send_away(places: Places, who: Sharers, scored: Scored, now: datetime, tell: Tell) -> None:
    """Takes the share of a challenger away that must not score anybody."""
    tell("score", f"challenger {who.traffic.challenger} is sent away, the champion scores everybody: {scored.fault}")
    note = Note("mlctl score", now, f"sent away: {scored.fault}", {"batch": scored.fault})
    ramp.send_away(places, who.traffic.challenger, note)
