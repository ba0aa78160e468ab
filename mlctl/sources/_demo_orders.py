"""What the people of the demo company buy: orders, and the items of each."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from mlctl.sources._demo_people import DAY, ORIGIN, People, at, customer_id, joined, people, seconds
from mlctl.sources._demo_random import MILLION, below, bits, chosen, waiting

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Whole = np.ndarray[Any, Any]

COUPONS_BEGIN: Final = datetime(2025, 9, 1, tzinfo=UTC)
CENTS_DAY: Final = datetime(2026, 3, 14, tzinfo=UTC)
FADING: Final = 75 * DAY
"""Before they leave for good, people buy less often and less."""
_CATEGORIES: Final = ("coffee", "tea", "snacks", "home", "garden", "toys", "books", "care")


def orders_table(customers: int, seed: int, end: int) -> pl.DataFrame:
    """The orders before a moment, with the troubles that `mlctl explain sources.demo` lists.

    Grain: one row per delivery of an order (some are delivered twice). Time: `ordered_at`.
    """
    import numpy as np
    import polars as pl

    known = people(customers, seed, end)
    number, turn, moment, fading = _moments(known, seed, end)
    who = known.number[number]
    has_app = moment >= seconds(COUPONS_BEGIN)
    pick = below(bits(seed, "channel", who, turn), 100)
    channel = np.where(has_app & (pick < 30), "app", np.where(pick < 60, "web", np.where(pick < 90, "store", "phone")))
    cents = known.basket[number] * (40 + below(bits(seed, "amount", who, turn), 121)) // np.where(fading, 150, 100)
    wrong_unit = (channel == "store") & (moment // DAY == seconds(CENTS_DAY) // DAY)
    lost = below(bits(seed, "no amount", who, turn), 1000) < 2
    coupon = has_app & (below(bits(seed, "coupon", who, turn), 100) < 15)
    no_clock = below(bits(seed, "no clock", who, turn), 20_000) == 0
    table = pl.DataFrame(
        {
            "order_id": order_id(who, turn),
            "customer_id": customer_id(who),
            "ordered_at": at("ordered_at", np.where(no_clock, -int(ORIGIN.timestamp()), moment)),
            "amount_eur": pl.Series(cents * np.where(wrong_unit, 100, 1) / 100).set(pl.Series(lost), None),
            "discount_share": pl.Series(chosen(bits(seed, "discount", who, turn), (0, 0, 0, 5, 10, 20)) / 100),
            "channel": pl.Series(channel),
            "status": pl.Series(np.where(below(bits(seed, "status", who, turn), 100) < 4, "returned", "paid")),
            "coupon": pl.Series(np.where(coupon, "SAVE10", "")).replace("", None),
            "again": pl.Series(below(bits(seed, "again", who, turn), 1000) < 3),
        }
    )
    delivered = pl.concat([table, table.filter("again")]).drop("again")
    return _with_local_time(delivered).sort("ordered_at", "order_id", maintain_order=True)


def items_table(customers: int, seed: int, end: int) -> pl.DataFrame:
    """The lines of the orders before a moment; they add up to the order's amount in euros.

    Grain: one row per line of an order. Time: `ordered_at`.
    """
    import numpy as np
    import polars as pl

    known = people(customers, seed, end)
    number, turn, moment, fading = _moments(known, seed, end)
    who = known.number[number]
    cents = known.basket[number] * (40 + below(bits(seed, "amount", who, turn), 121)) // np.where(fading, 150, 100)
    lines = 1 + below(bits(seed, "lines", who, turn), 3)
    parts = []
    for line in range(3):
        has = lines > line
        first = cents[has] - cents[has] // lines[has] * (lines[has] - 1)
        price = first if line == 0 else cents[has] // lines[has]
        item = below(bits(seed, "item", who[has], turn[has], line), 1200)
        parts.append(
            pl.DataFrame(
                {
                    "order_id": order_id(who[has], turn[has]),
                    "line": pl.Series(np.full(int(has.sum()), line + 1)),
                    "item_id": "i" + pl.Series(item).cast(pl.String).str.zfill(4),
                    "category": pl.Series(np.asarray(_CATEGORIES)[item % len(_CATEGORIES)]),
                    "quantity": pl.Series(1 + below(bits(seed, "quantity", who[has], turn[has], line), 3)),
                    "price_eur": pl.Series(price / 100),
                    "ordered_at": at("ordered_at", moment[has]),
                }
            )
        )
    return pl.concat(parts).sort("ordered_at", "order_id", "line")


def order_id(who: Whole, turn: Whole) -> pl.Series:
    """Ids such as o000123-004: the customer's number and how many orders came before."""
    import polars as pl

    texts = pl.Series("order_id", who).cast(pl.String).str.zfill(6), pl.Series(turn).cast(pl.String).str.zfill(3)
    return ("o" + texts[0] + "-" + texts[1]).alias("order_id")


def _moments(known: People, seed: int, end: int) -> tuple[Whole, Whole, Whole, Whole]:
    """Every order before `end`: position of its customer, its turn, its moment, and whether the customer is fading.

    A customer's orders hang on that customer alone, so a later `end` only adds orders.
    """
    import numpy as np

    position, moment = np.arange(len(known.number)), known.signed_up.copy()
    found: list[tuple[Whole, ...]] = []
    turn = 0
    while len(position):
        fading = moment > known.leaves[position] - FADING
        gap = known.gap[position] * np.where(fading, 2, 1) * np.where(_festive(moment), 7, 10) // 10
        wait = waiting(bits(seed, "order", known.number[position], turn))
        # the first order follows the signup within hours
        moment = moment + (gap if turn else np.minimum(gap, DAY)) // 1000 * wait // (MILLION // 1000) + 1
        there = (moment < known.leaves[position]) & (moment < end)
        position, moment = position[there], moment[there]
        fading = moment > known.leaves[position] - FADING
        found.append((position, np.full(len(position), turn), moment, fading))
        turn += 1
    position, turns, moment, fading = joined(found, 4)
    return position, turns, moment, fading.astype(bool)


def _festive(moment: Whole) -> Whole:
    """November and December: the high season."""
    import numpy as np

    days = np.datetime64(ORIGIN.date()) + moment // DAY
    result: Whole = days.astype("datetime64[M]").astype(np.int64) % 12 >= 10
    return result


def _with_local_time(orders: pl.DataFrame) -> pl.DataFrame:
    """The till's own text of the time: local with its offset in stores, UTC everywhere else."""
    import polars as pl

    local = pl.col("ordered_at").dt.convert_time_zone("Europe/Berlin").dt.strftime("%Y-%m-%dT%H:%M:%S%:z")
    utc = pl.col("ordered_at").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    return orders.with_columns(pl.when(pl.col("channel") == "store").then(local).otherwise(utc).alias("ordered_local"))
