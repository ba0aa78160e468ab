"""Small files that unpack to more than a machine has: refused in bounded memory and time, whatever the kind and the place."""

import gzip
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlctl.errors import DataError
from tests.sources import read
from tests.stores import Store, opened

CHILD = """
import json, resource, sys
import polars, pyarrow.parquet
from mlctl.errors import DataError
from tests.sources import read
def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak_bytes()
try:
    told = str(read(sys.argv[1], **json.loads(sys.argv[2])).shape)
except DataError as error:
    told = str(error)
print(json.dumps([told, peak_bytes() - before]))
"""
MEMORY_BYTES = 300 * 2**20
SECONDS = 20
LONG = "x" * 100_000


def alone(kind: str, **options: Any) -> str:
    """What a process of its own says of a source, after proving that it stayed small and came to an end soon."""
    words = [sys.executable, "-c", CHILD, kind, json.dumps(options)]
    root = Path(__file__).parents[2]
    began = time.monotonic()
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False, timeout=10 * SECONDS)
    assert done.returncode == 0, done.stderr
    told, grown_bytes = json.loads(done.stdout)
    assert grown_bytes < MEMORY_BYTES
    assert time.monotonic() - began < SECONDS
    return told


# files and folders of text


def _gzip(path: Path) -> None:
    with gzip.open(path, "wb", 1) as packed:
        packed.writelines([b"1,2\n" * 2**20] * 64)


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        packed.writestr("orders.csv", b"1,2\n" * 2**26)


def _packed_by(codec: str, parts: int) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with pa.output_stream(path, compression=codec) as packed:
            for _ in range(parts):
                packed.write(b"1,2\n" * 2**20)

    return write


PACKED = {
    "a gzip archive": _gzip,
    "a ZIP archive": _zip,
    "a Zstandard archive": _packed_by("zstd", 64),
    "a bzip2 archive": _packed_by("bz2", 2),
}


@pytest.mark.parametrize("name", PACKED)
def test_text_that_is_packed_is_not_unpacked_but_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "orders"
    PACKED[name](path)
    assert path.stat().st_size < 2 * 2**20

    for kind, options in (("csv", {}), ("csv", {"encoding": "latin-1"}), ("ndjson", {})):
        told = alone(kind, path=str(path), **options)

        assert f"source 'orders' is not readable as {kind}\nwhere: {path}\nwhy: it is {name}\nnext: correct" in told


@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet"])
def test_a_file_of_which_the_disk_holds_nothing_is_not_read(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"orders.{kind}"
    path.touch()
    os.truncate(path, 5 * 2**30)

    told = alone(kind, path=str(path))

    assert f"source 'orders' has 5,368,709,120 bytes or more once it is unpacked\nwhere: {path}\n" in told
    assert "why: at most 4,294,967,296 are read into memory" in told
    assert told.endswith("if that is meant, set sources.orders.max_bytes")


def test_the_files_of_a_folder_share_what_they_may_have(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.csv").write_text("n,m\n" + "1,2\n" * 100)
    assert read("csv", path=str(tmp_path), max_bytes=3 * 404).height == 300

    with pytest.raises(DataError, match=r"has 1,212 bytes or more once it is unpacked\nwhere: .*c\.csv"):
        read("csv", path=str(tmp_path), max_bytes=3 * 404 - 1)


# Parquet: what repeats is written once


def _numbers(path: Path) -> None:
    zeros = pa.array(np.zeros(500_000, np.int64))
    pq.write_table(pa.table([zeros] * 1200, [f"c{place}" for place in range(1200)]), path)


def _repeated(path: Path) -> None:
    """A million times the same text, which the file has once."""
    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1_000_000, np.int32)), pa.array([LONG]))
    pq.write_table(pa.table({"a": texts}), path, store_schema=False)


def _categories(path: Path) -> None:
    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1_000_000, np.int32)), pa.array([LONG]))
    pq.write_table(pa.table({"a": texts}), path)


def _by_prefix(path: Path) -> None:
    """Texts that are all of the text before."""
    table = pa.table({"a": pa.array([LONG] * 1000)})
    encoded = {"use_dictionary": False, "column_encoding": {"a": "DELTA_BYTE_ARRAY"}, "write_statistics": False}
    with pq.ParquetWriter(path, table.schema, compression="zstd", **encoded) as writer:
        for _ in range(10):
            writer.write_table(table)


def _long_texts(path: Path) -> None:
    table = pa.table({"a": pa.array([LONG] * 1000)})
    with pq.ParquetWriter(path, table.schema, compression="zstd", use_dictionary=False) as writer:
        for _ in range(10):
            writer.write_table(table)


PARQUET = {
    "numbers": (_numbers, None, 4_800_000_000),
    "a text that repeats": (_repeated, None, 100_000_000_000),
    "categories": (_categories, None, 4_294_967_296),
    "texts by their prefix": (_by_prefix, 50_000_000, 50_000_000),
    "long texts": (_long_texts, 50_000_000, 1_000_000_000),
}


@pytest.mark.parametrize("name", PARQUET)
def test_parquet_that_unpacks_to_more_than_it_may_is_refused(name: str, tmp_path: Path) -> None:
    write, most, least = PARQUET[name]
    path = tmp_path / "orders.parquet"
    write(path)
    assert path.stat().st_size < 3 * 2**20

    told = alone("parquet", path=str(path), **({} if most is None else {"max_bytes": most}))

    head = "error: source 'orders' has "
    assert told.startswith(head)
    assert int(told.removeprefix(head).split()[0].replace(",", "")) >= least
    assert f"once it is unpacked\nwhere: {path}\nwhy: at most {most or 4 * 2**30:,} are read into memory" in told


def test_what_parquet_holds_is_counted_as_it_is_so_that_what_fits_is_read(tmp_path: Path) -> None:
    path = tmp_path / "orders.parquet"
    table = pa.table(
        {
            "n": pa.array(range(10_000)),
            "text": pa.array([f"order {place % 7}" for place in range(10_000)]),
            "kind": pa.array(["a", None] * 5_000).dictionary_encode(),
            "list": pa.array([[1.0], []] * 5_000),
        }
    )
    pq.write_table(table, path)
    found = read("parquet", path=str(path), max_bytes=500_000)
    assert found.height == 10_000
    assert found["kind"].to_list()[:3] == ["a", None, "a"]

    with pytest.raises(DataError, match="once it is unpacked"):
        read("parquet", path=str(path), max_bytes=100_000)


# objects of a server or store


@pytest.fixture
def store() -> Iterator[Store]:
    with opened() as running:
        yield running


def of_store(store: Store, **options: Any) -> dict[str, Any]:
    """The options of a source that reads the store's object `orders`."""
    way = {"endpoint_url": store.address(""), "region": "here", "skip_signature": "true", "allow_http": "true"}
    return {"path": "s3://bucket/orders", "storage_options": way, **options}


@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet"])
def test_an_answer_without_an_end_is_left(kind: str, store: Store) -> None:
    told = alone(kind, path=store.address("endless"), max_bytes=10_000_000)

    assert "bytes or more once it is unpacked\nwhere: http" in told
    assert "why: at most 10,000,000 are read into memory" in told


@pytest.mark.parametrize("kind", ["csv", "ndjson"])
def test_text_of_a_store_is_counted_while_it_is_unpacked(kind: str, store: Store, tmp_path: Path) -> None:
    _gzip(tmp_path / "orders")
    store.objects["orders"] = (tmp_path / "orders").read_bytes()

    told = alone(kind, **of_store(store, max_bytes=10_000_000))

    assert "where: s3://bucket/orders\nwhy: at most 10,000,000 are read into memory" in told
    for ending in (".gz", ".ZST"):
        for path in (f"s3://bucket/orders{ending}", store.address(f"orders{ending}")):
            with pytest.raises(DataError, match="it is packed; unpack it"):
                read(kind, **of_store(store, path=path))


@pytest.mark.parametrize(("name", "least"), [("numbers", 4_800_000_000), ("a text that repeats", 4_294_967_296)])
def test_parquet_of_a_store_is_counted_by_its_schema_and_as_it_comes(
    name: str, least: int, store: Store, tmp_path: Path
) -> None:
    PARQUET[name][0](tmp_path / "orders")
    store.objects["orders"] = (tmp_path / "orders").read_bytes()

    told = alone("parquet", **of_store(store))

    head = "error: source 'orders' has "
    assert told.startswith(head)
    assert int(told.removeprefix(head).split()[0].replace(",", "")) >= least
    assert "where: s3://bucket/orders\nwhy: at most 4,294,967,296 are read into memory" in told
