"""Does the vector index still hold what it was made for? What `mlctl decay` measured last, against `index.decay`.

Use it for a recommender, with `mlctl decay` on a schedule. Not for projects without vectors: it has nothing to judge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from mlctl.findings import Finding
from mlctl.index import decay
from mlctl.monitors import Measured, MonitorOptions, Window
from mlctl.spec import Decay

if TYPE_CHECKING:
    from mlctl.sketches import Baseline


class Options(MonitorOptions):
    """Options of the decay of an index."""

    kind: Literal["index_decay"] = Field(default="index_decay", description="index_decay")
    limits: Decay = Field(default_factory=Decay, description="what an index may lose before it is told")


EXAMPLE: Final[dict[str, object]] = {"kind": "index_decay", "severity": "warn", "limits": {"overlap": 0.6}}


def measure(options: Options, window: Window, baseline: Baseline | None) -> list[Measured]:
    """Recall by filter, the share of stray items, the neighbours kept since a week, the age of the oldest vector."""
    facts = window.facts.get("index")
    if facts is None:
        return []
    found = [Measured("recall", one["filter"], one["recall"], low=facts["objective"]) for one in facts["recall"]]
    found.append(Measured("stray_share", "index", decay.stray_share(facts["strays"]), high=options.limits.orphans))
    found.append(Measured("neighbour_overlap", "index", facts["overlap"], low=options.limits.overlap))
    found.append(Measured("oldest_days", "index", facts["ages"]["oldest_days"]))
    return found


def observe(options: Options, window: Window, baseline: Baseline | None) -> list[Finding]:
    """What is beyond its limit; a note where nothing was measured yet."""
    facts = window.facts.get("index")
    if facts is None:
        return [Finding("note", "index", f"{window.day}", "no measurement", "one by `mlctl decay`")]
    return decay.findings(facts, options.limits, options.severity)
