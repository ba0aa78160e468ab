"""What data tells about itself: a draft that its own rows fulfil, guesses with their evidence, questions for the rest."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from mlctl import kinds
from mlctl.checks import Context
from mlctl.drafts import guesses
from mlctl.drafts.discovery import Draft, discover
from mlctl.drafts.drafting import check_lines, source_lines
from mlctl.drafts.profile import ColumnProfile, profile
from mlctl.findings import Finding
from mlctl.sources import Window
from tests import world

END = datetime(9000, 1, 1, tzinfo=UTC)
CARDS = ("4111111111111111", "5555555555554444", "378282246310005", "6011111111111117")
ACCOUNTS = ("DE89370400440532013000", "GB29NWBK60161331926819", "FR1420041010050500013M02606")


def findings_of(draft: Draft) -> list[Finding]:
    """The draft as YAML, read back, its sources read anew and its checks run on them."""
    drafted = yaml.safe_load("\n".join([*source_lines(draft), *check_lines(draft)]))
    assert set(drafted["sources"]) == set(drafted["checks"]) == set(draft.tables)
    found = []
    for name, section in drafted["sources"].items():
        options = kinds.options("sources", {**section, "name": name})
        table = kinds.load("sources", options.kind).scan(options, Window(None, END)).collect()
        assert table.height == draft.tables[name].table.height
        context = Context(END, {name: table})
        check = kinds.options("checks", drafted["checks"][name])
        found += kinds.load("checks", "columns").check(check, table, context)
        assert set(context.ran.values()) <= {table.height}
    return found


def column(name: str, values: Any, dtype: Any = None) -> ColumnProfile:
    return profile("t", pl.DataFrame({name: pl.Series(values, dtype=dtype)})).columns[0]


HOSTILE: dict[str, Any] = {
    "whole-number key": {"id": [3, 1, 2]},
    "NaN and infinite": {"id": ["a", "b", "c"], "x": [1.0, math.nan, math.inf]},
    "all missing": {"id": [1, 2], "nothing": pl.Series([None, None], dtype=pl.Float64), "null": [None, None]},
    "nested": {"id": [1, 2], "tags": [["a"], ["b", "c"]], "place": [{"x": 1}, {"x": 2}]},
    "binary, duration, decimal": {
        "raw": [b"a", b"b"],
        "took": [timedelta(seconds=1), timedelta(seconds=2)],
        "paid": pl.Series(["1.50", "2.25"]).cast(pl.Decimal(10, 2)),
    },
    "odd names": {"a b": [1, 2], "naïve: {x}": ["x", "y"], "yes": [True, False], "1st": [0, -1], '"q"': ["#", "'"]},
    "odd values": {"id": range(100), "sort": ["no", "a: b", "two\nlines", '"', " x "] * 20},
    "not a time after all": {"id": ["a", "b"], "date": ["2024-01-01", "2024-13-45"]},
    "naive time and date": {"id": ["a", "b"], "at": [datetime(2024, 1, 1, 5), None], "day": [datetime(2024, 1, 1).date()] * 2},
    "unsigned and small": {"id": pl.Series([1, 2], dtype=pl.UInt64), "n": pl.Series([0, 255], dtype=pl.UInt8)},
    "one row": {"customer_id": ["x"], "age": [3]},
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_drafted_contract_holds_for_its_own_rows_whatever_they_are(tmp_path: Path, name: str) -> None:
    pl.DataFrame(HOSTILE[name]).write_parquet(tmp_path / "rows.parquet")

    assert findings_of(discover([str(tmp_path / "rows.parquet")])) == []


def test_csv_and_lines_of_json_are_drafted_so_that_they_read_back(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("order_id;day;euro\n007;20240131;1,5\n008;20240201;2\n", encoding="utf-16")
    (tmp_path / "clicks.ndjson").write_text(
        '{"user_id": 7, "at": "2024-01-01T10:00:00Z"}\n{"user_id": 7, "at": null}\n'
    )

    draft = discover([str(tmp_path / "orders.csv"), str(tmp_path / "clicks.ndjson")])

    assert findings_of(draft) == []
    orders, clicks = draft.sources()["orders"], draft.sources()["clicks"]
    assert (orders["delimiter"], orders["encoding"], orders["time_format"]) == (";", "utf-16", "%Y%m%d")
    assert (clicks["kind"], clicks["time"]) == ("ndjson", "at")
    assert "time_zone" not in clicks


def test_marks_inside_quotes_do_not_part_columns(tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text('"\t\n\tfirst;\t\n",second\nx,1\n')

    assert discover([str(tmp_path / "odd.csv")]).tables["odd"].table.rows() == [("x", 1)]


def test_a_time_that_somebody_names_is_a_time_in_the_contract_too(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("id,ordered_at,sent\na,2024-01-01,2024-01-03\nb,2024-01-02,2024-01-04\n")

    draft = discover([str(tmp_path / "orders.csv")], "sent")

    assert draft.sources()["orders"]["time"] == "sent"
    assert draft.checks()["orders"]["columns"]["sent"]["type"] == "time"
    assert findings_of(draft) == []


def test_a_folder_of_parts_is_one_table_and_a_folder_of_different_tables_is_several(tmp_path: Path) -> None:
    parts, tables = tmp_path / "orders", tmp_path / "tables"
    parts.mkdir()
    tables.mkdir()
    for day in (1, 2):
        (parts / f"day{day}.csv").write_text(f"order_id,customer_id\no{day},c1\n")
    (tables / "orders.csv").write_text("order_id,customer_id\no1,c1\no2,c2\no3,c3\no4,c3\n")
    (tables / "customers.csv").write_text("id,since\nc1,2024-01-01\nc2,2024-01-02\nc9,2024-01-02\n")
    (tables / "LICENSE").write_text("none of the data")

    assert list(discover([str(parts)]).tables) == ["orders"]
    assert discover([str(parts)]).tables["orders"].table.height == 2
    draft = discover([str(tables)])
    assert sorted(draft.tables) == ["customers", "orders"]
    # c1 and c2 of the three customers that orders name; two of the three that there are
    (join,) = draft.joins
    assert (join.left, join.right, join.form) == ("orders.customer_id", "customers.id", "n:1")
    assert (join.left_share, join.right_share) == (0.667, 0.667)
    assert (
        "orders.customer_id: 33% of its values are not in customers.id. Left out on purpose, or lost?"
        in draft.questions()
    )


def test_rows_that_multiply_when_joined_are_told() -> None:
    from mlctl.drafts.joins import joins

    tables = {
        "visits": pl.DataFrame({"user_id": ["a", "a", "b"], "page": [1, 2, 3]}),
        "orders": pl.DataFrame({"user_id": ["b", "b", "c"], "paid": [1, 2, 3]}),
    }

    (join,) = joins(tables, [profile(name, table) for name, table in tables.items()])

    assert (join.form, join.left_share, join.right_share) == ("n:m", 0.5, 0.5)


@pytest.mark.parametrize(
    ("name", "values", "person"),
    [
        ("x", ["a@example.com", "b@example.org"], "email"),
        ("x", CARDS, "card number"),
        ("x", [int(card) for card in CARDS], "card number"),
        ("x", [card[:-1] + str((int(card[-1]) + 1) % 10) for card in CARDS], None),
        ("x", ACCOUNTS, "iban"),
        ("x", [account[:-1] + "0" if account[-1] != "0" else account[:-1] + "1" for account in ACCOUNTS], None),
        ("x", ["192.168.0.1", "10.0.0.255"], "ip address"),
        ("x", ["1.2.3.400", "10.0.0.255"], None),
        ("x", ["+49 30 1234567", "(212) 555-0100"], "phone"),
        ("x", ["078-05-1120", "219-09-9999"], "identity number"),
        ("x", ["12 Main Street", "4b Oak Ave"], "address"),
        ("x", ["Hauptstraße 5", "Am Weg 7"], "address"),
        ("dateOfBirth", [f"19{year}-01-01" for year in range(50, 80)], "birth date"),
        ("first_name", [f"name {i}" for i in range(30)], "name"),
        ("phone_service", ["Yes", "No"], None),
        ("amount", [1.5, 2.5], None),
    ],
)
def test_persons_are_guessed_by_values_and_by_names_and_their_values_are_not_shown(
    name: str, values: Any, person: str | None
) -> None:
    told = column(name, values)

    assert told.personal == person
    if person is not None:
        assert (told.examples, told.least, told.most) == ((), None, None)
        assert any(line.startswith(person) for line in told.evidence)


@pytest.mark.parametrize(
    ("name", "values", "unit"),
    [
        ("amount_eur", [1.0, 2.0], "eur"),
        ("duration_ms", [1, 2], "ms"),
        ("session_seconds", [1, 2], "s"),
        ("age", [30, 40], "years"),
        ("year", [2015, 2016], None),
        ("weight_kg", [70.5, 80.0], "kg"),
        ("click_rate", [0.1, 0.9], "share"),
        ("click_rate", [10.0, 90.0], None),
        ("created_at", [1_700_000_000_000, 1_700_000_100_000], "epoch ms"),
        ("amount", [1.0, 2.0], None),
        ("age", ["old", "young"], None),
    ],
)
def test_units_are_guessed_by_name_and_range(name: str, values: Any, unit: str | None) -> None:
    assert column(name, values).unit == unit


@pytest.mark.parametrize(
    ("name", "values", "is_key"),
    [
        *[
            (name, ["a", "b"], True)
            for name in ("id", "customerID", "userid", "order_id", "Konto Nr", "invoice number")
        ],
        *[(name, ["a", "b"], False) for name in ("paid", "valid", "android", "number_of_cds", "idea", "note")],
        ("order_id", [1.5, 2.5], False),
    ],
)
def test_keys_are_known_by_their_names(name: str, values: Any, is_key: bool) -> None:
    assert column(name, values).names_a_key == is_key


def test_what_a_column_counts_is_counted() -> None:
    rows = [None, "", "  ", "007", "7", "7"]

    told = column("code", rows)

    assert (told.rows, told.missing, told.blanks, told.values) == (6, 1, 2, 4)
    assert told.examples[0] == "7"
    assert "leading zeros: it is a code and no number" in told.evidence
    numbers = column("n", [*range(101)])
    assert numbers.quantiles == (1.0, 25.0, 50.0, 75.0, 99.0)
    assert (numbers.sorted, column("n", [3, 2, 2, 1]).sorted, column("n", [1, 3, 2]).sorted) == (
        "rising",
        "falling",
        None,
    )
    assert column("x", [1.0, math.nan, math.inf, None]).unfit == 2


def test_columns_that_say_the_same_are_told() -> None:
    table = pl.DataFrame(
        {"a": [1, 2, 3] * 3, "again": [1, 2, 3] * 3, "name": ["x", "y", "z"] * 3, "free": [1, 2, 3, 2, 3, 1, 3, 1, 2]}
    )

    assert profile("t", table).same == (
        ("a", "again", "equal"),
        ("a", "name", "one to one"),
        ("again", "name", "one to one"),
    )


def test_the_hours_of_a_day_tell_in_which_zone_times_were_written() -> None:
    awake = [0] * 7 + [60] * 17  # nobody from 0 to 7: the middle of the quietest six hours is 3 or 4
    later = awake[-5:] + awake[:-5]

    assert "local time is likely" in str(guesses.zone(awake))
    assert "5 h later than a night, as if written in UTC at a place of UTC-5" in str(guesses.zone(later))
    assert "many zones, or machines" in str(guesses.zone([100] * 24))
    assert guesses.zone([1000] + [0] * 23) is None
    assert guesses.zone([1] * 24) is None
    days = column("day", [datetime(2024, 1, day) for day in range(1, 20)])
    assert "at midnight only: days without a time of day" in days.evidence


def test_what_data_cannot_answer_is_asked() -> None:
    from mlctl.drafts.questions import questions

    rows = 400
    table = pl.DataFrame(
        {
            "order_id": [f"o{i}" for i in range(rows)],
            "ordered_at": [datetime(2024, 1, 1) + timedelta(hours=i) for i in range(rows)],
            "loaded_at": [datetime(2024, 1, 2) + timedelta(hours=i) for i in range(rows)],
            "amount": [float(i) for i in range(rows)],
            "status": [i % 4 for i in range(rows)],
            "discount_eur": [None if i % 2 else float(i) for i in range(rows)],
            "shop": ["main"] * rows,
        }
    )

    asked = "\n".join(questions(profile("orders", table), {"time": "ordered_at", "key": ["order_id"]}))

    for part in (
        "orders.ordered_at: the times carry no zone. In which zone were they written? (UTC is a guess",
        "Which column says when it was known? Is it loaded_at?",
        "orders.amount: in which currency, before or after tax and returns?",
        "orders.status: it has 4 values such as 0, 1, 2. What does each mean?",
        "orders.discount_eur: 50.0% are missing. Does that mean none (0), not known, or not yet?",
        "orders.shop: it has one value only. Was it ever another?",
        "orders: who owns it, how often is it delivered, and when are rows changed or deleted?",
    ):
        assert part in asked


def test_the_same_files_give_the_same_draft_byte_for_byte(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,sort\n" + "".join(f"{i},{'xyz'[i % 3]}\n" for i in range(90)))

    texts = {json.dumps(discover([str(tmp_path / "a.csv")]).record()) for _ in range(3)}

    assert len(texts) == 1


def test_a_folder_without_tables_and_an_unknown_ending_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.docx").write_text("")

    for path in (".", "a.docx"):
        done = world.mlctl(tmp_path, "discover", path)
        assert done.returncode == 2
        assert "cannot be followed" in done.stderr
        assert ".ndjson" in done.stderr
