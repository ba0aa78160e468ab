"""Tables that lie on their side: more columns than anybody declared are refused in bounded time, whatever the kind."""

import json
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlctl.drafts.discovery import discover
from mlctl.errors import DataError

WIDE = 100_000


def wide_file(kind: str, folder: Path) -> Path:
    """A table that lies on its side."""
    names = [f"c{i}" for i in range(WIDE)]
    path = folder / f"wide.{kind}"
    if kind == "csv":
        path.write_text("\n".join([",".join(names), ",".join(["1"] * WIDE)]))
    elif kind == "ndjson":
        path.write_text(json.dumps(dict.fromkeys(names, 1)))
    else:
        pq.write_table(
            pa.table([pa.array([1])] * WIDE, names=names), path, use_dictionary=False, write_statistics=False
        )
    return path


@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet"])
def test_a_table_of_a_hundred_thousand_columns_is_refused_before_its_values_are_looked_at(
    kind: str, tmp_path: Path
) -> None:
    path = wide_file(kind, tmp_path)
    began = time.process_time()

    with pytest.raises(
        DataError, match=rf"source 'wide' has 100,000 columns\nwhere: .*wide\.{kind}\nwhy: at most 5,000"
    ):
        discover([str(path)])

    assert time.process_time() - began < 10
