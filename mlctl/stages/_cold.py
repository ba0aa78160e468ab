"""A model of its own for who has too little evidence, where `decide.cold` asks for one.

It climbs like any rung: it is taken only where it clearly beats the prior, which is what became of such in the past.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from mlctl import encoding, kinds
from mlctl.errors import DataError, IntegrityError, first_line
from mlctl.files import sha256_of, sha256_of_file, write_bytes, write_json, write_with
from mlctl.graphs import runtime
from mlctl.judging import fitting, ladder, splits
from mlctl.metrics import measuring
from mlctl.spec import Project
from mlctl.stages._rows import held_out, part, proved, score_column, table
from mlctl.workspace import Places

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Scores = np.ndarray[Any, Any]

MIN_COLD_ROWS: Final = 50
NAME: Final = "cold"
_CONSTANT: Final = "constant"
_HELD_OUT: Final = "cold_held_out.parquet"


def train_cold(places: Places, project: Project, known: tuple[str, ...]) -> tuple[dict[str, Any] | None, str]:
    """Fits the cold model and writes `cold.onnx` and `cold.encoding.json` where it earned its place.

    Returns:
        Its record, None where none is asked for; and a line for people.

    Raises:
        IntegrityError: The cold rows are missing, or were changed.
    """
    graph, learnt = places.model / f"{NAME}.onnx", places.model / f"{NAME}.encoding.json"
    unseen_scores = places.model / _HELD_OUT
    for stale in (graph, learnt, unseen_scores):
        stale.unlink(missing_ok=True)
    if project.decide.cold is None:
        return None, ""
    options = kinds.options("models", {"seed": project.model.seed, **project.decide.cold})
    cold, columns = part(places, NAME)
    rows = cold.filter(cold["part"] == "train")
    record: dict[str, Any] = {"model": options.kind, "rows": rows.height, "adopted": False}
    if rows.height < MIN_COLD_ROWS:
        return record, f"cold: {rows.height} rows teach too little for {options.kind}: the prior stays"
    rungs = {_CONSTANT: kinds.options("models", {"kind": _CONSTANT}), options.kind: options}
    try:
        judged, scores = held_out(project, rungs, rows, columns, known)
        unseen = rows.filter(judged)
        truth = unseen["label"].to_numpy().astype("float64")
        metric = next(iter(project.metrics))
        steps = ladder.climb(truth, scores, measuring(project.metrics[metric]), splits.entity_codes(project, unseen))
    except DataError as error:
        return (
            record,
            f"cold: {options.kind} cannot learn from {rows.height:,} rows ({first_line(error)}): the prior stays",
        )
    step = steps[-1]
    gain = "not measured" if step.gain_low is None else f"[{step.gain_low:+.4f}, {step.gain_high:+.4f}]"
    said = (
        f"cold: {options.kind} on {rows.height:,} rows of too little evidence, gain of {metric} over the prior {gain}"
    )
    if not step.earned:
        return {**record, "rung": step.record()}, f"{said}: did not earn its place, the prior stays"
    own = encoding.learn(rows.select(columns), project.encoding)
    seen = table(project, own, rows, columns, known)
    fitted = fitting.fit(options, seen)
    write_json(learnt, own.model_dump(mode="json"))
    write_bytes(graph, fitted.onnx)
    held = score_column("score", scores[options.kind]).to_frame()
    write_with(unseen_scores, held.write_parquet)
    hashes = {graph.name: sha256_of(fitted.onnx), _HELD_OUT: sha256_of_file(unseen_scores)}
    record |= {"adopted": True, "rung": step.record(), "sha256": hashes}
    record["parity"] = proved(options, fitted, seen)
    return record, f"{said}: earned its place"


def cold_judged(places: Places, project: Project, trained: Mapping[str, Any]) -> tuple[pl.DataFrame, Scores]:
    """The rows of too little evidence that judge, and the scores that they get: of their own model, or the prior.

    Where a split is not by time all of them judge, scored by models that did not see them.

    Raises:
        IntegrityError: The model is missing, or not the one that was recorded.
    """
    import numpy as np
    import polars as pl

    cold, columns = part(places, NAME)
    rows = cold.filter(cold["part"] == ("test" if project.split.over_time() else "train"))
    found = trained.get(NAME) or {}
    if not found.get("adopted"):
        prior = np.asarray(trained["prior"], dtype=np.float64)
        return rows, np.tile(prior, (rows.height, *([1] * prior.ndim)))
    again = f"mlctl run projects/{places.name}"
    path = places.model / (f"{NAME}.onnx" if project.split.over_time() else _HELD_OUT)
    if (digest := sha256_of_file(path)) != found["sha256"][path.name]:
        raise IntegrityError.damaged(str(path), found["sha256"][path.name], digest, again)
    if not project.split.over_time():
        return rows, pl.read_parquet(path)["score"].to_numpy()
    own = encoding.read(places.model / f"{NAME}.encoding.json", again)
    matrix = encoding.encode(own, rows.select(columns))
    return rows, runtime.score_onnx(path.read_bytes(), matrix).astype("float64")
