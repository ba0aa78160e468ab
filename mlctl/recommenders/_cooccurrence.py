"""How many users had both of two items: what item-to-item kinds learn from, whatever engine counted it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlctl.recommend.answering import top
from mlctl.recommenders import Learning

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from scipy.sparse import csr_array

    Array = np.ndarray[Any, Any]


def counted(learning: Learning) -> csr_array:
    """Users who had both items: sparse float64 (items, items), whole numbers; the diagonal is who had the item."""
    import numpy as np

    if learning.together is not None:
        return _both_ways(learning.together, learning.events.items)
    had = learning.events.matrix().astype(np.float64)
    found = (had.T @ had).tocsr()
    found.sort_indices()
    return found


def _both_ways(pairs: pl.DataFrame, items: int) -> csr_array:
    """Pairs that stand there once, as a matrix that holds them both ways."""
    import numpy as np
    from scipy.sparse import csr_array

    one, other = pairs["one"].to_numpy(), pairs["other"].to_numpy()
    users, apart = pairs["users"].to_numpy().astype(np.float64), one != other
    places = (np.concatenate([one, other[apart]]), np.concatenate([other, one[apart]]))
    found = csr_array((np.concatenate([users, users[apart]]), places), shape=(items, items))
    found.sort_indices()
    return found


def largest_of_rows(matrix: csr_array, most: int) -> csr_array:
    """The `most` largest values of each row, by size whatever their sign; among equals those of earlier columns."""
    import numpy as np
    from scipy.sparse import csr_array

    matrix.sort_indices()
    kept = [np.zeros(0, np.int64)]
    for begin, end in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True):
        kept.append(np.sort(begin + top(np.abs(matrix.data[begin:end]), min(most, end - begin))))
    ends = np.cumsum([0, *(len(places) for places in kept[1:])])
    places = np.concatenate(kept)
    return csr_array((matrix.data[places], matrix.indices[places], ends), shape=matrix.shape)
