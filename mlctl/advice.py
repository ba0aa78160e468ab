"""Right-sizing: what could be smaller, rarer or left out, each with the numbers that say so.

Every rule looks at what the ledger measured and says nothing where too little was measured. It advises and changes
nothing; what a feature is worth is read from the importance that the adopted model gives it, which a person should
doubt before leaving it out: `mlctl run projects/NAME '~features.NAME'` tells what it costs in the metric.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mlctl.costs import ledger, money
from mlctl.costs.ledger import Entry
from mlctl.report.disk import read as read_disk
from mlctl.spec import Project
from mlctl.workspace import Places

_MIB: Final = 2**20
_HEADROOM: Final = 1.5
"""Memory that is asked for, in peaks that were seen."""
_FEW: Final = 3
"""Fewer runs, or stretches of serving, say nothing."""
_DEAR_SHARE: Final = 0.2
_USELESS_SHARE: Final = 0.001
_IDLE_SHARE: Final = 0.5
_ONE_CORE: Final = 1.2
_BUSY: Final = 0.05
_LONG_S: Final = 60.0


@dataclass(frozen=True)
class Advice:
    """One thing that could be smaller.

    Attributes:
        about: What it is about: `memory`, `feature`, `cadence`, `cores` or `workers`.
        say: What to do.
        because: The numbers.
    """

    about: str
    say: str
    because: str

    def record(self) -> dict[str, Any]:
        """The advice as JSON-ready data."""
        return dict(vars(self))


def advise(places: Places, project: Project) -> list[Advice]:
    """What could be smaller, by everything that the ledger holds.

    Raises:
        IntegrityError: A report of a stage is damaged.
    """
    entries = [entry for entry in ledger.read(places) if entry.outcome != "failed"]
    found = [*_memory(entries), *_cadence(project, entries), *_cores(entries), *_workers(entries)]
    return [*found, *_features(places, project, entries)]


def _memory(entries: Sequence[Entry]) -> Iterator[Advice]:
    served = [entry.spent.peak_bytes for entry in entries if entry.act == "serve"]
    if served:
        asked = _HEADROOM * max(served) / _MIB
        because = f"a serving process held {max(served) / _MIB:,.0f} MiB at most, of {len(served)} stretches"
        yield Advice("memory", f"give a serving process {asked:,.0f} MiB", because)


def _cadence(project: Project, entries: Sequence[Entry]) -> Iterator[Advice]:
    runs: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.run:
            runs.setdefault(entry.run, []).append(entry)
    idle = [own for own in runs.values() if all(entry.act in ("run", "compose") for entry in own)]
    if len(runs) < _FEW or len(idle) < _IDLE_SHARE * len(runs):
        return
    cost = sum(money(project.cost, entry) for own in idle for entry in own)
    because = f"{len(idle)} of {len(runs)} runs found nothing to do and cost {cost:.2g} {project.cost.currency}"
    yield Advice("cadence", f"run less often than every {project.cost.every}, or when data came", because)


def _cores(entries: Sequence[Entry]) -> Iterator[Advice]:
    """Long stages that use one processor: more of them would stand idle."""
    for act in dict.fromkeys(entry.act for entry in entries):
        own = [entry for entry in entries if entry.act == act and entry.spent.wall_s >= _LONG_S]
        wall_s, cpu_s = (sum(getattr(entry.spent, name) for entry in own) for name in ("wall_s", "cpu_s"))
        if act not in ("run", "serve") and len(own) >= _FEW and cpu_s <= _ONE_CORE * wall_s:
            because = f"{cpu_s:,.0f} s of processors in {wall_s:,.0f} s, over {len(own)} times"
            yield Advice("cores", f"more than one core does nothing for {act}", because)


def _workers(entries: Sequence[Entry]) -> Iterator[Advice]:
    own = [entry for entry in entries if entry.act == "serve" and entry.spent.wall_s >= _LONG_S]
    wall_s, cpu_s = (sum(getattr(entry.spent, name) for entry in own) for name in ("wall_s", "cpu_s"))
    if len(own) >= _FEW and cpu_s < _BUSY * wall_s:
        answered = sum(entry.predictions for entry in own)
        because = f"serving took {cpu_s / wall_s:.1%} of a core for {answered:,} answers in {wall_s / 3600:,.1f} h"
        yield Advice("workers", "one worker is enough; ask for a tenth of a core", because)


def _features(places: Places, project: Project, entries: Sequence[Entry]) -> Iterator[Advice]:
    """Features that cost much of the computing, and that the adopted model hardly uses."""
    disk = read_disk(places, project)
    shares = (disk.trained or {}).get("models", {}).get(disk.own(), {}).get("importance")
    if not shares:
        return
    seconds: dict[str, float] = {}
    for entry in entries:
        if entry.act in ("features", "score"):
            for name, value in entry.details.get("seconds", {}).items():
                seconds[name] = seconds.get(name, 0.0) + value
    whole = sum(seconds.values())
    for name, value in sorted(seconds.items(), key=lambda item: -item[1]):
        used = sum(share for column, share in shares.items() if _is_of(column, name))
        if value >= _DEAR_SHARE * whole and used < _USELESS_SHARE:
            because = f"{value / whole:.0%} of the computing of features, {used:.2%} of the model's importance"
            yield Advice("feature", f"try without {name}: mlctl run {places.folder} '~features.{name}'", because)


def _is_of(column: str, feature: str) -> bool:
    """Whether a column of the model is made of a feature: `orders_30d`, or `plan=annual`."""
    name = column.split("=", 1)[0]
    return name == feature or name.startswith(f"{feature}_")
