"""From YAML and overrides to a project: every value keeps its origin, every fault is told, nothing reads the machine."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mlctl import config, kinds, spec
from mlctl.errors import ConfigError
from mlctl.strict_yaml import read_yaml
from mlctl.workspace import Places
from tests.world import PROJECT, ROOT

SHOP = Places("shop")
MODEL = "model: {kind: xgboost, trees: 30, depth: 3}\n"


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    monkeypatch.chdir(tmp_path)
    write(PROJECT)


def write(text: str) -> None:
    SHOP.folder.mkdir(parents=True, exist_ok=True)
    SHOP.config.write_text(text)


def edited(old: str, new: str) -> str:
    assert old in PROJECT
    return PROJECT.replace(old, new)


def faults(*overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config.compose(SHOP, overrides)
    return [str(fault) for fault in caught.value.faults]


def line_of(text: str, start: str) -> int:
    return 1 + next(index for index, line in enumerate(text.splitlines()) if line.startswith(start))


def test_every_value_tells_who_set_it():
    text = edited(MODEL, "defaults: [{model: logistic}]\nmodel: {seed: 3}\n")
    write(text)

    composed = config.compose(SHOP, ["split.moments=2"])

    assert composed.origins["model.seed"] == config.Origin(
        f"projects/shop/project.yaml:{line_of(text, 'model')}", "project file"
    )
    assert composed.origins["model.c"] == config.Origin("conf/model/logistic.yaml:3", "preset model=logistic")
    assert composed.origins["database.kind"] == config.Origin(
        "conf/database/embedded.yaml:2", "preset database=embedded"
    )
    assert composed.origins["split.moments"] == config.Origin("override split.moments=2", "command line")
    assert "decide.threshold" not in composed.origins
    assert composed.mapping["decide"]["threshold"] is None
    assert composed.mapping["model"]["c"] == 1.0
    assert composed.project.split.moments == 2


@pytest.mark.parametrize(
    "new",
    ["", "model: logistic\n", "defaults: [{model: logistic}]\n", "defaults: [{override /model: logistic}, _self_]\n"],
)
def test_a_group_is_chosen_by_nobody_by_its_name_or_by_the_defaults_list(new):
    write(edited(MODEL, new))

    composed = config.compose(SHOP)

    assert composed.project.model.kind == ("logistic" if new else "xgboost")
    assert composed.project.metrics.keys() == {"roc_auc", "average_precision", "log_loss", "brier", "lift_at_10"}
    assert set(composed.project.gate) == {"better_than_constant", "ranks"}


def test_a_group_chosen_on_the_command_line_takes_the_place_of_the_projects_own_section():
    composed = config.compose(SHOP, ["model=logistic", "model.c=0.25"])

    assert (composed.project.model.kind, composed.project.model.c) == ("logistic", 0.25)
    assert composed.origins["model.c"].set_by == "command line"
    assert not [
        key for key, origin in composed.origins.items() if key.startswith("model") and origin.set_by == "project file"
    ]


def test_a_section_of_its_own_kind_takes_nothing_from_the_presets():
    write(edited(MODEL, "model: {kind: xgboost}\n"))

    composed = config.compose(SHOP)

    assert composed.project.model.learning_rate == kinds.options("models", {"kind": "xgboost"}).learning_rate
    assert not [origin for origin in composed.origins.values() if origin.set_by.startswith("preset model")]


def test_an_unset_key_is_set_without_hydras_plus_and_an_unknown_one_is_still_a_fault():
    assert config.compose(SHOP, ["model.learning_rate=0.3"]).project.model.learning_rate == 0.3
    assert config.compose(SHOP, ["cohorts.young='orders_30d > 1'"]).project.cohorts["young"] == "orders_30d > 1"
    assert faults("model.dept=3") == [
        "override model.dept=3: model.dept: unknown key; did you mean 'depth'? [command line]"
    ]


def test_a_key_is_removed_by_a_tilde():
    assert config.compose(SHOP, ["~cohorts.annual"]).project.cohorts == {}
    assert set(config.compose(SHOP, ["~gate.better_than_constant"]).project.gate) == {"ranks"}


def test_a_gate_without_a_rule_is_refused():
    assert "gate: is empty" in faults("~gate.better_than_constant", "~gate.ranks")[0]


def test_interpolations_between_keys_are_resolved():
    write(
        edited("about: Who will stop buying in the next 90 days?", "about: within ${label.horizon} of ${name}").replace(
            "trees: 30", "trees: '${model.depth}'"
        )
    )

    project = config.compose(SHOP).project

    assert project.about == "within 90d of shop"
    assert project.model.trees == 3


def test_an_interpolation_of_nothing_names_its_line():
    write(edited("depth: 3", "depth: '${nope.nothing}'"))

    assert [fault.split(": ", 2)[:2] for fault in faults()] == [
        [f"projects/shop/project.yaml:{line_of(PROJECT, 'model')}", "model.depth"]
    ]


@pytest.mark.parametrize("reads", ["${now:%Y}", "${python_version:}", "${hydra:runtime.cwd}"])
def test_neither_the_clock_nor_the_machine_gets_into_a_project(reads):
    write(edited("about: Who will stop buying in the next 90 days?", f"about: a {reads}"))

    (fault,) = faults()

    assert fault.startswith("projects/shop/project.yaml:2: about: ")


def test_an_environment_variable_stays_a_name_everywhere_and_is_filled_in_only_for_the_database(monkeypatch):
    monkeypatch.setenv("SHOP_DSN", "postgresql://u:geheim@h/db")
    write(PROJECT + "database: {kind: postgres, dsn: '${oc.env:SHOP_DSN}'}\n")

    composed = config.compose(SHOP)
    config.write_params(SHOP, composed)

    assert composed.mapping["database"]["dsn"] == composed.project.database.dsn == "${oc.env:SHOP_DSN}"
    assert "geheim" not in SHOP.params.read_text() + repr(composed)
    assert config.with_secrets(config.read_params(SHOP).database).dsn == "postgresql://u:geheim@h/db"


def test_a_secret_that_is_not_set_has_its_default_or_is_an_error(monkeypatch):
    monkeypatch.delenv("SHOP_DSN", raising=False)

    def database(dsn: str) -> spec.Database:
        return spec.Database.model_validate({"kind": "postgres", "dsn": dsn})

    assert config.with_secrets(database("a ${oc.env:SHOP_DSN,b} c")).dsn == "a b c"
    assert config.with_secrets(spec.Database()) == spec.Database()
    with pytest.raises(ConfigError, match="SHOP_DSN is not set"):
        config.with_secrets(database("${oc.env:SHOP_DSN}"))


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("about: Who", "about: ${oc.env:HOME} Who", "about"),
        (
            "customers: 600}\n  orders",
            "customers: 600, key: ['${oc.env:HOME,x}']}\n  orders",
            "sources.customers.key.0",
        ),
        ("annual: plan = 'annual'", "annual: \"plan = '${oc.env:HOME}'\"", "cohorts.annual"),
    ],
)
def test_the_environment_is_refused_outside_the_dsn(old, new, key):
    write(edited(old, new))

    (fault,) = faults()

    assert f": {key}: reads the environment" in fault


@pytest.mark.parametrize(
    ("given", "runs"),
    [
        ([], [()]),
        (["a=1"], [("a=1",)]),
        (["model.depth=range(1,4)"], [("model.depth=1",), ("model.depth=2",), ("model.depth=3",)]),
        (["model=logistic,xgboost", "split.moments=1,2"],
         [("model=logistic", "split.moments=1"), ("model=logistic", "split.moments=2"), ("model=xgboost", "split.moments=1"), ("model=xgboost", "split.moments=2")]),
        (["a=[1,2]"], [("a=[1,2]",)]),
        (["a='x,y'"], [("a='x,y'",)]),
    ],
)  # fmt: skip
def test_a_sweep_is_every_combination(given, runs):
    assert config.sweep(given) == runs


def test_a_sweep_outside_the_grammar_is_refused():
    with pytest.raises(ConfigError):
        config.sweep(["a=[1,"])


def test_all_faults_are_told_at_once_in_the_order_of_the_file():
    text = edited("owner", "owner") if "owner" in PROJECT else PROJECT
    text = text.replace("entity: {key", "entity: {kee: 1, key").replace("kind: unique", "kind: uniqe")
    text = (
        text.replace("windows: [90d]", "windows: [90x]")
        .replace("depth: 3", "depth: deep")
        .replace("min: 0.7", "minn: 0.7")
    )
    write(text + "modle: {}\n")

    found = faults("split.moments=0")

    lines = [int(fault.split(":")[1]) for fault in found if fault.startswith("projects/")]
    wanted = [
        line_of(text, "entity"),
        line_of(text, "  orders_once"),
        line_of(text, "  spend"),
        line_of(text, "model"),
        line_of(text, "gate"),
    ]
    assert set(wanted) | {len(text.splitlines()) + 1} == set(lines)
    assert lines == sorted(lines)
    assert any("split.moments" in fault and "[command line]" in fault for fault in found)
    assert any("did you mean 'unique'?" in fault for fault in found)
    assert any("modle: unknown section; did you mean 'model'?" in fault for fault in found)


@pytest.mark.parametrize(
    "override",
    [
        "hydra.run.dir=x",
        "++hydra.verbose=true",
        "hydra=x",
        "+hydra.searchpath=[file:///]",
        "~hydra.job",
        "depth",
        "=3",
        "model=nope",
        "model.depth=[1",
        "model.depth=${oc.env:HOME}",
    ],
)
def test_overrides_of_hydra_itself_and_broken_ones_are_refused(override):
    with pytest.raises(ConfigError) as caught:
        config.compose(SHOP, [override])
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "defaults", ["5", "logistic", "[model]", "[{modle: logistic}]", "[{model: nope}]", "{model: logistic}", "[[model]]"]
)
def test_a_defaults_list_of_another_form_is_refused(defaults):
    write(f"defaults: {defaults}\n" + PROJECT.replace(MODEL, ""))

    with pytest.raises(ConfigError) as caught:
        config.compose(SHOP)
    assert caught.value.exit_code == 2


def test_an_empty_defaults_list_says_nothing():
    write("defaults:\n" + PROJECT)

    assert config.compose(SHOP).project == config.compose(SHOP, ["model.trees=30"]).project


def test_another_name_than_the_folders_is_refused():
    write(edited("name: shop", "name: other"))

    assert "'other' is not the folder's name 'shop'" in faults()[0]


def test_params_are_read_back_to_the_same_project_and_are_written_only_when_they_change():
    write(
        edited("is: 0}", "is: 0, where: \"status = 'n'\"}")
        .replace("min: 0.7}", "min: 0.7}")
        .replace("decide: {", 'decide: {above: "y", below: "n", ')
    )
    composed = config.compose(SHOP)

    assert config.write_params(SHOP, composed) is True
    before = SHOP.params.stat()
    assert config.write_params(SHOP, config.compose(SHOP)) is False
    assert SHOP.params.stat().st_mtime_ns == before.st_mtime_ns
    assert config.read_params(SHOP) == composed.project
    assert config.read_params(SHOP).mapping() == composed.mapping
    mapping, _ = read_yaml(SHOP.params)
    assert list(mapping)[-1] == "mlctl"


def test_params_that_are_missing_or_were_edited_are_refused():
    with pytest.raises(ConfigError, match=r"params\.yaml is missing"):
        config.read_params(SHOP)
    config.write_params(SHOP, config.compose(SHOP))
    SHOP.params.write_text(SHOP.params.read_text().replace("  depth: 3", "  depth: deep"))
    with pytest.raises(ConfigError) as caught:
        config.read_params(SHOP)
    assert "projects/shop/params.yaml:" in caught.value.faults[0].place


def test_a_section_has_the_same_digest_exactly_when_it_says_the_same():
    plain = config.compose(SHOP).project
    deeper = config.compose(SHOP, ["model.depth=4"]).project

    assert config.section_digest(plain, ["sources", "label"]) == config.section_digest(deeper, ["sources", "label"])
    assert config.section_digest(plain, ["model"]) != config.section_digest(deeper, ["model"])


def test_composing_depends_on_no_environment_variable_and_not_on_what_else_lies_around():
    script = "from mlctl import config; from mlctl.workspace import Places; p = Places('shop'); config.write_params(p, config.compose(p))"
    texts = set()
    names = ["a.txt", "z", "model.yaml", "conf/notes.md", "conf/model/zzz.yaml"]
    for seed in range(2):
        for name in random.Random(seed).sample(names, len(names)):
            Path(name).unlink(missing_ok=True)
            Path(name).write_text("kind: constant\n")
        SHOP.params.unlink(missing_ok=True)
        changed = {
            "PYTHONHASHSEED": str(seed),
            "TZ": ("Asia/Tokyo", "UTC")[seed],
            "MODEL": "x",
            "HYDRA_FULL_ERROR": str(seed),
            "LC_ALL": "C",
        }
        subprocess.run([sys.executable, "-c", script], env={**os.environ, **changed}, check=True)
        texts.add(SHOP.params.read_bytes())

    assert len(texts) == 1
