"""Mending, setting aside, letting in again, and columns that change: what the checks do beyond telling."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest
import yaml

from mlctl import kinds, quarantine, schema_drift
from mlctl.checks import CheckOptions
from mlctl.errors import IntegrityError
from mlctl.plan import impact
from mlctl.stages._drift import drifted
from tests import shop_tables, world


def orders(**columns: Any) -> dict[str, pl.DataFrame]:
    rows = len(next(iter(columns.values())))
    table = pl.DataFrame({"order_id": [f"o{number}" for number in range(rows)], **columns})
    return {
        "orders": table,
        "customers": pl.DataFrame({"customer_id": ["c0"]}),
        "items": pl.DataFrame({"order_id": []}),
    }


def mended(tables: dict[str, pl.DataFrame], *checks: dict[str, Any]) -> Any:
    named = {f"check_{number}": {"source": "orders", **check} for number, check in enumerate(checks)}
    return shop_tables.checked(tables, named)


def changes(outcome: Any) -> list[tuple[Any, ...]]:
    return [
        row for record in outcome.repairs for row in record.select("row", "rule", "column", "before", "after").rows()
    ]


def contract(column: str, **rule: Any) -> dict[str, Any]:
    return {"kind": "columns", "columns": {column: rule}}


REPAIRS: dict[str, tuple[list[Any], dict[str, Any], list[Any]]] = {
    "missing": ([1.0, -1.0], contract("x", min=0, severity="repair", repair="missing"), [1.0, None]),
    "clip": ([1.0, -1.0, 99.0], contract("x", min=0, max=50, severity="repair", repair="clip"), [1.0, 0.0, 50.0]),
    "default": ([1.0, None], contract("x", nullable=False, severity="repair", repair={"default": 7.5}), [1.0, 7.5]),
    "scale": ([1.0, 2350.0], contract("x", max=500, severity="repair", repair={"scale": 0.01}), [1.0, 23.5]),
    "scale of whole numbers": ([7, 2300], contract("x", max=500, severity="repair", repair={"scale": 0.01}), [7, 23]),
    "strip": (["a", " b "], {"kind": "text", "columns": ["x"], "severity": "repair", "repair": "strip"}, ["a", "b"]),
    "nfc": (["é", "e\u0301"], {"kind": "text", "columns": ["x"], "severity": "repair", "repair": "nfc"}, ["é", "é"]),
    "fix_encoding": (["fÃ¼r", "5 â‚¬", "für"], {"kind": "mojibake", "columns": ["x"], "severity": "repair", "repair": "fix_encoding"}, ["für", "5 €", "für"]),
}  # fmt: skip


@pytest.mark.parametrize("policy", REPAIRS)
def test_a_policy_mends_the_value_and_keeps_the_old_one_beside(policy: str) -> None:
    before, check, after = REPAIRS[policy]

    outcome = mended(orders(x=before), check)

    assert outcome.tables["orders"]["x"].to_list() == after
    wrong = [row for row, value in enumerate(before) if value != after[row]]
    assert sorted(row for row, *_ in changes(outcome)) == wrong
    assert all(old == (None if before[row] is None else str(before[row])) for row, _, _, old, _ in changes(outcome))
    assert {finding.severity for finding in outcome.findings["orders"]} == {"repair"}


def test_what_a_policy_cannot_mend_is_set_aside_and_not_called_mended() -> None:
    check = {"kind": "mojibake", "columns": ["x"], "severity": "repair", "repair": "fix_encoding"}

    outcome = mended(orders(x=["fÃ¼r", "f\ufffdr", "ok"]), check)

    assert outcome.tables["orders"]["x"].to_list() == ["für", "f\ufffdr", "ok"]
    assert {finding.severity: finding.rows for finding in outcome.findings["orders"]} == {
        "repair": (0,),
        "quarantine": (1,),
    }
    assert [row for row, *_ in changes(outcome)] == [0]


def test_a_whole_number_that_would_lose_its_cents_is_set_aside() -> None:
    outcome = mended(orders(x=[7, 2350]), contract("x", max=500, severity="repair", repair={"scale": 0.01}))

    assert outcome.tables["orders"]["x"].to_list() == [7, 2350]
    assert [(finding.severity, finding.rows) for finding in outcome.findings["orders"]] == [("quarantine", (1,))]
    assert changes(outcome) == []


def test_copies_are_dropped_and_written_down_whole() -> None:
    tables = orders(x=[1, 2, 1])
    tables["orders"] = tables["orders"].with_columns(order_id=pl.Series(["o0", "o1", "o0"]))

    outcome = mended(
        tables, {"kind": "unique", "columns": ["order_id"], "severity": "repair", "repair": "drop_duplicate"}
    )

    assert outcome.dropped == {"orders": {2}}
    ((row, _, _, before, after),) = changes(outcome)
    assert (row, json.loads(before), after) == (2, {"order_id": "o0", "x": 1}, None)


def test_later_checks_see_what_earlier_ones_mended() -> None:
    scaled = contract("x", max=500, severity="repair", repair={"scale": 0.01})

    outcome = mended(orders(x=[10.0, 60_000.0]), scaled, contract("x", max=550, severity="quarantine"))

    # 60,000 cents are 600: mended once, and still too much for both rules
    assert outcome.tables["orders"]["x"].to_list() == [10.0, 600.0]
    assert [finding.rows for finding in outcome.findings["orders"] if finding.severity == "quarantine"] == [(1,), (1,)]


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ({"kind": "unique", "severity": "repair"}, "belong together"),
        ({"kind": "unique", "repair": "drop_duplicate"}, "belong together"),
        ({"kind": "unique", "severity": "repair", "repair": "clip"}, "can mend by drop_duplicate alone"),
        ({"kind": "rows", "severity": "repair", "repair": "missing"}, "can mend by nothing alone"),
    ],
)
def test_a_repair_that_cannot_be_is_refused(check: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        kinds.options("checks", {"source": "orders", **check})


class LazyOptions(CheckOptions):
    """Says that it has two rules."""

    def rules(self) -> int:
        return 2


@pytest.mark.parametrize(("ran", "words"), [({}, "0 of 2 rules ran"), ({"a": 3, "b": 2}, "b on 2 rows")])
def test_a_check_that_did_not_run_on_every_row_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, ran: dict[str, int], words: str
) -> None:
    lazy = ModuleType("lazy")

    def check(options: Any, table: pl.DataFrame, context: Any) -> list[Any]:
        context.ran.update(ran)
        return []

    lazy.check = check  # type: ignore[attr-defined]
    project = shop_tables.project({"planted": {"kind": "rows", "source": "orders"}})
    project.checks["planted"] = LazyOptions(kind="lazy", source="orders")
    monkeypatch.setattr("mlctl.kinds.load", lambda seam, kind: lazy)
    tables = orders(x=[1, 2, 3])

    with pytest.raises(IntegrityError, match="the check 'planted' is refused") as error:
        shop_tables.run_checks(project, tables, shop_tables.Context(shop_tables.AS_OF, tables))
    assert words in str(error.value)


def test_a_row_id_hangs_on_the_content_alone() -> None:
    table = pl.DataFrame({"b": ["x", "y", "x"], "a": [1, 2, 1]})

    ids = quarantine.row_ids(table)[1]

    assert ids[0] == ids[2] != ids[1]
    assert quarantine.row_ids(table.select("a", "b")[1:2])[1] == [ids[1]]


def test_changes_of_columns_are_classified() -> None:
    before = {"id": "String", "amount": "Float32", "n": "Int32", "chanel": "String", "big": "Int64", "day": "Date"}
    after = {"n": "Int64", "id": "String", "amount": "Float64", "channel": "String", "big": "Int32", "extra": "Boolean"}

    found = {change.column: (change.change, change.renamed) for change in schema_drift.changes(before, after)}

    assert found == {
        "amount": ("compatible", None),
        "n": ("compatible", None),
        "chanel": ("breaking", "channel"),
        "channel": ("additive", None),
        "big": ("breaking", None),
        "day": ("breaking", None),
        "extra": ("additive", None),
    }


def test_readers_of_a_column_are_found_through_sql_and_through_features() -> None:
    project = shop_tables.project()

    assert impact.readers(project, "orders", "amount") == (
        "checks.orders",
        "checks.really_once",
        "checks.amounts",
        "checks.parts",
        "checks.sense",
        "features.spend",
        "features.basket",
        "model",
        "cohorts.big",
    )
    # the condition of `spend` names it
    assert "features.spend" in impact.readers(project, "orders", "channel")
    assert impact.readers(project, "items", "price") == ("checks.parts",)
    assert impact.readers(project, "orders", "note") == (
        "checks.orders",
        "checks.damage",
        "checks.texts",
        "checks.alive",
    )


def test_a_breaking_change_fails_where_a_feature_reads_the_column_and_warns_elsewhere() -> None:
    project = shop_tables.project({"some": {"kind": "rows", "source": "orders"}})
    before = {"orders": {"order_id": "String", "amount": "Float64", "note": "String", "n": "Int32"}}
    table = pl.DataFrame({"order_id": ["o1"], "amounts": [1.0], "n": [1]})

    found = {finding.rule: finding for finding in drifted(project, {"orders": table}, "2025-11-01", before)}

    assert {rule: finding.severity for rule, finding in found.items()} == {
        "orders.amount.schema_breaking": "fail",
        "orders.amounts.schema_additive": "warn",
        "orders.n.schema_compatible": "warn",
        "orders.note.schema_breaking": "warn",
    }
    sentence = found["orders.amount.schema_breaking"].sentence()
    assert "most likely renamed to 'amounts'; read by features.spend, features.basket, model, cohorts.big" in sentence
    assert "to follow it: features.spend: amount -> amounts" in sentence


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A workspace whose orders come from a Parquet file, with three amounts that are too large."""
    tables = shop_tables.tables()
    orders = tables["orders"].with_columns(
        pl.when(pl.int_range(pl.len()) < 3).then(999.5 + pl.int_range(pl.len())).otherwise("amount").alias("amount")
    )
    checks = (
        "checks:\n  amounts: {kind: columns, source: orders, severity: quarantine, columns: {amount: {max: 900}}}\n"
    )
    folder = world.make_workspace(tmp_path / "shop", PROJECT + checks)
    orders.write_parquet(folder / "orders.parquet")
    return folder


PROJECT = """\
entity: {key: customer_id}
sources:
  orders: {kind: parquet, path: orders.parquet, time: ordered_at, key: [order_id]}
features:
  orders: {kind: count, source: orders, windows: [30d]}
  spend: {kind: sum, source: orders, column: amount}
label: {kind: count, source: orders, horizon: 30d, is: 0}
model: {kind: constant}
gate: {ranks: {metric: roc_auc, min: 0.5}}
refresh: {as_of: 2025-12-01}
"""


def test_rows_in_quarantine_are_listed_and_let_in_again(shop: Path) -> None:
    for command in ("compose", "ingest"):
        assert world.mlctl(shop, command, "shop").returncode == 0
    assert "3 rows set aside" in world.dvc(shop, "repro", "check@shop").stderr
    listed = json.loads(world.mlctl(shop, "quarantine", "shop", "--json").stdout)["quarantine"]
    assert [(entry["rule"], entry["rows"]) for entry in listed] == [("orders.amount.max", 3)]
    amounts = [json.loads(example["content"])["amount"] for example in listed[0]["examples"]]
    assert sorted(amounts) == [999.5, 1000.5, 1001.5]
    assert "orders.amount.max: 3 rows of orders" in world.mlctl(shop, "quarantine", "shop").stdout
    params = (shop / "projects/shop/params.yaml").read_text()

    one = listed[0]["examples"][0]["row_id"]
    done = world.mlctl(shop, "quarantine", "shop", "--admit", one, "--because", "a gift basket, checked by hand")

    assert done.returncode == 0, done.stderr
    (entry,) = yaml.safe_load((shop / "projects/shop/admitted.yaml").read_text())["admitted"]
    assert entry == {"rule": "orders.amount.max", "because": "a gift basket, checked by hand", "rows": [one]}
    # DVC sees by params.yaml that the check must run again
    assert (shop / "projects/shop/params.yaml").read_text() != params
    done = world.dvc(shop, "repro", "check@shop")
    assert "2 rows set aside" in done.stderr
    assert "admitted: 1 rows may pass orders.amount.max" in done.stderr
    assert world.mlctl(shop, "quarantine", "shop", "--admit", "orders.amount.max").returncode == 0
    assert "0 rows set aside" in world.mlctl(shop, "check", "shop").stderr
    # a rule that was corrected needs no admission
    (shop / "projects/shop/admitted.yaml").unlink()
    world.replace(shop / "projects/shop/project.yaml", "max: 900", "max: 2000")
    world.mlctl(shop, "compose", "shop")
    assert "0 rows set aside" in world.mlctl(shop, "check", "shop").stderr
    done = world.mlctl(shop, "quarantine", "shop", "--admit", "orders.amount.mix")
    assert done.returncode == 2


def test_a_renamed_column_stops_the_next_snapshot_with_the_patch(shop: Path) -> None:
    for command in ("compose", "ingest", "check"):
        assert world.mlctl(shop, command, "shop").returncode == 0
    renamed = pl.read_parquet(shop / "orders.parquet").rename({"amount": "amount_eur"}).with_columns(gift=pl.lit(True))
    renamed.write_parquet(shop / "orders.parquet")
    assert world.mlctl(shop, "ingest", "shop", "--as-of", "2025-11-30").returncode == 0

    done = world.mlctl(shop, "check", "shop")

    assert done.returncode == 3
    assert "most likely renamed to 'amount_eur'; read by checks.amounts, features.spend, model" in done.stderr
    assert "features.spend: amount -> amount_eur" in done.stderr
    report = json.loads((shop / ".mlctl/shop/checked/report.json").read_text())
    assert {finding["rule"]: finding["severity"] for finding in report["findings"]}[
        "orders.gift.schema_additive"
    ] == "warn"
    assert datetime(2025, 12, 1, tzinfo=UTC) == shop_tables.AS_OF
