"""Rows to answers, behind every route: by a release or by the fallback, counted and written down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mlctl.errors import DataError
from mlctl.online import Store
from mlctl.server.answers import MODEL_ERROR, TIMEOUT, Answerer
from mlctl.server.batching import Batches
from mlctl.server.inputs import Inputs
from mlctl.server.lookups import Filled, Lookups
from mlctl.server.measures import Measures
from mlctl.server.prediction_log import PredictionLog
from mlctl.server.variants import Variants
from mlctl.serving.http import Options

if TYPE_CHECKING:
    from mlctl.server.batching import Row

Tell = Callable[[str], None]


class Answering:
    """What answers rows now; another release or store may take its place between two requests.

    Attributes:
        name: The project.
        options: The limits.
        variants: Which release answers which row.
        inputs: What a row of a request holds.
        lookups: The online store that fills rows; None: there is none.
        draining: Whether the server is about to end.
    """

    def __init__(self, name: str, options: Options, log: PredictionLog | None, measures: Measures, tell: Tell) -> None:
        self.name, self.options, self.measures = name, options, measures
        self._log, self._tell = log, tell
        self.variants = Variants()
        self.inputs = Inputs({}, "", options.max_rows)
        self.lookups: Lookups | None = None
        self.draining = False
        self._batches = Batches(
            self._answered, self._late, (options.queue_rows, options.batch_rows, options.timeout_ms / 1000)
        )

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

    def fits(self, store: Store) -> bool:
        """Whether a store holds every feature of the release."""
        return store.key == self.inputs.key and store.holds(self.inputs.schema)

    async def ask(self, rows: Sequence[Row], identity: str, fills: Sequence[Filled] = ()) -> list[dict[str, Any]]:
        """The answers to rows, written down; where the lookup says why, the fallback's.

        Raises:
            Refused: 503: too many rows wait already.
        """
        if any(fill.reason for fill in fills):
            answers = await self._some_asked(rows, fills)
        else:
            answers = await self._batches.ask(rows)
        told = named(answers, identity)
        if self._log is not None:
            keys = ({} if self.inputs.key not in row else {self.inputs.key: row[self.inputs.key]} for row in rows)
            lines = [line | key for line, key in zip(told, keys, strict=True)]
            if self.options.log == "inputs":
                lines = [line | {"inputs": row} for line, row in zip(lines, rows, strict=True)]
            if fills:
                lines = [{**line, **(fill.about or {})} for line, fill in zip(lines, fills, strict=True)]
            self._log.write(lines)
        return told

    async def _some_asked(self, rows: Sequence[Row], fills: Sequence[Filled]) -> list[dict[str, Any]]:
        asked = [row for row, fill in zip(rows, fills, strict=True) if not fill.reason]
        by_model = iter(await self._batches.ask(asked) if asked else [])
        champion = self.variants.champion
        by_fallback = [champion.fallback(fill.reason) for fill in fills if fill.reason]
        self.measures.answers(by_fallback)
        others = iter(by_fallback)
        return [next(others) if fill.reason else next(by_model) for fill in fills]

    def _answered(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """The answers to a batch."""
        self.measures.batch(len(rows), self._batches.waiting_rows)
        shares = self.variants.shares(rows)
        if len(shares) == 1:
            return self._answered_by(shares[0].answerer, rows)
        answers: dict[int, dict[str, Any]] = {}
        for answerer, places in shares:
            answers |= zip(places, self._answered_by(answerer, [rows[place] for place in places]), strict=True)
        return [answers[place] for place in range(len(rows))]

    def _answered_by(self, answerer: Answerer, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """The answers of one release; where its model fails, the fallback's."""
        try:
            answers = answerer.answers(self.inputs, rows)
        except Exception as error:  # noqa: BLE001 - the fallback answers, whatever failed
            if len(rows) > 1:  # one bad row must not spoil the others
                return [self._answered_by(answerer, [row])[0] for row in rows]
            if not isinstance(error, DataError):
                self._tell(f"the model failed: {type(error).__name__}: {error}")
            answers = [answerer.fallback(MODEL_ERROR)]
        self.measures.answers(answers)
        return answers

    def _late(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        champion = self.variants.champion
        answers = [champion.fallback(TIMEOUT) for _ in rows]
        self.measures.answers(answers)
        return answers


def named(answers: Sequence[dict[str, Any]], identity: str) -> list[dict[str, Any]]:
    """Answers with an id each: the request's, and of several rows the row's place behind it."""
    return [{"id": identity if len(answers) == 1 else f"{identity}/{place}"} | a for place, a in enumerate(answers)]
