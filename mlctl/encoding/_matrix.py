"""Rows of features to the matrix that a model takes, by an encoding that was learnt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from mlctl.encoding._learnt import Encoded, Encoding
from mlctl.errors import DataError, listed
from mlctl.plan.compute import evaluated
from mlctl.spec import EncodingPolicy

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Matrix = np.ndarray[Any, Any]

PAIRS: Final = 16
"""The tail of texts is a whole multiple of so many pairs wide."""


def encode(encoding: Encoding, features: pl.DataFrame, *, by_column: bool = False) -> np.ndarray[Any, Any]:
    """The matrix of rows of features: float32 array (rows, columns), NaN is "missing".

    Args:
        encoding: What was learnt.
        features: The rows.
        by_column: Whether it may lie in memory column by column: less work, and what tables of small trees ask for.

    Raises:
        DataError: A feature is missing or has another type than in training, an expression cannot be computed, or the
            policy refuses a value.
    """
    import numpy as np
    import polars as pl

    columns: list[np.ndarray[Any, Any]] = []
    tails: list[list[list[tuple[int, float]]]] = []
    for encoded in encoding.features:
        if encoded.form == "text" and encoded.feature in features.columns:
            texts = texts_of(features[encoded.feature])
            _refuse_by_policy(encoding.policy, encoded, texts)
            found = [encoding.weighings[encoded.feature](text) for text in texts]
            tails.append(found)
            columns.append(np.fromiter(map(len, found), dtype=np.float32, count=len(found)))
            continue
        if encoded.form == "expression":
            columns.append(_said(encoded, features))
            continue
        if encoded.form == "embedding" and encoded.feature in features.columns:
            texts = texts_of(features[encoded.feature])
            _refuse_by_policy(encoding.policy, encoded, texts)
            columns += embedded(encoding, encoded, texts.to_list())
            continue
        if encoded.feature not in features.columns:
            raise DataError.missing_column("features", encoded.feature, features.columns, "the release's encoding")
        series = features[encoded.feature]
        is_text = series.dtype == pl.String
        if is_text != (encoded.form == "category") and series.null_count() < len(series):
            raise DataError.bad_expression(
                f"features.{encoded.feature}",
                encoded.feature,
                f"it was a {encoded.form} in training and is {series.dtype} now",
            )
        _refuse_by_policy(encoding.policy, encoded, series)
        if encoded.form == "number" and by_column and series.dtype == pl.Float64 and not series.null_count():
            # narrowed when they are stacked, in one go
            columns.append(series.to_numpy())
            continue
        if encoded.form == "number":
            columns.append(series.cast(pl.Float32).fill_null(float("nan")).to_numpy())
            continue
        text = series.cast(pl.String)
        known = [(text == value).fill_null(False) for value in encoded.categories]
        other = text.is_not_null() & ~text.is_in(list(encoded.categories)).fill_null(False)
        columns += [mask.cast(pl.Float32).to_numpy() for mask in (*known, other, text.is_null())]
    if by_column and not tails and columns:
        # what is too large for float32 is infinite, as in a cast
        with np.errstate(over="ignore"):
            return np.stack(columns, dtype=np.float32, casting="same_kind").T
    return joined(encoding, columns, tails, features.height)


def embedded(encoding: Encoding, encoded: Encoded, texts: Sequence[str | None]) -> list[Matrix]:
    """The columns of a text's vectors: float32 arrays (rows,), NaN where there is no text."""
    import numpy as np

    there = [text for text in texts if text is not None]
    vectors = np.full((len(texts), encoded.dimensions), np.nan, dtype=np.float32)
    vectors[[text is not None for text in texts]] = encoding.encoders[encoded.feature](there)
    return list(vectors.T)


def joined(
    encoding: Encoding,
    columns: Sequence[Matrix],
    tails: Sequence[Sequence[Sequence[tuple[int, float]]]],
    rows: int,
) -> Matrix:
    """The matrix of columns, and behind them the pairs of each text's terms: float32 array (rows, columns).

    Args:
        encoding: Says which terms each text has.
        columns: float32 arrays (rows,), in the encoding's order.
        tails: Of each text by row, the pairs of its known terms' numbers and weights.
        rows: How many rows.
    """
    import numpy as np

    if tails and encoding.width is None:
        columns = [*columns, _tail(encoding, tails, rows)]
    return np.ascontiguousarray(np.column_stack(columns), dtype=np.float32)


def _tail(encoding: Encoding, tails: Sequence[Sequence[Sequence[tuple[int, float]]]], rows: int) -> Matrix:
    """The pairs of number and weight of each row, as wide as the longest: float32 array (rows, 2 * pairs)."""
    import numpy as np

    starts = np.cumsum([1, *(len(encoded.terms) for encoded in encoding.features if encoded.form == "text")])
    longest = max((sum(len(tail[row]) for tail in tails) for row in range(rows)), default=0)
    # whole steps, so that sums over a row are cut alike whatever stands beside it
    wide = np.zeros((rows, max(1, -(-longest // PAIRS)) * PAIRS, 2), dtype=np.float32)
    for row in range(rows):
        pairs = [
            (start + number, weight) for start, tail in zip(starts, tails, strict=False) for number, weight in tail[row]
        ]
        if pairs:
            wide[row, : len(pairs)] = pairs
    return wide.reshape(rows, -1)


def _refuse_by_policy(policy: EncodingPolicy, encoded: Encoded, series: pl.Series) -> None:
    import polars as pl

    key = f"features.{encoded.feature}"
    if policy.missing == "refuse" and (missing := series.null_count()):
        why = f"{missing:,} of {len(series):,} rows have no value, and encoding.missing is refuse"
        raise DataError.bad_expression(key, encoded.feature, why)
    if policy.unseen == "refuse" and encoded.form == "category":
        known = pl.Series([*encoded.categories, *encoded.rare], dtype=pl.String)
        unseen = series.cast(pl.String).drop_nulls()
        unseen = unseen.filter(~unseen.is_in(known.implode())).unique().sort()
        if len(unseen):
            why = f"training held no {listed([repr(value) for value in unseen])}, and encoding.unseen is refuse"
            raise DataError.bad_expression(key, encoded.feature, why)


def _said(encoded: Encoded, features: pl.DataFrame) -> np.ndarray[Any, Any]:
    """What the rule says of each row; a class by its place, NaN where it says nothing."""
    import polars as pl

    value = evaluated(features, str(encoded.sql), "model.rule")
    if encoded.classes and value.dtype == pl.String:
        places = {name: float(place) for place, name in enumerate(encoded.classes)}
        value = value.replace_strict(places, default=None, return_dtype=pl.Float64)
    try:
        number = value.cast(pl.Float32)
    except pl.exceptions.PolarsError as error:
        why = f"it gives {value.dtype}; a rule says true or false, a number or a class's name"
        raise DataError.bad_expression("model.rule", str(encoded.sql), why) from error
    said: np.ndarray[Any, Any] = number.fill_null(float("nan")).to_numpy()
    return said


def texts_of(series: pl.Series) -> pl.Series:
    """A column of texts.

    Raises:
        DataError: It is none.
    """
    import polars as pl

    if series.dtype not in (pl.String, pl.Null):
        why = f"encoding: names it as a text, and it is {series.dtype}; name features that are texts"
        raise DataError.bad_expression(f"features.{series.name}", series.name, why)
    return series.cast(pl.String)
