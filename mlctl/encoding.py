"""Features as the float32 columns that models take: learnt on the training rows, sealed into the release.

Numbers pass through (missing is NaN); a true-or-false is 1 and 0; a category becomes one column for each value that is
common enough in training, one for all others (`other`, so an unseen value has a place) and one for missing. The rule of
today is an expression over the features, in one column. What is rare, unseen or missing goes by the policy `encoding:`.

A text is one column, how many known terms it holds; the terms themselves stand behind all columns, as pairs of a
term's number (from 1; of several texts one after the other) and its weight, filled up with zeros. Rows without a text
have no such tail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.compute import evaluated
from mlctl.errors import DataError, listed
from mlctl.kinds import Record
from mlctl.spec import EncodingPolicy
from mlctl.text import TextColumn, Weighing
from mlctl.text import learn as learn_text

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Matrix = np.ndarray[Any, Any]

PAIRS: Final = 16
"""The tail of texts is a whole multiple of so many pairs wide."""


class Encoded(Record):
    """How one feature becomes columns."""

    feature: str = Field(description="the feature's column")
    form: Literal["number", "category", "expression", "text"] = Field(
        description="number: one column; category: one a value, other, missing; expression: one column, by SQL; text: "
        "one column, and pairs behind all columns"
    )
    categories: tuple[str, ...] = Field(default=(), description="the values with a column of their own, sorted")
    rare: tuple[str, ...] = Field(default=(), description="`unseen: refuse`: the other values of training, sorted")
    sql: str | None = Field(default=None, description="expression: what it says")
    classes: tuple[str, ...] = Field(default=(), description="expression: names of classes, each told by its place")
    terms: tuple[str, ...] = Field(default=(), description="text: its terms, sorted")
    rarity: tuple[float, ...] = Field(default=(), description="text: how rare each term is")


class Encoding(Record):
    """How the features of a project become a matrix."""

    features: tuple[Encoded, ...] = Field(description="in the order of the matrix columns")
    policy: EncodingPolicy = Field(default_factory=EncodingPolicy, description="what was unseen or is missing")

    def columns(self) -> tuple[str, ...]:
        """Names of the matrix columns; a category's are `feature=value`."""
        found: list[str] = []
        for encoded in self.features:
            if encoded.form == "category":
                found += [f"{encoded.feature}={value}" for value in (*encoded.categories, "(other)", "(missing)")]
            else:
                found.append(encoded.feature)
        return tuple(found)

    def texts(self) -> tuple[TextColumn, ...]:
        """Every text that has terms; the terms of several are numbered one text after the other."""
        columns, found, last = self.columns(), [], 0
        for encoded in self.features:
            if encoded.terms:
                first, last = last + 1, last + len(encoded.terms)
                found.append(TextColumn(columns.index(encoded.feature), first, last))
        return tuple(found)

    @cached_property
    def width(self) -> int | None:
        """How wide a matrix of this encoding is; None where texts make that differ from table to table."""
        return None if self.texts() else len(self.columns())

    @cached_property
    def weighings(self) -> Mapping[str, Weighing]:
        """By text feature, what weighs its terms."""
        return {
            encoded.feature: Weighing(self.policy.text[encoded.feature], encoded.terms, encoded.rarity)
            for encoded in self.features
            if encoded.form == "text"
        }


def learn(features: pl.DataFrame, policy: EncodingPolicy | None = None) -> Encoding:
    """The encoding that training rows teach.

    Raises:
        DataError: A feature is neither number, truth value nor text.
    """
    import polars as pl

    policy = policy or EncodingPolicy()
    learnt = []
    for name in policy.text:
        if name not in features.columns:
            raise DataError.missing_column("features", name, features.columns, "encoding.text")
    for name, dtype in features.schema.items():
        if name in policy.text:
            terms, rarity = learn_text(_texts(features[name]), policy.text[name])
            learnt.append(Encoded(feature=name, form="text", terms=terms, rarity=rarity))
        elif dtype.is_numeric() or dtype in (pl.Boolean, pl.Null):
            learnt.append(Encoded(feature=name, form="number"))
        elif dtype == pl.String:
            # renamed, because a feature may itself be called `count`
            counts = features[name].alias("value").drop_nulls().value_counts(name="rows")
            counts = counts.sort(["rows", "value"], descending=[True, False])
            common = counts.filter(pl.col("rows") >= max(1.0, policy.rare_share * features.height))
            common = common.head(policy.most_values)
            rare = set(counts["value"]) - set(common["value"]) if policy.unseen == "refuse" else set()
            learnt.append(
                Encoded(
                    feature=name,
                    form="category",
                    categories=tuple(sorted(common["value"])),
                    rare=tuple(sorted(rare)),
                )
            )
        else:
            raise DataError.bad_expression(
                f"features.{name}", name, f"a model cannot take the type {dtype}; make it a number or a text"
            )
    return Encoding(features=tuple(learnt), policy=policy)


def of_rule(sql: str, classes: Sequence[str] = ()) -> Encoding:
    """The encoding of the rule of today: one column, what its expression says.

    Args:
        sql: The expression over features.
        classes: Names of the classes, where it says one of them.
    """
    return Encoding(features=(Encoded(feature="rule", form="expression", sql=sql, classes=tuple(classes)),))


def encode(encoding: Encoding, features: pl.DataFrame) -> np.ndarray[Any, Any]:
    """The matrix of rows of features: float32 array (rows, columns), NaN is "missing".

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
            texts = _texts(features[encoded.feature])
            _refuse_by_policy(encoding.policy, encoded, texts)
            found = [encoding.weighings[encoded.feature](text) for text in texts]
            tails.append(found)
            columns.append(np.fromiter(map(len, found), dtype=np.float32, count=len(found)))
            continue
        if encoded.form == "expression":
            columns.append(_said(encoded, features))
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
        if encoded.form == "number":
            columns.append(series.cast(pl.Float32).fill_null(float("nan")).to_numpy())
            continue
        text = series.cast(pl.String)
        known = [(text == value).fill_null(False) for value in encoded.categories]
        other = text.is_not_null() & ~text.is_in(list(encoded.categories)).fill_null(False)
        columns += [mask.cast(pl.Float32).to_numpy() for mask in (*known, other, text.is_null())]
    return joined(encoding, columns, tails, features.height)


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


def _texts(series: pl.Series) -> pl.Series:
    """A column of texts.

    Raises:
        DataError: It is none.
    """
    import polars as pl

    if series.dtype not in (pl.String, pl.Null):
        why = f"encoding.text names it, and it is {series.dtype}; name features that are texts"
        raise DataError.bad_expression(f"features.{series.name}", series.name, why)
    return series.cast(pl.String)


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
