"""Every kind, section and key explains itself, with its value and who set it; the schema is of the same records."""

from __future__ import annotations

import shutil
from copy import deepcopy
from typing import Any

import jsonschema
import pytest

from mlctl import kinds
from mlctl.errors import ConfigError
from mlctl.explain import explain, schema
from mlctl.spec import Project
from mlctl.strict_yaml import read_yaml
from mlctl.workspace import Places
from tests.world import PROJECT, ROOT

CHURN, _ = read_yaml(ROOT / "projects/churn/project.yaml")


@pytest.fixture
def places(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (tmp_path / "projects/shop").mkdir(parents=True)
    (tmp_path / "projects/shop/project.yaml").write_text(
        PROJECT.replace("model: {kind: xgboost, trees: 30, depth: 3}", "model: {depth: 4}")
    )
    monkeypatch.chdir(tmp_path)
    return Places("shop")


def test_nothing_asked_lists_every_section_and_kind():
    text = explain(None, None)

    for section in Project.model_fields:
        assert f"  {section}: " in text
    for seam in kinds.SEAMS:
        assert f"  {seam}: {', '.join(kinds.names(seam))}" in text


@pytest.mark.parametrize(
    "what",
    [
        "sources.csv",
        "model.xgboost",
        "models.xgboost",
        "features.count",
        "metrics.roc_auc",
        "checks.rows",
        "serving.batch",
        "csv",
    ],
)
def test_a_kind_tells_its_options_and_an_example(what):
    text = explain(what, None)

    assert "Options:\n" in text
    assert "Example:\n  kind: " in text


@pytest.mark.parametrize("section", list(Project.model_fields))
def test_every_section_is_explained(section):
    assert explain(section, None).startswith(f"{section}: {Project.model_fields[section].description}")


@pytest.mark.parametrize(
    ("key", "value", "set_by", "meaning"),
    [
        ("model.depth", "4", "project file, projects/shop/project.yaml:15", True),
        ("model.trees", "200", "preset model=xgboost, conf/model/xgboost.yaml:3", True),
        ("decide.min_confidence", "0.0", "default (nobody set it)", True),
        ("label.is", "0", "project file, projects/shop/project.yaml:14", True),
        ("gate.ranks.min", "0.7", "project file, projects/shop/project.yaml:17", True),
        ("features.orders.windows.1", "'90d'", "project file, projects/shop/project.yaml:10", False),
        ("database.keep", "5", "default (nobody set it)", True),
    ],
)
def test_a_key_tells_its_value_who_set_it_and_what_it_means(places, key, value, set_by, meaning):
    lines = explain(key, places).split("\n")

    assert lines[0] == f"{key} = {value} in projects/shop"
    assert lines[1] == f"set by: {set_by}"
    assert (len(lines) == 3) or not meaning


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("sources.cvs", "'sources.csv'"),
        ("gatte", "'gate'"),
        ("model.xgbost", "'models.xgboost'"),
        ("qqqqqq", "known: "),
    ],
)
def test_what_does_not_exist_is_told_with_the_nearest_that_does(places, key, hint):
    for where in (None, places):
        with pytest.raises(ConfigError) as caught:
            explain(key, where)
        assert hint in caught.value.why


@pytest.mark.parametrize(
    "key",
    [
        "",
        ".",
        "model.",
        ".model",
        "model..depth",
        "model.depth.x",
        "features.orders.windows.9",
        "features.orders.windows.x",
    ],
)
def test_a_key_of_a_strange_form_is_told_to_be_unknown(places, key):
    with pytest.raises(ConfigError, match="there is no kind or key"):
        explain(key, places)


def faults(mapping: dict[str, Any]) -> list[str]:
    return [error.json_path for error in jsonschema.Draft7Validator(schema()).iter_errors(mapping)]


def churn(key: str, value: Any) -> dict[str, Any]:
    mapping: Any = deepcopy(CHURN)
    *parents, last = key.split(".")
    part = mapping
    for parent in parents:
        part = part.setdefault(parent, {})
    part[last] = value
    return mapping


def test_the_schema_is_one_of_draft_07_and_takes_the_projects_of_this_repository():
    jsonschema.Draft7Validator.check_schema(schema())

    assert schema()["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert schema() == schema()
    for path in sorted((ROOT / "projects").glob("*/project.yaml")):
        assert faults(read_yaml(path)[0]) == [], path


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("modle", {}), ("entity.kee", "x"), ("features.orders.windoes", ["7d"]), ("features.orders.kind", "cuont"), ("model.kind", "xgbost"),
        ("split.moments", "three"), ("split.moments", 0), ("decide.min_confidence", 2), ("gate.ranks_well.mni", 1), ("split.kind", "tim"), ("label", "x"),
    ],
)  # fmt: skip
def test_the_schema_refuses_what_is_wrong(key, value):
    assert faults(churn(key, value))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("split.moments", "${label.moments}"), ("decide.threshold", "${x}"), ("checks.orders_volume.min", "${x}"), ("split.kind", "${x}"),
        ("model", {"kind": "xgboost", "trees": "${x}"}), ("model", "logistic"), ("model", {"depth": 3}), ("checks.orders.severity", "${x}"),
        ("refresh", {"as_of": "2026-11-01"}), ("defaults", [{"model": "logistic"}]), ("about", "for ${name}"), ("gate.ranks_well.min", "${x}"),
    ],
)  # fmt: skip
def test_the_schema_takes_presets_and_interpolations(key, value):
    assert faults(churn(key, value)) == []


@pytest.mark.parametrize("seam", kinds.SEAMS)
def test_the_schema_takes_every_kinds_example(seam):
    section = {"models": "model", "recommenders": "model", "rankings": "metrics", "engines": "engine"}.get(seam, seam)
    for kind in kinds.names(seam):
        example = dict(kinds.load(seam, kind).EXAMPLE)
        assert (
            faults({**CHURN, section: example if section in ("model", "serving", "engine") else {"it": example}}) == []
        ), kind
