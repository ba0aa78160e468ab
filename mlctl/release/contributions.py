"""Why a row got its score: the features that moved it most, as one text a row.

Numbers and truth values are one column of the matrix; a category or a vector is several, whose parts are added up. Of
several classes it is told what speaks for the foretold one; of a text, what all its terms add.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from mlctl.graphs.runtime import BATCH_ROWS
from mlctl.graphs.shapley import additive

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from mlctl.encoding import Encoding
    from mlctl.release import Release

NAME: Final = "contributions"
_DIGITS: Final = 4


def contributions(release: Release, matrix: np.ndarray[Any, Any], top: int) -> pl.Series:
    """The features that moved each score most, largest first, as JSON.

    Args:
        release: What scored the rows.
        matrix: The rows as `mlctl.encoding.encode` gives them: float32 array (rows, columns).
        top: Most features a row, at least 1.

    Returns:
        A text a row, `contributions`: `[{"feature": "orders_30d", "adds": -0.4121}, ...]`. What is added goes to the
        log odds of a probability (before calibration), or to the number. A feature that adds nothing is left out;
        the text is missing where the model asks no feature one by one (a constant, a rule).

    Raises:
        IntegrityError: The release's trees do not say how many training rows passed each node.
    """
    import polars as pl

    # an empty table is asked too, so that a release that cannot tell is refused whatever the rows
    starts = range(0, max(len(matrix), 1), BATCH_ROWS)
    texts = [_texts(release, matrix[start : start + BATCH_ROWS], top) for start in starts]
    return pl.concat(texts).alias(NAME)


def _texts(release: Release, matrix: np.ndarray[Any, Any], top: int) -> pl.Series:
    import numpy as np
    import polars as pl

    found = additive(release.onnx, matrix, release.encoding.texts())
    if found is None:
        return pl.Series(NAME, [None] * len(matrix), dtype=pl.String)
    foretold = (found.base + found.parts.sum(axis=2)).argmax(axis=1)
    by_feature = _by_feature(release.encoding, found.parts[np.arange(len(matrix)), foretold])
    # stable, so that of two that add as much the first in the encoding is told first
    order = np.argsort(-np.abs(by_feature), axis=1, kind="stable")[:, :top]
    names = pl.Series([json.dumps(encoded.feature, ensure_ascii=False) for encoded in release.encoding.features])
    told: list[pl.Series] = []
    for place in order.T:
        adds = pl.Series("adds", by_feature[np.arange(len(matrix)), place]).round_sig_figs(_DIGITS)
        parts = (pl.lit('{"feature": '), "name", pl.lit(', "adds": '), pl.col("adds").cast(pl.String), pl.lit("}"))
        text = pl.DataFrame({"name": names.gather(place), "adds": adds}).select(
            pl.when(pl.col("adds") != 0).then(pl.concat_str(parts))
        )
        told.append(text.to_series().alias(str(len(told))))
    joined = pl.DataFrame(told).select(pl.concat_str(pl.all(), separator=", ", ignore_nulls=True))
    return ("[" + joined.to_series() + "]").alias(NAME)


def _by_feature(encoding: Encoding, parts: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """float64 array (rows, columns) to (rows, features): a category's columns added up."""
    import numpy as np

    sizes = [len(encoded.columns()) for encoded in encoding.features]
    summed: np.ndarray[Any, Any] = np.add.reduceat(parts, np.cumsum([0, *sizes[:-1]]), axis=1)
    return summed
