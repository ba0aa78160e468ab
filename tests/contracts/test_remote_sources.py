"""Objects by URI: file://, and a real web server on the loopback that answers ranges as stores do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pydantic import ValidationError

from mlctl import kinds
from mlctl.errors import DataError, ExternalError
from tests.sources import orders, read, written
from tests.stores import Store, opened


@pytest.fixture
def store() -> Iterator[Store]:
    with opened() as running:
        yield running


FILES = ["csv", "ndjson", "parquet"]


def table_of(kind: str) -> pl.DataFrame:
    texts = pl.col("ordered_at").dt.to_string("iso:strict")
    return orders() if kind == "parquet" else orders().with_columns(texts)


@pytest.mark.parametrize("kind", FILES)
def test_a_file_uri_is_the_file(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "two words"
    folder.mkdir()
    path = written(table_of(kind), kind, folder)
    uri = "file://" + path.replace(" ", "%20")
    assert_frame_equal(read(kind, path=uri, time="ordered_at"), read(kind, path=path, time="ordered_at"))
    with pytest.raises(DataError, match="does not exist"):
        read(kind, path=uri + ".old")


@pytest.mark.parametrize("kind", FILES)
def test_an_object_of_a_web_server_has_the_rows_of_the_file(kind: str, store: Store, tmp_path: Path) -> None:
    path = written(table_of(kind), kind, tmp_path)
    store.objects[f"orders.{kind}"] = Path(path).read_bytes()
    found = read(kind, path=store.address(f"orders.{kind}"), time="ordered_at")
    assert_frame_equal(found, read(kind, path=path, time="ordered_at"))


@pytest.mark.parametrize("kind", FILES)
def test_an_object_of_a_store_has_the_rows_of_the_file(kind: str, store: Store, tmp_path: Path) -> None:
    path = written(table_of(kind), kind, tmp_path)
    store.objects[f"orders.{kind}"] = Path(path).read_bytes()
    options = {"endpoint_url": store.address(""), "region": "here", "skip_signature": "true", "allow_http": "true"}
    found = read(kind, path=f"s3://bucket/orders.{kind}", time="ordered_at", storage_options=options)
    assert_frame_equal(found, read(kind, path=path, time="ordered_at"))


@pytest.mark.parametrize("kind", FILES)
def test_an_object_that_is_missing_refused_or_cut_off_is_told(kind: str, store: Store, tmp_path: Path) -> None:
    data = Path(written(table_of(kind), kind, tmp_path)).read_bytes()
    with pytest.raises(DataError, match=r"'orders' reads a file that does not exist\nwhere: http"):
        read(kind, path=store.address("nowhere"))
    store.objects |= {"broken": data, "cut": data}
    with pytest.raises(ExternalError, match=r"'orders' cannot be fetched\nwhere: http.*broken\nwhy: .*(403|Forbidden)"):
        read(kind, path=store.address("broken"))
    with pytest.raises((ExternalError, DataError), match=r"cannot be fetched|not readable"):
        read(kind, path=store.address("cut"))


@pytest.mark.parametrize("kind", FILES)
def test_a_server_that_is_away_is_an_error_of_the_world(kind: str) -> None:
    with pytest.raises(ExternalError, match="'orders' cannot be fetched"):
        read(kind, path="http://127.0.0.1:1/orders")


def test_lines_inside_values_come_whole_from_a_server_and_are_refused_from_a_store(store: Store) -> None:
    store.objects["orders.csv"] = b'a,b\r\n1,"x\r\ny"\r\n2,z\r\n'
    assert read("csv", path=store.address("orders.csv")).rows() == [(1, "x\r\ny"), (2, "z")]
    options = {"endpoint_url": store.address(""), "region": "here", "skip_signature": "true", "allow_http": "true"}
    with pytest.raises(DataError, match="line ends inside values, or empty lines"):
        read("csv", path="s3://bucket/orders.csv", storage_options=options)


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize(
    "options",
    [
        {"path": "https://ann:s3cret@host/orders"},
        {"path": "https://host/orders?X-Amz-Signature=abc"},
        {"path": "az://box/orders?sv=1&sig=abc"},
        {"path": "s3://box/orders", "storage_options": {"aws_secret_access_key": "abc"}},
        {"path": "s3://box/orders", "storage_options": {"token": "abc"}},
    ],
)
def test_a_secret_does_not_stand_in_the_yaml(kind: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="credentials"):
        kinds.load("sources", kind).Options(**options)
