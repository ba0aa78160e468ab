"""Whom the challenger answers, by the arithmetic of flagd's `fractional`.

The text `FLAG/CHALLENGER/KEY` is written as CBOR (RFC 8949) and hashed by MurmurHash3 (x86, 32 bits); the hash h falls
into part h * WHOLE / 2**32 of the traffic, and the challenger has the first parts. A larger share adds parts behind the
ones that it had, so nobody is moved back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mlctl.rollout.flag_file import CHALLENGER, CHAMPION, salt
from mlctl.rollout.record import WHOLE, Traffic

if TYPE_CHECKING:
    import numpy as np


def parts(project: str, traffic: Traffic, keys: Iterable[str]) -> np.ndarray[Any, Any]:
    """The part of the traffic that each key falls into, uint32 (keys,), from 0 to `WHOLE` - 1.

    >>> parts("churn", Traffic("aaa", "bbb"), ["c00001", "c00002"]).tolist()
    [58711, 96632]
    """
    import mmh3
    import numpy as np

    before, hashed = f"{project}{salt(traffic.challenger)}".encode(), mmh3.hash
    texts = (before + key.encode() for key in keys)
    hashes = np.fromiter((hashed(_head(len(text)) + text, signed=False) for text in texts), np.uint64)
    found: np.ndarray[Any, Any] = ((hashes * np.uint64(WHOLE)) >> np.uint64(32)).astype(np.uint32)
    return found


def to_challenger(project: str, traffic: Traffic, keys: Iterable[str]) -> np.ndarray[Any, Any]:
    """Whether the challenger answers each key, bool (keys,)."""
    found: np.ndarray[Any, Any] = parts(project, traffic, keys) < traffic.weight
    return found


def variant(project: str, traffic: Traffic, key: str) -> str:
    """Who answers this key: champion or challenger."""
    import mmh3

    if not traffic.weight:
        return CHAMPION
    text = f"{project}{salt(traffic.challenger)}{key}".encode()
    part = (mmh3.hash(_head(len(text)) + text, signed=False) * WHOLE) >> 32
    return CHALLENGER if part < traffic.weight else CHAMPION


def _head(length: int) -> bytes:
    """How CBOR begins a text of so many bytes."""
    if length < 24:
        return bytes((0x60 + length,))
    if length < 2**8:
        return bytes((0x78, length))
    if length < 2**16:
        return b"\x79" + length.to_bytes(2, "big")
    return b"\x7a" + length.to_bytes(4, "big")
