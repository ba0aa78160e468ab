"""The online store: everybody's latest features as one Arrow file that servers map into memory, behind one pointer.

  online/ID/features.arrow   Grain: one entity, sorted by key: the key as text, then the features. Time: `as_of`.
  online/ID/digests.arrow    Grain: one entity, sorted by key: what its events were (`moved.py`)
  online/ID/manifest.json    what it holds: moment, dataset, release, of each feature how new and how old it may be
  online/current.json        the generation that answers; replaced in one rename

A generation never changes. A server that has opened one goes on with it, also after its files were removed.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mlctl.errors import IntegrityError
from mlctl.files import read_json, sha256_of_file, write_json, write_with
from mlctl.times import moment, moment_text

if TYPE_CHECKING:
    import polars as pl

_POINTER: Final = "current.json"
_FORMAT: Final = "2.0"
_IDENTITY: Final = re.compile("[0-9a-f]{16}")
_FILES: Final = ("features.arrow", "digests.arrow")

_FOREVER: Final = datetime.max.replace(tzinfo=moment("2000-01-01").tzinfo)


@dataclass(frozen=True)
class Served:
    """One feature of a store.

    Attributes:
        name: Its column.
        newest: When the newest row was written that any of its values can rest on.
        max_age: How old that may be when the feature is used; None for any age.
        when_stale: What happens when it is older: `fallback` or `missing`.
    """

    name: str
    newest: datetime
    max_age: timedelta | None
    when_stale: str

    @property
    def until(self) -> datetime:
        """The moment from which on it is stale."""
        return _FOREVER if self.max_age is None else self.newest + self.max_age


@dataclass(frozen=True)
class Store:
    """One generation, mapped into memory.

    Attributes:
        id: Which one.
        as_of: The moment that the features are about (exclusive).
        dataset: The version of the data that they were computed from.
        key: Name of the key's column.
        features: By column, what is known of it.
        plan: What its features are computed by; empty where no later generation may go on from this one.
        rows: Grain: one entity, sorted by key: the key as text, then the features. Time: `as_of`.
    """

    id: str
    as_of: datetime
    dataset: str
    key: str
    features: Mapping[str, Served]
    plan: str
    rows: pl.DataFrame

    def __len__(self) -> int:
        return self.rows.height

    def row(self, key: str) -> dict[str, Any] | None:
        """The features of one entity by column; None when nobody knew it at `as_of`."""
        keys, low, high = self.rows[self.key], 0, self.rows.height
        while low < high:
            middle = (low + high) // 2
            if keys[middle] < key:
                low = middle + 1
            else:
                high = middle
        if low == self.rows.height or keys[low] != key:
            return None
        row = self.rows.row(low, named=True)
        del row[self.key]
        return row

    def stale(self, now: datetime) -> tuple[Served, ...]:
        """The features that are too old to be used."""
        if now < self._first_end:
            return ()
        return tuple(served for served in self.features.values() if served.until <= now)

    def holds(self, schema: Mapping[str, str]) -> bool:
        """Whether every feature of a release is there, in the type that it was trained on."""
        types = {name: str(dtype) for name, dtype in self.rows.schema.items()}
        return all(types.get(name) == kind for name, kind in schema.items())

    @cached_property
    def _first_end(self) -> datetime:
        return min((served.until for served in self.features.values()), default=_FOREVER)


class Tables(NamedTuple):
    """What a generation holds.

    Attributes:
        rows: Grain: one entity, sorted by key: the key as text, then the features.
        digests: What the entities' events were (`moved.py`), where the next generation may go on from this one.
    """

    rows: pl.DataFrame
    digests: pl.DataFrame | None = None


def current(folder: Path) -> str:
    """The generation that answers; empty while there is none.

    Raises:
        IntegrityError: The pointer cannot be read.
    """
    return str(read_json(folder / _POINTER)["id"]) if (folder / _POINTER).is_file() else ""


def write(folder: Path, identity: str, tables: Tables, about: Mapping[str, Any], features: Sequence[Served]) -> int:
    """Writes a generation, points at it, and removes all but it and the one before; gives its bytes.

    The same content gives the same bytes, however it was put together.

    Args:
        folder: Where the store lies.
        identity: The generation: the same for the same content.
        tables: What it holds.
        about: `as_of`, `dataset`, `release` and `key`; with digests the `plan` too.
        features: What is known of each feature.

    Raises:
        ExternalError: The disk; what answers is as it was.
    """
    before, made = current(folder), folder / identity
    hashes = {}
    for name, table in zip(_FILES, tables, strict=True):
        if table is not None:
            write_with(made / name, _canonical(table).write_ipc)
            hashes[name] = sha256_of_file(made / name)
    told = [
        {
            "name": served.name,
            "newest": moment_text(served.newest),
            "max_age_s": None if served.max_age is None else served.max_age.total_seconds(),
            "when_stale": served.when_stale,
        }
        for served in features
    ]
    manifest = {"format_version": _FORMAT, "id": identity, "rows": tables.rows.height, "features": told, **about}
    write_json(made / "manifest.json", {**manifest, "files": hashes})
    _point(folder, identity, before)
    return (made / _FILES[0]).stat().st_size


def adopt(folder: Path, manifest: Mapping[str, Any], fill: Callable[[str, Path], object], next_step: str) -> None:
    """Takes a generation that was made elsewhere, once its files hash to what its manifest says, and points at it.

    Args:
        folder: Where the store lies.
        manifest: As it was written.
        fill: Writes the file of a name to a path.
        next_step: What makes it anew.

    Raises:
        IntegrityError: It is none, or damaged; what answers stays.
        ExternalError: The disk.
    """
    identity, files = str(manifest.get("id")), manifest.get("files") or {}
    if not _IDENTITY.fullmatch(identity) or _FILES[0] not in files or set(files) - set(_FILES):
        raise IntegrityError.refused(str(folder), "what came is no generation of an online store", next_step)
    before, made = current(folder), folder / identity
    for name, wanted in files.items():
        write_with(made / name, partial(fill, name))
        if (found := sha256_of_file(made / name)) != wanted:
            raise IntegrityError.damaged(str(made / name), wanted, found, next_step)
    write_json(made / "manifest.json", manifest)
    _point(folder, identity, before)


def _point(folder: Path, identity: str, before: str) -> None:
    """Lets a generation answer, and removes all but it and the one before."""
    write_json(folder / _POINTER, {"format_version": _FORMAT, "id": identity})
    for old in folder.iterdir():
        if old.is_dir() and old.name not in (identity, before):
            shutil.rmtree(old, ignore_errors=True)


def _canonical(table: pl.DataFrame) -> pl.DataFrame:
    """The same table in the one form of memory that its content alone gives: texts in a row, nothing below a null."""
    import polars as pl
    import pyarrow as pa

    columns = []
    for column in table.rechunk():
        if column.dtype == pl.Null or column.dtype.is_nested():
            columns.append(column)
            continue
        below_a_null: Any = "" if column.dtype == pl.String else False if column.dtype == pl.Boolean else 0
        values = column.to_physical().fill_null(below_a_null).to_arrow(compat_level=pl.CompatLevel.oldest())
        there = pa.array(column.is_not_null().to_numpy()).buffers()[1] if column.null_count() else None
        again = pa.Array.from_buffers(values.type, len(column), [there, *values.buffers()[1:]])
        columns.append(pl.Series(column.name, again).cast(column.dtype))
    return pl.DataFrame(columns)


def read_digests(folder: Path, store: Store) -> pl.DataFrame:
    """What the events of a generation's entities were: `mlctl/online/moved.py`.

    Raises:
        IntegrityError: They are missing or damaged.
    """
    import polars as pl

    path = folder / store.id / _FILES[1]
    wanted, found = read_json(folder / store.id / "manifest.json")["files"][path.name], sha256_of_file(path)
    if found != wanted:
        raise IntegrityError.damaged(str(path), wanted, found, "mlctl materialize projects/NAME --full")
    return pl.read_ipc(path)


def open_store(folder: Path, next_step: str) -> Store | None:
    """The generation that answers, after proving that it is whole; None while there is none.

    Raises:
        IntegrityError: It is missing or damaged; `next_step` mends it.
    """
    identity = current(folder)
    if not identity:
        return None
    import polars as pl
    import pyarrow as pa

    made = folder / identity
    manifest = read_json(made / "manifest.json", next_step)
    found = sha256_of_file(made / _FILES[0])
    if manifest["format_version"] != _FORMAT:
        raise IntegrityError.refused(str(made), f"it is not of format {_FORMAT}, which this version reads", next_step)
    if found != manifest["files"][_FILES[0]]:
        raise IntegrityError.damaged(str(made / "features.arrow"), manifest["files"][_FILES[0]], found, next_step)
    features = {
        told["name"]: Served(
            told["name"],
            moment(told["newest"]),
            None if told["max_age_s"] is None else timedelta(seconds=told["max_age_s"]),
            told["when_stale"],
        )
        for told in manifest["features"]
    }
    # polars by itself would read a copy
    mapped = pa.ipc.open_file(pa.memory_map(str(made / "features.arrow"))).read_all()
    rows: Any = pl.from_arrow(mapped, rechunk=False)
    about = (manifest["dataset"], manifest["key"], features, manifest.get("plan", ""))
    return Store(identity, moment(manifest["as_of"]), *about, rows)


def stamp(folder: Path) -> tuple[int, int] | None:
    """What changes when another generation answers."""
    with suppress(OSError):
        found = (folder / _POINTER).stat()
        return found.st_ino, found.st_mtime_ns
    return None
