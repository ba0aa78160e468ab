"""A hundred thousand vectors of 64 numbers: the index and its search beside pgvector called by psycopg, in one run.

Both sides hold the same vectors in the same database, take turns, and ask the same queries. Run it by

    pytest -m scale tests/scale/test_index_speed.py -s

The figures of a run stand in .github/docs/recommend.md.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mlctl.database import open_database, start, stop
from mlctl.index.building import Wanted, build
from mlctl.index.filters import read
from mlctl.index.search import Asked, Session
from mlctl.index.table import IndexOrder
from mlctl.index.vectors import Catalogue, Stamp
from mlctl.spec import Database

pytestmark = pytest.mark.scale

ITEMS, DIMENSION, QUERIES, K = 100_000, 64, 1000, 10


def vectors() -> tuple[Any, Any]:
    """Clustered vectors of length one, as learnt embeddings are: of items and of queries."""
    generator = np.random.default_rng(3)
    heaps = generator.normal(size=(200, DIMENSION))

    def drawn(count: int) -> Any:
        found = (heaps[generator.integers(0, 200, count)] + 0.6 * generator.normal(size=(count, DIMENSION))).astype(
            np.float32
        )
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    return drawn(ITEMS), drawn(QUERIES)


def raw_build(connection: Any, items: Any) -> float:
    """Seconds of the index build as anybody would write it."""
    connection.execute("DROP TABLE IF EXISTS raw")
    connection.execute(f"CREATE TABLE raw (id bigint PRIMARY KEY, v vector({DIMENSION}))")
    with connection.cursor().copy("COPY raw FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(["int8", "vector"])
        for place in range(ITEMS):
            copy.write_row((place, items[place]))
    connection.execute("ANALYZE raw")
    connection.execute("SET maintenance_work_mem = '1GB'")
    started = time.perf_counter()
    connection.execute("CREATE INDEX raw_hnsw ON raw USING hnsw (v vector_ip_ops) WITH (m = 16, ef_construction = 64)")
    return time.perf_counter() - started


def test_index_and_search_beside_raw_pgvector(tmp_path: Path) -> None:
    from pgvector.psycopg import register_vector

    items, queries = vectors()
    exact = [set(np.argpartition(-(items @ query), K)[:K].tolist()) for query in queries]
    ids = [f"i{place:06}" for place in range(ITEMS)]
    shelves = pl.Series("shelf", [place % 100 for place in range(ITEMS)])
    stamp = Stamp("bench", "none", DIMENSION)
    catalogue = Catalogue(pl.DataFrame({"item": ids, "shelf": shelves}), ids, stamp, lambda places: items[list(places)])
    order = IndexOrder("public", "bench", "a" * 16, "release", stamp, datetime(2026, 11, 1, tzinfo=UTC))
    start(tmp_path)
    try:
        with open_database(Database(), tmp_path) as connection:
            connection.execute("CREATE EXTENSION vector")
            register_vector(connection)
            raw_s = [raw_build(connection, items)]
            filters = {
                "tenth": read({"shelf": {"max": 9}}, catalogue.columns),
                "hundredth": read({"shelf": 3}, catalogue.columns),
            }
            made = build(connection, order, catalogue, Wanted(0.95, K, filters, queries[:200]), lambda text: None)
            raw_s.append(raw_build(connection, items))
            seconds = made.seconds or {}
            print(f"\nbuild: raw {min(raw_s):.1f} to {max(raw_s):.1f} s, ours {seconds['build']:.1f} s; {seconds}")
            for one in made.recall:
                print(
                    f"{one.filter}: recall@{K} {one.recall:.4f} [{one.low:.4f}, {one.high:.4f}], {one.ef_search} wide"
                )
            session = Session(connection)

            def of_ours(query: Any) -> list[int]:
                return [int(item[1:]) for item, _ in session.nearest(made.generation.index, Asked(query, K))]

            def of_raw(query: Any) -> list[int]:
                asked = "SELECT id FROM raw ORDER BY v <#> %s LIMIT 10"
                return [row[0] for row in connection.execute(asked, (query,), prepare=True)]

            session.look(made.generation.index.ef_search)
            taken: dict[str, list[float]] = {"raw": [], "ours": []}
            hits = {"raw": 0, "ours": 0}
            # in turn, so that whoever else works on the machine disturbs both alike
            for _ in range(2):
                for place, query in enumerate(queries):
                    for name, ask in (("raw", of_raw), ("ours", of_ours)):
                        started = time.perf_counter()
                        found = ask(query)
                        taken[name].append(time.perf_counter() - started)
                        hits[name] += len(exact[place] & set(found))
            for name, times in taken.items():
                low, high = np.quantile(times, [0.5, 0.99]) * 1e6
                print(f"{name}: p50 {low:.0f} us, p99 {high:.0f} us, recall@{K} {hits[name] / (2 * QUERIES * K):.4f}")
            for name, wanted in filters.items():
                passing = wanted.mask(catalogue.items)
                inside = np.flatnonzero(passing)
                right, times = 0, []
                for query in queries[:300]:
                    best = set(inside[np.argpartition(-(items[inside] @ query), K)[:K]].tolist())
                    started = time.perf_counter()
                    found = session.nearest(made.generation.index, Asked(query, K, wanted, passing=len(inside)))
                    times.append(time.perf_counter() - started)
                    right += len(best & {int(item[1:]) for item, _ in found})
                low, high = np.quantile(times, [0.5, 0.99]) * 1e6
                print(f"{name}: p50 {low:.0f} us, p99 {high:.0f} us, recall@{K} {right / (300 * K):.4f}")
            assert hits["ours"] / (2 * QUERIES * K) >= 0.95
    finally:
        stop(tmp_path)
