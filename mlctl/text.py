"""Text as terms: single words, words in a row, and pieces of words. Training and serving share every line of it.

A text is put into one form (Unicode NFKC, case folded), its words are runs of letters and digits of any script, and a
piece of a word is some characters in a row of it, its ends marked. What a graph does with texts depends on its runtime
and its locale, so a graph never sees one: it gets the numbers of the terms and their weights.

Weights are TF-IDF (Salton and Buckley, "Term-weighting approaches in automatic text retrieval", 1988): the logarithm
of a term's count in the text, times how rare it is among the training texts. Words and pieces have length 1 each.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Annotated, Final, NamedTuple

from pydantic import Field, model_validator

from mlctl.kinds import Record

_WORD: Final = re.compile(r"\w+")
_PIECE: Final = "#"
"""Begins the name of a piece; no word holds it."""
_WORDS_KEPT: Final = 20_000
"""Words whose pieces are remembered, since texts repeat their words."""

Range = tuple[Annotated[int, Field(ge=1, le=9)], Annotated[int, Field(ge=1, le=9)]]


class TextColumn(NamedTuple):
    """Where a text stands in a matrix: its column, and the numbers of its first and last term, from 1."""

    column: int
    first: int
    last: int


class Terms(Record):
    """Which terms of a text count."""

    words: Range | None = Field(default=(1, 2), description="words in a row, from and to; null: no words")
    pieces: Range | None = Field(
        default=(2, 5), description="characters in a row within a word, from and to; null: no pieces"
    )
    min_rows: int = Field(default=2, ge=1, description="a term that fewer training texts hold is left out")
    most: int = Field(
        default=50_000, ge=1, le=1_000_000, description="most terms; those that the most training texts hold"
    )
    most_characters: int = Field(
        default=20_000, ge=1, le=1_000_000, description="what stands behind so many characters of a text is not read"
    )

    @model_validator(mode="after")
    def _something_counts(self) -> Terms:
        if self.words is None and self.pieces is None:
            raise ValueError("give `words`, `pieces` or both")
        for low, high in filter(None, (self.words, self.pieces)):
            if low > high:
                raise ValueError(f"the range [{low}, {high}] is empty; give the smaller number first")
        return self


def words_of(text: str, most_characters: int) -> list[str]:
    """The words of a text, in one form.

    >>> words_of("Where's my CARD? ﬁne, Straße 5", 100)
    ['where', 's', 'my', 'card', 'fine', 'strasse', '5']
    """
    return _WORD.findall(unicodedata.normalize("NFKC", text[:most_characters]).casefold())


def pieces_of(word: str, low: int, high: int) -> list[str]:
    """The pieces of a word, shortest first; a word that is shorter than a piece is one piece.

    >>> pieces_of("pay", 2, 3)
    ['# p', '#pa', '#ay', '#y ', '# pa', '#pay', '#ay ']
    >>> pieces_of("a", 4, 5)
    ['# a ']
    """
    marked = f" {word} "
    if len(marked) <= low:
        return [_PIECE + marked]
    sizes = range(low, min(high, len(marked)) + 1)
    return [_PIECE + marked[start : start + size] for size in sizes for start in range(len(marked) - size + 1)]


def terms_of(text: str, terms: Terms) -> list[str]:
    """Every term of a text, as often as it stands there.

    >>> terms_of("Pay now", Terms(words=(1, 2), pieces=None))
    ['pay', 'now', 'pay now']
    """
    words = words_of(text, terms.most_characters)
    found: list[str] = []
    if terms.words is not None:
        found += _rows_of_words(words, *terms.words)
    if terms.pieces is not None:
        for word in words:
            found += pieces_of(word, *terms.pieces)
    return found


def _rows_of_words(words: list[str], low: int, high: int) -> list[str]:
    found = list(words) if low == 1 else []
    for size in range(max(low, 2), high + 1):
        found += [" ".join(words[start : start + size]) for start in range(len(words) - size + 1)]
    return found


def learn(texts: Iterable[str | None], terms: Terms) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """The terms that count, sorted, and how rare each is: ln((1 + texts) / (1 + texts with it)) + 1."""
    texts_with: Counter[str] = Counter()
    rows = 0
    for text in texts:
        rows += 1
        texts_with.update(set(terms_of(text or "", terms)))
    common = [(count, term) for term, count in texts_with.items() if count >= terms.min_rows]
    common.sort(key=lambda found: (-found[0], found[1]))
    kept = sorted(term for _, term in common[: terms.most])
    return tuple(kept), tuple(math.log((1 + rows) / (1 + texts_with[term])) + 1 for term in kept)


class Weighing:
    """Texts to the terms that they hold and their weights, by a learnt vocabulary."""

    def __init__(self, terms: Terms, names: Sequence[str], rarity: Sequence[float]) -> None:
        self._terms, self._rarity = terms, rarity
        self._number = {name: number for number, name in enumerate(names)}
        self._is_piece = [name.startswith(_PIECE) for name in names]
        # on the instance, so that the words of one vocabulary are never answered by another
        self._pieces = lru_cache(maxsize=_WORDS_KEPT)(self._known_pieces)

    def __call__(self, text: str | None) -> list[tuple[int, float]]:
        """The number of each known term of a text and its weight, above 0 and at most 1, in the terms' order.

        The squares of the weights of words add up to 1, and those of pieces; of a text without a known term there is
        nothing.
        """
        words = words_of(text or "", self._terms.most_characters)
        number, counts = self._number, Counter[int]()
        if self._terms.words is not None:
            rows = _rows_of_words(words, *self._terms.words)
            counts.update([number[row] for row in rows if row in number])
        if self._terms.pieces is not None:
            for word in words:
                counts.update(self._pieces(word))
        rarity, is_piece = self._rarity, self._is_piece
        raw = [
            (found, rarity[found] if count == 1 else (1 + math.log(count)) * rarity[found])
            for found, count in sorted(counts.items())
        ]
        squares = [0.0, 0.0]
        for found, weight in raw:
            squares[is_piece[found]] += weight * weight
        lengths = [math.sqrt(square) for square in squares]
        return [(found, weight / lengths[is_piece[found]]) for found, weight in raw]

    def _known_pieces(self, word: str) -> tuple[int, ...]:
        low, high = self._terms.pieces or (1, 1)
        return tuple(self._number[piece] for piece in pieces_of(word, low, high) if piece in self._number)
