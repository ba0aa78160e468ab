"""A batch scored where an engine runs has the bits of one scored here, with the same release."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from mlctl import kinds
from mlctl.engines import spark
from mlctl.errors import ConfigError, DataError, ExternalError, IntegrityError, MlctlError
from mlctl.release import Release, open_release
from mlctl.scoring import distributed
from mlctl.serving.batch import score_everybody
from mlctl.workspace import Places
from tests import world

pytestmark = pytest.mark.usefixtures("java")

AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 2, tzinfo=UTC)
NAMES = ("customers", "orders")


def work(shop: Path, engine: str = "local") -> distributed.Work:
    module = kinds.load("engines", engine)
    files = {name: shop / f".mlctl/shop/checked/{name}.parquet" for name in NAMES}
    return distributed.Work(kinds.options("engines", module.EXAMPLE), shop / ".mlctl/shop/release", files)


@pytest.fixture(scope="module")
def shop(finished_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose release tells reasons and has rows of every kind."""
    shop = world.copy_workspace(finished_workspace, tmp_path_factory.mktemp("distributed") / "workspace")
    with (shop / "projects/shop/project.yaml").open("a") as file:
        file.write("serving: {kind: batch, reasons: 2}\n")
    for stage in ("compose", "package"):
        assert world.mlctl(shop, stage, "shop").returncode == 0
    return shop


@pytest.fixture(scope="module")
def here(shop: Path) -> tuple[Release, pl.DataFrame, pl.DataFrame]:
    release = open_release(shop / ".mlctl/shop/release", "")
    heard: list[pl.DataFrame] = []
    tables = {name: pl.read_parquet(path) for name, path in work(shop, "local").files.items()}
    return release, score_everybody(release, tables, AS_OF, NOW, hear=heard.append), heard[0]


def test_parts_have_the_bits_of_the_whole(shop, here, monkeypatch):
    release, scores, features = here
    monkeypatch.chdir(shop)
    monkeypatch.setattr(distributed, "BATCH_ROWS", 100)
    heard: list[pl.DataFrame] = []

    found = distributed.score_everybody(release, Places("shop"), work(shop, "local"), (AS_OF, NOW), heard.append)

    assert found.equals(scores, null_equal=True)
    assert heard[0].equals(features.select(heard[0].columns), null_equal=True)
    assert (scores.height > 500, scores["contributions"].null_count() > 0) == (True, True)
    assert {"model", "cold_start"} <= set(scores["reason"])
    assert not (shop / ".mlctl/shop/scoring").exists()


def test_nobody_to_score_and_a_damaged_release_are_told_as_they_are(shop, here, monkeypatch, tmp_path):
    monkeypatch.chdir(shop)
    asked = partial(distributed.score_everybody, here[0], Places("shop"))
    with pytest.raises(DataError, match="no rows in the population"):
        asked(work(shop, "local"), (AS_OF - timedelta(days=9000), NOW), lambda _: None)

    damaged = world.copy_workspace(shop, tmp_path / "workspace")
    path = damaged / ".mlctl/shop/release/model.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(IntegrityError, match=r"model\.onnx"):
        asked(work(damaged, "local"), (AS_OF, NOW), lambda _: None)


def squares(part: int) -> pl.DataFrame:
    if part == 3:
        raise DataError.no_rows("part 3", "nobody is in it", "look at it")
    return pl.DataFrame({"key": [f"c{part}"] * part, "value": [float(part * part)] * part})


def test_a_fault_that_nobody_foresaw_keeps_its_words_on_the_way_through_spark():
    told = json.loads(spark._told(RuntimeError("a plain fault")))

    assert told["exit_code"] == ExternalError.exit_code
    assert any("RuntimeError: a plain fault" in text for _, text in told["lines"])


@pytest.mark.parametrize("engine", kinds.names("engines"))
def test_what_a_part_refuses_is_told_in_its_own_words(engine):
    module = kinds.load("engines", engine)
    options, columns = kinds.options("engines", module.EXAMPLE), {"key": "string", "value": "double"}

    with pytest.raises(MlctlError, match="no rows in part 3") as told:
        list(module.each(options, squares, [2, 3], columns))

    assert told.value.exit_code == DataError.exit_code


def test_the_command_publishes_what_spark_scored_with_the_bits_of_this_process(shop: Path, here) -> None:
    refused = world.mlctl(shop, "score", "shop", "model=logistic")
    assert refused.returncode == ConfigError.exit_code
    assert "only its engine can be chosen" in refused.stderr

    done = world.mlctl(shop, "score", "shop", "engine=spark", "engine.memory=1g", "--json")

    assert done.returncode == 0, done.stderr
    assert not json.loads(done.stdout)["already"]
    columns = ["customer_id", "score", "decision", "reason", "confidence", "contributions"]
    lines = world.psql(shop, f'select {", ".join(columns)} from shop_scores order by customer_id collate "C"')
    shown = [line.split("|") for line in lines.splitlines()]
    assert [(row[0], float(row[1]), *row[2:4], float(row[4]), row[5] or None) for row in shown] == here[1].select(
        columns
    ).rows()
    assert json.loads(world.mlctl(shop, "score", "shop", "--json").stdout)["already"]
