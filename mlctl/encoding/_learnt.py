"""What was learnt about features, as records that are written and read again."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Literal

from pydantic import Field, PrivateAttr

from mlctl.files import read_json, write_json, write_with
from mlctl.kinds import Record
from mlctl.spec import EncodingPolicy
from mlctl.text import TextColumn, Weighing
from mlctl.text_encoder import Files, Sealed, TextEncoder, cache_folder, files_of, opened, sealed_files


class Encoded(Record):
    """How one feature becomes columns."""

    feature: str = Field(description="the feature's column")
    form: Literal["number", "category", "expression", "text", "embedding"] = Field(
        description="number: one column; category: one a value, other, missing; expression: one column, by SQL; text: "
        "one column, and pairs behind all columns; embedding: one a dimension"
    )
    categories: tuple[str, ...] = Field(default=(), description="the values with a column of their own, sorted")
    rare: tuple[str, ...] = Field(default=(), description="`unseen: refuse`: the other values of training, sorted")
    sql: str | None = Field(default=None, description="expression: what it says")
    classes: tuple[str, ...] = Field(default=(), description="expression: names of classes, each told by its place")
    terms: tuple[str, ...] = Field(default=(), description="text: its terms, sorted")
    rarity: tuple[float, ...] = Field(default=(), description="text: how rare each term is")
    encoder: Sealed | None = Field(default=None, description="embedding: what makes the vectors")
    dimensions: int = Field(default=0, description="embedding: how long a vector is")

    def columns(self) -> tuple[str, ...]:
        """Names of its matrix columns; a category's are `feature=value`, a vector's `feature[0]` and so on."""
        if self.form == "category":
            return tuple(f"{self.feature}={value}" for value in (*self.categories, "(other)", "(missing)"))
        if self.form == "embedding":
            return tuple(f"{self.feature}[{place}]" for place in range(self.dimensions))
        return (self.feature,)


class Encoding(Record):
    """How the features of a project become a matrix."""

    features: tuple[Encoded, ...] = Field(description="in the order of the matrix columns")
    policy: EncodingPolicy = Field(default_factory=EncodingPolicy, description="what was unseen or is missing")
    _folder: Path | None = PrivateAttr(default=None)
    """Where encoders lie that were written beside the encoding; None: where the policy says."""

    def columns(self) -> tuple[str, ...]:
        """Names of the matrix columns."""
        return tuple(name for encoded in self.features for name in encoded.columns())

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

    @cached_property
    def encoders(self) -> Mapping[str, TextEncoder]:
        """By embedded feature, what makes its vectors.

        Raises:
            IntegrityError: An encoder's file is missing or another one.
        """
        return {
            encoded.feature: opened(encoded.encoder, self._files_of(encoded), cache_folder())
            for encoded in self.features
            if encoded.encoder is not None
        }

    def files(self) -> dict[str, Path]:
        """The files of the encoders, by the name that they have beside the encoding."""
        found: dict[str, Path] = {}
        for encoded in self.features:
            if encoded.encoder is not None:
                names = [path.name for path in sealed_files(encoded.encoder)]
                found |= zip(names, self._files_of(encoded), strict=True)
        return found

    def write(self, path: Path) -> None:
        """Writes the encoding, and beside it the files of its encoders.

        Raises:
            ExternalError: The disk.
        """
        for name, source in self.files().items():
            write_with(path.parent / name, partial(shutil.copyfile, source))
        write_json(path, self.model_dump(mode="json"))

    def _files_of(self, encoded: Encoded) -> Files:
        if self._folder is None or encoded.encoder is None:
            return files_of(self.policy.embeddings[encoded.feature].encoder)
        return sealed_files(encoded.encoder, self._folder)


def read(path: Path, next_step: str = "mlctl run projects/NAME") -> Encoding:
    """An encoding that was written; its encoders lie beside it.

    Raises:
        IntegrityError: It is missing or is not JSON.
    """
    found = Encoding.model_validate(read_json(path, next_step))
    found._folder = path.parent
    return found
