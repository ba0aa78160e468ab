"""Freezes what the sources say at a moment: `data/NAME/SOURCE.parquet`, pinned by the root data.dvc.

A snapshot is a function of the sources and `as_of`. It is taken into a folder beside the live one and moved into place
when it is whole. Rows stand in one canonical order, so the order of files or threads does not change a byte. What a
kind counted in its files or its database is told beside the rows. A source with a `watermark` is handed the last
snapshot, if that was taken by the same `sources:` and is whole.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlctl import dvc, kinds, snapshot
from mlctl.config import section_digest
from mlctl.errors import DataError, ExternalError, IntegrityError, first_line
from mlctl.files import lock, sha256_of_file, write_json, write_text, write_with
from mlctl.snapshot import Snapshot
from mlctl.sources import Earlier, Window, must_not_be_too_wide
from mlctl.spec import Project
from mlctl.stages import Report
from mlctl.times import moment, moment_text
from mlctl.workspace import STATE, Places

if TYPE_CHECKING:
    import polars as pl


def ingest(
    places: Places, project: Project, as_of: datetime | None, now: datetime, tell: Callable[[str], None]
) -> Report:
    """Takes the snapshot, or finds that it is there.

    Args:
        places: The project's paths.
        project: The valid project.
        as_of: The moment to take it for; None keeps the one that data.dvc pins (or `refresh.as_of`, or today).
        now: The present, for a project that pins no moment.
        tell: Hears one line for each source.

    Raises:
        DataError: A source is missing, empty or not of its kind.
        IntegrityError: data.dvc pins this very snapshot and the sources give another one, or a file changed meanwhile.
        ExternalError: The disk or DVC refused, or a database does not answer.
    """
    asked = section_digest(project, ["sources"])
    recorded = snapshot.pinned(places.name)
    here = snapshot.read(places)
    wanted = as_of or (moment(recorded["as_of"]) if recorded else None) or project.refresh.as_of or _midnight(now)
    if (
        here is not None
        and here.as_of == wanted
        and here.asked == asked
        and recorded
        and recorded["version"] == here.version
    ):
        return _report(here, "is there already")
    taken = _take(places, project, wanted, asked, tell)
    same = recorded is not None and recorded["as_of"] == moment_text(wanted) and recorded["asked"] == asked
    if same and recorded is not None and recorded["version"] != taken.version and here is None:
        shutil.rmtree(_beside(places))
        why_next = "the sources changed their past; mlctl ingest --as-of MOMENT takes a new snapshot"
        raise IntegrityError.damaged(
            f"the snapshot of {places.name} taken again", recorded["version"], taken.version, why_next
        )
    _move_into_place(places)
    _pin(places, taken)
    return _report(taken, "hashes to what data.dvc pins" if same else "taken")


def _report(taken: Snapshot, how: str) -> Report:
    as_of = moment_text(taken.as_of)
    line = f"{taken.rows:,} rows of {len(taken.sources)} sources as of {as_of}, {how} (version {taken.version[:12]})"
    rows = {name: source["rows"] for name, source in taken.sources.items()}
    return Report("ingest", line, {"as_of": as_of, "version": taken.version, "rows": rows})


def _take(places: Places, project: Project, as_of: datetime, asked: str, tell: Callable[[str], None]) -> Snapshot:
    beside = _beside(places)
    shutil.rmtree(beside, ignore_errors=True)
    sources: dict[str, dict[str, Any]] = {}
    for name, options in project.sources.items():
        table, told = _read(name, options, as_of, _earlier(places, name, options, as_of, asked))
        tell(f"{name}: {table.height:,} rows" + (f" of {told}" if told else ""))
        path = beside / f"{name}.parquet"
        write_with(path, partial(table.write_parquet, compression="zstd", row_group_size=100_000))
        columns = {column: str(dtype) for column, dtype in table.schema.items()}
        time = options.time_column()
        sources[name] = {"rows": table.height, "sha256": sha256_of_file(path), "columns": columns, "time": time}
    manifest = beside / snapshot.MANIFEST
    write_json(manifest, {"as_of": moment_text(as_of), "asked": asked, "sources": sources})
    return Snapshot(as_of, sha256_of_file(manifest), sources, asked)


def _earlier(places: Places, name: str, options: Any, as_of: datetime, asked: str) -> Earlier | None:
    """The table of the last snapshot, for a source that goes on from there; None when it is not to be trusted."""
    import polars as pl

    here = snapshot.read(places)
    if getattr(options, "watermark", None) is None or here is None or here.asked != asked or here.as_of > as_of:
        return None
    path = places.data / f"{name}.parquet"
    if not path.is_file() or sha256_of_file(path) != here.sources[name]["sha256"]:
        return None
    rows = pl.read_parquet(path)
    return Earlier(rows.drop(options.row_key or [], strict=False), here.as_of)


def _read(name: str, options: Any, as_of: datetime, earlier: Earlier | None) -> tuple[pl.DataFrame, str]:
    """One source's rows before `as_of`, in canonical order, and what was counted."""
    import polars as pl

    kind, window, told = kinds.load("sources", options.kind), Window(None, as_of), ""
    try:
        if hasattr(kind, "take"):
            lazy, told = kind.take(options, window, earlier)
        else:
            lazy = kind.scan(options, window)
        must_not_be_too_wide(name, str(getattr(options, "path", f"sources.{name}")), len(lazy.collect_schema()))
        table: pl.DataFrame = lazy.collect()
    except pl.exceptions.PolarsError as error:
        raise DataError.not_of_kind(name, options.kind, str(getattr(options, "path", "")), first_line(error)) from error
    if options.row_key is not None:
        number = pl.int_range(pl.len()).cast(pl.String).str.zfill(9)
        table = table.with_columns(number.alias(options.row_key))
    if table.height == 0:
        raise DataError.empty(name, str(getattr(options, "path", f"sources.{name}")))
    for column in options.key:
        if column not in table.columns:
            raise DataError.missing_column(name, column, table.columns, f"sources.{name}.key")
    first = [column for column in (options.time_column(), *options.key) if column]
    rest = [column for column in table.columns if column not in first and not table.schema[column].is_nested()]
    return table.sort([*dict.fromkeys(first), *rest], maintain_order=True).rechunk(), told


def _beside(places: Places) -> Path:
    return STATE / "ingest" / places.name


def _move_into_place(places: Places) -> None:
    old = STATE / "ingest" / f"{places.name}.old"
    try:
        shutil.rmtree(old, ignore_errors=True)
        places.data.parent.mkdir(parents=True, exist_ok=True)
        if places.data.exists():
            places.data.rename(old)
        _beside(places).rename(places.data)
    except OSError as error:
        raise ExternalError.disk(places.data, error) from error
    shutil.rmtree(old, ignore_errors=True)


def _pin(places: Places, taken: Snapshot) -> None:
    """Puts the snapshot into DVC's cache and its version into data.dvc, for all projects one file."""
    import yaml

    with lock(STATE / "locks" / "data.lock", "data.dvc"), snapshot.pointer_kept():
        meta: dict[str, Any] = {}
        if snapshot.POINTER.is_file():
            meta = (yaml.safe_load(snapshot.POINTER.read_text(encoding="utf-8")) or {}).get("meta") or {}
        dvc.add("data")
        pointer = yaml.safe_load(snapshot.POINTER.read_text(encoding="utf-8"))
        snapshots = meta.get("snapshots", {})
        pinned = snapshot.pin(taken, snapshots.get(places.name))
        pointer["meta"] = {**meta, "snapshots": {**snapshots, places.name: pinned}}
        write_text(snapshot.POINTER, yaml.safe_dump(pointer, sort_keys=False))


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)
