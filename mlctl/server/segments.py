"""What serving takes, for the ledger: a line a quarter of an hour, and one at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

from mlctl.costs import ledger
from mlctl.costs.ledger import Entry, Meter
from mlctl.errors import MlctlError
from mlctl.server.measures import Measures
from mlctl.workspace import Places

_EVERY_S: Final = 900.0
"""A process that is killed loses no more than so much of its own cost."""


class Segments:
    """The stretches of one serving process."""

    def __init__(
        self, places: Places, measures: Measures, now: Callable[[], datetime], tell: Callable[[str], None]
    ) -> None:
        self._places, self._measures, self._now, self._tell = places, measures, now, tell
        self._began, self._meter, self._answered = now(), Meter(), 0

    async def go_on(self) -> None:
        """Ends a stretch each quarter of an hour, for ever."""
        while True:
            await asyncio.sleep(_EVERY_S)
            self.end()

    def end(self) -> None:
        """Writes the line of the stretch, and begins the next one. A line that cannot be written is told."""
        self._meter.stop()
        rows = self._measures.answered - self._answered
        entry = Entry(self._began, self._places.name, "serve", self._meter.spent, rows=rows, predictions=rows)
        try:
            ledger.append(self._places, entry)
        except MlctlError as error:
            self._tell(f"the cost of serving is not written down: {' '.join(str(error).split())}")
        self._began, self._meter, self._answered = self._now(), Meter(), self._measures.answered
