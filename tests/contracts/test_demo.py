"""The demo company beyond what holds for every source: its edges, its windows, its wrong labels, its signals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlctl.sources import Window, demo
from mlctl.sources._demo_messages import _TEMPLATES, TEAMS
from mlctl.sources._demo_people import DAY, ORIGIN, customer_id, damaged, people, seconds

REFERENCE = datetime(2026, 11, 1, tzinfo=UTC)
TIMES = {
    "customers": "changed_at",
    "orders": "ordered_at",
    "items": "ordered_at",
    "messages": "sent_at",
    "labels": "labelled_at",
}


@cache
def company(table: str, end: datetime = REFERENCE, start: datetime | None = None, customers: int = 500) -> pl.DataFrame:
    return demo.scan(demo.Options(table=table, customers=customers), Window(start, end)).collect()


@pytest.mark.parametrize("table", TIMES)
@pytest.mark.parametrize("end", [datetime(2023, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)])
def test_before_its_beginning_there_is_nobody_and_the_columns_are_the_same(table, end):
    assert company(table, end).height == 0
    assert company(table, end).schema == company(table).schema


@pytest.mark.parametrize("table", TIMES)
def test_a_row_is_in_the_window_from_the_first_microsecond_behind_it(table):
    moments = company(table)[TIMES[table]]
    moment = moments[len(moments) // 2]

    at, behind = company(table, moment), company(table, moment + timedelta(microseconds=1))

    assert moment not in at[TIMES[table]]
    assert moment in behind[TIMES[table]]
    assert company(table, moment + timedelta(microseconds=1), moment)[TIMES[table]].unique().to_list() == [moment]


@pytest.mark.parametrize("table", TIMES)
def test_days_put_behind_each_other_are_the_whole(table):
    begin = datetime(2026, 3, 10, tzinfo=UTC)
    days = [company(table, begin + timedelta(days=n + 1), begin + timedelta(days=n)) for n in range(10)]

    assert_frame_equal(pl.concat(days), company(table, begin + timedelta(days=10), begin))


@pytest.mark.parametrize("table", TIMES)
def test_rows_stand_in_the_order_of_their_time_and_no_key_is_missing(table):
    rows = company(table)

    assert rows[TIMES[table]].is_sorted()
    assert rows[TIMES[table]].null_count() == rows[:, 0].null_count() == 0
    assert rows.schema[TIMES[table]] == pl.Datetime("us", "UTC")


@pytest.mark.parametrize("customers", [10, 500, 2000])
def test_as_many_customers_have_signed_up_by_the_reference_as_are_asked_for(customers):
    assert company("customers", customers=customers)["customer_id"].n_unique() == customers


def test_every_message_and_every_order_is_of_somebody_who_has_signed_up():
    signed_up = company("customers").group_by("customer_id").agg(pl.col("signed_up_at").first())
    for table in ("orders", "messages"):
        rows = company(table).join(signed_up, on="customer_id", how="left")
        assert rows["signed_up_at"].null_count() == 0
        real = rows.filter(pl.col(TIMES[table]) > datetime(1970, 1, 1, tzinfo=UTC))
        assert (real[TIMES[table]] > real["signed_up_at"]).all()


def test_one_label_in_fifty_names_the_next_team():
    teams = {
        form: team for team, forms in zip(TEAMS, _TEMPLATES, strict=True) for form in (*forms, *map(damaged, forms))
    }
    rows = company("labels", customers=20_000).join(company("messages", customers=20_000), on="message_id")
    plain = pl.col("text").str.replace(r"\d{4,6}", "{n}")

    told = rows.with_columns(true=plain.replace_strict(teams))
    wrong = told.filter(pl.col("team") != pl.col("true"))

    assert wrong.height / rows.height == pytest.approx(1 / 50, rel=0.15)
    following = dict(zip(TEAMS, (*TEAMS[1:], TEAMS[0]), strict=True))
    assert (wrong["team"] == wrong["true"].replace_strict(following)).all()


def test_who_is_about_to_leave_writes_about_half_as_much_again():
    end, fading = seconds(REFERENCE), 75 * DAY
    known = people(4000, 7, end)
    hidden = pl.DataFrame({"customer_id": customer_id(known.number), "came": known.signed_up, "leaves": known.leaves})
    hidden = hidden.filter((pl.col("leaves") < end) & (pl.col("came") < pl.col("leaves") - fading))
    moment = pl.col("sent_at").dt.epoch("s") - int(ORIGIN.timestamp())
    rows = company("messages", customers=4000).join(hidden, on="customer_id").filter(moment <= pl.col("leaves"))

    last = rows.filter(moment > pl.col("leaves") - fading).height / (hidden.height * fading)
    before = (
        rows.filter(moment <= pl.col("leaves") - fading).height
        / hidden.select(pl.col("leaves") - fading - pl.col("came")).sum().item()
    )

    # the wait under way when the fading begins keeps its mean of 220 days, only the next one is four times shorter: in
    # 75 days the rate is 1 + 3 * (1 - 220/75 * (1 - exp(-75/220))) = 1.46 of the usual one
    assert last / before == pytest.approx(1.46, abs=0.2)


def test_another_number_of_customers_or_another_seed_is_refused_where_it_makes_no_sense():
    for wrong in ({"customers": 9}, {"customers": 50_000_001}, {"seed": -1}, {"table": "people"}):
        with pytest.raises(ValueError, match=r"."):
            demo.Options.model_validate({"table": "orders", **wrong})
