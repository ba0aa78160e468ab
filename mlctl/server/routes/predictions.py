"""POST /predict and /explain: plain JSON, one row or several."""

from __future__ import annotations

import asyncio
from typing import Final

import orjson

from mlctl.errors import MlctlError
from mlctl.server.answering import Answering, ids_of, named
from mlctl.server.inputs import Refused
from mlctl.server.lookups import all_filled
from mlctl.server.replies import Reply, Routes, Scope, identity, json_reply, parsed

_MOST_REASONS: Final = 20


def routes(answering: Answering) -> Routes:
    """The group."""

    async def predict(scope: Scope, body: bytes) -> Reply:
        answering.admit()
        said, fills = all_filled(answering.lookups, parsed(body), answering.inputs)
        rows = answering.inputs.rows(said)
        answers = await answering.ask(rows, identity(scope), fills)
        return json_reply(answers if isinstance(said, list) else answers[0])

    async def explain(scope: Scope, body: bytes) -> Reply:
        return await _explained(answering, scope, body)

    return Routes(posts={"/predict": predict, "/explain": explain}, queued=frozenset({"/predict"}))


async def _explained(answering: Answering, scope: Scope, body: bytes) -> Reply:
    inputs = answering.inputs
    said, fills = all_filled(answering.lookups, parsed(body), inputs)
    for place, fill in enumerate(fills):
        if fill.reason:
            where = f"[{place}].{inputs.key}" if isinstance(said, list) else inputs.key
            raise Refused(422, f"the model is not asked about it: {fill.reason}", where)
    rows = inputs.rows(said)
    champion = answering.variants.champion
    table = inputs.table(rows)
    try:
        # before others have their turn, in which another release may come
        answers = champion.answers(inputs, rows)
        why = await asyncio.to_thread(champion.explained, table, _MOST_REASONS)
    except MlctlError as error:
        raise Refused(422, str(error).splitlines()[0]) from error
    told = [
        answer | {"contributions": None if text is None else orjson.loads(text)}
        for answer, text in zip(named(answers, ids_of(identity(scope), len(rows))), why, strict=True)
    ]
    return json_reply(told if isinstance(said, list) else told[0])
