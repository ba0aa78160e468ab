"""`mlctl reembed --plan`: how many vectors would have to be made anew, how long that takes, what it costs, and when."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from mlctl import config, database
from mlctl.database import views
from mlctl.index import decay, generations
from mlctl.indexing.decaying import measurements
from mlctl.indexing.ground import read_ground
from mlctl.times import moment_text
from mlctl.workspace import Places

_TRIED: Final = 256
"""Items that are embedded to learn how long one takes."""


@dataclass(frozen=True)
class Plan:
    """What making vectors anew would take.

    Attributes:
        items: Items of today.
        new: Of these, without a vector.
        changed: With one of another text.
        gone: Vectors of items that are gone.
        all: Why every vector would be made anew; empty when only new and changed ones are.
        embed: How many vectors would be made.
        seconds: How long, by the measured rates.
        embedded_per_s: Vectors made a second, tried just now.
        indexed_per_s: Items loaded, built and measured a second by the last index; 0 while there is none.
        cost: `seconds` at `cpu_hour`.
        cpu_hour: Price of an hour of a processor.
        due: When by measured decay; empty while nothing moves.
        why: Why then.
    """

    items: int
    new: int
    changed: int
    gone: int
    all: str
    embed: int
    seconds: float
    embedded_per_s: float
    indexed_per_s: float
    cost: float
    cpu_hour: float
    due: str
    why: str

    def record(self) -> dict[str, Any]:
        """The plan as JSON-ready data."""
        return {"format_version": "1.0", **asdict(self)}

    def lines(self) -> list[str]:
        """The plan for people."""
        reason = self.all or f"{self.new:,} new, {self.changed:,} changed, {self.gone:,} gone"
        rate = f"{self.embedded_per_s:,.0f} vectors a second were made in a trial"
        built = f", {self.indexed_per_s:,.0f} items a second by the last index" if self.indexed_per_s else ""
        return [
            f"{self.embed:,} of {self.items:,} vectors to be made ({reason})",
            f"{self.seconds:,.1f} s ({rate}{built}), {self.cost:.6f} at {self.cpu_hour} a CPU hour",
            f"due {self.due or 'never'}: {self.why}",
        ]


def plan(places: Places, now: datetime, cpu_hour: float, fresh: bool = False) -> Plan:
    """What would be made anew now; nothing is changed.

    Args:
        places: The project's paths.
        now: The present.
        cpu_hour: Price of an hour of a processor.
        fresh: Every vector, also of items that are as they were.

    Raises:
        ConfigError: The project recommends nothing.
        IntegrityError: Release or tables are missing or damaged.
        ExternalError: The database.
    """
    ground = read_ground(places)
    catalogue = ground.catalogue()
    where = config.with_secrets(config.read_params(places).database)
    with database.open_database(where, Path.cwd()) as connection, views.told(connection):
        live = generations.live(connection, where.schema_name, places.name)
        items = {} if live is None else decay.held(connection, live.table)
    strays = decay.strays(catalogue, items)
    every = _every(None if live is None else live.stamp, str(catalogue.stamp), fresh)
    embed = strays["items"] if every else strays["missing"] + strays["changed"]
    tried = list(range(min(_TRIED, strays["items"])))
    started = time.perf_counter()
    _made_anew(ground, tried)
    rate = len(tried) / max(time.perf_counter() - started, 1e-9)
    took = {} if live is None else live.about["seconds"]
    build = sum(took.values())
    indexed = 0.0 if live is None or not build else (live.rows or 0) / build
    anything = embed or strays["gone"]
    seconds = embed / rate + (strays["items"] / indexed if indexed and anything else 0.0)
    history = [] if live is None else measurements(places, live.run_id)
    due, why = decay.due(history, ground.settings.decay, now)
    return Plan(
        strays["items"],
        strays["missing"],
        strays["changed"],
        strays["gone"],
        every,
        embed,
        seconds,
        rate,
        indexed,
        seconds / 3600 * cpu_hour,
        cpu_hour,
        "" if due is None else moment_text(due),
        why,
    )


def _every(live: str | None, wanted: str, fresh: bool) -> str:
    """Why every vector is to be made; empty when that is not so."""
    if live is None:
        return "there is no index yet"
    if live != wanted:
        return f"the index holds vectors of {live}, the release makes those of {wanted}"
    return "asked for" if fresh else ""


def _made_anew(ground: Any, places: list[int]) -> None:
    """Makes vectors of some items from their texts, or takes them from the release where no text is read."""
    if ground.recommender.encoder is not None:
        ground.recommender.encode(ground.items[places])
    else:
        ground.catalogue().embed(places)
