"""Training rows to the encoding that they teach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlctl.encoding._learnt import Encoded, Encoding
from mlctl.encoding._matrix import texts_of
from mlctl.errors import DataError
from mlctl.spec import EncodingPolicy
from mlctl.text import learn as learn_text
from mlctl.text_encoder import cache_folder, files_of, opened, sealed_of

if TYPE_CHECKING:
    import polars as pl


def learn(features: pl.DataFrame, policy: EncodingPolicy | None = None) -> Encoding:
    """The encoding that training rows teach.

    Raises:
        DataError: A feature is neither number, truth value nor text.
    """
    import polars as pl

    policy = policy or EncodingPolicy()
    learnt = []
    for key, names in (("text", policy.text), ("embeddings", policy.embeddings)):
        for name in names:
            if name not in features.columns:
                raise DataError.missing_column("features", name, features.columns, f"encoding.{key}")
    for name, dtype in features.schema.items():
        if name in policy.text:
            terms, rarity = learn_text(texts_of(features[name]), policy.text[name])
            learnt.append(Encoded(feature=name, form="text", terms=terms, rarity=rarity))
        elif name in policy.embeddings:
            texts_of(features[name])
            sealed, files = sealed_of(policy.embeddings[name]), files_of(policy.embeddings[name].encoder)
            dimensions = opened(sealed, files, cache_folder()).dimensions
            learnt.append(Encoded(feature=name, form="embedding", encoder=sealed, dimensions=dimensions))
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
