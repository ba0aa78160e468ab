"""Many comparisons at once: the chance that a group is truly beyond a limit, and which chances stand together.

Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6 (1979).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    import numpy as np

Measure = Callable[["np.ndarray[Any, Any]", "np.ndarray[Any, Any]", "np.ndarray[Any, Any]"], float]

_HALF_WIDTHS: Final = 2 * NormalDist().inv_cdf(0.975)
"""Standard errors in a 95 % interval."""


def chance_of_worse(value: float, low: float, high: float, limit: float, better: Literal["higher", "lower"]) -> float:
    """The p-value of "the true value is not on the worse side of the limit", one-sided, by the normal distribution.

    Args:
        value: The measured value.
        low: Lower end of its 95 % interval; the width gives the standard error.
        high: Upper end.
        limit: The limit.
        better: Which side of the limit is the better one.

    Returns:
        0..1; small when the value is clearly on the worse side. Without any spread 0 or 1.

    >>> round(chance_of_worse(0.5, 0.402, 0.598, 0.5822, "higher"), 3)
    0.05
    """
    beyond = limit - value if better == "higher" else value - limit
    if high <= low:
        return 0.0 if beyond > 0 else 1.0
    return 1.0 - NormalDist().cdf(beyond / ((high - low) / _HALF_WIDTHS))


def holm(chances: Sequence[float], level: float = 0.05) -> list[bool]:
    """Which p-values are small enough that all of them together err at most in a share `level` of cases.

    >>> holm([0.01, 0.04, 0.03])
    [True, False, False]
    """
    stands = [False] * len(chances)
    for rank, index in enumerate(sorted(range(len(chances)), key=lambda position: chances[position])):
        if chances[index] > level / (len(chances) - rank):
            break
        stands[index] = True
    return stands


def differences(
    rows: Mapping[str, np.ndarray[Any, Any]],
    members: Mapping[str, np.ndarray[Any, Any]],
    measure: Measure,
    *,
    resamples: int = 500,
    seed: int = 7,
) -> list[dict[str, Any]]:
    """How much groups differ in a metric, with 95 % intervals over the same resamples of entities.

    Args:
        rows: float arrays (rows,) `truth` and (rows,) or (rows, classes) `score`; int array (rows,) `entity`, codes
            0..n-1.
        members: By group, a bool array (rows,); groups may overlap.
        measure: The function of truth, score and weight.
        resamples: How often entities are drawn.
        seed: Seed of the draws.

    Returns:
        One entry a pair: `groups`, `value` (first minus second), `low`, `high`; None for what is not defined.
    """
    import numpy as np

    from mlctl.intervals import interval

    score = rows["score"]
    order = np.argsort(score, kind="stable") if score.ndim == 1 else np.arange(len(score))
    truth, score, entity = (rows[name][order] for name in ("truth", "score", "entity"))
    masks = {name: mask[order] for name, mask in members.items()}
    units = int(entity.max(initial=-1)) + 1
    generator = np.random.Generator(np.random.PCG64(seed))
    drawn: dict[str, list[float]] = {name: [] for name in masks}
    plain = {name: measure(truth[mask], score[mask], np.ones(int(mask.sum()))) for name, mask in masks.items()}
    for _ in range(resamples):
        counts = np.bincount(generator.integers(0, max(units, 1), size=units), minlength=units).astype(np.float64)
        weight = counts[entity]
        for name, mask in masks.items():
            drawn[name].append(measure(truth[mask], score[mask], weight[mask]))
    found = []
    for one, other in combinations(masks, 2):
        low, high = interval([a - b for a, b in zip(drawn[one], drawn[other], strict=True)])
        values = {"value": plain[one] - plain[other], "low": low, "high": high}
        told = {name: float(value) if np.isfinite(value) else None for name, value in values.items()}
        found.append({"groups": [one, other], **told})
    return found
