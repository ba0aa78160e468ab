"""`mlctl score` of a recommender: the best items of every user into the scores table, audited, then shown.

A row is a user. `decision` is the best item and `score` its score; `contributions` holds the whole list as JSON, each
item with its score and because of which items of the history it is there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlctl import config, database
from mlctl.database import generations
from mlctl.database.scores_table import PublishOrder
from mlctl.errors import ConfigError, DataError
from mlctl.files import canonical_json, sha256_of
from mlctl.findings import Finding
from mlctl.indexing.ground import HISTORY, Ground, read_ground
from mlctl.recommend.answering import Answer
from mlctl.rollout.flag_file import CHAMPION
from mlctl.scoring.publishing import Published, entered
from mlctl.serving.batch import Audit
from mlctl.spec import Project
from mlctl.stages import Tell
from mlctl.times import moment_text
from mlctl.workspace import Places

if TYPE_CHECKING:
    import polars as pl

_SHOWN: Final = 3


def publish(places: Places, project: Project, now: datetime, tell: Tell, as_of: datetime | None = None) -> Published:
    """Recommends for everybody and publishes: written beside the live lists, audited, then swapped in.

    The run id is made of project, moment, dataset and release: the same run twice changes nothing.

    Args:
        places: The project's paths.
        project: The project; its database is meant.
        now: When it is published.
        tell: Hears what happens.
        as_of: By the histories of this moment of the snapshot; None: of its end.

    Raises:
        ConfigError: The moment lies behind the snapshot.
        DataError: The audit speaks against it; the live lists stay.
        IntegrityError: Release or tables are missing or damaged.
        ConflictError: Somebody else publishes this project now.
        ExternalError: The database.
    """
    return entered(places, now, lambda: _published(places, project, now, tell, as_of))


def _published(places: Places, project: Project, now: datetime, tell: Tell, as_of: datetime | None) -> Published:
    tell("score", "")
    ground = read_ground(places, as_of)
    if as_of is not None and as_of > ground.taken:
        why = f"the snapshot ends at {moment_text(ground.taken)}; mlctl ingest projects/{places.name} --latest"
        raise ConfigError.bad_override(f"--as-of {moment_text(as_of)}", why)
    release = ground.recommender.id
    made_of = [places.name, moment_text(ground.as_of), ground.dataset, release]
    run_id = sha256_of(canonical_json(made_of))[:16]
    where = config.with_secrets(project.database)
    with database.open_database(where, Path.cwd()) as connection:
        live = generations.live(connection, where.schema_name, places.name)
        if live is not None and live.run_id == run_id:
            tell("score", f"{live.rows:,} lists in {live.view} are of this release and snapshot already")
            return Published(live.view, live.rows, run_id, True, {})
        scores = lists_of(ground, now)
        findings = audit(ground, scores, None if live is None else live.rows)
        if findings:
            raise DataError.audit_failed([finding.sentence() for finding in findings])
        order = PublishOrder(
            schema=where.schema_name,
            project=places.name,
            run_id=run_id,
            release=release,
            as_of=ground.as_of,
            now=now,
            keep=where.keep,
            entity=ground.recommender.project.entity.key,
            numbers=True,
        )
        made = generations.publish(connection, order, scores)
    reasons = dict(scores["reason"].value_counts().sort("reason").iter_rows())
    told = ", ".join(f"{count:,} by {reason}" for reason, count in reasons.items())
    tell("score", f"{made.rows:,} audited lists in {made.view} ({told})")
    return Published(made.view, made.rows, run_id, False, reasons)


def lists_of(ground: Ground, now: datetime) -> pl.DataFrame:
    """The scores table.

    Grain: one row a user, sorted by key. Columns: the key, score, decision, reason, variant, as_of, scored_at,
    contributions. Time: the ground's moment.

    Raises:
        DataError: Nobody is known.
    """
    import polars as pl

    recommender, users = ground.recommender, ground.histories
    key = recommender.project.entity.key
    if users.height == 0:
        when = moment_text(ground.as_of)
        raise DataError.no_rows("the population", f"nobody had anything before {when}", "look at --as-of and label:")
    answers = recommender.recommend(
        [list(history) for history in users[HISTORY].to_list()], ground.k, ground.seen, ground.shown
    )
    return pl.DataFrame(
        {
            key: users[key],
            "score": [float(answer.scores[0]) if answer.scores else None for answer in answers],
            "decision": [answer.items[0] if answer.items else None for answer in answers],
            "reason": [answer.reason for answer in answers],
            "variant": [CHAMPION] * len(answers),
            "contributions": [_told(answer) for answer in answers],
        },
        schema_overrides={"score": pl.Float64, "decision": pl.String},
    ).with_columns(
        pl.lit(ground.as_of).cast(pl.Datetime("us", "UTC")).alias("as_of"),
        pl.lit(now).cast(pl.Datetime("us", "UTC")).alias("scored_at"),
    )


def _told(answer: Answer) -> str:
    rows = zip(answer.items, answer.scores, answer.because, strict=True)
    items = [{"item": item, "score": float(f"{score:.6g}"), "because": list(why)} for item, score, why in rows]
    return json.dumps({"state": answer.state, "model": answer.variant, "items": items}, separators=(",", ":"))


def audit(ground: Ground, scores: pl.DataFrame, live_rows: int | None) -> list[Finding]:
    """What speaks against publishing these lists.

    Args:
        ground: What they were made of.
        scores: As `lists_of` gives them.
        live_rows: Rows of the generation that readers see now; None when there is none.
    """
    limits, found = Audit(), []

    def limit(rule: str, passed: bool, value: str, allowed: str) -> None:
        if not passed:
            found.append(Finding("fail", f"lists.{rule}", "the scores table", value, allowed))

    floor = limits.min_share_of_last * (live_rows or 0)
    limit("rows_of_last", scores.height >= floor, f"{scores.height} rows", f"at least {floor:.0f}")
    broken = scores.height - int(scores["score"].is_finite().fill_null(value=False).sum())
    limit("range", broken == 0, f"{broken} users without an item, or with a score that is no number", "none")
    told = [json.loads(text)["items"] for text in scores["contributions"]]
    exist = len(ground.items)
    short = _short(ground, told, exist)
    limit("length", short == 0, f"{short} lists with fewer than {ground.k} items although more exist", "none")
    # who is known by a history gets a list of one's own
    own = scores.filter(scores["reason"] == "model")["decision"]
    if len(own) > 1:
        often = own.value_counts()["count"].max()
        share = int(str(often)) / len(own)
        most = limits.max_one_score_share
        limit("one_item", share <= most, f"{share:.0%} of users with one best item", f"at most {most:.0%}")
    return found


def _short(ground: Ground, told: Sequence[Sequence[Any]], exist: int) -> int:
    seen = ground.histories[HISTORY].list.n_unique().to_list() if ground.seen == "hide" else [0] * len(told)
    return sum(len(items) < min(ground.k, exist - had) for items, had in zip(told, seen, strict=True))
