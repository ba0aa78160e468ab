"""Events as delivered to events that can be learnt from; whatever is left out is told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from mlctl.errors import DataError
from mlctl.findings import Finding
from mlctl.recommend.answering import SHA
from mlctl.recommend.catalogue import content_sha256, texts_of
from mlctl.recommend.events import TIME, USER, events_of
from mlctl.recommenders import Interactions
from mlctl.spec import Items, Project

if TYPE_CHECKING:
    import polars as pl

ITEM: Final = "item"
TEXT: Final = "text"
EARLIEST: Final = datetime(1971, 1, 1, tzinfo=UTC)
"""Events before it come from a clock that was not set."""
BOT_SHARE: Final = 0.01
BOT_TIMES: Final = 50
"""Who has more than this share of all events, and so many times the median, is a program and no user."""


def section_of(project: Project) -> Items:
    """The project's `items:`; validation has made sure that it is there."""
    if project.items is None:
        raise DataError.no_rows("items", "the project recommends nothing", "mlctl explain items")
    return project.items


def catalogue(project: Project, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The items. Grain: one row an item, sorted by id: `items.key` as text, the columns for filters, text, its hash.

    Raises:
        DataError: There is no item, or a column is missing.
    """
    import polars as pl

    section = section_of(project)
    source = section.source or project.label.source
    table = tables[source]
    for column in (section.key, *section.columns):
        if column not in table.columns:
            raise DataError.missing_column(source, column, table.columns, "items")
    known = table.filter(pl.col(section.key).is_not_null()).with_columns(pl.col(section.key).cast(pl.String))
    # of an item that stands there several times the latest row counts
    known = known.unique(section.key, keep="last", maintain_order=True).sort(section.key)
    if not known.height:
        raise DataError.no_rows("the catalogue", f"{source} has no {section.key}", "correct items.source or items.key")
    texts = texts_of(known, section)
    return known.select(section.key, *[name for name in section.columns if name != section.key]).with_columns(
        pl.Series(TEXT, texts, dtype=pl.String), pl.Series(SHA, content_sha256(texts), dtype=pl.String)
    )


def interactions(
    project: Project, events: pl.DataFrame, items: pl.DataFrame, as_of: datetime
) -> tuple[pl.DataFrame, list[Finding]]:
    """The events of known items, each once, by users who are people.

    Grain: one event: user (the entity's key as text), item (place in the catalogue), time; sorted by user, time, item.

    Returns:
        The events, and a finding for each thing that was left out.

    Raises:
        DataError: A column is missing, `label.where` cannot be computed, or nothing is left.
    """
    import polars as pl

    section, label = section_of(project), project.label
    rows = events_of(project, section.key, events)
    left_out: list[Finding] = []

    def kept(rows: pl.DataFrame, wanted: pl.Expr, rule: str, limit: str) -> pl.DataFrame:
        good = rows.filter(wanted)
        if gone := rows.height - good.height:
            left_out.append(Finding("warn", f"{label.source}.{rule}", label.source, f"{gone:,} events left out", limit))
        return good

    both = pl.col(USER).is_not_null() & pl.col(section.key).is_not_null() & pl.col(TIME).is_not_null()
    rows = kept(rows, both, "unnamed", "a user, an item and a time")
    in_time = (pl.col(TIME) >= EARLIEST) & (pl.col(TIME) < as_of)
    rows = kept(rows, in_time, "clock", f"a time from {EARLIEST.year} to the snapshot's moment")
    known = pl.col(section.key).is_in(items[section.key].implode())
    rows = kept(rows, known, "unknown_item", f"an item of {section.source or label.source}")
    before = rows.height
    rows = rows.unique(maintain_order=True)
    if before > rows.height:
        told = f"{before - rows.height:,} events left out"
        left_out.append(Finding("warn", f"{label.source}.duplicate", label.source, told, "each event once"))
    rows = kept(rows, ~pl.col(USER).is_in(_bots(rows).implode()), "bot", f"at most {BOT_SHARE:.0%} by one user")
    if not rows.height:
        why = "; ".join(finding.sentence() for finding in left_out) or f"{label.source} has no row that counts"
        raise DataError.no_rows("the interactions", why, "correct label: and items:")
    places = items.select(section.key).with_row_index(ITEM).with_columns(pl.col(ITEM).cast(pl.Int32))
    placed = rows.join(places, on=section.key, how="inner", maintain_order="left")
    return placed.select(USER, ITEM, TIME).sort(USER, TIME, ITEM), left_out


def _bots(rows: pl.DataFrame) -> pl.Series:
    """Users with far more events than people have."""
    import polars as pl

    counts = rows.group_by(USER, maintain_order=True).len()
    median = counts["len"].median()
    many = (pl.col("len") > BOT_SHARE * rows.height) & (pl.col("len") > BOT_TIMES * float(str(median or 0)))
    return counts.filter(many)[USER]


def arrays(events: pl.DataFrame, items: int) -> Interactions:
    """The events as arrays; users are numbered in the order of their ids."""
    import numpy as np

    users = events[USER].rle_id().to_numpy()
    return Interactions(
        users.astype(np.int32),
        events[ITEM].to_numpy().astype(np.int32),
        events[TIME].dt.timestamp("us").to_numpy(),
        int(users.max()) + 1 if len(users) else 0,
        items,
    )


def told(events: pl.DataFrame, items: pl.DataFrame) -> dict[str, Any]:
    """How many there are, JSON-ready."""
    return {"events": events.height, "users": events[USER].n_unique(), "items": items.height}
