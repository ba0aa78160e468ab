"""Weights from item to item in closed form, each item told by all others at once.

Use it first among what learns from users: it is one inversion, has one number to set, and is among the best on
published data. Not for catalogues of many ten thousand items that are all had: the inversion grows with the cube of
`items`. Steck, "Embarrassingly Shallow Autoencoders for Sparse Data" (2019).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.recommend.forms import Vectors, Weights
from mlctl.recommenders import Fitted, Learning, RecommenderOptions
from mlctl.recommenders._cooccurrence import counted, largest_of_rows

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Options(RecommenderOptions):
    """Options of EASE."""

    kind: Literal["ease"] = Field(default="ease", description="ease")
    l2: float = Field(default=500.0, gt=0, description="regularisation, in users; more for fewer users")
    items: int = Field(
        default=3000, ge=2, le=20_000, description="the most popular items, which have weights; others have none"
    )
    dimension: int | None = Field(
        default=256,
        ge=2,
        le=1024,
        description="numbers of the vectors whose product the weights become, so that an index can search them; null: "
        "the weights stay as they are",
    )
    keep: int = Field(
        default=200, ge=1, le=20_000, description="without vectors: weights that are kept of each item, the largest"
    )
    half_life: float | None = Field(
        default=None, gt=0, description="after how many later items one of the history counts half; default: never"
    )


EXAMPLE: Final[dict[str, object]] = {"kind": "ease", "l2": 5.0, "items": 100}


def fit(options: Options, learning: Learning) -> Fitted:
    """Inverts the matrix of who had both of two items, regularised."""
    import numpy as np
    from scipy.sparse import csr_array

    both = counted(learning)
    users = both.diagonal()
    chosen = np.sort(np.argsort(-users, kind="stable")[: options.items])
    chosen = chosen[users[chosen] > 0]
    weights = _weights(both[chosen][:, chosen].toarray(), options.l2)
    if options.dimension is not None and len(chosen) > options.dimension:
        return Fitted(_vectors(options, weights, chosen, both.shape[0]), told={"items": len(chosen)})
    # what stands in a column tells an item; its largest weights are kept
    kept = largest_of_rows(csr_array(weights.T), options.keep).tocoo()
    places = (chosen[kept.col], chosen[kept.row])
    matrix = csr_array((kept.data.astype(np.float32), places), shape=both.shape)
    return Fitted(Weights(matrix, options.half_life), told={"items": len(chosen), "pairs": int(matrix.nnz)})


def _weights(gram: Array, l2: float) -> Array:
    """B of the paper: float64 (items, items), zero on the diagonal."""
    import numpy as np
    from scipy.linalg import lapack
    from threadpoolctl import threadpool_limits

    if not len(gram):
        return gram
    gram[np.diag_indices_from(gram)] += l2
    # one thread: blocks of several are added up in another order
    with threadpool_limits(limits=1):
        factor, _ = lapack.dpotrf(gram, lower=1, overwrite_a=1)
        inverse, _ = lapack.dpotri(factor, lower=1, overwrite_c=1)
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    weights: Array = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


def _vectors(options: Options, weights: Array, chosen: Array, items: int) -> Vectors:
    """The weights as products of vectors: the nearest that so many numbers allow (a truncated SVD)."""
    import numpy as np
    from sklearn.utils.extmath import randomized_svd
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        left, sizes, right = randomized_svd(weights, options.dimension, n_iter=4, random_state=options.seed)
    root = np.sqrt(sizes)
    given, vectors = (np.zeros((items, len(root)), np.float32) for _ in range(2))
    given[chosen], vectors[chosen] = left * root, right.T * root
    return Vectors(vectors, options.half_life, given)
