"""Requests that were really asked, put to the new model as a server asks and as a batch does: equal to the bit or not.

`mlctl parity` replays what a release has answered. This asks, before there is a release, whether the next one would
answer its users' requests as its own evaluation judged it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from mlctl import encoding
from mlctl.files import read_json
from mlctl.release import Release
from mlctl.server import prediction_log
from mlctl.server.answers import Answerer
from mlctl.spec import Project
from mlctl.stages._rows import part
from mlctl.workspace import Places

if TYPE_CHECKING:
    import polars as pl

_MOST: Final = 5_000
_COMPARED: Final = ("score", "decision", "reason", "confidence")


def replayed(places: Places, project: Project, evaluation: Mapping[str, Any]) -> float | None:
    """How many of the last logged requests the model would answer otherwise one by one than as a table.

    None where no request was written down with its inputs (`serving.log: inputs`), or none has all of the features.

    Raises:
        IntegrityError: The model or the test set is missing or damaged.
    """
    judged, names = part(places, "test")
    asked = deque(
        (
            {name: line["inputs"][name] for name in names}
            for line in prediction_log.read(places.predictions)
            if line.get("inputs", {}).keys() >= set(names)
        ),
        _MOST,
    )
    if not asked:
        return None
    answerer = _answerer(places, project, evaluation, judged.select(names))
    table = answerer.inputs.table(asked)
    together = answerer.release.decide(table).to_dicts()
    alone = [answerer.answers(answerer.inputs, [row])[0] for row in asked]
    return float(
        sum(any(one[name] != other[name] for name in _COMPARED) for one, other in zip(alone, together, strict=True))
    )


def _answerer(places: Places, project: Project, evaluation: Mapping[str, Any], features: pl.DataFrame) -> Answerer:
    """The model as it would answer once it was sealed."""
    again, own = f"mlctl run projects/{places.name}", evaluation["model"]
    trained = read_json(places.model / "report.json", again)
    policy = read_json(places.model / "policy.json", again)
    about = {"decide": policy, "classes": trained["classes"], "prior": trained["prior"]}
    learnt = encoding.read(places.model / f"{own}.encoding.json", again)
    release = Release("", about, project, learnt, (places.model / f"{own}.onnx").read_bytes())
    schema = {name: str(dtype) for name, dtype in features.schema.items()}
    return Answerer(release, schema, (), release.decider())
