"""The people of the demo company: who signs up when, what they are like, how long they stay; their table over time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from mlctl.sources._demo_random import MILLION, below, bits, chosen, waiting

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Whole = np.ndarray[Any, Any]

DAY: Final = 86_400
ORIGIN: Final = datetime(2024, 1, 1, tzinfo=UTC)
REFERENCE: Final = datetime(2026, 11, 1, tzinfo=UTC)
NONE, MONTHLY, ANNUAL = 0, 1, 2
PLANS: Final = ("none", "monthly", "annual")
# mean days from signup to leaving for good, and mean days between orders, by plan
_STAY_DAYS: Final = (450, 800, 2000)
_GAP_DAYS: Final = (7, 9, 11, 13, 15, 18, 21, 25, 29, 34, 41, 49, 59, 73, 90, 120)
_ANNUAL_GAP_DAYS: Final = (35, 45, 60, 75, 90, 110, 130, 160)
_COUNTRIES: Final = ("DE", "DE", "DE", "DE", "AT", "CH", "FR", "FR", "ES", "NL")
_CITIES: Final = ("München", "Köln", "Berlin", "Wien", "Zürich", "Lyon", "Nîmes", "Málaga", "Utrecht", "Düsseldorf")


@dataclass(frozen=True)
class People:
    """Hidden facts of everybody who signed up before a moment; arrays of one length, times in seconds since ORIGIN.

    Attributes:
        number: The customer's number, from 0.
        signed_up: When they came.
        leaves: When they stop buying for good.
        plan: NONE, MONTHLY or ANNUAL at signup.
        gap: Mean seconds between two orders.
        basket: Typical basket in cents.
    """

    number: Whole
    signed_up: Whole
    leaves: Whole
    plan: Whole
    gap: Whole
    basket: Whole


def seconds(moment: datetime) -> int:
    """Whole seconds from ORIGIN to a moment, rounded up: what happens in whole seconds is before both or neither.

    >>> seconds(datetime(2024, 1, 1, 0, 1, 0, 500_000, tzinfo=UTC))
    61
    """
    return -((ORIGIN - moment) // timedelta(seconds=1))


def people(customers: int, seed: int, end: int) -> People:
    """Everybody who signed up before `end` (seconds since ORIGIN), `customers` of them evenly before REFERENCE."""
    import numpy as np

    span, until = seconds(REFERENCE), max(0, end)
    number = np.arange(customers * until // span + 1, dtype=np.int64)
    signed_up = number * span // customers + below(bits(seed, "signup", number), max(1, span // customers))
    number, signed_up = number[signed_up < until], signed_up[signed_up < until]
    share = below(bits(seed, "plan", number), 1000)
    plan = np.where(share < 180, ANNUAL, np.where(share < 520, MONTHLY, NONE))
    stay = np.asarray(_STAY_DAYS, dtype=np.int64)[plan] * DAY
    gap = np.where(
        plan == ANNUAL,
        chosen(bits(seed, "gap", number), _ANNUAL_GAP_DAYS),
        chosen(bits(seed, "gap", number), _GAP_DAYS),
    )
    basket = chosen(bits(seed, "basket", number), (1200, 1800, 2500, 3200, 4500, 6000, 9000, 15000))
    leaves = signed_up + stay // 1000 * waiting(bits(seed, "stay", number)) // (MILLION // 1000)
    return People(number, signed_up, leaves, plan, gap * DAY, basket)


def customers_table(customers: int, seed: int, end: int) -> pl.DataFrame:
    """The slowly changing table: one row at signup, one more at each change.

    Grain: one row per customer and change. Time: `changed_at`.
    """
    import numpy as np
    import polars as pl

    known = people(customers, seed, end)
    parts = []
    for version in range(3):
        late = below(bits(seed, "change", known.number, version), 1000) < 350
        wait = 200 * DAY // 1000 * waiting(bits(seed, "change at", known.number, version)) // (MILLION // 1000)
        moment = known.signed_up + version * 30 * DAY + wait if version else known.signed_up
        there = (moment < end) & (late if version else np.ones(len(late), dtype=bool))
        parts.append(_version(known, seed, version, moment, there))
    return pl.concat(parts).sort("changed_at", "customer_id", maintain_order=True)


def customer_id(number: Whole) -> pl.Series:
    """Customer numbers as the ids that every table holds, such as c000123."""
    import polars as pl

    text = pl.Series("customer_id", number).cast(pl.String).str.zfill(6)
    return ("c" + text).alias("customer_id")


def at(name: str, moment: Whole) -> pl.Series:
    """Seconds since ORIGIN as a column of UTC moments."""
    import polars as pl

    microseconds = (moment + int(ORIGIN.timestamp())) * MILLION
    return pl.Series(name, microseconds).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def joined(parts: list[tuple[Whole, ...]], columns: int) -> tuple[Whole, ...]:
    """Parts of the same columns put behind each other; empty columns when there is no part."""
    import numpy as np

    nothing = np.zeros(0, dtype=np.int64)
    return tuple(np.concatenate([nothing, *(part[column] for part in parts)]) for column in range(columns))


def damaged(text: str) -> str:
    """A text whose UTF-8 bytes were read as Windows-1252."""
    return text.encode("utf-8").decode("cp1252", errors="replace")


def _version(known: People, seed: int, version: int, moment: Whole, there: Whole) -> pl.DataFrame:
    """The rows of one version of everybody who has it."""
    import numpy as np
    import polars as pl

    number = known.number[there]
    # plans other than annual contracts come and go with the versions
    switched = (known.plan[there] + version * (below(bits(seed, "switch", number), 10) < 4)) % 2
    plan = np.where(known.plan[there] == ANNUAL, ANNUAL, switched)
    place = below(bits(seed, "city", number, version // 2), len(_CITIES))
    broken = below(bits(seed, "city damaged", number), 1000) < 12
    cities = np.where(broken, np.asarray([damaged(city) for city in _CITIES])[place], np.asarray(_CITIES)[place])
    country = np.asarray(_COUNTRIES)[below(bits(seed, "country", number), len(_COUNTRIES))]
    unknown = pl.Series(below(bits(seed, "no country", number), 1000) < 20)
    born = 1945 + below(bits(seed, "born", number), 60)
    return pl.DataFrame(
        {
            "customer_id": customer_id(number),
            "changed_at": at("changed_at", moment[there]),
            "signed_up_at": at("signed_up_at", known.signed_up[there]),
            "plan": pl.Series(np.asarray(PLANS)[plan]),
            "country": pl.Series(country).set(unknown, None),
            "city": pl.Series(cities),
            "birth_year": pl.Series(born).set(pl.Series(below(bits(seed, "no birth", number), 100) < 15), None),
            "email": "user" + pl.Series(number * 3 + version).cast(pl.String) + "@example.com",
            "consent": pl.Series(below(bits(seed, "consent", number, version), 100) < 70),
        }
    )
