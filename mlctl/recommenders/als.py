"""Matrix factorisation of who had what: users and items as vectors, whose product is how much they go together.

Use it where the catalogue is large, and where an index of vectors is to find the items. A user's vector is solved from
the history when it is asked for. Not for items that nobody had yet. Hu, Koren and Volinsky (2008), by the library
`implicit`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.errors import DataError
from mlctl.recommend.forms import Factors
from mlctl.recommenders import Fitted, Learning, RecommenderOptions

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class Options(RecommenderOptions):
    """Options of ALS."""

    kind: Literal["als"] = Field(default="als", description="als")
    dimension: int = Field(default=64, ge=2, le=512, description="numbers of a vector")
    iterations: int = Field(default=10, ge=1, le=200, description="rounds of users, then items")
    alpha: float = Field(default=5.0, gt=0, description="how much more an item of a user weighs than one never had")
    regularization: float = Field(default=5.0, gt=0, description="added to the diagonal of each solution")
    most_pairs: int = Field(
        default=20_000_000, ge=1, description="pairs of user and item beyond which it refuses: take a window of them"
    )
    half_life: float | None = Field(
        default=None, gt=0, description="after how many later items one of the history counts half; default: never"
    )


EXAMPLE: Final[dict[str, object]] = {"kind": "als", "dimension": 4, "iterations": 3}


def fit(options: Options, learning: Learning) -> Fitted:
    """Solves users and items in turn, on one thread, so that the same events give the same bits.

    Raises:
        DataError: There are more pairs than `most_pairs`.
    """
    import numpy as np

    had = learning.events.matrix()
    if had.nnz > options.most_pairs:
        why = f"{had.nnz:,} pairs of user and item are more than {options.most_pairs:,}"
        raise DataError.no_rows("what ALS can hold", why, "raise model.options.als.most_pairs, or use another split")
    factors = _factors(options, had) if had.nnz else np.zeros((had.shape[1], options.dimension), np.float32)
    # an item that nobody had keeps its random start: it must not look like anything
    factors[np.bincount(learning.events.item, minlength=had.shape[1]) == 0] = 0.0
    return Fitted(Factors(factors, options.alpha, options.regularization, options.half_life))


def _factors(options: Options, had: csr_array) -> Any:
    import logging
    import warnings

    import numpy as np
    from scipy.sparse import csr_matrix
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1), warnings.catch_warnings():
        # it warns of BLAS threads, which are limited here
        warnings.simplefilter("ignore")
        logging.getLogger("implicit").setLevel(logging.ERROR)
        from implicit.cpu.als import AlternatingLeastSquares

        # its confidence of a pair is alpha times the value, and ours 1 + alpha
        solver = AlternatingLeastSquares(
            factors=options.dimension,
            regularization=options.regularization,
            alpha=1.0 + options.alpha,
            iterations=options.iterations,
            num_threads=1,
            random_state=options.seed,
        )
        solver.fit(csr_matrix(had), show_progress=False)
    return np.ascontiguousarray(solver.item_factors, dtype=np.float32)
