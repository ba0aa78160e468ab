"""A challenger at work beside the champion: shared out, compared, written down, and sent away when it goes wrong.

Nobody gets a failure of the challenger: the champion answers such a row. Every row that both answered is a line of the
trial log, which the comparison on labels reads (`mlctl compare`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from mlctl.decide import FAILED
from mlctl.rollout.flag_file import CHALLENGER, CHAMPION
from mlctl.server.answers import Answerer
from mlctl.server.beside import Answered, Beside, Pairs
from mlctl.server.measures import Measures
from mlctl.server.prediction_log import PredictionLog
from mlctl.server.variants import Trial, Variants, ended

if TYPE_CHECKING:
    from mlctl.server.batching import Answer, Row

_TOLD: Final = ("release", "score", "decision", "reason")
End = Callable[[Trial], None]


class Trials:
    """What happens around a trial on one server."""

    def __init__(self, variants: Variants, log: PredictionLog | None, measures: Measures, tell: Callable[[str], None]):
        self._variants, self._log, self._measures, self._tell = variants, log, measures, tell
        self._beside = Beside(self._paired, measures.dropped, tell)
        self.end: End = lambda trial: None
        """Hears of a challenger that was sent away, after nobody gets its answers any more."""

    def answered(self, trial: Trial, rows: Sequence[Row], ids: Sequence[str]) -> list[Answer]:
        """The answers to a batch, each by the release that it falls to."""
        answers: dict[int, Answer] = {}
        for answerer, places in self._variants.shares(rows, ids):
            asked = [rows[place] for place in places]
            got = answerer.answers_or_fallback(asked, self._tell)
            by_challenger = answerer is trial.challenger
            if by_challenger or trial.traffic.mode == "shadow":
                other = self._variants.champion if by_challenger else trial.challenger
                self._beside.put(Answered(trial, asked, [ids[place] for place in places], got, answerer, other))
            if by_challenger:
                got = self._rescued(trial, asked, got)
            answers |= zip(places, got, strict=True)
        return [answers[place] for place in range(len(rows))]

    def close(self) -> None:
        """Ends what goes on in the background."""
        self._beside.close()
        if self._log is not None:
            self._log.close()

    def _rescued(self, trial: Trial, rows: Sequence[Row], answers: Sequence[Answer]) -> list[Answer]:
        """The challenger's answers; where it gave none, the champion's."""
        told = list(answers)
        for place, answer in enumerate(answers):
            failed = answer["reason"] in FAILED
            if failed:
                told[place] = self._variants.champion.answers_or_fallback([rows[place]], self._tell)[0]
                failed = told[place]["reason"] not in FAILED
            trial.detector.answered(failed)
        self._judged(trial)
        return told

    def _paired(self, pairs: Pairs) -> None:
        """Looks at rows that both have answered."""
        of, detector = pairs.of, pairs.of.trial.detector
        in_shadow = of.other is of.trial.challenger
        champion, challenger = (of.answers, pairs.beside) if in_shadow else (pairs.beside, of.answers)
        champion_s, challenger_s = (pairs.by_s, pairs.other_s) if in_shadow else (pairs.other_s, pairs.by_s)
        self._measures.paired(len(of.rows))
        self._measures.seconds(CHAMPION, champion_s)
        self._measures.seconds(CHALLENGER, challenger_s)
        detector.timed(challenger_s, champion_s)
        for one, other in zip(champion, challenger, strict=True):
            if in_shadow:
                detector.answered(other["reason"] in FAILED and one["reason"] not in FAILED)
            if one["score"] is not None and other["score"] is not None:
                detector.compared(far(of.trial, one, other))
        self._judged(of.trial)
        if self._log is not None:
            each_s = {CHAMPION: champion_s / len(of.rows), CHALLENGER: challenger_s / len(of.rows)}
            key = self._variants.champion.release.project.entity.key
            cohorts: Sequence[Sequence[str] | None] = pairs.cohorts or [None] * len(of.rows)
            self._log.write(
                [
                    {
                        "id": identity,
                        "mode": of.trial.traffic.mode,
                        **({key: row[key]} if row.get(key) is not None else {}),
                        CHAMPION: {name: one[name] for name in _TOLD},
                        CHALLENGER: {name: other[name] for name in _TOLD},
                        "seconds": each_s,
                        "cohorts": inside,
                    }
                    for identity, row, inside, one, other in zip(
                        of.ids, of.rows, cohorts, champion, challenger, strict=True
                    )
                ]
            )

    def _judged(self, trial: Trial) -> None:
        """Sends a challenger away that went wrong: at once for whoever asks next, then in the rollout file."""
        if ended(self._variants, trial, self._tell):
            self._measures.rolled_back()
            self.end(trial)


def far(trial: Trial, champion: Mapping[str, Any], challenger: Mapping[str, Any]) -> bool:
    """Whether two answers to a row lie further from each other than the project allows."""
    release, guards = trial.challenger.release, trial.detector.guards
    task = release.project.label.task
    if task == "multiclass":
        return bool(champion["decision"] != challenger["decision"])
    unit = release.manifest["evaluation"]["deviation_of_score"] if task == "regression" else 1.0
    return bool(abs(champion["score"] - challenger["score"]) > guards.moved_by * unit)


def opened(answerer: Answerer, champion: Answerer) -> str:
    """Why a release cannot be tried against the champion; empty when it can."""
    if answerer.release.project.label.task != champion.release.project.label.task:
        return "it foretells another kind of label"
    if not answerer.fits(champion.inputs):
        more = sorted(set(answerer.schema.items()) - set(champion.schema.items()))
        return f"requests are read by the champion's features, and it needs {', '.join(name for name, _ in more)}"
    rows = [answerer.inputs.row(row, "") for row in answerer.examples]
    answerer.answers(answerer.inputs, rows)
    answerer.cohorts(rows)
    return ""
