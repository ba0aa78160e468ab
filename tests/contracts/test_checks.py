"""Every check kind: quiet on good rows, loud on bad ones, run on every row, whatever the environment says."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from mlctl import kinds
from mlctl.checks import Context
from mlctl.errors import DataError


def orders(rows: int = 10) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "order_id": [f"o{i}" for i in range(rows)],
            "customer_id": [f"c{i}" for i in range(rows)],
            "amount": [float(i) for i in range(rows)],
            "channel": ["web" for _ in range(rows)],
            "ordered_at": [datetime(2026, 1, 1, i, tzinfo=UTC) for i in range(rows)],
        },
        schema={
            "order_id": pl.String,
            "customer_id": pl.String,
            "amount": pl.Float64,
            "channel": pl.String,
            "ordered_at": pl.Datetime("us", "UTC"),
        },
    )


CUSTOMERS = pl.DataFrame({"customer_id": [f"c{i}" for i in range(10)]})


def run(kind: str, table: pl.DataFrame, **changes: Any) -> list[Any]:
    """The findings, after proving that each rule that the options count saw every row."""
    options = kinds.options("checks", {**kinds.load("checks", kind).EXAMPLE, **changes})
    context = Context(datetime(2026, 1, 2, tzinfo=UTC), {"orders": table, "customers": CUSTOMERS})
    findings: list[Any] = kinds.load("checks", kind).check(options, table, context)
    if not any(finding.severity == "fail" for finding in findings):
        assert list(context.ran.values()) == [table.height] * options.rules()
    return findings


@pytest.mark.parametrize("kind", kinds.names("checks"))
def test_good_rows_give_no_finding(kind: str) -> None:
    assert run(kind, orders()) == []


@pytest.mark.parametrize("kind", kinds.names("checks"))
def test_an_empty_table_and_an_all_null_column_do_not_crash(kind: str) -> None:
    assert isinstance(run(kind, orders(0)), list)
    empty = orders().with_columns(
        pl.lit(None, dtype=pl.Float64).alias("amount"), pl.lit(None, dtype=pl.String).alias("channel")
    )
    assert isinstance(run(kind, empty), list)


def test_the_contract_names_the_rows_of_every_broken_rule() -> None:
    table = orders().with_columns(
        pl.Series("amount", [0.0, -1.0, None, float("nan"), 99.0, float("inf"), 6.0, 7.0, 8.0, 9.0]),
        pl.Series("order_id", ["o0", "o1", "o1", "o3", "o4", "o5", "o6", "x7", "o8", "o9"]),
    )
    rules = {
        "amount": {"type": "number", "nullable": False, "min": 0, "max": 50},
        "order_id": {"type": "text", "unique": True, "matches": "o[0-9]"},
        "channel": {"one_of": ["web", "shop"]},
    }

    found = {finding.rule: finding.rows for finding in run("columns", table, columns=rules, severity="quarantine")}

    assert found == {
        "orders.amount.null": (2,),
        "orders.amount.min": (1, 3),
        "orders.amount.max": (3, 4, 5),
        "orders.amount.finite": (3, 5),
        "orders.order_id.duplicate": (1, 2),
        "orders.order_id.matches": (7,),
    }


def test_a_missing_a_mistyped_and_an_extra_column_are_told() -> None:
    table = orders().rename({"channel": "chanel"}).with_columns(pl.col("amount").cast(pl.String))
    rules = {"amount": {"type": "number"}, "channel": {}, "order_id": {}, "customer_id": {}, "ordered_at": {}}

    found = {
        finding.rule: finding.severity
        for finding in run("columns", table, columns=rules, extra="warn", severity="warn")
    }

    assert found == {"orders.amount.type": "fail", "orders.channel.missing": "fail", "orders.columns.extra": "warn"}


def test_no_environment_variable_switches_value_checks_off() -> None:
    script = (
        "import polars as pl\nfrom mlctl import kinds\nfrom mlctl.checks import columns\n"
        "from datetime import datetime, UTC\nfrom mlctl.checks import Context\n"
        "table = pl.DataFrame({'amount': [-1.0]})\n"
        "options = kinds.options('checks', columns.EXAMPLE)\n"
        "print([f.rule for f in columns.check(options, table, Context(datetime(2026, 1, 2, tzinfo=UTC)))])"
    )
    environment = {**os.environ, "PANDERA_VALIDATION_ENABLED": "False", "PANDERA_VALIDATION_DEPTH": "SCHEMA_ONLY"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)

    assert done.stdout.strip() == "['orders.amount.min']"


def test_a_contract_counts_its_rules() -> None:
    rules = {"amount": {"type": "number", "nullable": False, "min": 0, "max": 9}, "channel": {"one_of": ["web"]}}

    # amount: presence, null, min, max, finite; channel: presence, one_of
    assert kinds.options("checks", {"kind": "columns", "source": "orders", "columns": rules}).rules() == 7


def test_a_repeated_row_is_named_and_its_first_copy_is_not() -> None:
    table = pl.concat([orders(), orders(2)])

    (by_key,) = run("unique", table, columns=["order_id"])
    (by_all,) = run("unique", table, columns="all")

    assert by_key.rows == by_all.rows == (10, 11)


def test_a_key_that_does_not_exist_is_an_error_with_a_hint() -> None:
    with pytest.raises(DataError, match="no column 'order_di'") as error:
        run("unique", orders(), columns=["order_di"])
    assert "did you mean 'order_id'?" in str(error.value)


def test_too_few_and_too_many_rows_are_told() -> None:
    assert run("rows", orders(10), min=11)[0].sentence() == "orders.rows: the table has 10 rows, allowed is at least 11"
    assert run("rows", orders(10), min=1, max=9)[0].severity == "fail"


def test_damaged_text_is_found_and_honest_text_is_left_alone() -> None:
    honest = ["für", "café", "naïve Ünal", "Übung Äpfel", "日本語", "€ 5", "‘quoted’ – dash", ""]
    damaged = ["fÃ¼r", "cafÃ©", "itâ€™s", "5 â‚¬", "\ufffd", "Ã–l"]
    table = pl.DataFrame({"channel": honest + damaged})

    (finding,) = run("mojibake", table, columns=["channel"])

    assert [table["channel"][row] for row in finding.rows] == damaged


def test_a_moment_before_the_beginning_or_none_at_all_is_named() -> None:
    table = orders(3).with_columns(
        pl.Series("ordered_at", [datetime(1970, 1, 1, tzinfo=UTC), None, datetime(2024, 1, 1, tzinfo=UTC)])
    )

    found = {finding.rule: finding.rows for finding in run("time", table, severity="quarantine")}

    assert found == {"orders.ordered_at.impossible": (1,), "orders.ordered_at.sentinel": (0,)}
