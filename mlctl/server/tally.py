"""How requests went, written down for monitors: statuses and seconds of each day, a file a server process.

  sketches/requests/DAY.START-PID.json     codes, seconds by bucket, bounds of the buckets

The file is replaced every few seconds and at the end; a killed process loses what came since.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from mlctl.errors import MlctlError
from mlctl.files import write_json
from mlctl.server.measures import Measures

_EVERY_S: Final = 10.0


class Tally:
    """The requests of one server process.

    Args:
        folder: Where the files go.
        now: Tells the moment.
        measures: Counts the requests.
        tell: Hears what cannot be written.
    """

    def __init__(
        self, folder: Path, now: Callable[[], datetime], measures: Measures, tell: Callable[[str], None]
    ) -> None:
        self._folder, self._now, self._measures, self._tell = folder, now, measures, tell
        self._name = f"{now():%Y%m%dT%H%M%S%f}-{os.getpid()}"
        self._days: dict[date, tuple[Counter[int], list[int]]] = {}

    async def follow(self) -> None:
        """Writes again and again, until it is cancelled; then once more."""
        try:
            while True:
                await asyncio.sleep(_EVERY_S)
                self.write()
        finally:
            self.write()

    def write(self) -> None:
        """Adds what came since the last time to its day."""
        codes, seconds = self._measures.taken()
        if not codes:
            return
        day = self._now().date()
        known, buckets = self._days.setdefault(day, (Counter(), [0] * len(seconds)))
        known.update(codes)
        buckets[:] = [one + other for one, other in zip(buckets, seconds, strict=True)]
        told = {"codes": {str(code): known[code] for code in sorted(known)}, "seconds": buckets}
        record = {"format_version": "1.0", **told, "bounds": list(self._measures.bounds)}
        try:
            write_json(self._folder / f"{day}.{self._name}.json", record)
        except MlctlError as error:
            self._tell(f"requests are not written down: {' '.join(str(error).split())}")


def added_up(records: list[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The requests of all servers of a day; None where there were none.

    >>> one = {"codes": {"200": 3}, "seconds": [2, 1], "bounds": [0.1]}
    >>> added_up([one, one])["codes"], added_up([one, one])["seconds"]
    ({'200': 6}, [4, 2])
    """
    if not records:
        return None
    codes: Counter[str] = Counter()
    for record in records:
        codes.update(record["codes"])
    seconds = [sum(counts) for counts in zip(*(record["seconds"] for record in records), strict=True)]
    return {"codes": dict(codes), "seconds": seconds, "bounds": records[0]["bounds"]}
