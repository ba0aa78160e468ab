"""Tables that lie on their side: more columns than anybody declared are refused in bounded time, whatever the kind."""

import json
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlctl.drafts.discovery import discover
from mlctl.errors import DataError


def wide_file(kind: str, columns: int, folder: Path) -> Path:
    """A table that lies on its side."""
    names = [f"c{i}" for i in range(columns)]
    path = folder / f"wide.{kind}"
    if kind == "csv":
        path.write_text("\n".join([",".join(names), ",".join(["1"] * columns)]))
    elif kind == "ndjson":
        path.write_text(json.dumps(dict.fromkeys(names, 1)))
    else:
        pq.write_table(
            pa.table([pa.array([1])] * columns, names=names), path, use_dictionary=False, write_statistics=False
        )
    return path


@pytest.mark.parametrize(("kind", "columns"), [("csv", 100_000), ("ndjson", 20_000), ("parquet", 100_000)])
def test_a_table_of_so_many_columns_is_refused_before_its_values_are_looked_at(
    kind: str, columns: int, tmp_path: Path
) -> None:
    path = wide_file(kind, columns, tmp_path)
    began = time.process_time()

    with pytest.raises(
        DataError, match=rf"source 'wide' has {columns:,} columns\nwhere: .*wide\.{kind}\nwhy: at most 5,000"
    ):
        discover([str(path)])

    assert time.process_time() - began < 10
