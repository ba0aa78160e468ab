"""What `mlctl init` makes of who had what: a recommender, with the table that says what the items are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mlctl.drafts.discovery import Draft, Found
from mlctl.drafts.drafting import scalar
from mlctl.drafts.profile import ColumnProfile
from mlctl.errors import ConfigError

LABEL: Final = "interactions"
"""What `--label` says to ask for a recommender."""
_FEW: Final = 100


@dataclass(frozen=True)
class Interactions:
    """Where it stands who had what.

    Attributes:
        source: The table of events.
        user: Its column of users.
        item: Its column of items.
        items: The table with a row for each item, or None.
    """

    source: str
    user: str
    item: str
    items: str | None


def interactions_of(draft: Draft, label: str | None, entity: str | None) -> Interactions | None:
    """The table of interactions, where the data has one and no other label is asked for.

    Raises:
        ConfigError: It is asked for, and there is none.
    """
    if label not in (None, LABEL):
        return None
    fitting = ("interaction",) if label is None else ("interaction", "event")
    for name, found in draft.tables.items():
        user = entity or found.profile.entity
        if found.profile.kind not in fitting or user is None or user not in found.table.columns:
            continue
        joined = _item_table(draft, name, user)
        item = joined[0] if joined else _thing(found, user)
        if item is not None:
            return Interactions(name, user, item, joined[1] if joined else None)
    if label is None:
        return None
    why = "no table has a user, an item and a time in each row; name the user with --entity"
    raise ConfigError.bad_argument(f"--label {LABEL}", why)


def _item_table(draft: Draft, source: str, user: str) -> tuple[str, str] | None:
    """The column of items and the table whose rows they name; both sides must call it the same."""
    for join in draft.joins:
        left, right = join.left.split(".", 1), join.right.split(".", 1)
        if left[0] == source and left[1] != user and left[1] == right[1] and join.form != "n:m":
            return left[1], right[0]
    return None


def _thing(found: Found, user: str) -> str | None:
    things = [
        c.name for c in found.profile.columns if c.names_a_key and c.name != user and c.values < found.table.height
    ]
    return things[0] if things else None


def recommender_lines(draft: Draft, told: Interactions, as_of: str) -> list[str]:
    """The sections of project.yaml from `items:` on.

    Args:
        draft: What discovery found.
        told: Where the interactions stand.
        as_of: The day after the last event.
    """
    texts, filters = _of_items(draft, told)
    items = [f"  key: {scalar(told.item)}"]
    if told.items is not None:
        items.append(f"  source: {told.items}")
    if texts:
        items.append(f"  text: [{', '.join(map(scalar, texts))}]  # what an item is: new ones are recommended by it")
    if filters:
        items.append(f"  columns: [{', '.join(map(scalar, filters))}]  # what a request may filter by")
    of_events = draft.tables[told.source]
    known = (told.user, told.item, of_events.source.get("time"))
    numbers = [c for c in of_events.profile.columns if c.kind in ("number", "integer")]
    rating = [c.name for c in numbers if c.name not in known]
    where = f"  # where: {scalar(rating[0])} >= ... leaves out what was not liked" if rating else ""
    return [
        "# what is recommended: mlctl explain items",
        "items:",
        *items,
        "  # states: {warming: 1, warm: 5}  # from how many items a user is warming, and warm",
        "",
        "# what is learnt: who had what; popularity is the floor that no state of users may fall below",
        f"label: {{kind: interactions, source: {told.source}}}{where}",
        "split: {kind: time, test_share: 0.2}  # later events judge; kind: last holds out each user's last one",
        "# model: {kind: blend, ladder: [popularity, content, ease, als]}  # default: item_knn too",
        f"refresh: {{as_of: {as_of}}}  # the day after the last row; mlctl ingest --latest moves it",
    ]


def _of_items(draft: Draft, told: Interactions) -> tuple[list[str], list[str]]:
    """Columns that are read as text, and those with few values or numbers, which requests may filter by."""
    if told.items is None:
        return [], []
    found = draft.tables[told.items]
    rest = [c for c in found.profile.columns if c.name not in (told.item, found.source.get("time"))]
    rest = [c for c in rest if c.values > 1 and not c.is_time]
    texts = [c.name for c in rest if c.kind == "text" and not c.names_a_key]
    few = [c.name for c in rest if not c.is_free_text and (c.kind != "text" or _repeats(c, found.table.height))]
    return texts, few


def _repeats(column: ColumnProfile, rows: int) -> bool:
    """Whether a column of text has few values, each for several items."""
    return column.values <= min(_FEW, rows // 2)
