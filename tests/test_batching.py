"""Requests that wait together are answered together, a full queue says so, and who waited too long gets the fallback."""

from __future__ import annotations

import asyncio

import pytest

from mlctl.server.batching import Batches
from mlctl.server.inputs import Refused


def batches(most_waiting: int = 10, most_rows: int = 4, patience_s: float = 60.0) -> tuple[Batches, list[list[int]]]:
    seen: list[list[int]] = []

    def answer(rows, ids):
        seen.append([row["number"] for row in rows])
        return [{"number": row["number"]} for row in rows]

    def late(rows):
        return [{"late": row["number"]} for row in rows]

    return Batches(answer, late, (most_waiting, most_rows, patience_s)), seen


def rows(*numbers: int) -> list[dict[str, int]]:
    return [{"number": number} for number in numbers]


async def ask(queue: Batches, *numbers: int) -> list[dict[str, int]]:
    return await queue.ask(rows(*numbers), [str(number) for number in numbers])


def test_a_request_alone_is_answered_at_once_and_those_that_come_together_together():
    async def play():
        queue, seen = batches()
        assert await ask(queue, 1) == [{"number": 1}]
        answers = await asyncio.gather(ask(queue, 2, 3), ask(queue, 4), ask(queue, 5, 6))
        assert answers == [[{"number": 2}, {"number": 3}], [{"number": 4}], [{"number": 5}, {"number": 6}]]
        assert seen == [[1], [2, 3, 4], [5, 6]]
        assert queue.waiting_rows == 0

    asyncio.run(play())


def test_where_rows_take_long_a_batch_is_small_so_that_others_are_heard_between():
    now = [0.0]

    async def play():
        seen: list[int] = []

        def answer(rows, ids):
            seen.append(len(rows))
            now[0] += 0.002 * len(rows)
            return [{"number": row["number"]} for row in rows]

        queue = Batches(answer, lambda rows: [], (100, 50, 60.0), lambda: now[0])
        for round_ in range(30):
            await ask(queue, round_)
        await asyncio.gather(*(ask(queue, number) for number in range(10)))
        return seen[30:]

    # 2 ms a row, and a batch shall take 6
    assert asyncio.run(play()) == [3, 3, 3, 1]


def test_a_request_larger_than_a_batch_is_one_batch():
    async def play():
        queue, seen = batches()
        assert len(await ask(queue, *range(9))) == 9
        assert seen == [list(range(9))]

    asyncio.run(play())


def test_who_comes_to_a_full_queue_is_told_to_come_again():
    async def play():
        queue, seen = batches(most_waiting=3)
        first = asyncio.ensure_future(ask(queue, 1, 2, 3))
        await asyncio.sleep(0)
        # the next turn has not come yet
        with pytest.raises(Refused) as refused:
            await ask(queue, 4)
        assert (refused.value.status, refused.value.retry_after_s) == (503, 1)
        await first
        assert seen == [[1, 2, 3]]

    asyncio.run(play())


def test_who_waited_too_long_gets_the_fallback():
    async def play():
        queue, seen = batches(patience_s=-1.0)
        assert await ask(queue, 7) == [{"late": 7}]
        assert seen == []

    asyncio.run(play())


def test_who_went_away_is_not_answered():
    async def play():
        queue, seen = batches()
        gone = asyncio.ensure_future(ask(queue, 1))
        stays = asyncio.ensure_future(ask(queue, 2))
        await asyncio.sleep(0)
        gone.cancel()
        assert await stays == [{"number": 2}]
        assert seen in ([[2]], [[1, 2]])

    asyncio.run(play())


def test_flush_answers_everybody_who_waits():
    async def play():
        queue, seen = batches()
        waiting = [asyncio.ensure_future(ask(queue, number)) for number in range(6)]
        await asyncio.sleep(0)
        queue.flush()
        assert sum(map(len, seen)) == 6
        await asyncio.gather(*waiting)

    asyncio.run(play())
