"""dvc.yaml lists every project once; dvc.lock before and after tells why a stage ran or did not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlctl import dvc
from mlctl.errors import ExternalError
from tests.world import ROOT

PIPELINE = "# the way\nvars:\n  - projects: [churn]  # add yours\n\nstages: {}\n"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def entry(deps: dict[str, str] | None = None, params: dict | None = None) -> dict:
    return {
        "cmd": "x",
        "deps": [{"path": path, "md5": md5} for path, md5 in (deps or {}).items()],
        "params": {"params.yaml": params or {}},
    }


def test_a_project_is_listed_once_and_the_rest_of_the_file_stays():
    Path("dvc.yaml").write_text(PIPELINE)

    assert dvc.enlist("churn") is False
    assert Path("dvc.yaml").read_text() == PIPELINE
    assert dvc.enlist("shop") is True
    assert dvc.enlist("shop") is False
    assert Path("dvc.yaml").read_text() == PIPELINE.replace("[churn]", "[churn, shop]")


@pytest.mark.parametrize(
    ("before", "after"),
    [("[]", "[shop]"), ("[ ]", "[shop]"), ("[a,b]", "[a, b, shop]"), ("[shopping]", "[shopping, shop]")],
)
def test_a_list_of_any_length_takes_a_project(before, after):
    Path("dvc.yaml").write_text(PIPELINE.replace("[churn]", before))

    assert dvc.enlist("shop") is True
    assert Path("dvc.yaml").read_text() == PIPELINE.replace("[churn]", after)


def test_the_repositorys_own_file_has_the_list():
    Path("dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())

    assert dvc.enlist("another") is True


def test_a_file_without_the_list_is_refused():
    Path("dvc.yaml").write_text("stages: {}\n")

    with pytest.raises(ExternalError, match=r"reading dvc\.yaml"):
        dvc.enlist("shop")


def why(outcome: str, before: dict | None, after: dict | None) -> str:
    name = "train@shop"
    entries = [{name: found} if found is not None else {} for found in (before, after)]
    (run,) = dvc._stage_runs([(name, outcome, 0.0)], *entries)
    assert (run.stage, run.outcome) == ("train", outcome)
    assert (run.seconds > 0) == (outcome != "skipped")
    return run.why


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (None, entry({"a": "1"}), "it has not run here before"),
        (entry({"a": "1"}), None, "its output was missing or had been changed"),
        (entry({"a": "1"}), entry({"a": "1"}), "its output was missing or had been changed"),
        (entry({"a": "1", "b": "1"}), entry({"a": "2", "b": "1"}), "changed: a"),
        (entry({"a": "1"}), entry({"a": "1", "b": "1"}), "changed: b"),
        (entry(params={"model": {"c": 1, "d": 2}}), entry(params={"model": {"c": 3, "d": 2}}), "changed: model.c"),
        (entry(params={"model": {"c": 1}}), entry(params={"model": {"d": 1}}), "changed: model.d, model.c"),
        (entry(params={"a": [1, 2]}), entry(params={"a": [1, 3]}), "changed: a"),
        (entry(params={"a": 1}), entry(params={"a": {"b": 1}}), "changed: a"),
        (entry({"a": "1"}, {"m": 1}), entry({"a": "2"}, {"m": 2}), "changed: a, m"),
        (entry(), entry({f"d{n}": "1" for n in range(8)}), "changed: d0, d1, d2, d3, d4, d5 and 2 more"),
    ],
)
def test_a_stage_that_ran_tells_what_changed(before, after, reason):
    assert why("ran", before, after) == reason


def test_a_stage_that_did_not_run_tells_what_was_compared():
    same = entry({"data/shop": "1"}, {"model": {}, "features": {}})

    assert why("skipped", same, same) == "unchanged: data/shop, features, model"


def test_runs_stand_in_their_order_with_their_times():
    runs = dvc._stage_runs([("a@p", "ran", 1.0), ("b@p", "skipped", 3.5), ("c@p", "restored", 4.0)], {}, {})

    assert [run.stage for run in runs] == ["a", "b", "c"]
    assert runs[0].seconds == 2.5
    assert runs[0].record() == {"stage": "a", "outcome": "ran", "why": "it has not run here before", "seconds": 2.5}


def test_a_lock_file_that_is_not_there_says_nothing():
    assert dvc._locked() == {}
    Path("dvc.lock").write_text("schema: '2.0'\nstages:\n  a@p: {cmd: x}\n")
    assert dvc._locked() == {"a@p": {"cmd": "x"}}


def test_dead_workers_are_taken_from_dvcs_list_and_living_ones_stay():
    dead = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has collected it
    Path(".dvc/tmp").mkdir(parents=True)
    alive, gone = {"pid": os.getpid(), "cmd": "dvc"}, {"pid": dead.pid, "cmd": "dvc"}
    workers = {"write": {"/a": alive, "/b": gone}, "read": {"/c": [alive, gone], "/d": [gone]}}
    Path(".dvc/tmp/rwlock").write_text(json.dumps(workers))

    dvc._forget_the_dead()

    dead.wait()
    assert json.loads(Path(".dvc/tmp/rwlock").read_text()) == {"write": {"/a": alive}, "read": {"/c": [alive]}}
