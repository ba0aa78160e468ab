"""An index is copied, loaded, built, measured and shown; what may not answer does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from mlctl.database import open_database, start, stop, views
from mlctl.errors import ConflictError, DataError, ExternalError
from mlctl.index import filters, generations, table
from mlctl.index.building import Built, Wanted, build
from mlctl.index.recall import Truth, measured, tuned
from mlctl.index.search import Asked, Session, exact
from mlctl.index.table import IndexOrder
from mlctl.index.vectors import Catalogue, Stamp
from mlctl.indexing.decaying import overlaps
from mlctl.spec import Database

if TYPE_CHECKING:
    from mlctl.database.views import Connection

NOW = datetime(2026, 11, 1, tzinfo=UTC)
STAMP = Stamp("als-1", "words-1", 8)
ORDER = IndexOrder("public", "shop", "a" * 16, "rel1", STAMP, NOW)
SECOND = replace(ORDER, run_id="b" * 16, now=datetime(2026, 11, 2, tzinfo=UTC))
RARE = filters.Filter((filters.Condition("genre", "text", "=", ["rare"]),))

BUILDS = """
import sys
from pathlib import Path
from mlctl.database import open_database
from mlctl.spec import Database
from tests.test_index import ORDER, catalogue, indexed
with open_database(Database(), Path(sys.argv[1])) as connection:
    print("begin", flush=True)
    indexed(connection, ORDER, catalogue(6_000))
"""


def vectors_of(places: Sequence[int], dimension: int = 8) -> Any:
    """Reproducible vectors, the same for the same item, in twenty heaps as learnt ones are."""
    heaps = np.random.default_rng(3).normal(size=(20, dimension))
    rows = [heaps[place % 20] + 0.5 * np.random.default_rng(1000 + place).normal(size=dimension) for place in places]
    return np.asarray(rows, np.float32).reshape(len(places), dimension)


def catalogue(items: int = 400, stamp: Stamp = STAMP, changed: Sequence[int] = ()) -> Catalogue:
    """Items i0000 ...; one in forty is rare, prices rise."""
    rows = pl.DataFrame(
        {
            "item_id": [f"i{place:05}" for place in range(items)],
            "genre": ["rare" if place % 40 == 0 else "usual" for place in range(items)],
            "price": [float(place) for place in range(items)],
        }
    )
    contents = [f"content {place}{' new' if place in changed else ''}" for place in range(items)]
    return Catalogue(rows, contents, stamp, lambda places: vectors_of(places, stamp.dimension))


def indexed(connection: Connection, order: IndexOrder, what: Catalogue, recall: float = 0.9) -> Built:
    """Builds with one declared filter and forty queries."""
    wanted = Wanted(recall, 5, {"rare": RARE}, vectors_of(range(5000, 5040), what.stamp.dimension))
    return build(connection, order, what, wanted, lambda text: None)


def shown(connection: Connection) -> int:
    """Items that readers see."""
    row = connection.execute("SELECT count(*) FROM public.shop_items").fetchone()
    return 0 if row is None else int(row[0])


def test_what_was_indexed_is_what_readers_see_and_search(connection: Connection) -> None:
    made = indexed(connection, ORDER, catalogue())

    assert (made.embedded, made.copied, made.left_out, made.refused) == (400, 0, (), False)
    assert (made.generation.table, made.generation.status, made.generation.rows) == (
        "shop_items_aaaaaaaaaaaa",
        "live",
        400,
    )
    assert connection.execute(
        "SELECT item, genre, price, stamp FROM public.shop_items ORDER BY item LIMIT 1"
    ).fetchone() == (
        *("i00000", "rare", 0.0),
        "als-1/words-1/8",
    )
    query = vectors_of([7000])[0]
    by_hand = sorted(
        ((float(vector @ query), place) for place, vector in enumerate(vectors_of(range(400)))), reverse=True
    )
    found = Session(connection).nearest(made.generation.index, Asked(query, 5))
    assert [item for item, _ in found] == [f"i{place:05}" for _, place in by_hand[:5]]
    assert [score for _, score in found] == pytest.approx([score for score, _ in by_hand[:5]], rel=1e-5)


def test_the_same_call_again_changes_nothing(connection: Connection) -> None:
    state = "SELECT oid, xmin FROM pg_class WHERE relname LIKE 'shop%' ORDER BY 1"
    indexed(connection, ORDER, catalogue())
    before = connection.execute(state).fetchall()

    again = indexed(connection, ORDER, catalogue())

    assert again.already
    assert {one.filter for one in again.recall} == {"everything", "rare"}
    assert connection.execute(state).fetchall() == before


def test_only_new_and_changed_items_are_embedded_and_columns_are_always_taken_anew(connection: Connection) -> None:
    before = indexed(connection, ORDER, catalogue(400))
    more = catalogue(410, changed=[3])
    cheaper = Catalogue(more.items.with_columns(price=pl.lit(1.0)), more.contents, STAMP, more.embed)

    made = indexed(connection, SECOND, cheaper)

    assert (made.copied, made.embedded) == (399, 11)
    rows = connection.execute(
        "SELECT item, embedded_at::date::text, price FROM public.shop_items ORDER BY item"
    ).fetchall()
    assert rows[2] == ("i00002", "2026-11-01", 1.0)
    assert rows[3] == ("i00003", "2026-11-02", 1.0)
    assert rows[409] == ("i00409", "2026-11-02", 1.0)
    # ten more items took some places among all; of the eleven rare ones one is new
    kept = overlaps(before.generation, made.generation)
    assert kept["overlaps"].keys() == {"rare"}
    assert 0.9 < kept["overlap"] < 1.0
    assert 0.7 < kept["overlaps"]["rare"] <= 1.0
    assert overlaps(None, made.generation) == {"overlap": None, "overlaps": {}}


def test_going_back_to_items_that_are_kept_is_one_swap(connection: Connection) -> None:
    indexed(connection, ORDER, catalogue(400))
    indexed(connection, SECOND, catalogue(300))

    back = indexed(connection, ORDER, catalogue(400))

    assert (back.embedded, back.generation.status, shown(connection)) == (0, "live", 400)
    statuses = [(one.run_id[0], one.status) for one in generations.history(connection, "public", "shop")]
    assert statuses == [("b", "old"), ("a", "live")]


def test_vectors_of_another_model_are_never_mixed(connection: Connection) -> None:
    indexed(connection, ORDER, catalogue())
    other = Stamp("als-2", "words-1", 8)

    made = indexed(connection, replace(SECOND, stamp=other), catalogue(stamp=other))

    assert (made.copied, made.embedded) == (0, 400)
    assert generations.fitting(connection, "public", "shop", STAMP).run_id == "a" * 16  # type: ignore[union-attr]
    assert generations.fitting(connection, "public", "shop", Stamp("als-2", "words-2", 8)) is None
    with pytest.raises(Exception, match="violates check constraint"):
        connection.execute(
            "INSERT INTO mlctl.shop_items_bbbbbbbbbbbb (item, content, embedded_at, vector, stamp) "
            "VALUES ('x', 'x', now(), '[1,1,1,1,1,1,1,1]', 'als-1/words-1/8')"
        )


def test_items_without_a_direction_are_left_out_and_named(connection: Connection) -> None:
    def embed(places: Sequence[int]) -> Any:
        vectors = vectors_of(places)
        vectors[[place in (5, 7) for place in places]] = 0
        return vectors

    made = indexed(connection, ORDER, replace(catalogue(), embed=embed))

    assert (made.left_out, made.generation.rows) == (("i00005", "i00007"), 398)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"embed": lambda places: np.full((len(places), 8), np.nan, np.float32)}, "NaN or infinity: i00000, i00001"),
        ({"embed": lambda places: np.ones((len(places), 7), np.float32)}, r"400 vectors of 8 numbers were promised"),
        ({"embed": lambda places: np.zeros((len(places), 8), np.float32)}, "not one item has a vector"),
        ({"items": pl.DataFrame({"item_id": ["a", "a", "b"]})}, "1 items stand there more than once: a"),
        ({"items": pl.DataFrame({"item_id": ["a"], "stamp": [1]})}, "name that the index itself needs: stamp"),
        ({"items": pl.DataFrame({"item_id": []}, schema={"item_id": pl.String})}, "no rows in the catalogue"),
        ({"stamp": Stamp("m", "p", 2001)}, "an index of vector holds at most 2000"),
    ],
)
def test_what_cannot_be_indexed_is_refused_and_the_old_index_answers(
    connection: Connection, change: dict[str, Any], told: str
) -> None:
    indexed(connection, ORDER, catalogue(100))

    what = replace(catalogue(stamp=Stamp("als-2", "words-1", 8)), **change)
    with pytest.raises(DataError, match=told):
        indexed(connection, replace(SECOND, stamp=what.stamp), what)

    assert shown(connection) == 100


def test_an_index_that_finds_too_little_is_not_shown(connection: Connection) -> None:
    indexed(connection, ORDER, catalogue(100))

    made = indexed(connection, replace(SECOND, m=2, ef_construction=4), catalogue(8000), recall=1.0)

    assert made.refused
    assert made.recall[0].low < 1.0
    assert shown(connection) == 100
    assert connection.execute("SELECT to_regclass('mlctl.shop_items_bbbbbbbbbbbb')").fetchone() == (None,)


def test_the_search_looks_as_widely_as_its_objective_asks(connection: Connection) -> None:
    made = indexed(connection, replace(ORDER, m=4, ef_construction=8), catalogue(8000), recall=0.0)
    ids, vectors = table.read_back(connection, made.generation.table)
    truth = Truth(vectors, catalogue(8000).items, vectors_of(range(9000, 9060)), 10)
    session = Session(connection)
    narrow = measured(session, replace(made.generation.index, ef_search=40), truth, ("everything", filters.Filter()))

    index, found = tuned(session, made.generation.index, truth, {}, narrow.high + 0.01)

    assert ids == sorted(ids)
    assert index.ef_search > 40
    assert found[0].low > narrow.low


def test_k_items_come_back_whenever_there_are_k(connection: Connection) -> None:
    made = indexed(connection, ORDER, catalogue(8000))
    session, query = Session(connection), vectors_of([7000])[0]
    dear = filters.read({"price": {"min": 7990}}, catalogue().columns)
    seen = [f"i{place:05}" for place in range(7990, 7998)]

    few = session.nearest(made.generation.index, Asked(query, 20, dear))
    fewer = session.nearest(made.generation.index, Asked(query, 20, dear, seen))
    many = session.nearest(made.generation.index, Asked(query, 300))

    assert {item for item, _ in few} == {f"i{place}" if place > 9999 else f"i{place:05}" for place in range(7990, 8000)}
    assert {item for item, _ in fewer} == {"i07998", "i07999"}
    assert len(many) == 300


def test_equal_vectors_come_back_in_the_order_of_their_ids(connection: Connection) -> None:
    made = indexed(
        connection, ORDER, replace(catalogue(3000), embed=lambda places: np.ones((len(places), 8), np.float32))
    )

    found = Session(connection).nearest(made.generation.index, Asked(np.ones(8, np.float32), 5))

    assert [item for item, _ in found] == sorted(item for item, _ in found)
    assert found == Session(connection).nearest(made.generation.index, Asked(np.ones(8, np.float32), 5))


def test_half_precision_takes_half_the_bytes_and_finds_the_same(connection: Connection) -> None:
    made = indexed(connection, replace(ORDER, storage="halfvec"), catalogue())

    assert connection.execute(
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = "
        "'mlctl.shop_items_aaaaaaaaaaaa'::regclass AND attname = 'vector'"
    ).fetchone() == ("halfvec(8)",)
    query = vectors_of([7000])[0]
    best = [f"i{place:05}" for place in exact(vectors_of(range(400)), query, 3)[0]]
    assert [item for item, _ in Session(connection).nearest(made.generation.index, Asked(query, 3))] == best


def test_of_old_generations_the_last_are_kept(connection: Connection) -> None:
    for run, items in (("a", 50), ("b", 60), ("c", 70)):
        indexed(connection, replace(ORDER, run_id=run * 16), catalogue(items))

    statuses = [(one.run_id[0], one.status) for one in generations.history(connection, "public", "shop")]
    assert statuses == [("c", "live"), ("b", "old"), ("a", "dropped")]
    assert connection.execute("SELECT to_regclass('mlctl.shop_items_aaaaaaaaaaaa')").fetchone() == (None,)


def test_somebody_who_indexes_the_same_project_now_is_told(connection: Connection, postgres_root: Path) -> None:
    indexed(connection, ORDER, catalogue(50))
    with (
        open_database(Database(), postgres_root) as other,
        views.holding(other, "public.shop.items", ""),
        pytest.raises(ConflictError, match="another command works on the index of shop"),
    ):
        indexed(connection, SECOND, catalogue(60))


def test_a_killed_database_loses_nothing_and_the_same_command_goes_on(tmp_path: Path) -> None:
    start(tmp_path)
    try:
        with open_database(Database(), tmp_path) as connection:
            indexed(connection, replace(ORDER, run_id="0" * 16), catalogue(50))
        process = subprocess.Popen(
            [sys.executable, "-c", BUILDS, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        building = "SELECT FROM pg_stat_progress_create_index WHERE phase = 'building index: loading tuples'"
        with open_database(Database(), tmp_path) as connection:
            for _ in range(3000):
                if connection.execute(building).fetchone() is not None:
                    break
                connection.execute("SELECT pg_sleep(0.01)")
            postmaster = int((tmp_path / ".mlctl/postgres/postmaster.pid").read_text().splitlines()[0])
            os.kill(postmaster, signal.SIGKILL)
            _, words = process.communicate()
            assert "the database cannot be used" in words
            with pytest.raises(ExternalError):
                indexed(connection, ORDER, catalogue(6_000))
        with open_database(Database(), tmp_path) as connection:
            assert shown(connection) == 50
            made = indexed(connection, ORDER, catalogue(6_000))
            assert (made.embedded, shown(connection)) == (0, 6_000)
    finally:
        stop(tmp_path)
