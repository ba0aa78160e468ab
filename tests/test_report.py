"""The report tells what lies on disk: by hand-made artefacts whose every number is known."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlctl.errors import ConfigError, IntegrityError
from mlctl.report import _curves, figures, report, sections, write
from mlctl.report.contents import contents
from mlctl.report.disk import read
from tests import artefacts

SCRIPT = "<script>alert(1)</script>"
VOID = {"meta", "br", "hr", "img", "link", "input"}


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Page(HTMLParser):
    """Every element with its attributes; refuses what is not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.words.append(" ".join(data.split()))


def test_the_contents_are_the_artefacts_numbers() -> None:
    told = contents(*artefacts.make())

    assert told["format_version"] == "1.0"
    assert told["missing"] == []
    assert told["data"]["version"] == "d" * 64
    assert told["data"]["tables"][0]["quarantined"] == 17
    assert [rung["name"] for rung in told["ladder"]["rungs"]] == ["constant", "xgboost"]
    assert [point["rows"] for point in told["learning"]["points"]] == [4, 8]
    assert told["models"]["order"] == ["xgboost", "constant"]
    assert [(line["cohort"], line["not_measured"]) for line in told["cohorts"]] == [
        ("annual", None),
        ("few", "fewer than 50 rows"),
    ]
    # all columns of a category together
    assert told["importance"] == [{"feature": "age", "share": 0.6}, {"feature": "plan", "share": 0.4}]
    assert [line["feature"] for line in told["dependence"]] == ["age", "plan"]
    assert told["lineage"]["release"] == "feedbeef"
    assert told["gate"]["passed"] is True
    # eight rows, of which the surest two (0.99 and 0.02) are one right and one wrong
    assert told["curves"]["coverage"]["xgboost"]["accuracy"][:2] == [1.0, 0.5]


def test_the_errors_are_the_wrong_rows_the_surest_first() -> None:
    errors = contents(*artefacts.make())["errors"]

    assert [(line["key"], line["truth"], line["score"]) for line in errors] == [("c5", 1.0, 0.02), ("c2", 0.0, 0.97)]
    assert errors[0]["as_of"] == "2026-08-01"
    assert {reason["feature"] for line in errors for reason in line["reasons"]} <= {"age", "plan"}


def test_of_several_classes_the_report_tells_names_and_confusion() -> None:
    told = contents(*artefacts.make("multiclass"))

    assert told["curves"]["confusion"] == {
        "classes": ["billing", "delivery", "other"],
        "counts": [[2, 1, 0], [0, 3, 0], [0, 0, 2]],
    }
    assert [(line["key"], line["truth"], line["foretold"]) for line in told["errors"]] == [
        ("c7", "billing", "delivery")
    ]
    assert len(told["dependence"][0]["outcomes"]) == 3
    assert set(told["curves"]["roc"]) == {"billing", "delivery", "other"}


def test_of_a_number_the_report_tells_residuals_and_the_farthest_off() -> None:
    told = contents(*artefacts.make("regression"))

    assert set(told["curves"]) == {"foretold", "residuals"}
    assert (told["errors"][0]["key"], told["errors"][0]["truth"], told["errors"][0]["score"]) == ("c7", 90.0, 70.0)
    assert told["curves"]["residuals"]["xgboost"]["residual"][-1] == 20.0


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_the_page_is_whole_needs_nothing_from_outside_and_is_the_same_again(task: str) -> None:
    places, project = artefacts.make(task)

    text = report(places, project)
    page = Page(text)

    assert text == report(places, project)
    assert len(text) < 1_500_000
    assert "http:" not in text and "https:" not in text and "//" not in text
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in page.elements}
    assert all((found.get("href") or "#").startswith("#") for _, found in page.elements)
    for _, found in page.elements:
        assert not [name for name in found if name.startswith("on") or name in ("src", "xlink:href")]
        assert "url(" not in re.sub(r"url\(#\w+\)", "", " ".join(str(value) for value in found.values()))
    ids = [found["id"] for _, found in page.elements if "id" in found]
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#(\w+)\)", text)) <= set(ids)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_every_chart_has_its_numbers_beside_it(task: str) -> None:
    page = Page(report(*artefacts.make(task)))
    figures = "".join(tag[0] for tag, _ in page.elements if tag in ("figure", "svg", "table"))

    # f(igure) s(vg) t(able), as often as there are figures
    assert figures.count("fst") == figures.count("f") > 3
    assert {"What it decides", "Data", "Gate", "Metrics", "Curves", "Cohorts", "Errors to look at", "Lineage"} <= set(
        page.words
    )


def test_texts_from_data_and_configuration_stay_texts() -> None:
    places, project = artefacts.make(key=SCRIPT, about=SCRIPT, owner=SCRIPT)
    scored = json.loads((places.evaluation / "report.json").read_text())
    scored["cohorts"][SCRIPT] = scored["cohorts"].pop("annual")
    scored["ladder"]["rungs"][0]["name"] = SCRIPT
    (places.evaluation / "report.json").write_text(json.dumps(scored))

    text = report(places, project)

    assert "<script" not in text
    assert SCRIPT in Page(text).words
    assert "<script" not in report(places, project, "md")
    assert json.loads(report(places, project, "json"))["decides"]["about"] == SCRIPT


def test_classes_of_hostile_names_stay_texts_in_the_charts_too() -> None:
    places, project = artefacts.make("multiclass")
    for path in (places.evaluation / "report.json", places.features / "report.json"):
        path.write_text(path.read_text().replace('"other"', json.dumps(SCRIPT)))

    text = report(places, project)

    assert "<script" not in text
    assert text.count("&lt;script") > 3


def test_many_classes_draw_the_commonest_and_tell_all() -> None:
    names = [f"team_{code:02}" for code in range(30)]
    truth = np.repeat(np.arange(30.0), np.arange(30) + 1)
    score = np.eye(30)[truth.astype(int)] * 0.5 + 0.5 / 30
    places, project = artefacts.make("multiclass")
    disk = replace(read(places, project), evaluation={"model": "own", "classes": names})

    told = _curves.of(disk, truth, {"own": score})

    assert list(told["roc"]) == names[:21:-1]
    assert len(told["of_classes"]) == 30
    assert "Confusion" not in [figure.title for figure in figures.curves(told, ["own"])]


def test_json_and_markdown_tell_the_same() -> None:
    places, project = artefacts.make()

    told = json.loads(report(places, project, "json"))
    markdown = report(places, project, "md")

    assert told == json.loads(json.dumps(contents(places, project)))
    assert "## Gate: passed" in markdown
    assert "| xgboost (adopted) | 0.800 [0.750, 0.850] | [+0.200, +0.300] |" in markdown
    assert "| few | 1 | 100.0% | fewer than 50 rows |" in markdown
    assert "17 rows set aside" in markdown


def test_a_refused_gate_and_no_release_are_said() -> None:
    places, project = artefacts.make()
    artefacts.gate(places, passed=False)
    (places.release / "manifest.json").unlink()

    text = report(places, project)

    assert "the gate refuses it" in text
    assert "There is no release: the gate refused the model." in text
    assert "## Gate: refused" in report(places, project, "md")


def test_a_waived_refusal_is_told_with_its_reason() -> None:
    places, project = artefacts.make()
    artefacts.gate(places, passed=False)
    path = places.metrics / "gate.json"
    found = json.loads(path.read_text())
    found["rules"][0]["waived"] = "by ann until 2026-12-01: a known gap"
    path.write_text(json.dumps({**found, "passed": True}))

    words = Page(report(places, project)).words

    assert "waived" in words
    assert "by ann until 2026-12-01: a known gap" in words
    assert "the gate lets it pass" in words
    assert "| waived | roc\\_auc of everybody |" in report(places, project, "md")


def test_weak_groups_that_were_found_are_told() -> None:
    places, project = artefacts.make()
    path = places.evaluation / "report.json"
    found = json.loads(path.read_text())
    weak = {"condition": "plan = 'annual' and age < 30", "p_value": 0.012, "effect": 0.5, "rows": 3}
    path.write_text(json.dumps({**found, "slices": {"weak_1": {**weak, "not_measured": "fewer than 50 rows"}}}))
    artefacts.gate(places, passed=True)

    told = contents(places, project)

    assert told["missing"] == []
    assert {key: told["slices"][0][key] for key in weak} == weak
    assert {"plan = 'annual' and age < 30", "0.012", "fewer than 50 rows"} <= set(Page(report(places, project)).words)


def test_what_a_calibration_did_is_told_beside_the_ladder() -> None:
    places, project = artefacts.make()
    path = places.model / "report.json"
    found = json.loads(path.read_text())
    bent = {"kind": "sigmoid", "ece_before": 0.0812, "ece_after": 0.0117}
    path.write_text(json.dumps({**found, "models": {"xgboost": {"calibration": bent}}}))

    ladder = next(section for section in sections.sections(contents(places, project)) if section.id == "ladder")

    error = "expected calibration error 0.081 before and 0.012 after, on the rows that taught the curve"
    assert f"Calibration: sigmoid, {error}." in ladder.words


def test_what_the_probes_for_leaks_said_is_told() -> None:
    places, project = artefacts.make()
    finding = {
        "severity": "warn",
        "rule": "probes.alone",
        "where": "column age",
        "value": "0.99",
        "limit": "0.95",
        "rows": 0,
    }
    probes = {"findings": [finding], "ran": {"alone": 2}, "not_run": {"period": "there is one moment"}}
    artefacts.write_json(places.frozen / "report.json", {"probes": probes})

    words = Page(report(places, project)).words

    assert "probes.alone" in words
    assert "The probe period did not run: there is one moment." in words


def test_what_does_not_belong_together_is_said() -> None:
    places, project = artefacts.make()
    path = places.evaluation / "report.json"
    found = json.loads(path.read_text())
    found["test_set"]["sha256"] = "0" * 64
    path.write_text(json.dumps(found))

    missing = contents(places, project)["missing"]

    assert [sentence.split(" ")[1] for sentence in missing] == ["evaluation", "gate", "release"]
    assert all("mlctl run projects/shop" in sentence for sentence in missing)


def test_a_release_of_another_model_is_said() -> None:
    places, project = artefacts.make()
    path = places.release / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"]["model.onnx"] = "0" * 64
    path.write_text(json.dumps(manifest))

    assert contents(places, project)["missing"] == [
        "The release holds another model than the one that is told of here. "
        "mlctl run projects/shop brings it up to date."
    ]


ORDER = ("checked", "features", "model", "evaluation", "release")


@pytest.mark.parametrize("count", range(len(ORDER) + 1))
def test_a_project_of_which_only_a_part_was_made_has_a_report(count: int) -> None:
    places, project = artefacts.make()
    for name in ORDER[count:]:
        folder = getattr(places, name)
        for path in folder.iterdir():
            path.unlink()
    if count < 4:
        (places.metrics / "gate.json").unlink()

    told = contents(places, project)
    page = Page(report(places, project))

    assert len(told["missing"]) == (0 if count == len(ORDER) else len(ORDER) - count + (count < 4))
    assert "What it decides" in page.words
    assert report(places, project, "md").startswith("# shop")


@pytest.mark.parametrize(
    "name", ["evaluation/scores.parquet", "features/test.parquet", "model/xgboost.onnx", "model/report.json"]
)
@pytest.mark.parametrize("left", [0, 20])
def test_a_damaged_artefact_is_told_and_not_drawn(name: str, left: int) -> None:
    places, project = artefacts.make()
    path = places.state / name
    path.write_bytes(path.read_bytes()[:left])

    with pytest.raises(IntegrityError, match=r"parquet|graph|report\.json"):
        report(places, project)


def test_scores_of_other_rows_than_the_features_are_drawn_without_them() -> None:
    places, project = artefacts.make()
    path = places.features / "report.json"
    found = json.loads(path.read_text())
    found["test"]["sha256"] = "1" * 64
    path.write_text(json.dumps(found))

    told = contents(places, project)

    assert told["errors"] is None
    assert told["curves"]["roc"]
    assert told["missing"][0].startswith("The evaluation is of another test set")


def test_only_a_page_is_written_without_being_asked() -> None:
    places, project = artefacts.make()

    assert write(places, "text", "html") == Path(".mlctl/shop/report/index.html")
    assert write(places, "text", "md") is None
    assert write(places, "text", "json", Path("told.json")) == Path("told.json")
    with pytest.raises(ConfigError, match="--format pdf"):
        report(places, project, "pdf")
