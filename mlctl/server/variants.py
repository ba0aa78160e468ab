"""Which release answers which row: the one place where that is decided."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from mlctl.rollout import Traffic, buckets
from mlctl.rollout.detector import Detector
from mlctl.rollout.flag_file import CHALLENGER
from mlctl.server.answers import Answerer
from mlctl.server.inputs import Refused

if TYPE_CHECKING:
    from mlctl.server.batching import Row


class Share(NamedTuple):
    """The rows of a batch that one release answers, by their places in it."""

    answerer: Answerer
    places: Sequence[int]


@dataclass(frozen=True)
class Trial:
    """A challenger at work.

    Attributes:
        project: The flag's key.
        traffic: Whom it answers.
        challenger: What answers: of rows an `Answerer`, of a recommender the release, opened (`Tried`).
        detector: What is known about it.
        falls: Who answers a key, where a flagd daemon says so; None: the rollout file.
    """

    project: str
    traffic: Traffic
    challenger: Any
    detector: Detector
    falls: Callable[[str], str] | None = None

    def variant(self, key: str) -> str:
        """Who answers an entity: champion or challenger."""
        return self.falls(key) if self.falls else buckets.variant(self.project, self.traffic, key)


class Holder(Protocol):
    """Where a trial is at work."""

    trial: Trial | None


def ended(holder: Holder, trial: Trial, tell: Callable[[str], None]) -> bool:
    """Ends a trial whose challenger went wrong, at once for whoever asks next; whether it was at work until now."""
    here = holder.trial
    if not trial.detector.tripped or here is None or here.detector is not trial.detector:
        return False
    holder.trial = None
    tell(f"challenger {trial.challenger.release.id} answers nobody any more: {trial.detector.tripped}")
    return True


class Variants:
    """The releases that answer: the champion, and a challenger while one is tried."""

    def __init__(self) -> None:
        self._champion: Answerer | None = None
        self.trial: Trial | None = None

    @property
    def champion(self) -> Answerer:
        """The release whose schema requests are read by, and whose fallback answers.

        Raises:
            Refused: 503: there is none yet.
        """
        if self._champion is None:
            raise Refused(503, "no release is ready yet", retry_after_s=1)
        return self._champion

    @property
    def release(self) -> str:
        """The champion's id; empty before there is one."""
        return "" if self._champion is None else self._champion.release.id

    def take(self, champion: Answerer) -> None:
        """Lets another release answer everybody; a challenger was tried against the one before."""
        self._champion, self.trial = champion, None

    def shares(self, rows: Sequence[Row], ids: Sequence[str]) -> list[Share]:
        """Who answers which rows; every row is answered by one.

        Args:
            rows: The rows.
            ids: Their ids, by which rows without an entity's key are shared out.

        Raises:
            Refused: 503: there is no release yet.
        """
        champion, trial = self.champion, self.trial
        if trial is None or not trial.traffic.weight:
            return [Share(champion, range(len(rows)))]
        key = champion.release.project.entity.key
        who = (row.get(key) for row in rows)
        texts = [own if entity is None else str(entity) for entity, own in zip(who, ids, strict=True)]
        tried = [trial.variant(text) == CHALLENGER for text in texts]
        return [
            Share(answerer, places)
            for answerer, places in (
                (champion, [place for place, yes in enumerate(tried) if not yes]),
                (trial.challenger, [place for place, yes in enumerate(tried) if yes]),
            )
            if places
        ]
