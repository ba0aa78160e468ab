"""Bad input ends with a clear error and the exit code of the design; nothing is half-written, nothing is published."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from mlctl.release import sealed
from tests import challengers, world

YAML = "projects/shop/project.yaml"
EDITS = {
    "an unknown key": ("trees: 30", "tres: 30", 2, [f"{YAML}:15: model.tres: unknown key", "did you mean 'trees'?"]),
    "a wrong type": ("depth: 3", "depth: deep", 2, ["model.depth", "'deep'"]),
    "a value out of range": ("depth: 3", "depth: 0", 2, ["model.depth", "not 0"]),
    "a key twice": ("about: Who", "name: shop\nabout: Who", 2, ["the key 'name' stands twice"]),
    "a tab": ("about: Who", "\tabout: Who", 2, ["the YAML cannot be read"]),
    "an alias": ("about: Who", "about: &a Who", 2, ["anchors and aliases are not allowed"]),
    "a tag": ("about: Who", "about: !!python/object/apply:os.system [ls] # Who", 2, ["is not allowed"]),
    "a word that YAML bends": ("about: Who", "owner: no\nabout: Who", 2, ["YAML reads no as something else"]),
    "an unknown kind": ("kind: xgboost", "kind: xgbost", 2, ["models has no kind 'xgbost'", "did you mean 'xgboost'?"]),
    "an unknown source": ("spend: {kind: sum, source: orders", "spend: {kind: sum, source: order", 2, ["did you mean 'orders'?"]),
    "the environment": ("about: Who", "owner: ${oc.env:HOME}\nabout: Who", 2, ["owner: reads the environment"]),
    "a missing column": ("column: amount_eur", "column: amount", 3, ["has no column 'amount'", "features.spend"]),
    "a key that no table has": ("key: customer_id", "key: customer", 3, ["has no column 'customer'", "correct entity.key"]),
    "a label of one outcome": ("is: 0}", "is: 12345}", 3, ["the label does not vary", "a model needs both outcomes"]),
    "a check that fails": ("severity: quarantine", "severity: fail", 3, ["the data broke its contract", "26 repeated rows"]),
    "an outcome of tomorrow": ("label:", "split: {train: [2026-01-01], test: [2026-10-01]}\nlabel:", 3, ["is known 90d later"]),
}  # fmt: skip


def scores(folder: Path) -> str:
    return world.mlctl(
        folder, "db", "psql", "shop", "--", "-At", "-c", "select count(*), min(release) from shop_scores"
    ).stdout


def refused(done: object, code: int, words: list[str]) -> None:
    stderr = done.stderr  # type: ignore[attr-defined]
    assert done.returncode == code, stderr  # type: ignore[attr-defined]
    for text in words:
        assert text in stderr
    assert "Traceback" not in stderr
    told = [line for line in stderr.splitlines() if line.split(":")[0] in ("error", "fault", "where", "why", "next")]
    assert 1 <= len(told) <= 6


@pytest.mark.parametrize("name", EDITS)
def test_a_fault_in_the_yaml_or_the_data(workspace: Path, name: str) -> None:
    old, new, code, words = EDITS[name]
    world.replace(workspace / YAML, old, new)

    refused(world.mlctl(workspace, "run", "shop"), code, words)

    world.replace(workspace / YAML, new, old)
    assert world.mlctl(workspace, "check", "shop").returncode in (0, 2, 3)
    assert not list(workspace.rglob("*.tmp"))


def test_every_fault_is_told_at_once(workspace: Path) -> None:
    world.replace(workspace / YAML, "trees: 30", "tres: 30")
    world.replace(workspace / YAML, "horizon: 90d", "horizon: 90")

    done = world.mlctl(workspace, "compose", "shop")

    assert done.returncode == 2
    assert "has 2 faults" in done.stderr
    assert done.stderr.index("label.horizon") < done.stderr.index("model.tres")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "reads a file that does not exist"),
        (b"", "has no bytes"),
        (b"customer_id,x\n", "is empty"),
        (b"PK\x03\x04 and more", "ZIP"),
        (gzip.compress(b"customer_id,x\n" + b"1,2\n" * 2**24, 1), "it is a gzip archive"),
        (b"customer_id,x\n1,2\n3\n", "line 3"),
    ],
)
def test_a_source_that_is_not_what_its_kind_says(workspace: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (workspace / "people.csv").write_bytes(content)
    world.replace(workspace / YAML, "{kind: demo, table: customers, customers: 600}", "{kind: csv, path: people.csv}")
    world.replace(workspace / YAML, "  plan: {kind: lookup, source: customers, column: plan}\n", "")
    world.replace(workspace / YAML, "cohorts: {annual: plan = 'annual'}\n", "")
    before = (workspace / "data.dvc").read_text()

    refused(world.mlctl(workspace, "run", "shop"), 3, [words])

    assert (workspace / "data.dvc").read_text() == before


def test_a_refused_gate_leaves_the_live_scores_alone(workspace: Path) -> None:
    assert world.mlctl(workspace, "run", "shop").returncode == 0
    before = scores(workspace)
    world.replace(workspace / YAML, "min: 0.7", "min: 0.999")

    done = world.mlctl(workspace, "run", "shop")

    assert done.returncode == 4
    assert "REFUSED" in done.stderr
    assert "what was live before is live now" in done.stderr
    assert scores(workspace) == before
    github = world.mlctl(workspace, "gate", "--format", "github", GITHUB_STEP_SUMMARY=str(workspace / "summary.md"))
    assert github.returncode == 4
    line = next(index for index, text in enumerate((workspace / YAML).read_text().splitlines(), 1) if "ranks" in text)
    assert f"::error file={YAML},line={line},title=gate ranks::roc_auc of everybody" in github.stdout
    assert "**refused**" in (workspace / "summary.md").read_text()


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def test_a_flipped_bit_of_the_data_is_found_before_it_is_used(workspace: Path) -> None:
    flip_a_bit(workspace / "data/shop/orders.parquet")

    refused(world.mlctl(workspace, "check", "shop"), 6, ["orders.parquet", "is not what was recorded"])


def test_a_release_that_is_damaged_or_of_another_lineage_scores_nobody_and_the_live_scores_stay(
    workspace: Path,
) -> None:
    assert world.mlctl(workspace, "score", "shop", "--as-of", "2026-08-01").returncode == 0
    before = scores(workspace)
    release = workspace / ".mlctl/shop/release"
    manifest = json.loads((release / "manifest.json").read_text())
    contents = {name: (release / name).read_bytes() for name in manifest["files"]}
    about = {key: told for key, told in manifest.items() if key not in ("format", "id", "files", "seal")}

    # whole and well sealed, by a project that foretells something else
    sealed.seal(release, contents, {**about, "project": "prices"})
    words = ["release is of another lineage", "projects/prices", "a release of projects/shop belongs here"]
    refused(world.mlctl(workspace, "score", "shop"), 6, words)

    # this project's own, kept in the place of one that was promoted
    sealed.seal(release, contents, about)
    assert world.mlctl(workspace, "promote", "shop").returncode == 0
    kept = workspace / "projects/shop/releases" / manifest["id"]
    for path in [kept, *kept.iterdir()]:
        path.chmod(0o755)
    sealed.seal(kept, {**contents, "card.md": "# another"}, about)
    refused(world.mlctl(workspace, "score", "shop"), 6, ["is of another lineage", f"the release {manifest['id']}"])

    flip_a_bit(kept / "model.onnx")
    refused(world.mlctl(workspace, "score", "shop"), 6, ["model.onnx", "is not what was recorded"])
    assert scores(workspace) == before


def test_a_release_of_another_project_is_neither_promoted_nor_tried_nor_exported(workspace: Path) -> None:
    assert world.mlctl(workspace, "promote", "shop").returncode == 0
    own, rollout = workspace / ".mlctl/shop/release", workspace / "projects/shop/rollout.flagd.json"
    champion = json.loads((own / "manifest.json").read_text())["id"]
    elsewhere = workspace / "elsewhere"
    foreign = challengers.made(own, elsewhere, card="of prices\n", project="prices")
    kept = workspace / "projects/shop/releases"
    elsewhere.rename(kept / foreign)
    told = json.loads((kept / f"{champion}.json").read_text())
    (kept / f"{foreign}.json").write_text(json.dumps({**told, "project": "prices", "number": 2, "release": foreign}))
    before = rollout.read_text()

    words = ["is of another lineage", "it is a release of projects/prices", "mlctl releases shop lists its own"]
    for command in (
        "promote shop/2",
        "ramp shop 5 --challenger 2",
        "rollback shop --to shop/2",
        "export docker shop/2",
    ):
        refused(world.mlctl(workspace, *command.split()), 6, words)
    assert not (workspace / "deploy").exists()

    # the one that was sealed last is not even registered
    challengers.made(own, own, card="of others\n", project="prices")
    refused(world.mlctl(workspace, "promote", "shop"), 6, words)
    assert {path.name for path in kept.iterdir() if path.is_dir()} == {champion, foreign}
    assert rollout.read_text() == before


def test_an_unreachable_database_stops_the_run_before_it_begins_and_its_password_is_never_shown(
    workspace: Path,
) -> None:
    dsn = "postgresql://nobody:hunter2@127.0.0.1:1/none"

    done = world.mlctl(workspace, "run", "shop", "database=postgres", MLCTL_DSN=dsn)

    refused(done, 7, ["the database cannot be used", "nobody:***@127.0.0.1:1"])
    assert "hunter2" not in done.stdout + done.stderr
    kept = [path for path in workspace.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]
    assert kept == []


def test_a_secret_that_is_not_set_is_named(workspace: Path) -> None:
    refused(world.mlctl(workspace, "run", "shop", "database=postgres"), 2, ["MLCTL_DSN is not set"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "sop"], "did you mean 'shop'?"),
        (["run", "shop", "model=logistik"], "did you mean 'logistic'?"),
        (["run", "shop", "modl.depth=3"], "did you mean 'model'?"),
        (["run", "shop", "hydra.run.dir=/tmp"], "hydra's own settings"),
        (["run", "shop", "depth"], "KEY=VALUE"),
        (["run", "../shop"], "is not a project"),
        (["ingest", "shop", "--as-of", "yesterday"], "is not a moment"),
        (["gate", "--format", "xml"], "one of table, json, md, github"),
        (["explain", "model.xgbost"], "did you mean"),
    ],
)
def test_a_fault_on_the_command_line(finished_workspace: Path, arguments: list[str], words: str) -> None:
    refused(world.mlctl(finished_workspace, *arguments), 2, [words])
