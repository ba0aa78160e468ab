"""From a file to a project: what is found in it, what is asked, and a project that runs at once."""

from __future__ import annotations

import json
import math
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

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
    number = range(400)
    odd = {
        "Konto Nr": [f"k{i}" for i in number],
        "joined": [datetime(2020, 1, 1) + timedelta(days=i % 90) for i in number],
        "born": [datetime(1990, 1, 1) + timedelta(days=i % 60) for i in number],
        "tags": [["a"]] * 400,
        "paid": pl.Series([f"{i}.50" for i in number]).cast(pl.Decimal(10, 2)),
        "gap": [math.nan if i % 7 == 0 else float(i) for i in number],
        "no value": pl.Series([None] * 400, dtype=pl.Float64),
        "Ärger: {x}": ["a", "b"] * 200,
        "score": numbers[:, 0],
        "plan": ["gold" if value > 0.8 else "tin" if value > 0 else "zinc" for value in numbers[:, 0] + numbers[:, 1]],
    }
    pl.DataFrame(odd).write_parquet(raw / "odd.parquet")
    people_rows = {
        "client_id": [f"{i:05d}" for i in range(people)],
        "email": [f"p{i}@example.com" for i in range(people)],
    }
    pl.DataFrame(people_rows).write_csv(raw / "clients.csv")
    _write_letters(raw, draw)
    return folder


def _write_letters(raw: Path, draw: np.random.Generator) -> None:
    """Letters of one table and who answered them of another, joined by the letter's number."""
    words = {"bill": ["invoice", "refund", "charged"], "post": ["parcel", "courier", "delivery"]}
    teams = [["bill", "post"][i % 2] for i in range(300)]
    sentences = [
        f"Good morning, number {i}: {' and '.join(draw.choice(words[team], 2))} are why I write to you"
        for i, team in enumerate(teams)
    ]
    letters = {"letter_id": [f"L{i}" for i in range(300)], "body": sentences}
    pl.DataFrame(letters).write_csv(raw / "letters.csv")
    answers = {"letter_id": letters["letter_id"], "team": teams, "minutes": draw.integers(1, 90, 300)}
    pl.DataFrame(answers).write_csv(raw / "answers.csv")


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


def test_a_table_of_odd_columns_and_one_of_three_classes_become_a_project_that_runs(shop: Path) -> None:
    made = world.mlctl(shop, "init", "odd", "--from", "raw/odd.parquet", "--label", "plan=gold")
    assert made.returncode == 0, made.stderr

    done = world.mlctl(shop, "run", "odd", "--json")

    assert done.returncode in (0, 4), done.stderr
    for column in ("born: a time", "tags: a model cannot read", "paid: a model cannot read", "no value: it has one"):
        assert column in made.stderr
    project = yaml.safe_load((shop / "projects/odd/project.yaml").read_text())
    assert project["label"]["is"] == "gold"
    assert project["entity"]["key"] == "Konto Nr"
    assert json.loads((shop / ".mlctl/odd/checked/report.json").read_text())["findings"] == []
    assert json.loads(done.stdout)["metrics"]["roc_auc"] > 0.7


def test_sentences_are_read_by_their_words_also_from_a_second_table(shop: Path) -> None:
    files = ("--from", "raw/answers.csv", "--from", "raw/letters.csv", "--entity", "letter_id")
    made = world.mlctl(shop, "init", "letters", *files, "--label", "team")
    assert made.returncode == 0, made.stderr

    done = world.mlctl(shop, "run", "letters", "--json")

    assert done.returncode == 0, done.stderr
    project = yaml.safe_load((shop / "projects/letters/project.yaml").read_text())
    assert list(project["encoding"]["text"]) == ["body"]
    assert project["model"]["kind"] == "logistic"
    assert json.loads(done.stdout)["metrics"]["roc_auc"] > 0.99


def test_no_sentence_is_given_to_a_model_of_numbers(shop: Path) -> None:
    files = ("--from", "raw/answers.csv", "--from", "raw/letters.csv", "--entity", "letter_id")
    made = world.mlctl(shop, "init", "minutes", *files, "--label", "minutes")

    assert made.returncode == 0, made.stderr
    project = yaml.safe_load((shop / "projects/minutes/project.yaml").read_text())
    assert "encoding" not in project
    assert project["features"]["letters"]["exclude"] == ["body"]


def test_moments_that_are_named_teach_and_judge_and_files_beside_the_workspace_are_found(shop: Path) -> None:
    moments = ("--train", "2024-06-01", "--train", "2024-07-01", "--test", "2024-10-01")
    label = ("--label", "none purchases 60d")
    made = world.mlctl(shop / "raw", "init", "named", "--from", "purchases.csv", *label, *moments)

    assert made.returncode == 0, made.stderr
    project = yaml.safe_load((shop / "projects/named/project.yaml").read_text())
    assert [str(day) for day in project["split"]["train"]] == ["2024-06-01", "2024-07-01"]
    assert [str(day) for day in project["split"]["test"]] == ["2024-10-01"]
    assert project["sources"]["purchases"]["path"] == "raw/purchases.csv"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--from", "raw/purchases.csv"), "none purchases 90d"),
        (("--from", "raw/fees.parquet", "--label", "Chrun"), "did you mean 'Churn'?"),
        (("--from", "raw/fees.parquet", "--label", "Churn", "--entity", "nobody"), "the columns are"),
        (("--from", "raw/purchases.csv", "--label", "none purchases 900d"), "too few"),
        (("--from", "raw/purchases.csv", "--label", "none sales 60d"), "the tables are purchases"),
        (("--from", "raw/odd.parquet", "--label", "plan=tinn"), "did you mean 'tin'?"),
        (
            ("--from", "raw/fees.parquet", "--label", "Churn", "--test", "2025-01-01"),
            "moments belong to a label by a rule",
        ),
        (
            ("--from", "raw/purchases.csv", "--label", "none purchases 60d", "--test", "2035-01-01"),
            "the rows lie between",
        ),
        (
            ("--from", "raw/purchases.csv", "--label", "none purchases 60d", "--test", "soon"),
            "a day such as 2025-07-01",
        ),
        (
            (
                "--from",
                "raw/purchases.csv",
                "--label",
                "none purchases 60d",
                "--train",
                "2024-08-01",
                "--test",
                "2024-09-01",
            ),
            "a label looks 60 days ahead",
        ),
        (
            ("--from", "raw/fees.parquet", "--from", "raw/clients.csv", "--label", "Churn", "--entity", "client_id"),
            "fees holds the label and has no client_id",
        ),
    ],
)
def test_what_is_missing_is_asked_for_and_nothing_is_written(shop: Path, words: tuple[str, ...], why: str) -> None:
    done = world.mlctl(shop, "init", "never", *words)

    assert done.returncode == 2, done.stderr
    assert why in done.stderr
    assert not (shop / "projects/never").exists()


def test_a_draft_is_written_once_and_holds_for_the_data(shop: Path) -> None:
    done = world.mlctl(shop / "raw", "discover", "purchases.csv", "clients.csv", "--write", "projects/later")

    assert done.returncode == 0, done.stderr
    drafted = yaml.safe_load((shop / "projects/later/draft.yaml").read_text())
    assert drafted["sources"]["clients"]["path"] == "raw/clients.csv"
    assert set(drafted["checks"]) == {"purchases", "clients"}
    questions = (shop / "projects/later/questions.md").read_text().splitlines()
    assert [f"  ask       {line[2:]}" for line in questions if line.startswith("- ")] == [
        line for line in done.stderr.splitlines() if line.startswith("  ask")
    ]
    again = world.mlctl(shop, "discover", "raw/clients.csv", "--write", "projects/later")
    assert again.returncode == 2
    assert "draft.yaml is there already" in again.stderr
    assert yaml.safe_load((shop / "projects/later/draft.yaml").read_text()) == drafted


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


def test_what_was_found_about_a_key_stands_in_the_dictionary_and_the_only_project_need_not_be_named(
    tmp_path: Path,
) -> None:
    folder = world.make_workspace(tmp_path / "workspace")
    raw = "order_id,customer_id,ordered_at,euro\n"
    rows = [f"o{i % 7},c{i},2024-01-0{i % 9 + 1}T10:00:00Z,{i}\n" for i in range(9)]
    (folder / "orders.csv").write_text(raw + "".join(rows))
    project = yaml.safe_load((folder / "projects/shop/project.yaml").read_text())
    project["sources"]["paid"] = {"kind": "csv", "path": "orders.csv", "time": "ordered_at"}
    once = {"kind": "unique", "source": "paid", "columns": ["order_id"], "severity": "warn"}
    project["checks"] = {"once": once}
    (folder / "projects/shop/project.yaml").write_text(yaml.safe_dump(project, sort_keys=False))
    for stage in ("ingest", "compose", "check"):
        done = world.mlctl(folder, stage, "shop")
        assert done.returncode == 0, done.stderr

    told = world.mlctl(folder, "dictionary", "paid", "--format", "json")

    assert told.returncode == 0, told.stderr
    found = {column["column"]: column for column in json.loads(told.stdout)["columns"]}
    assert set(found) == {"order_id", "customer_id", "ordered_at", "euro"}
    # o0 and o1 stand twice among nine rows of seven names
    assert found["order_id"]["finding"].startswith("warn: ")
    assert found["euro"]["finding"] == ""
    assert found["order_id"]["readers"] == ["checks.once"]
