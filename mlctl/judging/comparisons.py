"""Many comparisons at once: the chance that a group is truly beyond a limit, and which chances stand together.

Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6 (1979).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final, Literal

from mlctl.judging.intervals import bootstrap, paired, sorted_order
from mlctl.metrics import Measure

if TYPE_CHECKING:
    import numpy as np

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


def corrected(chances: Sequence[float] | np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """P-values corrected for their number: all that are below a level are so by chance at most so often.

    Returns:
        float64 array (tests,), in the order given, at most 1.

    >>> corrected([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    import numpy as np

    values = np.asarray(chances, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    found = np.empty_like(values)
    found[order] = np.minimum(np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)), 1.0)
    return found


def holm(chances: Sequence[float], level: float = 0.05) -> list[bool]:
    """Which p-values are small enough that all of them together err at most in a share `level` of cases.

    >>> holm([0.01, 0.04, 0.03])
    [True, False, False]
    """
    return [bool(chance <= level) for chance in corrected(chances)]


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

    truth, score = rows["truth"], rows["score"]
    order = sorted_order(score)

    def of_group(mask: np.ndarray[Any, Any]) -> Measure:
        placed = mask[order]
        return lambda *told: measure(*(part[placed] for part in told))

    measures = {name: of_group(mask) for name, mask in members.items()}
    drawn = bootstrap(truth, {"": score}, measures, groups=rows["entity"], resamples=resamples, seed=seed)[""]
    ones = np.ones(len(truth))
    plain = {name: measure(truth[mask], score[mask], ones[mask]) for name, mask in members.items()}
    found = []
    for one, other in combinations(members, 2):
        low, high = paired(drawn[one], drawn[other])
        values = {"value": plain[one] - plain[other], "low": low, "high": high}
        told = {name: float(value) if np.isfinite(value) else None for name, value in values.items()}
        found.append({"groups": [one, other], **told})
    return found
