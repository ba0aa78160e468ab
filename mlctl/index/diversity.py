"""Items that are good and unlike each other: maximal marginal relevance.

Carbonell and Goldstein, "The Use of MMR, Diversity-Based Reranking for Reordering Documents" (SIGIR 1998).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def diverse(scores: Array, directions: Array, k: int, diversity: float) -> list[int]:
    """Positions of `k` candidates, each the best of what is left when likeness to those before it counts against it.

    Args:
        scores: float (candidates,), falling; they are brought to 0..1 first.
        directions: float (candidates, dimension), of length one or zero.
        k: How many.
        diversity: What likeness weighs against the score: 0 leaves the order as it is, 1 looks at likeness alone.

    >>> import numpy as np
    >>> alike = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> diverse(np.array([3.0, 2.9, 2.0]), alike, 2, 0.0), diverse(np.array([3.0, 2.9, 2.0]), alike, 2, 0.5)
    ([0, 1], [0, 2])
    """
    import numpy as np

    spread = float(scores.max() - scores.min()) if len(scores) else 0.0
    worth = (scores - scores.min()) / spread if spread else np.zeros(len(scores))
    likeness = np.zeros(len(scores))
    left = np.ones(len(scores), dtype=bool)
    chosen: list[int] = []
    for _ in range(min(k, len(scores))):
        gain = np.where(left, (1 - diversity) * worth - diversity * likeness, -np.inf)
        best = int(np.argmax(gain))
        chosen.append(best)
        left[best] = False
        likeness = np.maximum(likeness, directions @ directions[best])
    return chosen
