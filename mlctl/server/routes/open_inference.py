"""GET /v2, /v2/health/*, /v2/models/NAME[/versions/V][/ready] and POST .../infer: the Open Inference Protocol."""

from __future__ import annotations

from typing import Final

from mlctl import __version__
from mlctl.server import inference
from mlctl.server.answering import Answering
from mlctl.server.inputs import Refused
from mlctl.server.lookups import all_filled
from mlctl.server.replies import Reply, Routes, Scope, identity, json_reply

_BINARY: Final = (b"content-type", b"application/octet-stream")


def routes(answering: Answering) -> Routes:
    """The group."""
    model = f"/v2/models/{answering.name}"

    def server() -> Reply:
        return json_reply({"name": "mlctl", "version": __version__, "extensions": ["binary_tensor_data"]})

    def metadata() -> Reply:
        return json_reply(inference.metadata(answering.name, answering.variants.release, answering.inputs))

    def ready() -> Reply:
        if answering.variants.release and not answering.draining:
            return Reply(200, b'{"ready":true}')
        return Reply(503, b'{"ready":false}')

    async def infer(scope: Scope, body: bytes) -> Reply:
        return await _inferred(answering, scope, body)

    return Routes(
        posts={f"{model}/infer": infer},
        gets={
            "/v2": server,
            "/v2/health/live": lambda: Reply(200, b'{"live":true}'),
            "/v2/health/ready": ready,
            model: metadata,
            f"{model}/ready": ready,
        },
        queued=frozenset({f"{model}/infer"}),
    )


def unversioned(path: str, name: str, release: str) -> str:
    """A path without the version that it names.

    Raises:
        Refused: 404: another release answers.
    """
    model = f"/v2/models/{name}"
    if not path.startswith(f"{model}/versions/"):
        return path
    version, _, rest = path.removeprefix(f"{model}/versions/").partition("/")
    if version != release:
        raise Refused(404, f"the release {release} answers here", "version")
    return model + (f"/{rest}" if rest else "")


async def _inferred(answering: Answering, scope: Scope, body: bytes) -> Reply:
    answering.admit()
    inputs, lookups = answering.inputs, answering.lookups
    length = next((value.decode("latin-1") for name, value in scope["headers"] if name == inference.HEADER), "")
    request = inference.Inference(body, length, inputs, by_key=lookups is not None)
    said, fills = all_filled(lookups, request.rows, inputs)
    rows = inputs.rows(said) if fills else request.rows
    answers = await answering.ask(rows, request.identity or identity(scope), fills)
    told, json_bytes = request.answered(answering.name, answers)
    if json_bytes is None:
        return Reply(200, told)
    return Reply(200, told, (_BINARY, (inference.HEADER, b"%d" % json_bytes)))
