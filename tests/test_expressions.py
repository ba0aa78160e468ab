"""SQL over features: each expression sees its own row, behind what it reads, and nothing beyond."""

from __future__ import annotations

import polars as pl
import pytest

from mlctl.errors import DataError
from mlctl.features import fulfils, row_expression
from mlctl.plan import AS_OF
from mlctl.plan.compute import compute
from tests.test_plan import DAY, T, planned, spine, tables


def test_expressions_are_computed_behind_what_they_read_and_come_out_where_they_were_written():
    features = {
        "twice": {"kind": "sql", "sql": "more * 2"},
        "more": {"kind": "sql", "sql": "orders + 1"},
        "orders": {"kind": "count", "source": "orders"},
    }
    found = tables([("a", T - DAY, 1.0)])

    row = compute(planned(features, found), found, spine(("a", T))).drop("customer_id", AS_OF)

    assert row.to_dicts() == [{"twice": 4.0, "more": 2.0, "orders": 1.0}]


@pytest.mark.parametrize(
    ("sqls", "why"),
    [
        ({"x": "y + 1", "y": "x + 1"}, "wait for each other: x, y"),
        ({"x": "x + 1"}, "wait for each other: x"),
        ({"x": "orderz + 1"}, "did you mean 'orders'?"),
        ({"x": "orders +"}, "cannot be computed"),
        ({"orders_": "1", "x": "orders; drop table y"}, "cannot be computed"),
    ],
)
def test_an_expression_that_cannot_be_computed_is_refused_before_anything_is(sqls, why):
    features = {
        "orders": {"kind": "count", "source": "orders"},
        **{name: {"kind": "sql", "sql": sql} for name, sql in sqls.items()},
    }

    with pytest.raises(DataError) as caught:
        planned(features, tables([]))
    assert why in str(caught.value)


@pytest.mark.parametrize(
    "sql", ["orders / 0", "0 / 0", "ln(orders - orders)", "orders / (orders - orders)", "sqrt(0 - 1 - orders)"]
)
def test_what_is_not_finite_is_missing(sql):
    found = tables([("a", T - DAY, 1.0)])
    features = {"orders": {"kind": "count", "source": "orders"}, "x": {"kind": "sql", "sql": sql}}

    assert compute(planned(features, found), found, spine(("a", T), ("b", T)))["x"].to_list() == [None, None]


BEYOND = ["spend / avg(spend)", "max(spend)", "count(*)", "spend - lag(spend) over (order by spend)", "row_number() over (order by spend)", "corr(spend, spend)", "covar(spend, spend)", "quantile_cont(spend, 0.5)",
          "median(spend)", "first(spend)", "stddev(spend)", "spend + count(distinct spend)",
          "spend > (select 1)", "now()", "current_date", "CURRENT_TIMESTAMP"]  # fmt: skip


@pytest.mark.parametrize("sql", BEYOND)
def test_an_expression_that_looks_at_other_rows_or_at_the_clock_is_refused(sql):
    found = tables([("a", T - DAY, 1.0)])
    features = {"spend": {"kind": "sum", "source": "orders", "column": "amount"}}

    with pytest.raises(DataError, match="cannot be computed"):
        planned({**features, "x": {"kind": "sql", "sql": sql}}, found)
    with pytest.raises(DataError, match="cannot be computed"):
        fulfils(pl.DataFrame({"spend": [1.0, 2.0]}), sql, "cohorts.x")
    where = {"kind": "count", "source": "orders", "where": sql.replace("spend", "amount")}
    with pytest.raises(DataError, match="cannot be computed"):
        compute(planned({"f": where}, found), found, spine(("a", T)))


OWN = ["spend / nullif(spend, 0)", "case when spend > 1 then 'now()' else 'Len' end", "coalesce(spend, 0) + 1", "spend between 1 and 2", "name in ('Agg', 'x')",
       "upper(name) like 'A%'", "length(name)", "greatest(spend, 1)", "round(ln(spend), 2)", "name || 'Sort'", "not (spend is null)", "cast(spend as int)",
       "substr(name, 1, 1)", "Len + Agg", "sqrt(abs(spend))", "1.5", "name = 'current_date'", "strpos(name, 'x')", "left(name, 1)",
       "replace(name, 'A', 'b')", "spend % 2", "pow(spend, 2)", "concat(name, 'x')", "if(spend > 1, 1, 0)", "sign(spend)", "mod(spend, 2)"]  # fmt: skip


@pytest.mark.parametrize("sql", OWN)
def test_an_expression_over_its_own_row_is_computed(sql):
    rows = pl.DataFrame({"spend": [1.0, 2.0], "name": ["a", "Agg"], "Len": [1, 2], "Agg": [3, 4]})

    assert rows.select(row_expression(sql)).height in (1, 2)
