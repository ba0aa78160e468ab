"""What kind of change a change of a key is: the kind says how far it reaches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from mlctl.lineage.facts import leaves

KINDS: Final = (
    *("metadata", "alert-only", "serving-only", "evaluation-only", "model-only"),
    *("feature-additive", "feature-breaking", "label-breaking", "data", "code"),
)
"""From what reaches least to what reaches most."""
_BY_SECTION: Final = {
    **dict.fromkeys(("name", "about", "owner", "cost"), "metadata"),
    **dict.fromkeys(("monitors", "alerts", "respond"), "alert-only"),
    **dict.fromkeys(("serving", "decide", "rollout", "database", "engine", "schedule"), "serving-only"),
    **dict.fromkeys(("metrics", "cohorts", "gate", "probes", "waivers", "champion"), "evaluation-only"),
    **dict.fromkeys(("model", "encoding", "tune"), "model-only"),
    **dict.fromkeys(("sources", "checks", "features", "entity", "items", "admitted"), "feature-breaking"),
    **dict.fromkeys(("label", "split"), "label-breaking"),
    "mlctl": "code",
}
_WORDS: Final = frozenset({"about", "notes", "owner", "unit"})
"""Keys that only people read, wherever they stand."""


@dataclass(frozen=True)
class Change:
    """A key that is not as it was: dotted, with both values for people (empty: it is not there), and its kind."""

    key: str
    before: str
    now: str
    kind: str

    def record(self) -> dict[str, str]:
        """The change as JSON-ready data."""
        return asdict(self)


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """Every key that two composed configurations say differently, in the order in which they are written."""
    then, here = dict(leaves(before)), dict(leaves(now))
    keys = [key for key in dict.fromkeys([*here, *then]) if then.get(key) != here.get(key)]
    told = [tuple("" if key not in values else str(values[key]) for values in (then, here)) for key in keys]
    return [Change(key, was, is_, kind_of(key, before)) for key, (was, is_) in zip(keys, told, strict=True)]


def kind_of(key: str, before: Mapping[str, Any]) -> str:
    """The kind of a change of a dotted key, by what there was before.

    >>> kind_of("features.orders.windows", {}), kind_of("features.orders.windows", {"features": {"orders": 1}})
    ('feature-additive', 'feature-breaking')
    >>> kind_of("features.orders.about", {"features": {"orders": 1}}), kind_of("refresh.promote", {})
    ('metadata', 'serving-only')
    """
    section, _, rest = key.partition(".")
    if section == "refresh":
        return "data" if rest == "as_of" else "serving-only"
    if section in ("features", "sources") and rest.partition(".")[0] not in (before.get(section) or {}):
        return "feature-additive"
    if _WORDS & set(rest.split(".")):
        return "metadata"
    return _BY_SECTION.get(section, "serving-only")
