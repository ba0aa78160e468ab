"""The ladder: a rung is adopted only where it clearly beats the one adopted below it.

"Clearly" is a 95 % interval of the paired difference (the same resamples of entities for both) that lies wholly on the
better side of zero. The rows are ones that no rung has seen, and not those of the test, so the test stays unseen by the
choice that it judges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from mlctl.judging import intervals
from mlctl.metrics import Measure

if TYPE_CHECKING:
    import numpy as np

_RESAMPLES: Final = 500


@dataclass(frozen=True)
class Rung:
    """What a rung showed.

    Attributes:
        name: The model's kind.
        value: The metric; None where it is not defined.
        low: Lower end of its 95 % interval.
        high: Upper end.
        against: The rung that it had to beat; None for the first.
        gain_low: Lower end of the paired interval of what it gained over that rung, above 0 for better.
        gain_high: Upper end.
        earned: Whether it beat that rung.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    against: str | None
    gain_low: float | None
    gain_high: float | None
    earned: bool

    def record(self) -> dict[str, Any]:
        """The rung as JSON-ready data."""
        return asdict(self)


def climb(
    truth: np.ndarray[Any, Any],
    scores: Mapping[str, np.ndarray[Any, Any]],
    metric: tuple[Measure, str],
    groups: np.ndarray[Any, Any],
) -> list[Rung]:
    """Every rung from simple to complex, and whether it earned its place.

    Args:
        truth: float array (rows,).
        scores: By rung, from simple to complex, its scores of rows that it has not seen.
        metric: The measure, and whether `higher` or `lower` is better.
        groups: int array (rows,) of entities, drawn together.
    """
    import numpy as np

    measure, better = metric
    drawn = intervals.bootstrap(truth, dict(scores), {"metric": measure}, groups, resamples=_RESAMPLES)
    sign, ones = 1.0 if better == "higher" else -1.0, np.ones(len(truth))
    rungs: list[Rung] = []
    adopted: str | None = None
    for name, score in scores.items():
        low, high = intervals.interval(drawn[name]["metric"])
        gain_low = gain_high = float("nan")
        if adopted is not None:
            gain_low, gain_high = intervals.paired(
                [sign * value for value in drawn[name]["metric"]], [sign * value for value in drawn[adopted]["metric"]]
            )
        earned = adopted is None or gain_low > 0
        rungs.append(
            Rung(
                name=name,
                value=_told(measure(truth, score, ones)),
                low=_told(low),
                high=_told(high),
                against=adopted,
                gain_low=_told(gain_low),
                gain_high=_told(gain_high),
                earned=earned,
            )
        )
        adopted = name if earned else adopted
    return rungs


def adopted(rungs: list[Rung]) -> str:
    """The highest rung that earned its place."""
    return [rung.name for rung in rungs if rung.earned][-1]


def lines(rungs: list[Rung], metric: str, rows: str, digits: int) -> tuple[str, ...]:
    """What each rung bought, for people.

    Args:
        rungs: From simple to complex.
        metric: The metric's name.
        rows: What it was measured on, such as `rows held out`.
        digits: How many decimals its value has.
    """
    told = []
    for rung in rungs:
        value = "not defined" if rung.value is None else f"{rung.value:.{digits}f}"
        text = f"{rung.name}: {metric} {value} on {rows}"
        if rung.against is not None:
            gain = "not measured"
            if rung.gain_low is not None and rung.gain_high is not None:
                gain = f"[{rung.gain_low:+.4f}, {rung.gain_high:+.4f}]"
            earned = "earned its place" if rung.earned else "did not earn its place"
            text += f", gain over {rung.against} {gain}: {earned}"
        told.append(text)
    return tuple(told)


def _told(number: float) -> float | None:
    return float(number) if number == number else None  # noqa: PLR0124 - NaN alone is not itself
