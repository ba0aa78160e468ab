"""How labels mature: which share of them is known how many days after the prediction, learnt from those that are old.

A class whose labels come later than the others' is under-represented among young labels (positives alone may come
early). Each class therefore has its own curve, and a young label counts as many times as labels of its class and age
are still to come: weight = 1 / share known at that age.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from mlctl.outcomes import KNOWN_AT, LABEL
from mlctl.plan import AS_OF

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

EVERYBODY: Final = ""
_FEWEST: Final = 30
_MOST_CLASSES: Final = 20
_NEARLY_ALL: Final = 0.995


@dataclass(frozen=True)
class Maturity:
    """Shares of the labels that come at all, by age in whole days: `shares[class][k]` is known k days after.

    Attributes:
        shares: By class, and for everybody under the empty name.
        days: Age at which nearly all are known.
        never: Share of old predictions that have no label still.
        rows: Old predictions with a label, from which this is known.
    """

    shares: Mapping[str, tuple[float, ...]]
    days: int
    never: float
    rows: int

    def age_of(self, share: float) -> int:
        """The age in days at which a share of the labels of every class is known.

        >>> Maturity({"": (0.0, 0.5, 1.0)}, 2, 0.0, 100).age_of(0.4)
        1
        """
        return max(_first(curve, share) for curve in self.shares.values())

    def weight(self, labels: pl.Series, ages_days: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """[rows] for how many labels of its class and age a known label stands."""
        import numpy as np

        ages = np.clip(np.floor(ages_days).astype(np.int64), 0, len(self.shares[EVERYBODY]) - 1)
        known = np.asarray(self.shares[EVERYBODY])[ages]
        text = _named(labels).to_numpy()
        for name, curve in self.shares.items():
            if name != EVERYBODY:
                known = np.where(text == name, np.asarray(curve)[ages], known)
        found: np.ndarray[Any, Any] = 1 / np.maximum(known, 0.01)
        return found


def learn(joined: pl.DataFrame, now: datetime) -> Maturity | None:
    """How labels mature, from predictions old enough; None where too few labels are known.

    Args:
        joined: Predictions with `as_of`, `label` and `known_at`.
        now: The present moment, by which labels are known.
    """
    import polars as pl

    day = timedelta(days=1)
    known = joined.filter(pl.col(LABEL).is_not_null() & (pl.col(KNOWN_AT) <= now))
    if known.height < _FEWEST:
        return None
    lag = ((known[KNOWN_AT] - known[AS_OF]) / day).to_numpy()
    settled = _settled(joined, known, lag, now)
    old = known.with_columns(pl.Series("/lag", lag)).filter(pl.col(AS_OF) <= now - settled * day)
    everybody = joined.filter(pl.col(AS_OF) <= now - settled * day).height
    if old.height < _FEWEST:
        return None
    length = int(old["/lag"].max() or 0) + 2  # type: ignore[arg-type]
    shares = {EVERYBODY: _curve(old["/lag"].to_numpy(), length)}
    named = old.with_columns(_named(old[LABEL]).alias("/class"))
    if old[LABEL].n_unique() <= _MOST_CLASSES:
        for (name,), rows in sorted(named.partition_by("/class", as_dict=True).items()):
            if rows.height >= _FEWEST:
                shares[str(name)] = _curve(rows["/lag"].to_numpy(), length)
    return Maturity(
        shares, max(_first(curve, _NEARLY_ALL) for curve in shares.values()), 1 - old.height / everybody, old.height
    )


def _settled(joined: pl.DataFrame, known: pl.DataFrame, lag: np.ndarray[Any, Any], now: datetime) -> float:
    """The age in days behind which hardly any label is still to come.

    The longest lag so far, of half of the history at most: a history that is young knows no long lags yet.
    """
    import numpy as np

    span = (now - joined[AS_OF].min()) / timedelta(days=1)  # type: ignore[operator]
    return float(min(np.quantile(lag, 0.999), max(span / 2, float(np.min(lag)))))


def _curve(lag: np.ndarray[Any, Any], length: int) -> tuple[float, ...]:
    """Share of the lags that are at most k days, for k from 0."""
    import numpy as np

    counts = np.bincount(np.ceil(np.maximum(lag, 0)).astype(np.int64), minlength=length)
    return tuple((np.cumsum(counts) / len(lag)).tolist())


def _first(curve: tuple[float, ...], share: float) -> int:
    return next((age for age, known in enumerate(curve) if known >= share), len(curve) - 1)


def _named(labels: pl.Series) -> pl.Series:
    """Labels as the names of classes."""
    import polars as pl

    return labels.cast(pl.String).fill_null("?")
