"""What most users had lately: the same for everybody, and the floor under every other recommender.

Use it alone where users are never known again. Whatever learns more must beat it: trends are often all there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.recommend.forms import Popular
from mlctl.recommenders import Fitted, Interactions, Learning, RecommenderOptions
from mlctl.times import Duration, duration

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_WINDOWS: Final = ("7d", "30d", "90d", "365d")
_TOP: Final = 50
_LATEST_SHARE: Final = 0.1


class Options(RecommenderOptions):
    """Options of popularity."""

    kind: Literal["popularity"] = Field(default="popularity", description="popularity")
    window: Duration | None = Field(
        default=None,
        description="how far back users are counted; default: what foretells the latest tenth of the events best",
    )


EXAMPLE: Final[dict[str, object]] = {"kind": "popularity", "window": "30d"}


def fit(options: Options, learning: Learning) -> Fitted:
    """Counts the different users of each item within the window."""
    import numpy as np

    events = learning.events
    window = options.window or _foretelling(events)
    counts = _users_of_items(events, _since(events, window)) if len(events.time) else np.zeros(events.items)
    # those outside of the window follow, by all that is known, so that there is always a next one
    ever = _users_of_items(events, np.ones(len(events.time), bool))
    score = counts + ever / (1.0 + ever.max(initial=0.0))
    return Fitted(
        Popular((np.log1p(score) / max(1e-12, float(np.log1p(score.max(initial=0.0))))).astype(np.float32)),
        told={"window": window},
    )


def _since(events: Interactions, window: str | None) -> Array:
    import numpy as np

    if window is None:
        return np.ones(len(events.time), bool)
    within: Array = events.time >= events.time.max() - int(duration(window).total_seconds() * 1e6)
    return within


def _users_of_items(events: Interactions, chosen: Array) -> Array:
    found: Array = events.only(chosen).users_of_items.astype("float64")
    return found


def _foretelling(events: Interactions) -> str | None:
    """The window whose most popular items were had most often in the latest tenth of the events, counted before it."""
    import numpy as np

    if not len(events.time):
        return None
    begins = np.quantile(events.time, 1.0 - _LATEST_SHARE, method="lower")
    before, latest = events.only(events.time < begins), events.only(events.time >= begins)
    if not len(before.time):
        return None
    had = np.bincount(latest.item, minlength=events.items)
    best: tuple[int, str | None] = (-1, None)
    for window in (None, *reversed(_WINDOWS)):
        counts = _users_of_items(before, _since(before, window))
        order = np.argsort(-counts, kind="stable")[:_TOP]
        found = int(had[order].sum())
        if found > best[0]:
            best = (found, window)
    return best[1]
