"""The sample standard deviation of a column over the entity's events in each window; missing below two values.

Use it for how regular somebody is. Squares are summed exactly, in 18-bit limbs. Not for values beyond nine billion.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from mlctl.features import FIXED_POINT, Add, ColumnOptions, Events, Seen, State

if TYPE_CHECKING:
    import polars as pl

    from mlctl.features import Array

_LIMB: Final = 18
_MASK: Final = (1 << _LIMB) - 1
# product of two limbs, the power of 2**18 it stands for, and how often it comes in the square
_PRODUCTS: Final = (("hh", 4, 1), ("hm", 3, 2), ("hl", 2, 2), ("mm", 2, 1), ("ml", 1, 2), ("ll", 0, 1))


class Options(ColumnOptions):
    """Options of a standard deviation."""

    kind: Literal["std"] = Field(default="std", description="std")


EXAMPLE = {"kind": "std", "source": "orders", "column": "amount", "windows": ["90d"]}
EMPTY = None
READS_AS_OF = False


def tile(options: Options, events: Events) -> dict[str, State]:
    """The value in whole millionths, the products of its limbs, and one where it is present."""
    whole = events.whole(options.column)
    high, middle, low = whole >> 2 * _LIMB, whole >> _LIMB & _MASK, whole & _MASK
    products = {"hh": high * high, "hm": high * middle, "hl": high * low}
    products |= {"mm": middle * middle, "ml": middle * low, "ll": low * low}
    added: dict[str, State] = {name: Add(values) for name, values in products.items()}
    present = events.present(options.column).astype("int64")
    return {"total": Add(whole), "n": Add(present), **added}


def finalize(options: Options, state: Mapping[str, Array], seen: Seen) -> Array | pl.Series:
    """Root of (sum of squares - square of the sum / n) / (n - 1), of exact whole numbers."""
    import numpy as np
    import polars as pl

    whole = {name: pl.Series(values, dtype=pl.Int64).cast(pl.Int128) for name, values in state.items()}
    squares = pl.zeros(len(state["n"]), dtype=pl.Int128, eager=True)
    for name, shift, times in _PRODUCTS:
        squares += whole[name] * pl.Series([times << shift * _LIMB], dtype=pl.Int128)
    n = state["n"]
    spread = (whole["n"] * squares - whole["total"] * whole["total"]).cast(pl.Float64).to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(n > 1, np.sqrt(spread / (n * (n - 1.0))) / FIXED_POINT, np.nan)
