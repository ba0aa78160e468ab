"""The demo company: the same in any process, growing, with the troubles that it tells."""

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlctl import kinds
from mlctl.files import sha256_of
from mlctl.sources import Window
from tests.sources import read, written

TABLES = {
    "customers": "a347c63f0fbbba42b7f46378ee5c54697c187c234578110129d6e70ce9a94435",
    "orders": "8a78ff77cb9b19728664de3571801e9645fe1f65e003673caedcb7ba7d1efd16",
    "items": "acef8218d68e61c69de9962af06c027c1e17e2be74678b28382b3a04bdb45423",
    "messages": "66ab0b3311d0e5ef58e2a8b3cc5d1ac85cd73d405f66b892d150bbda9605a082",
    "labels": "fb0eddd24840805ec9d02341a84b2bf2f558d3fc058ea7f8e841fd4cc27c22cf",
}
REFERENCE = datetime(2026, 11, 1, tzinfo=UTC)
NO_CLOCK = datetime(1970, 1, 1, tzinfo=UTC)


@cache
def company(table: str, end: datetime = REFERENCE, customers: int = 2000, seed: int = 7) -> pl.DataFrame:
    return read("demo", Window(None, end), table=table, customers=customers, seed=seed)


def real_orders(end: datetime = REFERENCE) -> pl.DataFrame:
    """Each order once, without those whose clock was wrong."""
    return company("orders", end).filter(pl.col("ordered_at") > NO_CLOCK).unique(maintain_order=True)


@pytest.mark.parametrize("table", TABLES)
def test_the_demo_company_has_not_changed_unnoticed(table: str) -> None:
    # who changes it on purpose pins the new hash, and every snapshot of it has to be taken again
    assert sha256_of(company(table, customers=200).write_csv()) == TABLES[table]


@pytest.mark.parametrize(("threads", "hash_seed"), [("1", "1"), ("4", "77")])
def test_every_table_of_the_demo_company_is_the_same_in_any_process(threads: str, hash_seed: str) -> None:
    program = (
        "import sys; from datetime import datetime, UTC; from mlctl.files import sha256_of\n"
        "from mlctl.sources import Window, demo\n"
        "for name in sys.argv[1:]:\n"
        "    options = demo.Options(table=name, customers=200)\n"
        "    rows = demo.scan(options, Window(None, datetime(2026, 11, 1, tzinfo=UTC))).collect()\n"
        "    sys.stdout.write(name + ' ' + sha256_of(rows.write_csv()) + '\\n')"
    )
    machine = {**os.environ, "POLARS_MAX_THREADS": threads, "PYTHONHASHSEED": hash_seed, "TZ": "Asia/Tokyo"}
    other = subprocess.run(
        [sys.executable, "-c", program, *TABLES], env=machine, capture_output=True, text=True, check=True
    )
    assert dict(line.split() for line in other.stdout.splitlines()) == TABLES


@pytest.mark.parametrize("table", TABLES)
def test_a_later_moment_only_adds_rows_to_the_demo_company(table: str) -> None:
    later = company(table)
    time = pl.col(kinds.load("sources", "demo").Options(table=table).time_column())
    between = later.select(time).to_series()[later.height // 2] + timedelta(microseconds=1)
    for end in (datetime(2026, 3, 15, tzinfo=UTC), between):
        earlier = company(table, end)
        known = time > NO_CLOCK
        assert 0 < earlier.height < later.height
        assert_frame_equal(earlier.filter(known), later.filter(known & (time < end)))
        assert earlier.filter(~known).join(later, on=earlier.columns, how="anti", nulls_equal=True).height == 0


def test_the_demo_company_has_its_customers_by_the_reference_moment_and_goes_on_at_that_pace() -> None:
    days = (REFERENCE - datetime(2024, 1, 1, tzinfo=UTC)).days
    for customers in (100, 2000):
        assert company("customers", customers=customers)["customer_id"].n_unique() == customers
    later = company("customers", REFERENCE + timedelta(days=days))
    assert later["customer_id"].n_unique() == pytest.approx(4000, abs=1)
    assert company("orders", REFERENCE + timedelta(days=90)).height > company("orders").height
    twice = company("orders", customers=4000).height / company("orders").height
    assert twice == pytest.approx(2, rel=0.1)
    assert not company("customers", seed=8).equals(company("customers"))


def test_the_first_row_of_every_demo_customer_is_the_signup_and_later_rows_tell_changes() -> None:
    rows = company("customers")
    first = rows.group_by("customer_id").agg(pl.all().sort_by("changed_at").first())
    assert (first["changed_at"] == first["signed_up_at"]).all()
    assert 1.2 < rows.height / first.height < 2
    assert rows.group_by("customer_id").agg(pl.col("plan").n_unique())["plan"].max() == 2
    assert first.select((pl.col("plan") == "annual").mean()).item() == pytest.approx(0.18, abs=0.03)


def test_demo_orders_come_twice_lack_amounts_and_have_lost_their_clock_as_often_as_told() -> None:
    orders = company("orders")
    assert orders.height - orders["order_id"].n_unique() == orders.height - orders.unique().height
    assert (orders.height - orders.unique().height) / orders.height == pytest.approx(0.003, abs=0.001)
    assert orders["amount_eur"].null_count() / orders.height == pytest.approx(0.002, abs=0.001)
    assert 1 <= orders.filter(pl.col("ordered_at") == NO_CLOCK).height <= 10
    assert (real_orders()["ordered_at"] > datetime(2024, 1, 1, tzinfo=UTC)).all()


def test_demo_coupons_and_the_app_begin_on_the_first_of_september_2025() -> None:
    change = datetime(2025, 9, 1, tzinfo=UTC)
    orders = real_orders()
    before, after = orders.filter(pl.col("ordered_at") < change), orders.filter(pl.col("ordered_at") >= change)
    assert before["coupon"].null_count() == before.height
    assert set(before["channel"]) == {"web", "store", "phone"}
    assert after.select(pl.col("coupon").is_not_null().mean()).item() == pytest.approx(0.15, abs=0.02)
    assert set(after["channel"]) == {"web", "store", "phone", "app"}
    first_day = after.filter(pl.col("ordered_at") < change + timedelta(days=1))
    assert "app" in first_day["channel"]
    assert "SAVE10" in first_day["coupon"]


def test_the_unit_of_demo_amounts_is_wrong_in_stores_on_one_day_and_nowhere_else() -> None:
    wrong = (pl.col("ordered_at").dt.date() == date(2026, 3, 14)) & (pl.col("channel") == "store")
    cents = (pl.col("price_eur") * 100).round().cast(pl.Int64).sum().alias("cents")
    lines = company("items").group_by("order_id").agg(cents)
    orders = real_orders().filter(pl.col("amount_eur").is_not_null()).join(lines, on="order_id")
    factor = (pl.col("amount_eur") * 100).round().cast(pl.Int64) / pl.col("cents")
    assert orders.height == real_orders()["amount_eur"].drop_nulls().len()
    assert orders.filter(wrong).select(factor.unique()).to_series().to_list() == [100]
    assert orders.filter(~wrong).select(factor.unique()).to_series().to_list() == [1]


def test_the_local_texts_of_demo_orders_name_the_same_moments_with_mixed_offsets(tmp_path: Path) -> None:
    orders = real_orders()
    stores = pl.col("channel") == "store"
    assert set(orders.filter(stores)["ordered_local"].str.slice(-6)) == {"+01:00", "+02:00"}
    assert orders.filter(~stores)["ordered_local"].str.ends_with("Z").all()
    table = read("csv", path=written(orders.select("ordered_local"), "csv", tmp_path), time="ordered_local")
    assert table["ordered_local"].to_list() == orders["ordered_at"].to_list()


def test_demo_texts_and_cities_hold_some_damage_and_facts_are_missing_as_often_as_told() -> None:
    customers, messages = company("customers", customers=20_000), company("messages", customers=20_000)
    for texts, share in ((customers["city"], 0.012), (messages["text"], 1 / 60)):
        accented = texts.filter(texts.str.contains(r"[^\x00-\x7f]"))
        assert accented.str.contains("Ã").mean() == pytest.approx(share, rel=0.2)
    assert messages["text"].str.contains("fÃ¼r|Ã©").any()
    assert not messages["text"].str.contains("{n}", literal=True).any()
    assert customers["country"].null_count() / customers.height == pytest.approx(0.02, abs=0.003)
    assert customers["birth_year"].null_count() / customers.height == pytest.approx(0.15, abs=0.01)


def test_demo_labels_arrive_half_a_day_to_twenty_days_behind_their_message() -> None:
    both = company("labels").join(company("messages"), on="message_id", how="left")
    waits = both["labelled_at"] - both["sent_at"]
    assert both["sent_at"].null_count() == 0
    assert waits.is_between(timedelta(hours=12), timedelta(days=20)).all()
    unlabelled = company("messages").join(company("labels"), on="message_id", how="anti")
    assert 0 < unlabelled.height < 200
    assert (unlabelled["sent_at"] >= REFERENCE - timedelta(days=20)).all()
    assert set(both["team"]) == {"billing", "delivery", "returns", "account", "product"}


def test_who_will_stop_buying_can_be_learnt_from_the_past_of_the_demo_company() -> None:
    as_of = REFERENCE - timedelta(days=90)
    past = real_orders(as_of).group_by("customer_id").agg(last=pl.col("ordered_at").max())
    future = real_orders().filter(pl.col("ordered_at") >= as_of)["customer_id"].unique()
    plans = company("customers", as_of).group_by("customer_id").agg(pl.col("plan").last())
    people = plans.join(past, on="customer_id").with_columns(
        churned=~pl.col("customer_id").is_in(future.implode()), silent=as_of - pl.col("last")
    )
    churned = int(people["churned"].sum())
    ranks = float(people["silent"].rank("average").filter(people["churned"]).sum())
    area = (ranks - churned * (churned + 1) / 2) / (churned * (people.height - churned))

    assert 0.3 < churned / people.height < 0.6
    assert 0.7 < area < 0.95
    quiet = people.filter(pl.col("silent") > timedelta(days=60))
    gone = dict(quiet.group_by("plan").agg(pl.col("churned").mean()).rows())
    assert gone["annual"] < gone["none"] - 0.15


def test_demo_orders_peak_at_the_end_of_the_year() -> None:
    months = dict(real_orders().group_by(pl.col("ordered_at").dt.strftime("%Y-%m")).len().rows())
    assert months["2025-12"] > 1.2 * months["2025-10"]
    assert months["2025-12"] > 1.2 * months["2026-02"]
