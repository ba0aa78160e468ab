"""From a file to a project: what is found in it, what is asked, and a project that runs at once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from mlctl import odcs
from mlctl.discovery import discover
from tests import world


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with raw files and no project: events, persons, and a table without a key."""
    folder = world.make_workspace(tmp_path_factory.mktemp("init") / "workspace")
    for path in sorted((folder / "projects").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    world.replace(folder / "dvc.yaml", "projects: [shop]", "projects: []")
    draw = np.random.default_rng(5)
    people = 300
    rate = draw.gamma(0.6, 1.0, people)
    rows = [
        (f"{i:05d}", day)
        for i in range(people)
        for day in np.flatnonzero(draw.random(500) < rate[i] * np.exp(-np.arange(500) / 200) / 12).tolist()
    ]
    raw = folder / "raw"
    raw.mkdir()
    days = pl.date_range(pl.date(2024, 1, 1), pl.date(2025, 12, 31), eager=True)
    events = pl.DataFrame(rows, schema={"client_id": pl.String, "day": pl.Int64}, orient="row").sort("day")
    amounts = np.round(draw.lognormal(3, 1, events.height), 2)
    bought = days.gather(events["day"]).dt.strftime("%Y%m%d")
    events = events.with_columns(bought.alias("date"), pl.Series("amount_eur", amounts)).drop("day")
    events.write_csv(raw / "purchases.csv", separator=";")
    numbers = draw.normal(size=(400, 2))
    churned = np.where(numbers[:, 0] + draw.normal(size=400) > 0.8, "Yes", "No")
    table = pl.DataFrame({"Monthly-Fee": numbers[:, 0], "other": numbers[:, 1], "Churn": churned})
    after = pl.Series("leftAfterwards", ["bye" if value == "Yes" else "stay" for value in churned])
    table.with_columns(after, pl.lit("x").alias("constant")).write_parquet(raw / "fees.parquet")
    people_rows = {
        "client_id": [f"{i:05d}" for i in range(people)],
        "email": [f"p{i}@example.com" for i in range(people)],
    }
    pl.DataFrame(people_rows).write_csv(raw / "clients.csv")
    return folder


def test_events_with_a_rule_become_a_project_that_runs(shop: Path) -> None:
    made = world.mlctl(shop, "init", "stay", "--from", "raw/purchases.csv", "--label", "none purchases 60d")
    assert made.returncode == 0, made.stderr

    done = world.mlctl(shop, "run", "stay", "--json")

    assert done.returncode in (0, 4), done.stderr
    run = json.loads(done.stdout)
    assert run["dataset"]["rows"] > 500
    assert 0.6 < run["metrics"]["roc_auc"] < 0.99
    project = yaml.safe_load((shop / "projects/stay/project.yaml").read_text())
    assert project["sources"]["purchases"]["delimiter"] == ";"
    assert project["entity"]["key"] == "client_id"
    assert "which zone" in (shop / "projects/stay/project.yaml").read_text()
    assert json.loads((shop / ".mlctl/stay/checked/report.json").read_text())["findings"] == []


def test_a_table_without_a_key_gets_numbered_rows_and_what_tells_the_label_is_left_out(shop: Path) -> None:
    made = world.mlctl(shop, "init", "fees", "--from", "raw/fees.parquet", "--label", "Churn")
    assert made.returncode == 0, made.stderr

    done = world.mlctl(shop, "run", "fees", "--json")

    assert done.returncode in (0, 4), done.stderr
    assert "leftAfterwards: it alone tells the label" in made.stderr
    assert "constant: it has one value only" in made.stderr
    text = (shop / "projects/fees/project.yaml").read_text()
    assert 'is: "Yes"' in text
    assert 0.6 < json.loads(done.stdout)["metrics"]["roc_auc"] < 0.95


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--from", "raw/purchases.csv"), "none purchases 90d"),
        (("--from", "raw/fees.parquet", "--label", "Chrun"), "did you mean 'Churn'?"),
        (("--from", "raw/fees.parquet", "--label", "other"), "a label has two"),
        (("--from", "raw/fees.parquet", "--label", "Churn", "--entity", "nobody"), "the columns are"),
        (("--from", "raw/purchases.csv", "--label", "none purchases 900d"), "too few"),
        (("--from", "raw/purchases.csv", "--label", "none sales 60d"), "the tables are purchases"),
    ],
)
def test_what_is_missing_is_asked_for_and_nothing_is_written(shop: Path, words: tuple[str, ...], why: str) -> None:
    done = world.mlctl(shop, "init", "never", *words)

    assert done.returncode == 2, done.stderr
    assert why in done.stderr
    assert not (shop / "projects/never").exists()


def test_discovery_tells_types_persons_joins_and_questions(shop: Path) -> None:
    done = world.mlctl(shop, "discover", "raw/purchases.csv", "raw/clients.csv", "--json")

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    columns = {column["name"]: column for column in found["profiles"]["purchases"]["columns"]}
    assert columns["client_id"]["kind"] == "text"
    assert "leading zeros: it is a code and no number" in columns["client_id"]["evidence"]
    assert columns["date"]["time_format"] == "%Y%m%d"
    assert columns["amount_eur"]["unit"] == "eur"
    assert found["sources"]["clients"]["notes"] == {"email": {"pii": True}}
    assert [(join["left"], join["right"], join["form"]) for join in found["joins"]] == [
        ("purchases.client_id", "clients.client_id", "n:1")
    ]
    assert any("carry no zone" in question for question in found["questions"])


def test_the_dictionary_tells_who_reads_a_column_and_what_was_found(workspace: Path) -> None:
    done = world.mlctl(workspace, "dictionary", "shop", "orders.amount_eur", "--format", "json")

    assert done.returncode == 0, done.stderr
    (entry,) = json.loads(done.stdout)["columns"]
    assert entry["readers"] == ["features.spend", "model"]
    assert world.mlctl(workspace, "dictionary", "shop", "orders.amount").returncode == 2
    assert "| `orders.order_id` |" in world.mlctl(workspace, "dictionary", "shop", "--format", "md").stdout


def test_a_contract_goes_out_and_comes_back_the_same(workspace: Path, tmp_path: Path) -> None:
    config = workspace / "projects/shop/project.yaml"
    note = "notes: {amount_eur: {about: what was paid, unit: eur, pii: false}}, "
    world.replace(config, "table: orders, ", f"table: orders, key: [order_id], {note}")
    rule = "{type: number, nullable: false, min: 0, max: 900}"
    columns = f"  contract: {{kind: columns, source: orders, columns: {{amount_eur: {rule}, channel: {{one_of: [web, app]}}}}}}\n"
    world.replace(config, "features:\n", f"{columns}features:\n")
    first, second = tmp_path / "a.odcs.yaml", tmp_path / "b.odcs.yaml"
    assert world.mlctl(workspace, "contract", "export", "shop", "-o", str(first)).returncode == 0
    contract = yaml.safe_load(first.read_text())
    assert (contract["apiVersion"], contract["kind"], contract["status"]) == ("v3.1.0", "DataContract", "active")
    amount = next(c for c in contract["schema"][1]["properties"] if c["name"] == "amount_eur")
    assert amount["logicalTypeOptions"] == {"minimum": 0.0, "maximum": 900.0}
    assert amount["required"] is True
    assert odcs.lint(first) == []

    drafted = yaml.safe_load(world.mlctl(workspace, "contract", "import", str(first)).stdout)

    whole = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump({**whole, **drafted}))
    done = world.mlctl(workspace, "contract", "export", "shop", "-o", str(second))
    assert done.returncode == 0, done.stderr
    assert second.read_text() == first.read_text()


def test_a_contract_that_is_none_is_told(workspace: Path) -> None:
    bad = workspace / "bad.yaml"
    bad.write_text("kind: Contract\nschema: [{properties: [{logicalType: varchar, name: x}]}]\n")

    done = world.mlctl(workspace, "contract", "lint", "bad.yaml")

    assert done.returncode == 2
    assert "apiVersion is missing" in done.stderr
    assert "schema[0] has no name" in done.stderr


def test_the_drafted_contract_holds_for_the_very_data_it_was_drafted_from(shop: Path) -> None:
    draft = discover([str(shop / "raw/purchases.csv"), str(shop / "raw/clients.csv"), str(shop / "raw/fees.parquet")])

    assert set(draft.checks()) == {"purchases", "clients", "fees"}
    assert draft.tables["fees"].profile.key == ()
    assert draft.tables["clients"].profile.key == ("client_id",)
