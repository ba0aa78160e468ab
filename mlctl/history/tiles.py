"""The events of all entities, divided into buckets on disk, with bounded memory.

A tile is what features need of one source's events of one bucket: the entity's place, times, and the columns that
are read. It is made once for a snapshot, in one streaming pass, and serves every later block: a new window reads tiles
and not the sources again.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlctl.errors import DataError
from mlctl.files import canonical_json, read_json, sha256_of, write_json, write_with
from mlctl.history.bucket import FIRST_US, buckets_of
from mlctl.plan import Plan
from mlctl.plan.events import ENTITY, Events, placed_events

if TYPE_CHECKING:
    import polars as pl

BUCKET: Final = "/bucket"
_MANIFEST: Final = "tiles.json"
_BEGINNING_US: Final = -(2**61)


@dataclass(frozen=True)
class Tiles:
    """Tiles on disk.

    Attributes:
        folder: Where they lie.
        buckets: How many buckets there are.
        entities: How many entities there are.
    """

    folder: Path
    buckets: int
    entities: int
    _people: dict[tuple[object, ...], pl.DataFrame] = field(default_factory=dict, repr=False)

    def people(self, bucket: int) -> pl.DataFrame:
        """A bucket's entities. Grain: one entity, sorted by key: the key as text, and `FIRST_US`."""
        import polars as pl

        # two threads may both read it, to the same end; `()` is set last, so whoever finds it finds all
        if () not in self._people:
            everybody = pl.read_parquet(self.folder / "people.parquet").drop(ENTITY)
            self._people.update(everybody.partition_by(BUCKET, as_dict=True, include_key=False))
            self._people[()] = everybody.drop(BUCKET).clear()
        return self._people.get((bucket,), self._people[()])

    def histories(self, plan: Plan, bucket: int, keys: pl.Series) -> dict[str, Events]:
        """The events of a bucket's entities, of each source that the plan reads.

        Raises:
            DataError: A table without time has two rows of one entity.
        """
        import polars as pl

        found = {}
        for source, columns in plan.sources().items():
            needed = [ENTITY, *(column for column in columns if column != plan.places[source].key)]
            folder = self.folder / source
            files = sorted((folder / str(bucket)).glob("*.ipc")) or [folder / "empty.ipc"]
            table = pl.concat([pl.read_ipc(file, columns=needed) for file in files])
            found[source] = placed_events(source, table, plan.places[source], keys)
        return found


def people_of(plan: Plan, tables: Mapping[str, pl.LazyFrame], buckets: int) -> pl.DataFrame:
    """Everybody whom the entity's sources know, and the microsecond from which.

    Grain: one entity, sorted by key: the key as text, `FIRST_US`, `BUCKET`, and `ENTITY`, its place in that.

    Raises:
        DataError: No table holds the entity's key.
    """
    import polars as pl

    key = plan.entity.key
    schemas = {name: table.collect_schema().names() for name, table in tables.items()}
    names = [plan.entity.source] if plan.entity.source else [name for name in tables if key in schemas[name]]
    known = []
    for name in names:
        if key not in schemas[name]:
            raise DataError.missing_column(name, key, schemas[name], "entity.key")
        place = plan.places[name]
        times = [_us(column) for column in (place.time, place.known) if column]
        first = pl.max_horizontal(times) if times else pl.lit(_BEGINNING_US)
        if place.time:
            first = pl.when(_us(place.time).is_not_null()).then(first)
        known.append(tables[name].select(pl.col(key).cast(pl.String), first.alias(FIRST_US)).drop_nulls())
    if not known:
        raise DataError.missing_column("(any)", key, sorted({c for s in schemas.values() for c in s}), "entity.key")
    everybody = pl.concat(known).group_by(key).agg(pl.col(FIRST_US).min()).collect(engine="streaming").sort(key)
    parts = pl.Series(BUCKET, buckets_of(everybody[key], buckets), dtype=pl.Int32)
    place_in_part = pl.int_range(pl.len(), dtype=pl.Int32).over(BUCKET).alias(ENTITY)
    return everybody.with_columns(parts).with_columns(place_in_part)


def make(
    plan: Plan, tables: Mapping[str, pl.LazyFrame], folder: Path, buckets: int, dataset: str
) -> tuple[Tiles, bool]:
    """The tiles of a snapshot for a plan, and whether they were there already.

    Args:
        plan: Whose sources and columns are needed.
        tables: Each source's checked table; of the same dataset they are the same.
        folder: Where the tiles lie, or are to lie.
        buckets: Into how many parts the entities are divided.
        dataset: The snapshot's version.

    Raises:
        DataError: No table holds the entity's key.
    """
    from importlib.metadata import version

    needs = {source: sorted({*columns}) for source, columns in plan.sources().items()}
    wanted = {"dataset": dataset, "buckets": buckets, "entity": plan.entity.model_dump(mode="json")}
    wanted |= {"polars": version("polars"), "places": {name: vars(place) for name, place in plan.places.items()}}
    there = read_json(folder / _MANIFEST) if (folder / _MANIFEST).is_file() else {}
    same = there.get("asked") == sha256_of(canonical_json(wanted))
    if same and all(set(columns) <= set(there["columns"].get(source, ())) for source, columns in needs.items()):
        return Tiles(folder, buckets, there["entities"]), True
    if same:
        needs = {
            name: sorted({*needs.get(name, ()), *there["columns"].get(name, ())})
            for name in {*needs, *there["columns"]}
        }
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    people = people_of(plan, tables, buckets)
    for source, columns in sorted(needs.items()):
        _divide(tables[source].select(columns), plan.places[source].key, people, folder / source)
    write_with(folder / "people.parquet", lambda path: people.sort(BUCKET, ENTITY).write_parquet(path))
    # written last: without it nothing here counts as tiles
    manifest: dict[str, Any] = {"asked": sha256_of(canonical_json(wanted)), "columns": needs, "entities": people.height}
    write_json(folder / _MANIFEST, manifest)
    return Tiles(folder, buckets, people.height), False


def _divide(table: pl.LazyFrame, key: str, people: pl.DataFrame, folder: Path) -> None:
    import polars as pl

    folder.mkdir(parents=True)
    places = people.lazy().select(key, BUCKET, ENTITY)
    dtype = table.collect_schema()[key]
    if dtype.is_integer():
        # numbers are joined as numbers: their text would be made anew for every event
        places = places.with_columns(pl.col(key).cast(dtype, strict=False)).drop_nulls()
    else:
        table = table.with_columns(pl.col(key).cast(pl.String))
    # the order of events means nothing to features, and to keep it would take a third of the time
    placed = table.join(places, on=key, how="inner").drop(key)
    placed.drop(BUCKET).clear().collect().write_ipc(folder / "empty.ipc")
    by = pl.PartitionBy(folder, key=BUCKET, include_key=False, file_path_provider=_path_of)
    placed.sink_ipc(by, mkdir=True, compat_level=None, maintain_order=False)


def _path_of(arguments: Any) -> str:
    return f"{arguments.partition_keys.item()}/{arguments.index_in_partition:04d}.ipc"


def _us(column: str) -> pl.Expr:
    import polars as pl

    return pl.col(column).cast(pl.Datetime("us", "UTC")).to_physical().cast(pl.Int64)
