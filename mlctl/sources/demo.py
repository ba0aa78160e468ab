"""A seeded company to try everything on: it can be asked for any moment, and it grows as the moment moves on.

Its history begins on 2024-01-01 and goes on for ever; `customers` people have signed up by 2026-11-01 and others keep
coming at the same pace. People buy at their own rhythm, fade for about 75 days and leave for good; the holders of
annual contracts order rarely and come back all the same. Use it to learn and to test. Not as a stand-in for your own
data.

Tables and their event times: customers (changed_at; one row a change), orders (ordered_at), items (ordered_at),
messages (sent_at), labels (labelled_at; 0.5 to 20 days behind the message), products (launched_at; two new ones a day,
with texts), views (viewed_at; what people look at, by taste, crowd and fashion). They are fixed and already UTC: the
options time, time_zone and time_format change nothing here.

Troubles, as real data has them:
  re-delivered orders          three in a thousand order rows come twice
  missing values               amount_eur 0.2 %, country 2 %, birth_year 15 %
  impossible times             one order in 20,000 says 1970-01-01; it arrives with its real moment, so that a later
                               snapshot holds more of them; a window with a start has none
  mixed time zones             ordered_local: local with offset for stores, UTC for the other channels
  wrong encoding               of what has an accent: 1.2 % of cities, one message in sixty
  schema change 2025-09-01     coupon is null before, and channel says app from then on
  wrong unit 2026-03-14        amount_eur of that day's store orders is in cents
  wrong labels                 one message in fifty names the wrong team
  a program among the viewers  customer c000000 looks at products around the clock
  withdrawn products           one view in a thousand names a product that is in no table
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from mlctl.sources import SourceOptions, Window

if TYPE_CHECKING:
    import polars as pl

_TIMES: Final = {
    "customers": "changed_at",
    "orders": "ordered_at",
    "items": "ordered_at",
    "messages": "sent_at",
    "labels": "labelled_at",
    "products": "launched_at",
    "views": "viewed_at",
}


class Options(SourceOptions):
    """Options of the demo company."""

    kind: Literal["demo"] = Field(default="demo", description="demo")
    table: Literal["customers", "orders", "items", "messages", "labels", "products", "views"] = Field(
        description="which of its tables"
    )
    customers: int = Field(default=20_000, ge=10, le=50_000_000, description="people signed up by 2026-11-01")
    seed: int = Field(default=7, ge=0, description="seed of the company; another seed is another company")

    def time_column(self) -> str:
        """The table's event time."""
        return _TIMES[self.table]


EXAMPLE = {"kind": "demo", "table": "orders", "customers": 1000}


def scan(options: Options, window: Window) -> pl.LazyFrame:
    """The table's rows with an event time inside the window.

    Grain: as the table says. Time: the table's event time, Datetime(us, UTC).
    """
    import polars as pl

    from mlctl.sources import _demo_messages, _demo_orders, _demo_people, _demo_views

    makers = {
        "customers": _demo_people.customers_table,
        "orders": _demo_orders.orders_table,
        "items": _demo_orders.items_table,
        "messages": _demo_messages.messages_table,
        "labels": _demo_messages.labels_table,
        "products": _demo_views.products_table,
        "views": _demo_views.views_table,
    }
    rows = makers[options.table](options.customers, options.seed, _demo_people.seconds(window.end)).lazy()
    if window.start is None:
        return rows
    return rows.filter(pl.col(options.time_column()) >= window.start)
