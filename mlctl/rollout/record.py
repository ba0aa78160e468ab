"""What a rollout is: who answers, since when, by whose word and why; and the hash that the next one builds on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from mlctl.files import canonical_json, sha256_of
from mlctl.times import moment, moment_text

Mode = Literal["off", "shadow", "split"]
"""off: the champion alone; shadow: the challenger answers too, and nobody sees it; split: it answers a share."""
WHOLE: Final = 100_000
"""Parts that the traffic is divided into, 0.001 % each. Always as many, or a larger share would move entities back."""


@dataclass(frozen=True)
class Traffic:
    """Which release answers whom.

    Attributes:
        champion: The release that everybody gets who is not in the challenger's share; empty: none was promoted yet.
        challenger: The release that is tried against it; empty: none.
        mode: What the challenger does.
        weight: The challenger's share in parts of `WHOLE`; above 0 in the mode split alone.

    Raises:
        ValueError: The parts do not go together.
    """

    champion: str = ""
    challenger: str = ""
    mode: Mode = "off"
    weight: int = 0

    def __post_init__(self) -> None:
        if self.mode not in ("off", "shadow", "split"):
            raise ValueError(f"the mode is off, shadow or split, not {self.mode!r}")
        if not 0 <= self.weight <= WHOLE:
            raise ValueError(f"the share lies between 0 and 100 %, not at {self.percent:g} %")
        if (self.mode == "split") != (self.weight > 0):
            raise ValueError(f"a share of {self.percent:g} % does not go with the mode {self.mode}")
        if self.mode != "off" and not self.challenger:
            raise ValueError(f"the mode {self.mode} needs a challenger")
        if self.challenger and self.challenger == self.champion:
            raise ValueError("champion and challenger are the same release")
        if self.challenger and not self.champion:
            raise ValueError("a challenger needs a champion")

    @property
    def percent(self) -> float:
        """The challenger's share in percent."""
        return 100 * self.weight / WHOLE

    def at(self, percent: float) -> Traffic:
        """The same releases with the challenger at this share; at 0 it is off.

        Raises:
            ValueError: It is no share, is finer than 0.001 %, or there is no challenger.

        >>> Traffic("aaa", "bbb").at(2.5)
        Traffic(champion='aaa', challenger='bbb', mode='split', weight=2500)
        """
        if not 0 <= percent <= 100:
            raise ValueError(f"the share lies between 0 and 100 %, not at {percent} %")
        weight = round(percent * WHOLE / 100)
        if abs(weight - percent * WHOLE / 100) > 1e-6:
            raise ValueError(f"{percent} % is finer than 0.001 %")
        return Traffic(self.champion, self.challenger, "split" if weight else "off", weight)


@dataclass(frozen=True)
class Note:
    """By whose word something was changed, when, why, and what it rests on."""

    by: str
    at: datetime
    why: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Rollout:
    """A state of a project's rollout.

    Attributes:
        traffic: Which release answers whom.
        revision: 1 for the first; each change adds 1. 0: nothing was ever promoted.
        note: By whose word it is so.
        before: The seal of the revision before; empty for the first.
    """

    traffic: Traffic = field(default_factory=Traffic)
    revision: int = 0
    note: Note | None = None
    before: str = ""

    @property
    def champion(self) -> str:
        """The champion's id; empty when nothing was promoted yet."""
        return self.traffic.champion

    @property
    def challenger(self) -> str:
        """The challenger's id; empty when there is none."""
        return self.traffic.challenger

    @property
    def seal(self) -> str:
        """The hash of all of it, and so of everything before; empty where nothing was ever promoted."""
        return sha256_of(canonical_json(self.record())) if self.revision else ""

    def record(self) -> dict[str, Any]:
        """The state as JSON-ready data; `of_record` reads it."""
        told = {
            "champion": self.champion,
            "challenger": self.challenger,
            "mode": self.traffic.mode,
            "weight": self.traffic.weight,
            "revision": self.revision,
            "before": self.before,
        }
        if self.note is not None:
            told |= {"by": self.note.by, "at": moment_text(self.note.at), "why": self.note.why}
            told |= {"evidence": dict(self.note.evidence)}
        return told

    @classmethod
    def of_record(cls, told: Mapping[str, Any]) -> Rollout:
        """A state from its record.

        Raises:
            KeyError, TypeError, ValueError: It is no such record.
        """
        traffic = Traffic(told["champion"], told["challenger"], told["mode"], told["weight"])
        note = Note(told["by"], moment(told["at"]), told["why"], told["evidence"])
        return cls(traffic, told["revision"], note, told["before"])
