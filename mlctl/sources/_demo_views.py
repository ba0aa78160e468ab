"""What the people of the demo company look at: products with texts, and views that have tastes, trends and novelties.

What there is to be found, in falling order: a person's two or three tastes (niches, which the texts of products tell);
hot products, others every fortnight; crowds (which no text tells: people of one crowd look at the same few products of
any niche); companions (whoever looked at a product often looks at its companion next); new products every week.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mlctl.sources._demo_people import DAY, at, customer_id, joined, people
from mlctl.sources._demo_random import MILLION, below, bits, waiting

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Whole = np.ndarray[Any, Any]

CATEGORIES: Final = {
    "coffee": ("espresso", "filter", "decaf", "cold brew", "beans"),
    "tea": ("green", "black", "herbal", "rooibos", "matcha"),
    "snacks": ("nuts", "chocolate", "crackers", "dried fruit", "bars"),
    "home": ("candles", "cushions", "lamps", "vases", "blankets"),
    "garden": ("seeds", "pots", "tools", "feeders", "lanterns"),
    "toys": ("puzzles", "blocks", "dolls", "trains", "games"),
    "books": ("crime", "travel", "cooking", "poetry", "history"),
    "care": ("soap", "lotion", "shampoo", "oils", "balm"),
}
NICHES: Final = tuple((category, niche) for category, niches in CATEGORIES.items() for niche in niches)
_ADJECTIVES: Final = (
    "dark",
    "mild",
    "fine",
    "classic",
    "bright",
    "small",
    "large",
    "soft",
    "bold",
    "wild",
    "pure",
    "warm",
)
_ORIGINS: Final = ("Alba", "Brezza", "Cala", "Dora", "Elba", "Fjord", "Gaia", "Hulda", "Isola", "Juno", "Kora", "Luna")
_FIRST: Final = -500 * DAY
_EVERY: Final = 26 * DAY
_FORTNIGHT: Final = 14 * DAY
_HOT: Final = 25
_CROWDS: Final = 24
_OF_CROWD: Final = 30
_MOST_TURNS: Final = 300
_ROBOT: Final = 0
"""The number of the customer who is a program."""
_ROBOT_VIEWS: Final = 6000
_ROBOT_EVERY: Final = 2 * 3600


def products_table(customers: int, seed: int, end: int) -> pl.DataFrame:
    """The products that were launched before a moment; how many there are does not hang on the people.

    Grain: one row per product. Time: `launched_at`.
    """
    import numpy as np
    import polars as pl

    number = np.arange(len(NICHES) * _launched(end), dtype=np.int64)
    launch = _launch(seed, number)
    number, launch = number[launch < end], launch[launch < end]
    niche = number % len(NICHES)
    words = [np.asarray(_ADJECTIVES)[below(bits(seed, f"word {n}", number), len(_ADJECTIVES))] for n in range(3)]
    origin = np.asarray(_ORIGINS)[below(bits(seed, "origin", number), len(_ORIGINS))]
    kind = np.asarray([name for _, name in NICHES])[niche]
    category = np.asarray([name for name, _ in NICHES])[niche]
    told = list(zip(*words, origin, kind, category, strict=True))
    titles = [f"{one.capitalize()} {kind} {origin}" for one, _, _, origin, kind, _ in told]
    texts = [
        f"{two.capitalize()} and {three} {kind}, for {category} lovers" for _, two, three, _, kind, category in told
    ]
    table = pl.DataFrame(
        {
            "product_id": product_id(number),
            "launched_at": at("launched_at", launch),
            "title": titles,
            "description": texts,
            "category": category.tolist(),
            "price_eur": pl.Series((300 + below(bits(seed, "price", number), 4700)) / 100),
        }
    )
    return table.sort("launched_at", "product_id", maintain_order=True)


def views_table(customers: int, seed: int, end: int) -> pl.DataFrame:
    """The views before a moment, with their troubles.

    Three in a thousand are delivered twice, one in 20,000 says 1970, one in a thousand names a product that was
    withdrawn, and one customer is a program that looks at everything.

    Grain: one row per delivery of a view. Time: `viewed_at`.
    """
    import numpy as np
    import polars as pl

    who, turn, moment, item = _views(customers, seed, end)
    withdrawn = below(bits(seed, "withdrawn", who, turn), 1000) == 0
    no_clock = below(bits(seed, "view clock", who, turn), 20_000) == 0
    again = below(bits(seed, "view again", who, turn), 1000) < 3
    ids = product_id(np.where(withdrawn, 900_000 + item, item))
    table = pl.DataFrame(
        {
            "view_id": "v" + customer_id(who).str.slice(1) + "-" + pl.Series(turn).cast(pl.String).str.zfill(4),
            "customer_id": customer_id(who),
            "product_id": ids,
            "viewed_at": at("viewed_at", np.where(no_clock, -1_704_067_200, moment)),
            "seconds": pl.Series(3 + waiting(bits(seed, "dwell", who, turn)) * 40 // MILLION),
            "again": pl.Series(again),
        }
    )
    delivered = pl.concat([table, table.filter("again")]).drop("again")
    return delivered.sort("viewed_at", "view_id", maintain_order=True)


def product_id(number: Whole) -> pl.Series:
    """Product numbers as ids such as p00042."""
    import polars as pl

    return ("p" + pl.Series("product_id", number).cast(pl.String).str.zfill(5)).alias("product_id")


def _launched(end: int) -> int:
    """How many products of a niche have begun to be launched before `end`."""
    return max(1, (end - _FIRST) // _EVERY + 1)


def _launch(seed: int, number: Whole) -> Whole:
    return _FIRST + number // len(NICHES) * _EVERY + below(bits(seed, "launch", number), _EVERY)


def _views(customers: int, seed: int, end: int) -> tuple[Whole, Whole, Whole, Whole]:
    """Every view before `end`: the customer's number, the turn, the moment, the product.

    A customer's views hang on that customer alone, so a later `end` only adds views.
    """
    import numpy as np

    known = people(customers, seed, end)
    position, moment = np.arange(len(known.number)), known.signed_up.copy()
    item = np.full(len(position), -1, dtype=np.int64)
    found: list[tuple[Whole, ...]] = [_of_robot(seed, end)]
    position, moment, item = (part[known.number != _ROBOT] for part in (position, moment, item))
    turn = 0
    while len(position) and turn < _MOST_TURNS:
        number = known.number[position]
        gap = known.gap[position] * 2
        # a visit is a few views within the hour
        visit = below(bits(seed, "visit", number, turn), 100) < 60
        wait = np.where(visit & (turn > 0), 40 * 60, np.minimum(gap, DAY) if turn == 0 else gap)
        moment = moment + wait * waiting(bits(seed, "view", number, turn)) // MILLION + 1
        there = (moment < known.leaves[position]) & (moment < end)
        position, moment, item = position[there], moment[there], item[there]
        item = _chosen(seed, known.number[position], turn, (moment, item))
        found.append((known.number[position], np.full(len(position), turn), moment, item))
        turn += 1
    who, turns, moments, items = joined(found, 4)
    return who, turns, moments, items


def _of_robot(seed: int, end: int) -> tuple[Whole, ...]:
    """The program's views: every two hours, anything that is launched."""
    import numpy as np

    turn = np.arange(_ROBOT_VIEWS, dtype=np.int64)
    moment = DAY + turn * _ROBOT_EVERY + below(bits(seed, "robot", turn), _ROBOT_EVERY)
    turn, moment = turn[moment < end], moment[moment < end]
    launched = np.maximum((moment - _FIRST) // _EVERY, 1) * len(NICHES)
    item = (bits(seed, "robot looks", turn) % launched.astype(np.uint64)).astype(np.int64)
    return np.full(len(turn), _ROBOT), turn, moment, item


def _chosen(seed: int, who: Whole, turn: int, now: tuple[Whole, Whole]) -> Whole:
    """What somebody looks at: of a taste, of the crowd, of what is hot, or the companion of the product before."""
    import numpy as np

    moment, before = now
    pick = below(bits(seed, "why", who, turn), 100)
    taste = below(bits(seed, "taste", who, _skewed(seed, "which taste", who, turn, 3)), len(NICHES))
    of_taste = _of_niche(seed, taste, (who, turn, moment))
    crowd = below(bits(seed, "crowd", who), _CROWDS)
    place = _skewed(seed, "place in crowd", who, turn, _OF_CROWD)
    of_crowd = _early(seed, "of crowd", crowd * _OF_CROWD + place, moment)
    hot = moment // _FORTNIGHT * _HOT + _skewed(seed, "place in hot", who, turn, _HOT)
    of_hot = _early(seed, "hot", hot, moment)
    companion = _early(seed, "companion", np.maximum(before, 0), moment)
    of_companion = np.where(before >= 0, companion, of_taste)
    chosen: Whole = np.select([pick < 42, pick < 66, pick < 84], [of_taste, of_crowd, of_hot], of_companion)
    return chosen


def _of_niche(seed: int, niche: Whole, asked: tuple[Whole, int, Whole]) -> Whole:
    """A product of a niche that is launched by then: newer ones are looked at more."""
    import numpy as np

    who, turn, moment = asked
    ago = np.maximum((moment - _FIRST) // _EVERY, 1)
    first, second = (below(bits(seed, f"rank {n}", who, turn), MILLION) for n in range(2))
    back = np.minimum(first * second // MILLION * ago // MILLION, ago - 1)
    # the newest that has certainly begun is one step back
    chosen: Whole = (ago - 1 - back) * len(NICHES) + niche
    return chosen


def _early(seed: int, stream: str, number: Whole, moment: Whole) -> Whole:
    """One of the products that were launched when the number's own story began, and surely by the moment."""
    import numpy as np

    since = np.maximum((moment - _FIRST) // _EVERY, 1)
    size = since * len(NICHES) if stream == "hot" else np.full(len(number), -_FIRST // _EVERY * len(NICHES))
    found: Whole = (bits(seed, stream, number) % size.astype(np.uint64)).astype(np.int64)
    return found


def _skewed(seed: int, stream: str, who: Whole, turn: int, limit: int) -> Whole:
    """A place 0 .. limit - 1, the first ones likelier."""
    first, second = (below(bits(seed, f"{stream} {n}", who, turn), MILLION) for n in range(2))
    found: Whole = first * second // MILLION * limit // MILLION
    return found
