"""Features as the float32 columns that models take: learnt on the training rows, sealed into the release.

Numbers pass through (missing is NaN); a true-or-false is 1 and 0; a category becomes one column for each value that is
common enough in training, one for all others (`other`, so an unseen value has a place) and one for missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.errors import DataError
from mlctl.kinds import Record

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

MIN_SHARE: Final = 0.005
"""A category that fewer of the training rows hold is counted as `other`."""
MOST: Final = 50
"""Most columns that one category feature may become."""


class Encoded(Record):
    """How one feature becomes columns."""

    feature: str = Field(description="the feature's column")
    form: Literal["number", "category"] = Field(description="number: one column; category: one a value, other, missing")
    categories: tuple[str, ...] = Field(default=(), description="the values with a column of their own, sorted")


class Encoding(Record):
    """How the features of a project become a matrix."""

    features: tuple[Encoded, ...] = Field(description="in the order of the matrix columns")

    def columns(self) -> tuple[str, ...]:
        """Names of the matrix columns; a category's are `feature=value`."""
        found: list[str] = []
        for encoded in self.features:
            if encoded.form == "number":
                found.append(encoded.feature)
            else:
                found += [f"{encoded.feature}={value}" for value in (*encoded.categories, "(other)", "(missing)")]
        return tuple(found)


def learn(features: pl.DataFrame) -> Encoding:
    """The encoding that training rows teach.

    Raises:
        DataError: A feature is neither number, truth value nor text.
    """
    import polars as pl

    learnt = []
    for name, dtype in features.schema.items():
        if dtype.is_numeric() or dtype in (pl.Boolean, pl.Null):
            learnt.append(Encoded(feature=name, form="number"))
        elif dtype == pl.String:
            # renamed, because a feature may itself be called `count`
            counts = features[name].alias("value").drop_nulls().value_counts(name="rows")
            counts = counts.sort(["rows", "value"], descending=[True, False])
            common = counts.filter(pl.col("rows") >= max(1.0, MIN_SHARE * features.height)).head(MOST)
            learnt.append(Encoded(feature=name, form="category", categories=tuple(sorted(common["value"]))))
        else:
            raise DataError.bad_expression(
                f"features.{name}", name, f"a model cannot take the type {dtype}; make it a number or a text"
            )
    return Encoding(features=tuple(learnt))


def encode(encoding: Encoding, features: pl.DataFrame) -> np.ndarray[Any, Any]:
    """The matrix of rows of features: float32 array (rows, columns), NaN is "missing".

    Raises:
        DataError: A feature is missing or has another type than in training.
    """
    import numpy as np
    import polars as pl

    columns = []
    for encoded in encoding.features:
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
        if encoded.form == "number":
            columns.append(series.cast(pl.Float32).fill_null(float("nan")).to_numpy())
            continue
        text = series.cast(pl.String)
        known = [(text == value).fill_null(False) for value in encoded.categories]
        other = text.is_not_null() & ~text.is_in(list(encoded.categories)).fill_null(False)
        columns += [mask.cast(pl.Float32).to_numpy() for mask in (*known, other, text.is_null())]
    return np.ascontiguousarray(np.column_stack(columns), dtype=np.float32)
