"""How sure a metric is: intervals from resampling the test rows (the bootstrap).

A resample draws as many rows as there are, with replacement; it is kept as a count per row, never as a copy. Every
model and metric sees the same resamples, so the difference of two models is an interval of paired values, much narrower
than what their two intervals suggest. Rows of one entity are not independent: given `groups`, whole entities are drawn.

Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapters 8 (structured data) and 13 (percentiles).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np

    from mlctl.metrics import Measure

_THREADS: Final = 2
_AT_ONCE: Final = 16
_MOST_UNDEFINED_SHARE: Final = 0.05
_NOWHERE: Final = (float("nan"), float("nan"))


def bootstrap(  # noqa: PLR0913 - two of them are named at the call
    truth: np.ndarray[Any, Any],
    score_by_model: Mapping[str, np.ndarray[Any, Any]],
    measures: Mapping[str, Measure],
    groups: np.ndarray[Any, Any] | None = None,
    *,
    resamples: int = 500,
    seed: int = 7,
) -> dict[str, dict[str, list[float]]]:
    """Every metric of every model on the same resamples of the test rows.

    Args:
        truth: float array (rows,) of 0.0 and 1.0.
        score_by_model: By model, a float array (rows,) of P(truth = 1).
        measures: By metric, the function of truth, score and weight.
        groups: Any array (rows,) of entity codes; rows of one code are drawn together. None draws single rows.
        resamples: How many resamples are drawn.
        seed: Seed of the draws.

    Returns:
        By model and metric, one value a resample, NaN where the resample leaves the metric undefined.
    """
    import numpy as np
    from threadpoolctl import threadpool_limits

    codes = None if groups is None else np.unique(groups, return_inverse=True)[1]
    units = len(truth) if codes is None else int(codes.max(initial=-1)) + 1
    # Sorted once here, so that no metric has to sort again in any resample.
    orders = {model: sorted_order(score) for model, score in score_by_model.items()}
    sorted_rows = {
        model: (np.asarray(truth, np.float64)[orders[model]], np.asarray(score, np.float64)[orders[model]])
        for model, score in score_by_model.items()
    }
    generator = np.random.Generator(np.random.PCG64(seed))

    def measured(drawn: np.ndarray[Any, Any]) -> list[list[float]]:
        """Every metric of every model on one resample."""
        counts = np.bincount(drawn, minlength=units).astype(np.float64)
        weight = counts if codes is None else counts[codes]
        return [
            [measure(truth_of, score_of, weight[orders[model]]) for measure in measures.values()]
            for model, (truth_of, score_of) in sorted_rows.items()
        ]

    # BLAS on one thread: sums split over threads round differently, and for such vectors cost more than they bring
    with threadpool_limits(limits=1), ThreadPoolExecutor(_THREADS) as pool:
        found: list[list[list[float]]] = []
        for begin in range(0, resamples, _AT_ONCE):
            # drawn one after the other, so that the threads change nothing
            draws = [generator.integers(0, max(units, 1), size=units) for _ in range(min(_AT_ONCE, resamples - begin))]
            found += pool.map(measured, draws)
    return {
        model: {metric: [one[place][at] for one in found] for at, metric in enumerate(measures)}
        for place, model in enumerate(score_by_model)
    }


def sorted_order(score: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The order in which a measure in `bootstrap` gets the rows: rising scores; of several classes as they are."""
    import numpy as np

    return np.argsort(score, kind="stable") if score.ndim == 1 else np.arange(len(score))


def interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """The percentile interval of a metric's resampled values, as (low, high).

    Args:
        values: One value a resample.
        level: The share of the resamples inside, 0 to 1.

    Returns:
        Both ends; both NaN when more than 5 % of the resamples are NaN, or when there is none.

    >>> interval([0.0, 1.0, 2.0, 3.0, 4.0], level=0.5)
    (1.0, 3.0)
    """
    import numpy as np

    every = np.asarray(values, dtype=np.float64)
    defined = every[~np.isnan(every)]
    if len(every) == 0 or len(every) - len(defined) > _MOST_UNDEFINED_SHARE * len(every):
        return _NOWHERE
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(defined, [tail, 1.0 - tail])
    return float(low), float(high)


def around(values: Sequence[float], value: float) -> list[float]:
    """Resampled values moved so that their median is the measured value.

    For metrics that noise makes larger, such as an error of calibration: a resample holds rows twice, its bins are
    noisier than those of the rows themselves, and the percentiles of such values may not even hold the measured one.
    What is left is the spread of the metric on this many rows (Efron and Tibshirani, 1993, chapter 10, on the bias).

    >>> around([3.0, 4.0, 6.0], 2.0)
    [1.0, 2.0, 4.0]
    """
    import numpy as np

    every = np.asarray(values, dtype=np.float64)
    defined = every[~np.isnan(every)]
    shift = float(np.median(defined)) - value if len(defined) else 0.0
    return [float(one) for one in every - shift]


def paired(values_a: Sequence[float], values_b: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """The interval of a metric's difference, a minus b, over the same resamples.

    Raises:
        ValueError: The two do not come from the same number of resamples.

    >>> paired([3.0, 4.0, 5.0], [1.0, 2.0, 3.0])
    (2.0, 2.0)
    """
    return interval([a - b for a, b in zip(values_a, values_b, strict=True)], level)
