"""What the name and the values of a column hint at: a unit, a person, a zone. Every guess says its evidence.

A guess by values wants nearly all of a sample to agree; numbers with check digits (cards, IBAN) are reckoned. A guess
is for people to confirm: `mlctl discover` writes it down as a guess and asks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import polars as pl

_AGREE_SHARE: Final = 0.98
_DIFFERENT_LEAST: Final = 20
_QUIET_H: Final = 6
_QUIET_SHARE: Final = 0.1
_NIGHT: Final = 4
_HOURS_ROWS_LEAST: Final = 500

_PERSONAL_NAMES: Final = {
    "email": r"e_?mail",
    "phone": r"phone|mobile|fax",
    "name": r"(first|last|sur|family|given|full|middle|maiden)_?name|^name$",
    "address": r"address|street|zip|postcode|postal",
    "place": r"^(lat|latitude|lon|lng|longitude)$|geo_?(lat|lon)",
    "birth date": r"birth|^dob$",
    "ip address": r"^ip$|ip_addr|remote_addr",
    "identity number": r"(^|_)ssn$|passport|national_id|tax_(id|number)|social_security|driver.?s?_licen",
    "card number": r"(card|pan)_?(no|num|number)$|credit_card$",
    "iban": r"(^|_)iban($|_)",
}
_PERSONAL_VALUES: Final = {
    "email": r"^[^@\s]+@[^@\s]+\.[A-Za-z]{2,}$",
    "ip address": r"^(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])$"
    r"|^(?:[0-9A-Fa-f]{1,4}:){3,7}[0-9A-Fa-f:]+$",
    "phone": r"^(?:\+[0-9]|\([0-9]{3}\) ?[0-9])[0-9 ()./-]{6,}$",
    "identity number": r"^[0-9]{3}-[0-9]{2}-[0-9]{4}$|^[A-CEGHJ-PR-TW-Z]{2} ?(?:[0-9]{2} ?){3}[A-D]$",
    "address": r"(?i)^[0-9]+[a-z]? .*\b(street|st|avenue|ave|road|rd|lane|drive|dr|boulevard|blvd)\b"
    r"|(?:straße|strasse|str\.|weg|platz|allee) [0-9]+",
}
_UNITS: Final = {
    "eur": r"(^|_)eur(o|os)?($|_)",
    "usd": r"(^|_)(usd|dollars?)($|_)",
    "gbp": r"(^|_)gbp($|_)",
    "cents": r"(^|_)cents?($|_)",
    "percent": r"percent|pct",
    "ms": r"(^|_)(ms|millis|milliseconds)$",
    "s": r"(^|_)(s|sec|secs|seconds)$",
    "min": r"(^|_)(mins|minutes)$",
    "h": r"(^|_)hours?($|_per_week$)",
    "days": r"(^|_)days?$",
    "months": r"(^|_)(months?|tenure)$",
    "years": r"^age$|(^|_)years?$",
    "kg": r"(^|_)kg$",
    "g": r"(^|_)grams?$",
    "km": r"(^|_)km$",
    "m": r"(^|_)(meters?|metres?)$",
    "bytes": r"(^|_)bytes$",
}
_MONEY: Final = r"amount|price|cost|value|charge|salary|revenue|disc(ount)?$|sales"
_SHARE: Final = r"share|ratio|rate|prob"


class Guess(NamedTuple):
    """A word, and why.

    Attributes:
        word: What is guessed, such as `eur` or `email`; None where only the evidence is to be told.
        why: The evidence, for people.
    """

    word: str | None
    why: str


def unit(name: str, values: pl.Series) -> Guess | None:
    """The unit of a column of numbers, by its name and its range; None where nothing hints at one.

    Args:
        name: The column's name in snake case.
        values: Its values, none missing.
    """
    if not len(values) or not values.dtype.is_numeric():
        return None
    least, most = float(values.min()), float(values.max())  # type: ignore[arg-type]
    if re.search(r"time|date|stamp|_at$|^ts$", name) and least > 1e11 and most < 1e13:
        return Guess("epoch ms", f"unit: milliseconds since 1970, for all lie in {least:g} to {most:g}")
    word = next((word for word, pattern in _UNITS.items() if re.search(pattern, name)), None)
    if word == "years" and name != "age" and least >= 1900 and most <= 2100:
        return Guess(None, "a calendar year: all values lie in 1900 to 2100")
    if word is not None:
        return Guess(word, f"unit {word} by its name; values {least:g} to {most:g}")
    return _share_or_money(name, least, most)


def _share_or_money(name: str, least: float, most: float) -> Guess | None:
    if re.search(_SHARE, name):
        if least >= 0 and most <= 1:
            return Guess("share", "a share: by its name, and all values lie in 0 to 1")
        if least >= 0 and 1 < most <= 100:
            return Guess(None, f"percent, or a rate? by its name, and its values lie in {least:g} to {most:g}")
    return Guess(None, "money by its name; which currency?") if re.search(_MONEY, name) else None


def personal(name: str, sample: pl.Series) -> Guess | None:
    """What a column may tell about a person, by its values or else by its name.

    Args:
        name: The column's name in snake case.
        sample: Some of its values as text, none missing.
    """
    if not len(sample):
        return None
    for word, pattern in _PERSONAL_VALUES.items():
        if _agrees(sample, pattern):
            return Guess(word, f"{word}: by its values")
    for word, pattern, holds in _CHECKED:
        if _agrees(sample, pattern) and _share(sample, holds) >= _AGREE_SHARE:
            return Guess(word, f"{word}: by its values, whose check digits hold")
    # a flag such as `phone_service` names no number
    if sample.n_unique() > _DIFFERENT_LEAST:
        for word, pattern in _PERSONAL_NAMES.items():
            if re.search(pattern, name):
                return Guess(word, f"{word}: by its name")
    return None


def luhn(digits: str) -> bool:
    """Whether the last digit of a card number is the check digit of the others (ISO/IEC 7812).

    >>> luhn("4111 1111 1111 1111"), luhn("4111 1111 1111 1112")
    (True, False)
    """
    figures = [int(character) for character in reversed(digits) if character.isdigit()]
    doubled = [2 * figure - 9 * (figure > 4) for figure in figures[1::2]]
    return bool(figures) and (sum(figures[::2]) + sum(doubled)) % 10 == 0


def iban(text: str) -> bool:
    """Whether the check digits of an account number hold (ISO 13616).

    >>> iban("DE89 3704 0044 0532 0130 00"), iban("DE88 3704 0044 0532 0130 00")
    (True, False)
    """
    packed = text.replace(" ", "").upper()
    return (
        packed.isalnum()
        and packed.isascii()
        and int("".join(str(int(c, 36)) for c in packed[4:] + packed[:4])) % 97 == 1
    )


def zone(hours: Sequence[int]) -> str | None:
    """What the hours of a day tell about the zone that times were written in; None where they tell nothing.

    People sleep around 4 o'clock. Where the six quietest hours lie elsewhere, the times were written in another zone.

    Args:
        hours: Rows at each hour of the day, 24 of them.
    """
    rows = sum(hours)
    if rows and hours[0] == rows:
        return None
    if rows < _HOURS_ROWS_LEAST:
        return None
    windows = [sum(hours[(start + step) % 24] for step in range(_QUIET_H)) for start in range(24)]
    least = min(windows)
    starts = [start for start, count in enumerate(windows) if count == least]
    start = starts[len(starts) // 2]
    share = least / rows
    if share > _QUIET_SHARE:
        return f"no quiet night in the hours of the day ({share:.0%} in the six quietest): many zones, or machines"
    middle = (start + _QUIET_H // 2) % 24
    ahead = (middle - _NIGHT + 12) % 24 - 12
    told = f"quietest from {start:02d} to {(start + _QUIET_H) % 24:02d} o'clock as written ({share:.1%} of the rows)"
    if abs(ahead) <= 1:
        return f"{told}: a night, so local time is likely"
    side = "later" if ahead > 0 else "earlier"
    return f"{told}: about {abs(ahead)} h {side} than a night, as if written in UTC at a place of UTC{-ahead:+d}"


def _agrees(sample: pl.Series, pattern: str) -> bool:
    return float(sample.str.contains(pattern).mean() or 0) >= _AGREE_SHARE  # type: ignore[arg-type]


def _share(sample: pl.Series, holds: Callable[[str], bool]) -> float:
    return sum(holds(text) for text in sample) / len(sample)


_CHECKED: Final = (
    ("iban", r"^[A-Z]{2}[0-9]{2} ?[A-Z0-9 ]{10,38}$", iban),
    ("card number", r"^[3-6][0-9]{3}[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{1,7}$", luhn),
)
