"""An item's texts to its vector: what training, indexing and a request share, so that a new item is known at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from mlctl.recommend.forms import unit
from mlctl.text import Terms, Weighing
from mlctl.text_encoder import Files, Sealed, TextEncoder, cache_folder, opened

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Encoder(Protocol):
    """Texts to vectors."""

    @property
    def dimension(self) -> int:
        """How long a vector is."""
        ...

    def encode(self, texts: Sequence[str]) -> Array:
        """float32 (texts, dimension) of length one; zero for a text of which nothing is known."""
        ...


@dataclass(frozen=True)
class Lsa:
    """Latent semantic analysis: the terms of a text, each a vector, added up by their TF-IDF weights.

    Deerwester et al., "Indexing by Latent Semantic Analysis", Journal of the American Society for Information Science
    41 (1990).

    Attributes:
        terms: Which terms of a text count.
        names: The terms.
        rarity: How rare each is.
        vectors: float32 (terms, dimension).
    """

    terms: Terms
    names: tuple[str, ...]
    rarity: tuple[float, ...]
    vectors: Array

    @property
    def dimension(self) -> int:
        """As `Encoder.dimension`."""
        return int(self.vectors.shape[1])

    def encode(self, texts: Sequence[str]) -> Array:
        """As `Encoder.encode`."""
        import numpy as np

        found = np.zeros((len(texts), self.dimension), np.float64)
        for place, text in enumerate(texts):
            held = self._weighing(text)
            if held:
                numbers, weights = zip(*held, strict=True)
                found[place] = np.asarray(weights) @ self.vectors[list(numbers)].astype(np.float64)
        return unit(found).astype(np.float32)

    @cached_property
    def _weighing(self) -> Weighing:
        return Weighing(self.terms, self.names, self.rarity)


@dataclass(frozen=True)
class OnnxText:
    """An encoder of one's own, a sentence-transformers folder run by ONNX Runtime.

    Attributes:
        sealed: Which one it is.
        files: Its graph and tokenizer.
        run: What makes the vectors.
    """

    sealed: Sealed
    files: Files
    run: TextEncoder

    @classmethod
    def of_files(cls, sealed: Sealed, files: Files) -> OnnxText:
        """The encoder, once its files are proved to be the sealed ones.

        Raises:
            IntegrityError: A file is missing or another one, or cannot be loaded.
            ExternalError: The library that cuts texts into tokens is not installed.
        """
        return cls(sealed, files, opened(sealed, files, cache_folder()))

    @property
    def dimension(self) -> int:
        """As `Encoder.dimension`."""
        return self.run.dimensions

    def encode(self, texts: Sequence[str]) -> Array:
        """As `Encoder.encode`."""
        import numpy as np

        found = np.zeros((len(texts), self.dimension), np.float64)
        # a transformer has a vector for a text that says nothing too, and all such items would be alike
        says = [place for place, text in enumerate(texts) if text.strip()]
        found[says] = self.run([texts[place] for place in says])
        return unit(found).astype(np.float32)
