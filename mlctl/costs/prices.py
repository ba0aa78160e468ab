"""From what was taken to money."""

from __future__ import annotations

from typing import Final

from mlctl.costs.ledger import Entry
from mlctl.spec import Cost

GIB: Final = 2**30
_HOUR_S: Final = 3600


def money(prices: Cost, entry: Entry) -> float:
    """What one line of the ledger cost.

    >>> from datetime import datetime, UTC
    >>> from mlctl.costs.ledger import Spent
    >>> line = Entry(datetime(2026, 11, 1, tzinfo=UTC), "shop", "score", Spent(cpu_s=1800), predictions=1000)
    >>> money(Cost(cpu_hour=0.04, prediction=0.001), line)
    1.02
    """
    written = entry.spent.written_bytes / GIB * prices.gib_written
    return entry.spent.cpu_s / _HOUR_S * prices.cpu_hour + written + entry.predictions * prices.prediction
