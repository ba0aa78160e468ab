"""The snapshot of a project's sources: frozen tables under `data/NAME/`, pinned by the root data.dvc.

`data/NAME/snapshot.json` says as_of, rows and sha256 of each table; its own hash is the dataset's version and stands,
with the as_of, under `meta` in the committed data.dvc. A fresh clone therefore knows which snapshot to take again and
what it must hash to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlctl.errors import IntegrityError
from mlctl.files import read_json, sha256_of_file, write_text
from mlctl.times import moment, moment_text
from mlctl.workspace import DATA, Places

if TYPE_CHECKING:
    import polars as pl

POINTER: Final = Path("data.dvc")
MANIFEST: Final = "snapshot.json"


@dataclass(frozen=True)
class Snapshot:
    """A snapshot on disk.

    Attributes:
        as_of: The moment (exclusive) it was taken for.
        version: Hash of `snapshot.json`: the dataset's version.
        sources: For each source its rows, sha256, columns and event time column.
        asked: Hash of the `sources:` section it was taken by.
    """

    as_of: datetime
    version: str
    sources: Mapping[str, Mapping[str, Any]]
    asked: str

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(int(source["rows"]) for source in self.sources.values())


def read(places: Places) -> Snapshot | None:
    """The project's snapshot as its manifest tells it, or None when there is none. The tables are not looked at."""
    path = places.data / MANIFEST
    if not path.is_file():
        return None
    manifest = read_json(path, f"mlctl ingest projects/{places.name}")
    return Snapshot(moment(manifest["as_of"]), sha256_of_file(path), manifest["sources"], manifest["asked"])


def open_tables(places: Places) -> tuple[Snapshot, dict[str, pl.DataFrame]]:
    """The snapshot and its tables, after proving that every table is as it was taken.

    Raises:
        IntegrityError: The snapshot is missing, is not the one that data.dvc names, or a table was changed.
    """
    import polars as pl

    again = f"mlctl ingest projects/{places.name}"
    snapshot = read(places)
    if snapshot is None:
        raise IntegrityError.missing(str(places.data / MANIFEST), again)
    recorded = pinned(places.name)
    if recorded is not None and recorded["version"] != snapshot.version:
        why_next = f"dvc checkout data.dvc, or {again} to take it again"
        raise IntegrityError.damaged(str(places.data / MANIFEST), recorded["version"], snapshot.version, why_next)
    tables = {}
    for name, source in snapshot.sources.items():
        path = places.data / f"{name}.parquet"
        found = sha256_of_file(path)
        if found != source["sha256"]:
            raise IntegrityError.damaged(str(path), source["sha256"], found, f"remove {places.data} and run: {again}")
        tables[name] = pl.read_parquet(path)
    return snapshot, tables


def pinned(name: str) -> dict[str, Any] | None:
    """What data.dvc says of a project's snapshot: version, moment, columns and those before; None for nothing."""
    import yaml

    if not POINTER.is_file():
        return None
    try:
        pointer = yaml.safe_load(POINTER.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise IntegrityError.refused(str(POINTER), "it is not YAML", "git checkout data.dvc") from error
    found = (pointer.get("meta") or {}).get("snapshots", {}).get(name)
    return dict(found) if found else None


def pin(taken: Snapshot, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """What data.dvc is to say of a snapshot: beside its version the columns of each source, and those before it.

    Args:
        taken: The new snapshot.
        before: What data.dvc says until now.
    """
    said: dict[str, Any] = {"as_of": moment_text(taken.as_of), "asked": taken.asked, "version": taken.version}
    said["columns"] = {name: dict(source["columns"]) for name, source in taken.sources.items()}
    if before and before["version"] != taken.version and before.get("columns"):
        said["previous"] = {"as_of": before["as_of"], "columns": before["columns"]}
    elif before and before["version"] == taken.version and before.get("previous"):
        said["previous"] = before["previous"]
    return said


@contextmanager
def pointer_kept() -> Iterator[None]:
    """Lets DVC look at the data folder without taking a part of it for a new version.

    In a fresh clone the snapshots of other projects may be absent; while nothing else is pinned than before, data.dvc
    stays as it was.
    """
    import yaml

    before = POINTER.read_text(encoding="utf-8") if POINTER.is_file() else ""
    yield
    was = yaml.safe_load(before) or {}
    meta = was.get("meta") or {}
    absent = [name for name in meta.get("snapshots", {}) if not (DATA / name).is_dir()]
    if absent and meta == yaml.safe_load(POINTER.read_text(encoding="utf-8")).get("meta"):
        write_text(POINTER, before)


def previous_columns(name: str) -> tuple[str, dict[str, dict[str, str]]]:
    """The moment of the snapshot before this one, and the columns (name to type) of each of its sources.

    Both are empty when there was none.
    """
    previous = (pinned(name) or {}).get("previous") or {}
    return str(previous.get("as_of", "")), dict(previous.get("columns", {}))
