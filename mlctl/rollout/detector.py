"""Whether a challenger goes wrong, while it answers: it fails, moves away from the champion, or is slow.

Each is a stream of yes and no about rows that both releases answered. A yes multiplies an amount by q / p, a no by
(1 - q) / (1 - p), with p the share that is allowed and several q above it; the amount never falls below 1, so that what
was good for long does not hide what begins now. While the share is at most p the amounts reach `LIMIT` once in `LIMIT`
rows or more rarely, on average (Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential change
detection", New England Journal of Statistics in Data Science 2024).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Final

from mlctl.spec import Guards

LIMIT: Final = 1e6
"""Rows between two false alarms of a challenger that is just as bad as it may be; at least, on average."""
_FAILING: Final = (0.05, 0.5)
_OFTEN: Final = (0.5, 0.75, 0.95)
_LOST_S: Final = 2.0
"""Seconds of computing above what is allowed after which a challenger is too slow, however few its answers are."""
_LEAST_SLOW: Final = 2
_FLOOR_S: Final = 0.0002
"""Seconds that say nothing: a timer, a cache that was cold."""


class Amount:
    """The evidence that a share is above the one that is allowed."""

    def __init__(self, allowed: float, alternatives: tuple[float, ...]) -> None:
        above = [q for q in alternatives if q > allowed] or [(1 + allowed) / 2]
        self._steps = [(math.log(q / allowed), math.log((1 - q) / (1 - allowed))) for q in above]
        self._logs = [0.0] * len(above)
        self._limit = math.log(LIMIT * len(above))
        self.seen = self.bad = 0

    def add(self, bad: bool) -> bool:
        """Counts a row; True when the evidence is enough."""
        self.seen += 1
        self.bad += bad
        place = 0 if bad else 1
        self._logs = [max(0.0, log + step[place]) for log, step in zip(self._logs, self._steps, strict=True)]
        # the sum of the amounts is at least the largest
        return max(self._logs) >= self._limit


@dataclass
class Detector:
    """What is known about one challenger on one server.

    Attributes:
        guards: What is allowed.
        tripped: Why it must go; empty while it may stay.
    """

    guards: Guards
    tripped: str = ""
    _failed: Amount = field(init=False)
    _moved: Amount = field(init=False)
    _slow: Amount = field(init=False)
    _lost_s: float = 0.0

    def __post_init__(self) -> None:
        self._failed = Amount(self.guards.errors, _FAILING)
        self._moved = Amount(self.guards.moved, _OFTEN)
        self._slow = Amount(self.guards.slow, _OFTEN)

    @property
    def compared_rows(self) -> int:
        """Rows that both have answered so far."""
        return self._moved.seen

    def answered(self, failed: bool) -> None:
        """A row that the challenger was asked; failed: it gave no number, and the champion did."""
        if self._failed.add(failed):
            self._trip(f"it failed on {self._failed.bad} of {self._failed.seen:,} rows that the champion answered")

    def compared(self, far: bool) -> None:
        """A row that both answered; far: the challenger's answer lies further from the champion's than is allowed."""
        if self._moved.add(far):
            self._trip(f"it answered {self._moved.bad} of {self._moved.seen:,} rows far from the champion")

    def timed(self, own_s: float, champion_s: float) -> None:
        """Seconds of computing that both needed for the same rows."""
        allowed = self.guards.slower * champion_s + _FLOOR_S
        slow = own_s > allowed
        self._lost_s = max(0.0, self._lost_s + own_s - allowed)
        enough = self._slow.add(slow)
        if enough or (slow and self._lost_s > _LOST_S and self._slow.bad >= _LEAST_SLOW):
            more = f"it needed more than {self.guards.slower:g} times the champion's seconds"
            self._trip(f"{more} on {self._slow.bad} of {self._slow.seen:,} batches")

    def evidence(self) -> dict[str, Any]:
        """What was counted, as JSON-ready data."""
        counted = {"failed": self._failed, "far": self._moved, "slow": self._slow}
        return {name: {"bad": amount.bad, "seen": amount.seen} for name, amount in counted.items()}

    def _trip(self, why: str) -> None:
        self.tripped = self.tripped or why
