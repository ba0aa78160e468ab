"""A challenger of a recommender at work beside the champion: lists shared out, compared, written down, sent away.

Nobody gets a failure of the challenger: the champion answers instead. Every list of a trial has the other release's
list beside it, made in the background by the release alone, exactly, and both are a line of the trial log; what their
user had afterwards judges them (`mlctl compare`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from mlctl.decide import MODEL_ERROR
from mlctl.index import retrieval
from mlctl.index.retrieval import Query
from mlctl.recommend.answering import Answer, Recommender
from mlctl.rollout.flag_file import CHALLENGER, CHAMPION
from mlctl.server.measures import Measures
from mlctl.server.prediction_log import PredictionLog
from mlctl.server.variants import Trial, ended

_MOST_WAITING: Final = 500


@dataclass(frozen=True)
class Tried:
    """A challenger, opened.

    Attributes:
        release: The release, with the items that came since.
    """

    release: Recommender


@dataclass(frozen=True)
class Shown:
    """A list that somebody got.

    Attributes:
        identity: The request's id.
        user: Who asked; None where nobody is named.
        query: What was asked for.
        variant: Whose list it is.
        answer: The list.
    """

    identity: str
    user: str | None
    query: Query
    variant: str
    answer: Answer


@dataclass(frozen=True)
class _Both:
    """Both releases' lists, and the seconds of computing that each needed; None where one failed."""

    trial: Trial
    of: Shown
    champion: Recommender
    answers: Mapping[str, Answer | None]
    seconds: Mapping[str, float]


class ListTrials:
    """What happens around a trial on one server.

    Attributes:
        trial: The challenger that is tried; None: there is none.
        release: The id of the champion that answers.
        end: Hears of a challenger that was sent away.
    """

    def __init__(self, user_key: Callable[[], str], log: PredictionLog | None, measures: Measures, tell: Any) -> None:
        self.trial: Trial | None = None
        self.release = ""
        self.end: Callable[[Trial], None] = lambda trial: None
        self._user_key, self._log, self._measures, self._tell = user_key, log, measures, tell
        self._waiting = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="beside")

    def take(self, champion: str) -> None:
        """Another champion answers; a challenger was tried against the one before."""
        self.release, self.trial = champion, None

    def by_challenger(self, trial: Trial, query: Query, key: str) -> Answer | None:
        """The challenger's list, where the key falls to it and it gives one."""
        if not trial.traffic.weight or trial.variant(key) != CHALLENGER:
            return None
        found = self._asked(trial.challenger.release, query)
        trial.detector.answered(found is None)
        self._judged(trial)
        return found

    def beside(self, trial: Trial, champion: Recommender, shown: Shown) -> None:
        """Has the other release asked too, as soon as the thread has time."""
        if self._waiting >= _MOST_WAITING:
            self._measures.dropped(1)
            return
        self._waiting += 1
        loop = asyncio.get_running_loop()
        asked = loop.run_in_executor(self._thread, self._both, trial, champion, shown)
        asked.add_done_callback(self._paired)

    def close(self) -> None:
        """Ends what goes on in the background."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        if self._log is not None:
            self._log.close()

    def _asked(self, release: Recommender, query: Query) -> Answer | None:
        try:
            return retrieval.by_release(release, query)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other release answers
            self._tell(f"{release.id} gives no list: {type(error).__name__}: {error}")
            return None

    def _both(self, trial: Trial, champion: Recommender, shown: Shown) -> _Both:
        """Both are asked here, so that a machine that is busy makes neither slow; shown is what was shown."""
        answers: dict[str, Answer | None] = {}
        seconds = {}
        for variant, release in ((CHAMPION, champion), (CHALLENGER, trial.challenger.release)):
            started = time.thread_time()
            answers[variant] = self._asked(release, shown.query)
            seconds[variant] = time.thread_time() - started
        return _Both(trial, shown, champion, {**answers, shown.variant: shown.answer}, seconds)

    def _paired(self, asked: asyncio.Future[_Both]) -> None:
        self._waiting -= 1
        if asked.cancelled():
            return
        both = asked.result()
        trial, shown = both.trial, both.of
        champion, challenger = both.answers[CHAMPION], both.answers[CHALLENGER]
        self._measures.paired(1)
        for variant, seconds in both.seconds.items():
            self._measures.seconds(variant, seconds)
        trial.detector.timed(both.seconds[CHALLENGER], both.seconds[CHAMPION])
        if trial.traffic.mode == "shadow":
            trial.detector.answered(challenger is None and champion is not None)
        if champion is not None and challenger is not None:
            trial.detector.compared(far(champion, challenger))
        self._judged(trial)
        if self._log is None:
            return
        known = champion or challenger or shown.answer
        self._log.write(
            [
                {
                    "id": shown.identity,
                    "mode": trial.traffic.mode,
                    "shown": shown.variant,
                    **({self._user_key(): shown.user} if shown.user is not None else {}),
                    CHAMPION: _told(both.champion.id, champion),
                    CHALLENGER: _told(trial.challenger.release.id, challenger),
                    "seconds": both.seconds,
                    "cohorts": [known.state],
                }
            ]
        )

    def _judged(self, trial: Trial) -> None:
        """Sends a challenger away that went wrong: at once for whoever asks next, then in the rollout file."""
        if ended(self, trial, self._tell):
            self._measures.rolled_back()
            self.end(trial)


def far(champion: Answer, challenger: Answer) -> bool:
    """Whether two lists have nothing in common, or only the champion's has anything."""
    return bool(champion.items) and not set(champion.items) & set(challenger.items)


def unlike(challenger: Recommender, champion: Recommender) -> str:
    """Why a release cannot be tried against the champion; empty when it can."""
    one, other = challenger.project, champion.project
    if one.label.task != other.label.task or challenger.item_key != champion.item_key:
        return "it recommends something else"
    return "" if one.entity.key == other.entity.key else "it recommends to somebody else"


def _told(release: str, answer: Answer | None) -> dict[str, Any]:
    if answer is None:
        return {"release": release, "score": None, "decision": None, "reason": MODEL_ERROR, "items": []}
    first = answer.items[0] if answer.items else None
    score = answer.scores[0] if answer.scores else None
    return {"release": release, "score": score, "decision": first, "reason": answer.reason, "items": list(answer.items)}
