"""What an index is made of: the release that answers, the items of today, and what users had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from mlctl import config, kinds, releases
from mlctl.errors import ConfigError, Fault, IntegrityError
from mlctl.files import read_json, sha256_of_file
from mlctl.index import retrieval
from mlctl.index.vectors import Catalogue
from mlctl.recommend.answering import SHA, Recommender
from mlctl.recommend.forms import LONGEST
from mlctl.recommend.sealing import open_recommender
from mlctl.spec import Index, Project
from mlctl.stages.features import checked_tables
from mlctl.workspace import Places

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]

HISTORY: Final = "history"
_SEED: Final = 7


@dataclass(frozen=True)
class Ground:
    """What an index is made of.

    Attributes:
        project: The project as it is composed now.
        recommender: The release that answers, with the items of today.
        items: The items of today. Grain: one item, sorted by id: its id as text, the columns of filters and of texts.
        histories: What users had. Grain: one user, sorted by id: the id as text, `history`: item ids, oldest first.
        as_of: The moment of both.
        taken: The moment of the snapshot.
        dataset: The version of the data.
    """

    project: Project
    recommender: Recommender
    items: pl.DataFrame
    histories: pl.DataFrame
    as_of: datetime
    taken: datetime
    dataset: str

    @property
    def k(self) -> int:
        """How many items are shown."""
        section = self.recommender.project.items
        return section.k if section else 10

    @property
    def seen(self) -> str:
        """Whether items of a history are shown again: `hide` or `show`."""
        section = self.recommender.project.items
        return section.seen if section else "hide"

    @property
    def shown(self) -> list[str] | None:
        """The items that may be shown; None for all that the release knows."""
        known = self.recommender.items[self.recommender.item_key]
        today = self.items[self.recommender.item_key]
        gone = not set(known) <= set(today)
        return today.to_list() if gone else None

    @property
    def settings(self) -> Index:
        """How the vectors are searched: as the project says now, not when the release was sealed."""
        return self.project.index or Index()

    def catalogue(self) -> Catalogue:
        """What is indexed: the items of today with the release's vectors."""
        import polars as pl

        recommender, key = self.recommender, self.recommender.item_key
        known = recommender.items.with_row_index("place")
        today = known.join(self.items.select(key), on=key, how="semi", maintain_order="left").sort(key)
        places = today["place"].to_numpy()
        shown = today.drop("place", SHA).with_columns(pl.col(key).cast(pl.String))
        contents = today[SHA].to_list()
        vectors = recommender.item_vectors
        return Catalogue(
            shown.select(key, pl.exclude(key)),
            contents,
            retrieval.stamp_of(recommender),
            lambda asked: vectors[places[list(asked)]],
        )


def read_ground(places: Places, as_of: datetime | None = None) -> Ground:
    """The release with today's items, and users' histories.

    Args:
        places: The project's paths.
        as_of: Histories before this moment; None: all of the snapshot.

    Raises:
        ConfigError: The project recommends nothing.
        DataError: A column is missing.
        IntegrityError: Release or tables are missing or damaged.
    """
    again = f"mlctl run projects/{places.name}"
    folder = releases.to_serve(places)
    if read_json(folder / "manifest.json", again).get("task") != "ranking":
        fault = Fault("label", "only a recommender has vectors to index", hint="label: {kind: interactions}")
        raise ConfigError.of_project(places.name, [fault])
    recommender = open_recommender(folder, again)
    taken, tables = checked_tables(places, recommender.project)
    known, dataset = _events(places, again)
    items = _items(recommender, tables, known)
    numbered = _numbered(places, as_of)
    histories = _histories(recommender.project, numbered, known[recommender.item_key].to_list(), tables)
    today = _of_today(recommender, items)
    return Ground(config.read_params_now(places, "index"), today, items, histories, as_of or taken, taken, dataset)


def _events(places: Places, again: str) -> tuple[pl.DataFrame, str]:
    """The items that the last run knew, and the hash of its events, which are as they were written.

    Raises:
        IntegrityError: They are missing or damaged.
    """
    import polars as pl

    report = read_json(places.features / "report.json", again)
    for name in ("interactions.parquet", "items.parquet"):
        path = places.features / name
        recorded = report.get("files", {}).get(name, {}).get("sha256")
        if recorded is None:
            raise IntegrityError.missing(str(path), again)
        if (sha256 := sha256_of_file(path)) != recorded:
            raise IntegrityError.damaged(str(path), recorded, sha256, again)
    return pl.read_parquet(path), report["files"]["interactions.parquet"]["sha256"][:16]


def _items(recommender: Recommender, tables: Mapping[str, pl.DataFrame], known: pl.DataFrame) -> pl.DataFrame:
    """The items of today, sorted by id; without a table of items, those that somebody had."""
    import polars as pl

    key, section = recommender.item_key, recommender.project.items
    if section is None or section.source is None:
        return known.select(key).sort(key)
    wanted = list(dict.fromkeys([key, *section.columns, *section.text]))
    table = tables[section.source].filter(pl.col(key).is_not_null()).with_columns(pl.col(key).cast(pl.String))
    return table.unique(key, keep="last", maintain_order=True).select(wanted).sort(key)


def _of_today(recommender: Recommender, items: pl.DataFrame) -> Recommender:
    section = recommender.project.items
    return recommender if section is None or section.source is None else recommender.with_items(items)


def _numbered(places: Places, as_of: datetime | None) -> pl.DataFrame:
    """Of each user the latest items, as their numbers, put together by the project's engine."""
    engine = config.read_params(places).engine
    events = places.features / "interactions.parquet"
    found: pl.DataFrame = kinds.load("engines", engine.kind).histories(engine, events, LONGEST, as_of)
    return found


def _histories(
    project: Project, numbered: pl.DataFrame, ids: Sequence[str], tables: Mapping[str, pl.DataFrame]
) -> pl.DataFrame:
    """Of each user the latest items, as ids; of who is listed and had nothing, none."""
    import polars as pl

    had = numbered.explode(HISTORY)
    named = had.with_columns(pl.Series(HISTORY, ids, dtype=pl.String).gather(had[HISTORY]))
    grouped = named.group_by("user", maintain_order=True).agg(HISTORY)
    key = project.entity.key
    found = grouped.select(pl.col("user").cast(pl.String).alias(key), HISTORY)
    if project.entity.source is not None:
        listed = tables[project.entity.source].select(pl.col(key).cast(pl.String)).drop_nulls().unique()
        found = found.join(listed, on=key, how="full", coalesce=True).with_columns(pl.col(HISTORY).fill_null([]))
    return found.sort(key)


def sampled(ground: Ground, most: int) -> tuple[Array, list[list[str]]]:
    """What recall is measured by: vectors of users drawn by lot, and their histories; vectors of items where few are.

    Returns:
        float32 (queries, dimension), and the histories of the users among them.
    """
    import numpy as np

    users = ground.histories
    drawn = np.random.Generator(np.random.PCG64(_SEED)).permutation(users.height)[:most]
    histories = [list(one) for one in users[HISTORY].gather(np.sort(drawn)).to_list()]
    vectors = [ground.recommender.user_vector(history) for history in histories]
    some = [vector for vector in vectors if vector.any()]
    if len(some) < most:
        of_items = ground.recommender.item_vectors
        known = np.flatnonzero((of_items != 0).any(axis=1))
        some += list(
            of_items[known[np.linspace(0, len(known) - 1, most - len(some)).astype(int)]] if len(known) else []
        )
    return np.asarray(some, np.float32).reshape(len(some), ground.recommender.stamp.dimension), histories
