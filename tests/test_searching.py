"""A server's searches: many at once find what one finds; who leaves, is late or is cut off costs nobody an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from mlctl.database import server_url
from mlctl.index import filters
from mlctl.index.generations import IndexGeneration
from mlctl.index.search import Asked, Session
from mlctl.server.searching import Away, Place, Rows, Searcher
from mlctl.spec import Database
from tests.test_index import ORDER, RARE, STAMP, catalogue, indexed, vectors_of

if TYPE_CHECKING:
    from mlctl.database.views import Connection


@pytest.fixture
def made(connection: Connection) -> IndexGeneration:
    """An index of 400 items."""
    return indexed(connection, ORDER, catalogue()).generation


def place_of(root: Path) -> Place:
    """Where the index is."""
    return Place(Database(), "shop", lambda: STAMP, lambda: str(server_url(root)))


def run(root: Path, act: Callable[[Searcher], Awaitable[Any]], timeout_s: float = 20.0) -> Any:
    """What comes out of acting on a searcher with two connections."""

    async def whole() -> Any:
        searcher = Searcher(place_of(root), 2, timeout_s, lambda text: None)
        try:
            return await act(searcher)
        finally:
            searcher.close()

    return uvloop.run(whole())


async def answer(searcher: Searcher, asked: Asked) -> Rows:
    """What is found once the index answers."""
    async with asyncio.timeout(20):
        while True:
            with suppress(Away):
                return await searcher.nearest(asked, str(STAMP))
            await asyncio.sleep(0.02)


def all_asked() -> list[Asked]:
    """Searches of 150 shapes, with and without a filter and things that were seen."""
    queries = vectors_of(range(7000, 7150))
    return [
        Asked(query, 1 + place, RARE if place % 3 == 0 else filters.Filter(), ["i00001"] * (place % 2), passing=10)
        for place, query in enumerate(queries)
    ]


def test_many_searches_at_once_find_what_one_after_the_other_finds(
    connection: Connection, postgres_root: Path, made: IndexGeneration
) -> None:
    async def act(searcher: Searcher) -> list[Rows]:
        return await asyncio.gather(*[searcher.nearest(asked, str(STAMP)) for asked in all_asked()])

    found = run(postgres_root, act)

    session = Session(connection)
    assert found == [session.nearest(made.index, asked) for asked in all_asked()]
    assert [len(rows) for rows in found[1:4]] == [2, 3, 4]


def test_one_that_leaves_while_it_searches_costs_nobody_an_answer(postgres_root: Path, made: IndexGeneration) -> None:
    async def act(searcher: Searcher) -> tuple[Rows, Rows]:
        asked = Asked(vectors_of([7000])[0], 5)
        first = await searcher.nearest(asked, str(STAMP))
        for _ in range(10):
            leaves = [asyncio.ensure_future(searcher.nearest(asked, str(STAMP))) for _ in range(4)]
            await asyncio.sleep(0)
            for one in leaves:
                one.cancel()
            await asyncio.gather(*leaves, return_exceptions=True)
        return first, await searcher.nearest(asked, str(STAMP))

    first, last = run(postgres_root, act)

    assert first == last != []


def test_an_answer_that_is_late_is_not_waited_for_and_not_taken_for_another(
    connection: Connection, postgres_root: Path, made: IndexGeneration
) -> None:
    asked = Asked(vectors_of([7000])[0], 5)
    expected = Session(connection).nearest(made.index, asked)

    async def act(searcher: Searcher) -> Rows:
        await answer(searcher, asked)
        with connection.transaction():
            connection.execute("LOCK TABLE mlctl.shop_items_aaaaaaaaaaaa IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(Away):
                await searcher.nearest(Asked(vectors_of([7001])[0], 5), str(STAMP))
        return await answer(searcher, asked)

    assert run(postgres_root, act, timeout_s=0.2) == expected


def test_connections_that_the_database_ended_are_made_anew(
    connection: Connection, postgres_root: Path, made: IndexGeneration
) -> None:
    asked = Asked(vectors_of([7000])[0], 5)

    async def act(searcher: Searcher) -> list[Rows]:
        before = await asyncio.gather(*[answer(searcher, asked) for _ in range(4)])
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        return [*before, *await asyncio.gather(*[answer(searcher, asked) for _ in range(4)])]

    found = run(postgres_root, act)

    assert found == [found[0]] * 8
    assert len(found[0]) == 5
