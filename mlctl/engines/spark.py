"""Spark: the same buckets, divided, computed and scored by the workers of a Spark cluster.

Use it when the events do not fit one machine, or a cluster is there anyway. The workers write the files themselves, so
the workspace must lie where all of them see it. Not for small data: starting Spark takes longer than the local engine
needs for millions of rows. Needs the extra `spark` (pyspark 4) and Java 17.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.engines import ITEM, TIME, USER, EngineOptions
from mlctl.errors import ExternalError, MlctlError, Relayed, first_line
from mlctl.history.bucket import Job, Receipt, compute_from_tables
from mlctl.history.tiles import people_of

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

_ERROR: Final = "/error"
_ARROW: Final = {"string": "string", "double": "float64", "long": "int64"}
_RECEIPT: Final = "bucket int, rows long, seconds double, error string"


class Options(EngineOptions):
    """Options of the Spark engine."""

    kind: Literal["spark"] = Field(default="spark", description="spark")
    master: str = Field(default="local[*]", description="where Spark runs: local[2], yarn, spark://host:7077, ...")
    memory: str = Field(default="4g", pattern="^[0-9]+[mg]$", description="memory of the driver, such as 4g")


EXAMPLE = {"kind": "spark", "master": "local[2]", "memory": "1g"}


def run(options: Options, job: Job, pending: Sequence[int]) -> Iterator[Receipt]:
    """Divides the tables by the CRC-32 of the key in Spark, and computes each part in a worker.

    Raises:
        DataError: A feature cannot be computed from the data.
        ExternalError: Spark or Java is missing, or a worker failed.
    """
    if not pending:
        return
    plan = job.plan()
    columns = job.needed(plan)
    places = {(source, name): f"c{s}_{c}" for s, source in enumerate(columns) for c, name in enumerate(columns[source])}
    spark = _session(options, len(pending))
    try:
        found = _divided(spark, job, columns, places, pending)
        work = found.groupBy("bucket").applyInArrow(_worker(job, columns, places), schema=_RECEIPT)
        left = set(pending)
        for row in work.toLocalIterator():
            if row.error:
                told = json.loads(row.error)
                raise Relayed(told["exit_code"], [(heading, text) for heading, text in told["lines"]])
            left.discard(row.bucket)
            yield Receipt(row.bucket, row.rows, row.seconds)
        for bucket in sorted(left):
            # Spark makes no group of a bucket without entities
            yield _compute(job, bucket, job.empty(columns))
    except MlctlError:
        raise
    except Exception as error:
        raise ExternalError.tool("spark", first_line(error)) from error
    finally:
        spark.stop()


def each(
    options: Options, work: Callable[[int], pl.DataFrame], parts: Sequence[int], columns: Mapping[str, str]
) -> Iterator[pl.DataFrame]:
    """The tables that a function makes of numbers, by `mapInArrow` in the workers, in any order.

    Raises:
        MlctlError: What the function raised, in its own words.
        ExternalError: Spark or Java is missing, or a worker failed.
    """
    import polars as pl

    if not parts:
        return
    schema = ", ".join(f"`{name}` {kind}" for name, kind in {**columns, _ERROR: "string"}.items())
    spark = _session(options, len(parts))
    try:
        numbers = spark.createDataFrame([(part,) for part in parts], "part long").repartition(len(parts), "part")
        made = numbers.mapInArrow(_mapper(work, columns), schema=schema).toArrow()
    except Exception as error:
        raise ExternalError.tool("spark", first_line(error)) from error
    finally:
        spark.stop()
    tables: Any = pl.from_arrow(made)
    for told in tables[_ERROR].drop_nulls()[:1]:
        said = json.loads(told)
        raise Relayed(said["exit_code"], [(heading, text) for heading, text in said["lines"]])
    yield tables.drop(_ERROR)


def _mapper(
    work: Callable[[int], pl.DataFrame], columns: Mapping[str, str]
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def mapped(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        schema = pa.schema(
            [(name, getattr(pa, _ARROW[kind])()) for name, kind in {**columns, _ERROR: "string"}.items()]
        )
        for batch in batches:
            for part in batch.column(0).to_pylist():
                try:
                    table = work(part).select(list(columns)).to_arrow()
                    told = table.append_column(_ERROR, pa.nulls(table.num_rows, pa.string()))
                except Exception as problem:  # noqa: BLE001 - Spark would lose its words on the way
                    told = pa.table({**{name: [None] for name in columns}, _ERROR: [_told(problem)]})
                yield from told.cast(schema).to_batches()

    return mapped


def together(options: Options, events: Path) -> pl.DataFrame:
    """As `Engine.together`: a join of who had what with itself."""

    def asked(rows: Any) -> Any:
        from pyspark.sql import functions

        pairs = rows.select(USER, ITEM).distinct()
        others = pairs.withColumnRenamed(ITEM, "other")
        both = pairs.withColumnRenamed(ITEM, "one").join(others, USER).where("one <= other")
        return both.groupBy("one", "other").agg(functions.count(functions.lit(1)).alias("users"))

    found = _asked_of(options, events, asked)
    return found.select("one", "other", "users").sort("one", "other")


def histories(options: Options, events: Path, longest: int, before: datetime | None = None) -> pl.DataFrame:
    """As `Engine.histories`."""

    def asked(rows: Any) -> Any:
        from pyspark.sql import functions

        rows = rows if before is None else rows.where(functions.col(TIME) < functions.lit(before))
        moments = functions.sort_array(functions.collect_list(functions.struct(TIME, ITEM)))
        begins = functions.greatest(functions.size(moments) - longest + 1, functions.lit(1))
        latest = functions.slice(moments, begins, longest)
        return rows.groupBy(USER).agg(functions.transform(latest, lambda one: one[ITEM]).alias("history"))

    return _asked_of(options, events, asked).select(USER, "history").sort(USER)


def _asked_of(options: Options, events: Path, asked: Callable[[Any], Any]) -> pl.DataFrame:
    """What Spark makes of a Parquet file of interactions."""
    import polars as pl

    spark = _session(options, max(2, os.cpu_count() or 2))
    try:
        found = pl.from_arrow(asked(spark.read.parquet(str(events.resolve()))).toArrow())
    except Exception as error:
        raise ExternalError.tool("spark", first_line(error)) from error
    finally:
        spark.stop()
    if not isinstance(found, pl.DataFrame):
        raise TypeError(type(found).__name__)
    return found


def _told(problem: Exception) -> str:
    """What a worker met, as it will be told where the command runs."""
    if not isinstance(problem, MlctlError):
        problem = ExternalError.tool("spark", f"a worker failed: {type(problem).__name__}: {first_line(problem)}")
    return json.dumps(problem.record())


def _session(options: Options, buckets: int) -> Any:
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise ExternalError.tool("spark", 'pyspark is not installed: pip install "mlctl[spark]"') from error
    # without it the workers take whatever Python comes first on PATH
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    settings = {
        "spark.driver.memory": options.memory,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": str(buckets),
        "spark.sql.adaptive.enabled": "false",
        "spark.log.level": "ERROR",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
    }
    if not options.master.startswith("local"):
        settings = {name: value for name, value in settings.items() if not name.startswith("spark.driver.")}
    else:
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    builder = SparkSession.builder.master(options.master).appName("mlctl backfill")
    for name, value in settings.items():
        builder = builder.config(name, value)
    try:
        return builder.getOrCreate()
    except Exception as error:
        raise ExternalError.tool("spark", f"it does not start (is Java 17 there?): {first_line(error)}") from error


def _divided(
    spark: Any,
    job: Job,
    columns: Mapping[str, Sequence[str]],
    places: Mapping[tuple[str, str], str],
    pending: Sequence[int],
) -> Any:
    """All sources in one frame: the bucket, the source's name, and its columns under names of their own."""
    from pyspark.sql import functions

    key = job.plan().entity.key
    together = None
    for source, names in columns.items():
        table = spark.read.parquet(str(Path(job.tables[source]).resolve()))
        bucket = functions.crc32(functions.col(f"`{key}`").cast("string")) % job.buckets
        chosen = table.select(
            bucket.cast("int").alias("bucket"),
            functions.lit(source).alias("source"),
            *[functions.col(f"`{name}`").alias(places[source, name]) for name in names],
        ).where(functions.col("bucket").isin(list(pending)))
        together = chosen if together is None else together.unionByName(chosen, allowMissingColumns=True)
    return together


def _worker(
    job: Job, columns: Mapping[str, Sequence[str]], places: Mapping[tuple[str, str], str]
) -> Callable[[pa.Table], pa.Table]:
    here = Job(**{**vars(job), "folder": str(Path(job.folder).resolve())})

    def work(group: pa.Table) -> pa.Table:
        import polars as pl
        import pyarrow as pa

        frames: Any = pl.from_arrow(group)
        bucket = int(frames["bucket"][0])
        tables = {
            source: frames.filter(pl.col("source") == source).select(
                pl.col(places[source, name]).alias(name) for name in names
            )
            for source, names in columns.items()
        }
        try:
            receipt, error = _compute(here, bucket, tables), None
        except Exception as problem:  # noqa: BLE001 - Spark would lose its words on the way
            receipt, error = Receipt(bucket, 0, 0.0), _told(problem)
        told = {"bucket": [bucket], "rows": [receipt.rows], "seconds": [receipt.seconds], "error": [error]}
        kinds = {"bucket": pa.int32(), "rows": pa.int64(), "seconds": pa.float64(), "error": pa.string()}
        return pa.table(told, schema=pa.schema(list(kinds.items())))

    return work


def _compute(job: Job, bucket: int, tables: Mapping[str, pl.DataFrame]) -> Receipt:
    plan = job.plan()
    people = people_of(plan, {source: table.lazy() for source, table in tables.items()}, 1)
    return compute_from_tables(job, plan, bucket, people, tables)
