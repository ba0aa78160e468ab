"""What servers answered, on its way into sketches: short-lived segments of inputs and outputs.

A server adds each row to a segment under `predictions/inputs/` before its answer goes out, so that killing it loses
none. A segment that is full, or whose server has ended, is folded: counted into sketches, a file for each day and
release, and removed. The sketches carry the segment's name, so that folding the same segment again writes the same
files: no row counts twice and none is lost, wherever a process dies. A lock on the segment says that its server lives.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlctl.files import read_json
from mlctl.release import BASELINE
from mlctl.sketches import shelf
from mlctl.sketches.baseline import Baseline
from mlctl.sketches.sheet import OUTPUTS, Sheet
from mlctl.workspace import Places

if TYPE_CHECKING:
    import polars as pl

SEGMENT_BYTES: Final = 4 * 2**20
Find = Callable[[str], "Baseline | None"]
"""From a release's id to its baseline."""


def folder(places: Places) -> Path:
    """Where the segments lie."""
    return places.predictions / "inputs"


def finder(places: Places, served: Callable[[], Path] | None = None) -> Find:
    """Finds baselines in the releases of a workspace, and keeps what it found.

    Args:
        places: The project's paths.
        served: Another folder of a release, as it is now: that which a server was told to serve.
    """
    found: dict[str, Baseline | None] = {}

    def find(release: str) -> Baseline | None:
        if release not in found:
            sealed = [places.releases / release, places.release, *([served()] if served is not None else [])]
            at = [path for path in sealed if _is(path, release) and (path / BASELINE).is_file()]
            found[release] = shelf.sealed(at[0] / BASELINE) if at else None
        return found[release]

    return find


def _is(path: Path, release: str) -> bool:
    return (path / "manifest.json").is_file() and read_json(path / "manifest.json").get("id") == release


def fold(places: Places, segment: Path, find: Find) -> None:
    """Counts a segment into sketches and removes it; one of unknown releases stays.

    Raises:
        ExternalError: The disk.
    """
    counted = sheets(segment, find)
    for (day, release), sheet in counted.items():
        baseline = find(release)
        if baseline is not None:
            told = {"day": day, "origin": "online", "name": f"{segment.stem}.{release}", "release": release}
            shelf.keep(places, baseline, sheet, told | {"scored_at": _beginning(day)})
    if counted or not segment.stat().st_size:
        segment.unlink(missing_ok=True)


def fold_ended(places: Places, find: Find) -> dict[date, list[dict[str, Any]]]:
    """Folds every segment whose server has ended.

    Returns:
        By day the records of what lies in segments that servers still add to.

    Raises:
        ExternalError: The disk.
    """
    living: dict[date, list[dict[str, Any]]] = {}
    for segment in sorted(folder(places).glob("*.ndjson")):
        # its server may count it at this very moment, and remove it
        with suppress(FileNotFoundError), segment.open("rb") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                for (day, release), sheet in sheets(segment, find).items():
                    if (baseline := find(release)) is not None:
                        told = shelf.record(baseline, sheet, release, _beginning(day))
                        living.setdefault(day, []).append(told)
                        shelf.keep_baseline(places, baseline)
                continue
            fold(places, segment, find)
    return living


def _beginning(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), UTC)


def sheets(segment: Path, find: Find) -> dict[tuple[date, str], Sheet]:
    """The sheets of a segment by day and release; of releases without a baseline there is none."""
    import orjson

    parts: dict[tuple[date, str], list[dict[str, Any]]] = {}
    for line in segment.read_bytes().split(b"\n")[:-1]:
        try:
            told = orjson.loads(line)
            parts.setdefault((date.fromisoformat(told["time"][:10]), told["release"]), []).append(told)
        except (orjson.JSONDecodeError, KeyError, ValueError):
            # a line that was cut in the middle
            continue
    found = {}
    for key, lines in sorted(parts.items()):
        baseline = find(key[1])
        if baseline is not None:
            found[key] = baseline.sheet(rows_of(lines, baseline))
    return found


def rows_of(lines: Iterable[Mapping[str, Any]], baseline: Baseline) -> pl.DataFrame:
    """Rows of features and outputs, as typed as the baseline's shapes say, from lines of a segment."""
    import polars as pl

    lines = list(lines)
    columns: list[pl.Series] = []
    for name in dict.fromkeys(name.partition("@")[0] for name in baseline.shapes if name not in OUTPUTS):
        values = [line["inputs"].get(name) for line in lines]
        columns.append(_typed(name, values, baseline))
    for name, output in OUTPUTS.items():
        if name in baseline.shapes:
            dtype = pl.Float64 if output == "score" else pl.String
            columns.append(pl.Series(output, [line.get(output) for line in lines], dtype=dtype, strict=False))
    return pl.DataFrame(columns)


def _typed(name: str, values: list[Any], baseline: Baseline) -> pl.Series:
    import polars as pl

    if name in baseline.shapes and baseline.shapes[name].kind == "number":
        return pl.Series(name, values, dtype=pl.Float64, strict=False)
    if name not in baseline.shapes and name not in baseline.texts:
        return pl.Series(name, values, dtype=pl.List(pl.Float64), strict=False)
    told = [str(value).lower() if isinstance(value, bool) else value for value in values]
    return pl.Series(name, told, dtype=pl.String, strict=False)
