"""Vectors that were made before, on disk: by the encoder's id a folder, in it files that are only ever added.

  ID/HASH.arrow   Grain: one text: the SHA-256 of the text, and its vector. HASH is the file's own content.

What is damaged is not believed: a file that does not hash to its name is as if it were not there.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlctl.files import sha256_of, write_bytes

if TYPE_CHECKING:
    import numpy as np


def read(folder: Path, wanted: Set[str]) -> dict[str, np.ndarray[Any, Any]]:
    """The vectors of texts that were kept, by the text's hash."""
    import polars as pl

    found: dict[str, np.ndarray[Any, Any]] = {}
    for path in sorted(folder.glob("*.arrow")):
        data = path.read_bytes()
        if sha256_of(data) != path.stem:
            continue
        kept = pl.read_ipc(io.BytesIO(data)).filter(pl.col("text").is_in(list(wanted)))
        found |= dict(zip(kept["text"], kept["vector"].to_numpy(), strict=True))
    return found


def write(folder: Path, vectors: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Keeps vectors by their text's hash.

    Raises:
        ExternalError: The disk.
    """
    import numpy as np
    import polars as pl

    names = sorted(vectors)
    matrix = np.stack([vectors[name] for name in names])
    column = pl.Series("vector", matrix, dtype=pl.Array(pl.Float32, matrix.shape[1]))
    data = io.BytesIO()
    pl.DataFrame({"text": names, "vector": column}).write_ipc(data)
    write_bytes(folder / f"{sha256_of(data.getvalue())}.arrow", data.getvalue())
