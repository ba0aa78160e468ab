"""Rows to answers, behind every route: by a release or by the fallback, counted and written down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mlctl.online import Store
from mlctl.rollout.flag_file import CHALLENGER
from mlctl.server.answers import Answerer
from mlctl.server.batching import Batches, full
from mlctl.server.inputs import Inputs
from mlctl.server.lookups import Filled, Lookups
from mlctl.server.measures import Measures
from mlctl.server.prediction_log import PredictionLog
from mlctl.server.trials import Trials, opened
from mlctl.server.variants import Variants
from mlctl.serving.http import Options

if TYPE_CHECKING:
    from mlctl.server.batching import Row

Tell = Callable[[str], None]

_SKETCHED: Final = ("release", "variant", "score", "decision", "reason")


class Logs(NamedTuple):
    """What is written down; None: nothing.

    Attributes:
        answers: What was answered.
        pairs: What both releases of a trial answered.
        inputs: What was answered and what of, until it is counted into sketches.
    """

    answers: PredictionLog | None = None
    pairs: PredictionLog | None = None
    inputs: PredictionLog | None = None


class Answering:
    """What answers rows now; another release or store may take its place between two requests.

    Attributes:
        name: The project.
        options: The limits.
        variants: Which release answers which row.
        trials: What happens around a challenger.
        inputs: What a row of a request holds.
        lookups: The online store that fills rows; None: there is none.
        draining: Whether the server is about to end.
    """

    def __init__(self, name: str, options: Options, logs: Logs, measures: Measures, tell: Tell) -> None:
        self.name, self.options, self.measures = name, options, measures
        self._log, self._inputs_log, self._tell = logs.answers, logs.inputs, tell
        self.variants = Variants()
        self.trials = Trials(self.variants, logs.pairs, measures, tell)
        self.inputs = Inputs({}, "", options.max_rows)
        self.lookups: Lookups | None = None
        self.draining = False
        self._batches = Batches(
            self._answered, self._late, (options.queue_rows, options.batch_rows, options.timeout_ms / 1000)
        )

    @property
    def release(self) -> str:
        """The id of the release that answers; empty before there is one."""
        return self.variants.release

    def take(self, answerer: Answerer) -> None:
        """Lets a verified release answer from the next request on."""
        # what was read by the old release's schema is answered by the old release
        self._batches.flush()
        self.inputs = Inputs(answerer.schema, answerer.release.project.entity.key, self.options.max_rows)
        answerer.answers(self.inputs, [self.inputs.row(row, "") for row in answerer.examples])
        self.variants.take(answerer)
        if self.lookups is not None and not self.fits(self.lookups.store):
            self.lookups = None
            self._tell(f"the online store lacks features of {answerer.release.id}: mlctl materialize {self.name}")
        self.measures.release(answerer.release.id)

    def open_challenger(self, folder: Path) -> tuple[Answerer, str]:
        """A challenger, and why it cannot be tried; empty when it can.

        Raises:
            IntegrityError: It is missing, damaged, another project's, or does not answer as sealed.
        """
        found = Answerer.open(folder, self.name, f"dvc checkout {folder}.dvc", CHALLENGER)
        return found, opened(found, self.variants.champion)

    def fits(self, store: Store) -> bool:
        """Whether a store holds every feature of the release."""
        return store.key == self.inputs.key and store.holds(self.inputs.schema)

    @property
    def room(self) -> int:
        """How many rows may still come into the queue."""
        return self._batches.room

    def admit(self) -> None:
        """Lets a request pass before anything of it is read.

        Raises:
            Refused: 503: too many rows wait already.
        """
        if self.room <= 0:
            raise full()

    async def ask(self, rows: Sequence[Row], identity: str, fills: Sequence[Filled] = ()) -> list[dict[str, Any]]:
        """The answers to rows, written down; where the lookup says why, the fallback's.

        Raises:
            Refused: 503: too many rows wait already.
        """
        ids = ids_of(identity, len(rows))
        if any(fill.reason for fill in fills):
            answers = await self._some_asked(rows, ids, fills)
        else:
            answers = await self._batches.ask(rows, ids)
        told = named(answers, ids)
        if self._log is not None:
            keys = ({} if self.inputs.key not in row else {self.inputs.key: row[self.inputs.key]} for row in rows)
            lines = [line | key for line, key in zip(told, keys, strict=True)]
            if self.options.log == "inputs":
                lines = [line | {"inputs": row} for line, row in zip(lines, rows, strict=True)]
            if fills:
                lines = [{**line, **(fill.about or {})} for line, fill in zip(lines, fills, strict=True)]
            self._log.write(lines)
        return told

    async def _some_asked(
        self, rows: Sequence[Row], ids: Sequence[str], fills: Sequence[Filled]
    ) -> list[dict[str, Any]]:
        asked = [(row, own) for row, own, fill in zip(rows, ids, fills, strict=True) if not fill.reason]
        by_model = iter(await self._batches.ask([row for row, _ in asked], [own for _, own in asked]) if asked else [])
        champion = self.variants.champion
        by_fallback = [champion.fallback(fill.reason) for fill in fills if fill.reason]
        self._counted([row for row, fill in zip(rows, fills, strict=True) if fill.reason], by_fallback)
        others = iter(by_fallback)
        return [next(others) if fill.reason else next(by_model) for fill in fills]

    def close(self) -> None:
        """Ends the logs, and what goes on in the background."""
        self.trials.close()
        for log in (self._log, self._inputs_log):
            if log is not None:
                log.close()

    def _answered(self, rows: Sequence[Row], ids: Sequence[str]) -> list[dict[str, Any]]:
        """The answers to a batch."""
        self.measures.batch(len(rows), self._batches.waiting_rows)
        trial = self.variants.trial
        if trial is not None:
            return self._counted(rows, self.trials.answered(trial, rows, ids))
        return self._counted(rows, self.variants.champion.answers_or_fallback(rows, self._tell))

    def _late(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        return self._counted(rows, self.variants.champion.late(rows, self._tell))

    def _counted(self, rows: Sequence[Row], answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Answers, counted and on their way into sketches: those of a batch by one write."""
        self.measures.answers(answers)
        if self._inputs_log is not None:
            lines = [
                {name: answer[name] for name in _SKETCHED} | {"inputs": row}
                for answer, row in zip(answers, rows, strict=True)
            ]
            self._inputs_log.write(lines)
        return answers


def ids_of(identity: str, rows: int) -> list[str]:
    """The ids of a request's rows: its own, and of several rows the row's place behind it.

    >>> ids_of("order-81", 1), ids_of("order-81", 2)
    (['order-81'], ['order-81/0', 'order-81/1'])
    """
    return [identity] if rows == 1 else [f"{identity}/{place}" for place in range(rows)]


def named(answers: Sequence[dict[str, Any]], ids: Sequence[str]) -> list[dict[str, Any]]:
    """Answers with their ids."""
    return [{"id": own} | answer for own, answer in zip(ids, answers, strict=True)]
