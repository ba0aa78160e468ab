"""POST /get-online-features: features by key from the online store, in Feast's shape."""

from __future__ import annotations

from mlctl.server.answering import Answering
from mlctl.server.inputs import Refused
from mlctl.server.replies import Reply, Routes, Scope, json_reply, parsed


def routes(answering: Answering) -> Routes:
    """The group."""

    async def online_features(scope: Scope, body: bytes) -> Reply:
        if answering.lookups is None:
            raise Refused(404, f"there is no online store; mlctl materialize projects/{answering.name}")
        return json_reply(answering.lookups.answered(parsed(body), answering.inputs))

    return Routes(posts={"/get-online-features": online_features})
