"""Rows by their key: what a request does not say is looked up in the online store, and the store asked by itself.

`/get-online-features` takes and gives what Feast's server does, with the age of every value beside it. A value that is
older than its feature may be is null, and its status says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from mlctl.errors import did_you_mean, listed
from mlctl.online import Store
from mlctl.server.inputs import Inputs, Refused
from mlctl.times import moment_text

UNKNOWN_ENTITY: Final = "unknown_entity"
STALE_FEATURE: Final = "stale_feature"
PRESENT: Final = "PRESENT"
NULL: Final = "NULL_VALUE"
NOT_FOUND: Final = "NOT_FOUND"
STALE: Final = "OUTSIDE_MAX_AGE"
_NEVER: Final = "1970-01-01T00:00:00Z"


class Filled(NamedTuple):
    """A row after the lookup.

    Attributes:
        row: The row as far as it is known.
        reason: Why the fallback must answer it; empty when the model can.
        about: For the log: the `store` that it was filled from, and what it had `said` itself; None when it was not.
    """

    row: Any
    reason: str
    about: Mapping[str, Any] | None


class Lookups:
    """One generation of the online store, and the clock that says how old it is."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self.store, self._now = store, now

    def filled(self, said: Any, inputs: Inputs, where: str) -> Filled:
        """A row with the features that it does not name.

        A row that names no key, or every feature, is left as it is; what a row says goes before what is looked up.

        Raises:
            Refused: 422: the key is no key.
        """
        key = self.store.key
        if not isinstance(said, dict) or said.get(key) is None or said.keys() >= inputs.schema.keys():
            return Filled(said, "", None)
        found = self.store.row(inputs.key_text(said[key], f"{where}{key}"))
        if found is None:
            return Filled({**dict.fromkeys(inputs.schema), **said}, UNKNOWN_ENTITY, None)
        reason = ""
        for served in self.store.stale(self._now()):
            if served.name in inputs.schema and served.name not in said:
                found[served.name] = None
                reason = STALE_FEATURE if served.when_stale == "fallback" else reason
        about = {"store": self.store.id, "said": [name for name in said if name != key]}
        return Filled({**{name: found[name] for name in inputs.schema}, **said}, reason, about)

    def answered(self, said: Any, inputs: Inputs) -> dict[str, Any]:
        """The answer to a body of `/get-online-features`.

        Raises:
            Refused: 400 or 422: the body is not as Feast's, names another key, or a feature that is not there.
        """
        if not isinstance(said, dict):
            raise Refused(400, "the body must be an object with `entities`, and `features` when not all are wanted")
        keys = self._keys(said.get("entities"), inputs)
        names = self._names(said.get("features"))
        now = self._now()
        stale = {served.name for served in self.store.stale(now)}
        found = [self.store.row(key) for key in keys]
        given = said["entities"][self.store.key]
        shown = [name.split(":", 1)[-1] for name in names]
        results = [{"values": given, "statuses": [PRESENT] * len(keys), "event_timestamps": [_NEVER] * len(keys)}]
        for name in shown:
            served = self.store.features[name]
            age_s = (now - served.newest).total_seconds()
            states = [_state(row, name, name in stale) for row in found]
            values = [
                row[name] if row is not None and state == PRESENT else None
                for row, state in zip(found, states, strict=True)
            ]
            written = moment_text(served.newest)
            results.append(
                {
                    "values": values,
                    "statuses": states,
                    "event_timestamps": [_NEVER if row is None else written for row in found],
                    "ages_s": [None if row is None else round(age_s, 3) for row in found],
                }
            )
        full = said.get("full_feature_names") is True
        titles = [name.replace(":", "__", 1) if full else plain for name, plain in zip(names, shown, strict=True)]
        about = {"generation": self.store.id, "as_of": moment_text(self.store.as_of)}
        return {"metadata": {"feature_names": [self.store.key, *titles], **about}, "results": results}

    def _keys(self, entities: Any, inputs: Inputs) -> list[str]:
        key = self.store.key
        if not isinstance(entities, dict) or list(entities) != [key] or not isinstance(entities[key], list):
            raise Refused(422, f"wanted an object with one array of keys, such as {{{key!r}: [1, 2]}}", "entities")
        inputs.allow(len(entities[key]))
        return [inputs.key_text(one, f"entities.{key}[{place}]") for place, one in enumerate(entities[key])]

    def _names(self, features: Any) -> list[str]:
        """The features asked for, as they were said: NAME or VIEW:NAME; all where none is."""
        if features is None:
            return list(self.store.features)
        if not isinstance(features, list):
            raise Refused(422, "wanted an array of names", "features")
        for place, name in enumerate(features):
            plain = name.split(":", 1)[-1] if isinstance(name, str) else ""
            if plain not in self.store.features:
                near = did_you_mean(plain, self.store.features) or f"there are {listed(self.store.features)}"
                raise Refused(422, f"no such feature; {near}", f"features[{place}]")
        return features


def _state(row: Mapping[str, Any] | None, name: str, is_stale: bool) -> str:
    if row is None:
        return NOT_FOUND
    if is_stale:
        return STALE
    return NULL if row[name] is None else PRESENT


def all_filled(lookups: Lookups | None, said: Any, inputs: Inputs) -> tuple[Any, Sequence[Filled]]:
    """A body of `/predict` with what could be looked up, and what was done to each row; nothing without a store.

    Raises:
        Refused: 422: a key is no key, or there are too many rows.
    """
    if lookups is None:
        return said, ()
    if isinstance(said, list):
        inputs.allow(len(said))
        fills = [lookups.filled(row, inputs, f"[{place}].") for place, row in enumerate(said)]
        return [fill.row for fill in fills], fills
    fill = lookups.filled(said, inputs, "")
    return fill.row, [fill]
