"""The rollout as a flag in flagd's format, which every OpenFeature client and a flagd daemon read.

The flag has the project's name, two variants whose values are releases, and flagd's `fractional` over the entity's key.
What else the state says is the flag's metadata, with a seal over all: a file that was edited by hand is refused.
"""

from __future__ import annotations

import json
from typing import Any, Final

from mlctl.files import canonical_json
from mlctl.rollout.record import WHOLE, Rollout

CHAMPION: Final = "champion"
CHALLENGER: Final = "challenger"
_SCHEMA: Final = "https://flagd.dev/schema/v0/flags.json"


def text_of(project: str, rollout: Rollout) -> str:
    """The file's text.

    Raises:
        ValueError: The evidence holds a NaN or an infinity.
    """
    told = rollout.record()
    champion, challenger, evidence = told.pop("champion"), told.pop("challenger"), told.pop("evidence")
    weight = told.pop("weight")
    flag: dict[str, Any] = {
        "state": "ENABLED",
        "variants": {CHAMPION: champion, **({CHALLENGER: challenger} if challenger else {})},
        "defaultVariant": CHAMPION,
        "metadata": {**told, "evidence": json.dumps(evidence, sort_keys=True, allow_nan=False), "seal": rollout.seal},
    }
    if weight:
        flag["targeting"] = {"fractional": [_hashed(challenger), [CHALLENGER, weight], [CHAMPION, WHOLE - weight]]}
    return canonical_json({"$schema": _SCHEMA, "flags": {project: flag}})


def _hashed(challenger: str) -> dict[str, Any]:
    """What flagd hashes: the challenger's id too, so that each trial has other entities in its first percent."""
    return {"cat": [{"var": "$flagd.flagKey"}, salt(challenger), {"var": "targetingKey"}]}


def salt(challenger: str) -> str:
    """What stands between the flag's key and the entity's in the text that is hashed."""
    return f"/{challenger}/"


def parsed(project: str, text: str) -> Rollout:
    """The rollout that a file's text holds.

    Raises:
        KeyError, TypeError, ValueError: It is not what `text_of` writes.
    """
    flag = json.loads(text)["flags"][project]
    told = dict(flag["metadata"])
    seal, evidence = told.pop("seal"), json.loads(told.pop("evidence"))
    weight = flag["targeting"]["fractional"][1][1] if "targeting" in flag else 0
    variants = flag["variants"]
    releases = {"champion": variants[CHAMPION], "challenger": variants.get(CHALLENGER, "")}
    rollout = Rollout.of_record({**told, **releases, "weight": weight, "evidence": evidence})
    if rollout.seal != seal or text_of(project, rollout) != text:
        raise ValueError("its seal does not hold: it was edited, or cut")
    return rollout
