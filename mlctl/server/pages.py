"""The routes described: OpenAPI for machines, and a page for people with examples from the release's golden rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from mlctl import __version__
from mlctl.server.inference import OUTPUTS, datatype
from mlctl.server.inputs import Inputs
from mlctl.server.lookups import Lookups

if TYPE_CHECKING:
    from mlctl.release import Release

_JSON_TYPES = {"FP64": "number", "INT64": "integer", "BOOL": "boolean", "BYTES": "string"}


def openapi(
    name: str, release: str, inputs: Inputs, examples: Sequence[Mapping[str, Any]], lookups: Lookups | None
) -> dict[str, Any]:
    """The routes as OpenAPI 3.1; with an online store a row may name its key alone."""
    row: dict[str, Any] = {
        "type": "object",
        "properties": {
            feature: {"type": [_JSON_TYPES[datatype(kind)], "null"]} for feature, kind in inputs.schema.items()
        }
        | {inputs.key: {"type": ["string", "integer", "null"]}},
        "required": list(inputs.schema) if lookups is None else [],
        "additionalProperties": False,
    }
    answer = {
        "type": "object",
        "properties": {
            output: {"type": ["number", "null"] if kind == "FP64" else "string"} for output, kind in OUTPUTS.items()
        }
        | {"id": {"type": "string"}},
        "required": [*OUTPUTS, "id"],
    }
    rows = {"oneOf": [ref("Row"), {"type": "array", "items": ref("Row"), "minItems": 1}]}
    answers = {"oneOf": [ref("Answer"), {"type": "array", "items": ref("Answer")}]}
    model = f"/v2/models/{name}"
    return {
        "openapi": "3.1.0",
        "info": {"title": name, "version": release or "none", "description": f"Served by mlctl {__version__}."},
        "paths": {
            "/predict": post("Answers one row or several.", rows, answers, examples),
            "/explain": post("Answers, and what moved the scores.", rows, answers, examples),
            "/get-online-features": _looked_up(inputs.key),
            f"{model}/infer": post("Open Inference Protocol.", _tensors(name), {"type": "object"}, ()),
            "/v2": get("The server."),
            model: get("What the model takes and gives."),
            "/v2/health/live": get("The process lives."),
            "/v2/health/ready": get("The release answers.", "503"),
            f"{model}/ready": get("The release answers.", "503"),
            "/metrics": get("Counters for Prometheus.", kind="text/plain"),
        },
        "components": {"schemas": {"Row": row, "Answer": answer, "Error": error()}},
    }


def ref(name: str) -> dict[str, str]:
    """A reference to one of the schemas."""
    return {"$ref": f"#/components/schemas/{name}"}


def error() -> dict[str, Any]:
    """What a refusal holds."""
    properties = {"error": {"type": "string"}, "field": {"type": "string"}}
    return {"type": "object", "properties": properties, "required": ["error"]}


def _tensors(name: str) -> dict[str, Any]:
    tensor = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "datatype": {"type": "string"},
            "shape": {"type": "array", "items": {"type": "integer"}},
            "data": {"type": "array"},
        },
        "required": ["name", "datatype", "shape"],
    }
    inputs = {"type": "array", "items": tensor, "description": f"one tensor for each feature of {name}"}
    return {"type": "object", "properties": {"id": {"type": "string"}, "inputs": inputs}, "required": ["inputs"]}


def post(about: str, body: Any, answer: Any, examples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A route that takes JSON, and how it refuses."""
    said: dict[str, Any] = {"schema": body} | ({"example": examples[0]} if examples else {})
    refusals = {
        "400": "The body is no JSON.",
        "408": "The body did not come in time.",
        "413": "The body, or the number of rows, is too large.",
        "415": "The body is compressed.",
        "422": "A field is wrong; the answer names it.",
        "503": "Too many requests wait, or no release is ready; Retry-After says when to come again.",
    }
    told = {code: _answered(why, ref("Error")) for code, why in refusals.items()}
    return {
        "post": {
            "summary": about,
            "requestBody": {"required": True, "content": {"application/json": said}},
            "responses": {"200": _answered("Answered.", answer), **told},
        }
    }


def _looked_up(key: str) -> dict[str, Any]:
    """The features of entities, as Feast's server describes them."""
    keys = {"type": "array", "items": {"type": ["string", "integer"]}, "minItems": 1}
    body = {
        "type": "object",
        "properties": {
            "entities": {"type": "object", "properties": {key: keys}, "required": [key], "additionalProperties": False},
            "features": {"type": "array", "items": {"type": "string"}},
            "full_feature_names": {"type": "boolean"},
        },
        "required": ["entities"],
    }
    told = post("Features by key from the online store, with status and age.", body, {"type": "object"}, ())
    told["post"]["responses"]["404"] = _answered("There is no online store.", ref("Error"))
    return told


def get(about: str, *others: str, kind: str = "application/json") -> dict[str, Any]:
    """A route that only tells."""
    codes = {code: {"description": "Not now."} for code in others}
    schema = {"type": "string"} if kind == "text/plain" else {"type": "object"}
    return {"get": {"summary": about, "responses": {"200": _answered(about, schema, kind), **codes}}}


def _answered(about: str, schema: Any, kind: str = "application/json") -> dict[str, Any]:
    return {"description": about, "content": {kind: {"schema": schema}}}


def page(
    release: Release, inputs: Inputs, examples: Sequence[Mapping[str, Any]], answers: Sequence[Mapping[str, Any]]
) -> bytes:
    """The page for people: what it decides, what a row holds, examples to copy, and what they get."""
    from jinja2 import Environment, FileSystemLoader

    pages = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    shown = [
        {"asked": orjson.dumps(row, option=orjson.OPT_INDENT_2).decode(), "answer": _pretty(answer)}
        for row, answer in zip(examples, answers, strict=True)
    ]
    first = orjson.dumps(examples[0]).decode().replace("'", r"'\''")
    schema = [(feature, _JSON_TYPES[datatype(kind)], datatype(kind)) for feature, kind in inputs.schema.items()]
    told = pages.get_template("page.html").render(
        project=release.project, release=release, schema=schema, key=inputs.key, examples=shown, first=first
    )
    return told.encode()


def _pretty(answer: Mapping[str, Any]) -> str:
    return orjson.dumps(dict(answer), option=orjson.OPT_INDENT_2).decode()
