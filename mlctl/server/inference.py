"""The Open Inference Protocol, version 2: tensors by name in JSON or, behind it, in bytes.

One input a feature, of as many values as there are rows; the outputs are what an answer holds. A client may send any
input and ask for any output as bytes (the binary tensor data extension of Triton and KServe). Where features are looked
up, a tensor of keys may stand for those that are not sent.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from mlctl.errors import listed
from mlctl.server.inputs import Inputs, Refused

HEADER: Final = b"inference-header-content-length"
"""Says how many bytes of the body are JSON; tensors in bytes follow."""
OUTPUTS: Final[Mapping[str, str]] = {
    "score": "FP64",
    "decision": "BYTES",
    "reason": "BYTES",
    "confidence": "FP64",
    "release": "BYTES",
    "variant": "BYTES",
}
"""What an answer holds, by name."""
_FORMATS: Final[Mapping[str, str]] = {
    "BOOL": "?",
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "FP16": "e",
    "FP32": "f",
    "FP64": "d",
}
_NUMBERS: Final = frozenset(_FORMATS) - {"BOOL"}
_LENGTH: Final = struct.Struct("<I")


def datatype(kind: str) -> str:
    """The protocol's name of a feature's type.

    >>> datatype("Float64"), datatype("String"), datatype("UInt32"), datatype("Boolean")
    ('FP64', 'BYTES', 'INT64', 'BOOL')
    """
    if kind in ("String", "Null"):
        return "BYTES"
    if kind == "Boolean":
        return "BOOL"
    return "INT64" if kind.startswith(("Int", "UInt")) else "FP64"


def metadata(name: str, release: str, inputs: Inputs) -> dict[str, Any]:
    """What a model takes and gives."""
    return {
        "name": name,
        "versions": [release],
        "platform": "onnxruntime_onnx",
        "inputs": [
            {"name": feature, "datatype": datatype(kind), "shape": [-1]} for feature, kind in inputs.schema.items()
        ],
        "outputs": [{"name": output, "datatype": kind, "shape": [-1]} for output, kind in OUTPUTS.items()],
    }


class Inference:
    """One request, read.

    Attributes:
        rows: Its rows; of a request by key they hold the key and what else was sent.
        identity: Its id, which the answer repeats; empty when it has none.
    """

    def __init__(self, body: bytes, header_bytes: str, inputs: Inputs, by_key: bool = False) -> None:
        """Reads a body.

        Args:
            body: The request's body.
            header_bytes: What the header says of its JSON; empty when it is all JSON.
            inputs: What the model takes.
            by_key: Whether features that are not sent will be looked up by the key.

        Raises:
            Refused: 400: the frame is broken; 422: a tensor does not fit the model; 413: too many rows.
        """
        said, tail = _parted(body, header_bytes)
        self.identity = _identity(said)
        self._asked = _asked(said)
        self.rows = _rows(_tensors(said, tail), inputs, by_key)

    def answered(self, name: str, answers: Sequence[Mapping[str, Any]]) -> tuple[bytes, int | None]:
        """The body of the answer, and how many bytes of it are JSON; None where all are."""
        outputs: list[dict[str, Any]] = []
        tail: list[bytes] = []
        for output, binary in self._asked:
            kind = OUTPUTS[output]
            values = [answer[output] for answer in answers]
            told: dict[str, Any] = {"name": output, "datatype": kind, "shape": [len(values)]}
            if binary:
                data = _packed(values, kind)
                tail.append(data)
                told["parameters"] = {"binary_data_size": len(data)}
            else:
                told["data"] = values
            outputs.append(told)
        release = answers[0]["release"] if answers else ""
        body: dict[str, Any] = {"model_name": name, "model_version": release, "outputs": outputs}
        head = orjson.dumps(body | ({"id": self.identity} if self.identity else {}))
        return (head + b"".join(tail), len(head)) if tail else (head, None)


def _parted(body: bytes, header_bytes: str) -> tuple[dict[str, Any], bytes]:
    """The JSON of a body, and the bytes behind it."""
    size = len(body)
    if header_bytes:
        if not header_bytes.isascii() or not header_bytes.isdigit() or int(header_bytes[:19]) > len(body):
            raise Refused(400, f"{HEADER.decode()} must be a number of bytes within the body")
        size = int(header_bytes)
    try:
        said = orjson.loads(body[:size])
    except orjson.JSONDecodeError as error:
        raise Refused(400, f"the body is no JSON: {error}") from error
    if not isinstance(said, dict):
        raise Refused(400, "the body must be an object with `inputs`")
    return said, body[size:]


def _identity(said: Mapping[str, Any]) -> str:
    identity = said.get("id", "")
    if not isinstance(identity, str):
        raise Refused(422, "wanted a text", "id")
    return identity


def _asked(said: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """The outputs that are asked for, and whether each is wanted in bytes."""
    always = bool(_parameters(said, "").get("binary_data_output", False))
    wanted = said.get("outputs") or [{"name": name} for name in OUTPUTS]
    if not isinstance(wanted, list):
        raise Refused(422, "wanted an array of objects with `name`", "outputs")
    asked = []
    for place, output in enumerate(wanted):
        where = f"outputs[{place}]"
        if not isinstance(output, dict) or not isinstance(output.get("name"), str):
            raise Refused(422, "wanted an object with `name`", where)
        if output["name"] not in OUTPUTS:
            raise Refused(422, f"no such output; there are {listed(OUTPUTS)}", f"{where}.name")
        asked.append((output["name"], bool(_parameters(output, where + ".").get("binary_data", always))))
    return asked


def _parameters(said: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    parameters = said.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise Refused(422, "wanted an object", f"{where}parameters")
    return parameters


def _tensors(said: Mapping[str, Any], tail: bytes) -> dict[str, tuple[str, list[Any]]]:
    """By input, its field in the request and its values."""
    inputs = said.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise Refused(422, "wanted an array with one tensor for each feature", "inputs")
    found: dict[str, tuple[str, list[Any]]] = {}
    start = 0
    for place, tensor in enumerate(inputs):
        where = f"inputs[{place}]"
        if not isinstance(tensor, dict) or not isinstance(tensor.get("name"), str):
            raise Refused(422, "wanted an object with `name`, `datatype`, `shape` and `data`", where)
        if tensor["name"] in found:
            raise Refused(422, f"the input {tensor['name']} is there twice", f"{where}.name")
        count = _count(tensor.get("shape"), f"{where}.shape")
        size = _parameters(tensor, where + ".").get("binary_data_size")
        if size is None:
            values = _flat(tensor.get("data"), count, f"{where}.data")
        else:
            if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= len(tail) - start:
                why = f"{len(tail) - start:,} bytes are left behind the JSON"
                raise Refused(400, why, f"{where}.parameters.binary_data_size")
            values = _unpacked(tail[start : start + size], tensor.get("datatype"), count, where)
            start += size
        found[tensor["name"]] = (where, values)
    if start != len(tail):
        raise Refused(400, f"{len(tail) - start:,} bytes behind the JSON belong to no input")
    return found


def _count(shape: Any, where: str) -> int:
    """How many values a tensor of one column holds."""
    if not isinstance(shape, list) or not shape or not all(type(size) is int and size >= 0 for size in shape):
        raise Refused(422, "wanted an array of whole numbers, such as [1]", where)
    if len(shape) > 2 or (len(shape) == 2 and shape[1] != 1):
        raise Refused(422, f"wanted [rows] or [rows, 1], not {shape[:4]}", where)
    count: int = shape[0]
    return count


def _flat(data: Any, count: int, where: str) -> list[Any]:
    if not isinstance(data, list):
        raise Refused(422, "wanted an array", where)
    values = [row[0] if isinstance(row, list) and len(row) == 1 else row for row in data]
    if len(values) != count:
        raise Refused(422, f"there are {len(values):,} values, and the shape says {count:,}", where)
    return values


def _rows(tensors: Mapping[str, tuple[str, list[Any]]], inputs: Inputs, by_key: bool) -> list[dict[str, Any]]:
    for name, (where, _) in tensors.items():
        if name not in inputs.schema and name != inputs.key:
            raise inputs.unknown(name, f"{where}.name")
    missing = [name for name in inputs.schema if name not in tensors]
    if missing and not (by_key and inputs.key in tensors):
        or_key = f", nor for the key {inputs.key}" if by_key else ""
        raise Refused(422, f"no input for the feature {listed(missing)}{or_key}", "inputs")
    counts = {len(values) for _, values in tensors.values()}
    if len(counts) != 1:
        raise Refused(422, f"the inputs have {listed(sorted(counts))} rows; all must have as many", "inputs")
    inputs.allow(counts.pop())
    columns: dict[str, list[Any]] = {}
    for name, (where, values) in tensors.items():
        places = [(value, f"{where}.data[{place}]") for place, value in enumerate(values)]
        if name in inputs.schema:
            columns[name] = [inputs.value(value, inputs.schema[name], at) for value, at in places]
        else:
            columns[name] = [inputs.key_value(value, at) for value, at in places]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _unpacked(data: bytes, kind: Any, count: int, where: str) -> list[Any]:
    """The values of a tensor in bytes; of a float that is not a number None."""
    if kind == "BYTES":
        return _texts(data, count, where)
    if kind not in _FORMATS:
        raise Refused(422, f"wanted one of {listed([*_FORMATS, 'BYTES'], 20)}", f"{where}.datatype")
    form = struct.Struct(f"<{count}{_FORMATS[kind]}")
    if form.size != len(data):
        raise Refused(422, f"{count:,} values of {kind} are {form.size:,} bytes, not {len(data):,}", where)
    return [None if isinstance(value, float) and math.isnan(value) else value for value in form.unpack(data)]


def _texts(data: bytes, count: int, where: str) -> list[str]:
    found: list[str] = []
    start = 0
    while start < len(data):
        end = start + _LENGTH.size
        if end > len(data):
            raise Refused(422, "a text's length is cut off", where)
        (size,) = _LENGTH.unpack(data[start:end])
        if end + size > len(data):
            raise Refused(422, "a text is longer than the tensor", where)
        try:
            found.append(data[end : end + size].decode("utf-8"))
        except UnicodeDecodeError as error:
            raise Refused(422, f"text {len(found)} is not UTF-8", where) from error
        start = end + size
    if len(found) != count:
        raise Refused(422, f"there are {len(found):,} texts, and the shape says {count:,}", where)
    return found


def _packed(values: Sequence[Any], kind: str) -> bytes:
    if kind == "BYTES":
        texts = [str(value).encode() for value in values]
        return b"".join(_LENGTH.pack(len(text)) + text for text in texts)
    return struct.pack(f"<{len(values)}d", *(math.nan if value is None else value for value in values))
