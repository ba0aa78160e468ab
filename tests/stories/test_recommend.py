"""From the files that say who had what to a release that recommends, and that does not lose to popularity anywhere."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mlctl import config
from mlctl.recommend.sealing import open_recommender
from mlctl.stages.recommending._champion import champion
from mlctl.stages.recommending._ground import cases_of, ground
from mlctl.stages.recommending._judging import shown
from mlctl.stages.recommending.evaluate import rung_of
from mlctl.workspace import Places
from tests import world

GENRES = ("space war", "kitchen love", "river crime", "mountain music")


def write_files(folder: Path) -> None:
    """300 people who each like one genre, 48 films, and a film that everybody sees sooner or later."""
    draw = np.random.default_rng(4)
    films = [f"m{place:02d},The {GENRES[place % 4]} of {place},{GENRES[place % 4]}" for place in range(48)]
    (folder / "films.csv").write_text(
        "\n".join(["filmId,title,genre", *films, "m48,A space war that nobody saw,space war"]) + "\n"
    )
    rows = []
    for user in range(300):
        seen = [*(4 * draw.permutation(12)[:7] + user % 4), int(draw.integers(0, 48))]
        begins = 1_600_000_000 + int(draw.integers(0, 300)) * 86_400
        rows += [
            (begins + n * 5 * 86_400, f"u{user:03d}", f"m{film:02d}", 3 + n % 3)
            for n, film in enumerate(dict.fromkeys(seen))
        ]
    lines = [f"{user},{film},{stars},{moment}" for moment, user, film, stars in sorted(rows)]
    (folder / "ratings.csv").write_text("\n".join(["userId,filmId,rating,timestamp", *lines]) + "\n")


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which `mlctl init` drafted a recommender and `mlctl run` released it."""
    folder = world.make_workspace(tmp_path_factory.mktemp("films") / "workspace")
    write_files(folder)
    made = world.mlctl(folder, "init", "films", "--from", "ratings.csv", "films.csv")
    assert made.returncode == 0, made.stderr
    assert "interaction data" in made.stderr
    world.replace(
        folder / "projects/films/project.yaml",
        "# model: {kind: blend, ladder: [popularity, content, ease, als]}",
        "model: {kind: blend, ladder: [popularity, content, item_knn]}",
    )
    done = world.mlctl(folder, "run", "films")
    assert done.returncode == 0, done.stderr
    (folder / "said.txt").write_text(done.stderr)
    return folder


def test_every_state_is_told_beside_popularity_and_gated(films: Path) -> None:
    said = (films / "said.txt").read_text()
    report = json.loads((films / ".mlctl/films/evaluation/report.json").read_text())
    gate = json.loads((films / "projects/films/metrics/gate.json").read_text())

    assert all(f"{state}: ndcg" in said for state in ("cold", "warming", "warm"))
    assert "a split by lot would have said" in said
    assert sum(found["traffic_share"] for found in report["cohorts"].values()) == pytest.approx(1)
    warm = report["cohorts"]["warm"]["models"]
    assert warm[report["model"]]["ndcg"]["value"] > 1.5 * warm["popularity"]["ndcg"]["value"]
    judged = {(rule["rule"], rule["cohort"]) for rule in gate["rules"]}
    assert {("not_below_popularity_in_any_state", state) for state in ("cold", "warming", "warm")} <= judged


def test_the_release_answers_somebody_with_one_event_and_knows_what_nobody_saw(films: Path) -> None:
    release = open_recommender(films / ".mlctl/films/release", "")
    [answer] = release.recommend([["m01"]], 5)
    genre = dict(zip(release.items["filmId"], (GENRES[place % 4] for place in range(48)), strict=False))

    assert sum(genre.get(item) == "kitchen love" for item in answer.items) >= 3
    assert answer.reason == "model"
    assert answer.because[0] == ("m01",)
    assert "m48" in [item for item, _ in release.similar("m04", 12)]
    assert release.manifest["lineage"]["git"]["sha"]


def test_the_same_run_again_changes_nothing(films: Path) -> None:
    identity = json.loads((films / ".mlctl/films/release/manifest.json").read_text())["id"]
    done = world.mlctl(films, "run", "films")

    assert done.returncode == 0, done.stderr
    assert "ran  " not in done.stderr
    assert json.loads((films / ".mlctl/films/release/manifest.json").read_text())["id"] == identity


def test_the_champions_recipe_is_judged_on_the_same_users_and_not_its_own_tables(
    films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert world.mlctl(films, "promote", "films").returncode == 0
    judged = world.mlctl(films, "evaluate", "films")
    assert judged.returncode == 0, judged.stderr
    report = json.loads((films / ".mlctl/films/evaluation/report.json").read_text())
    monkeypatch.chdir(films)
    places = Places("films")
    project = config.read_params(places)
    own, asked = ground(places, project), cases_of(places, "test")[1]
    trained = json.loads((places.model / "report.json").read_text())
    rungs = {name: rung_of(places, trained, name) for name in trained["models"]}

    found = champion(places, own, rungs, "popularity")

    assert report["champion"]["itself"]
    assert found.rung is not None
    by_recipe, by_rung = (shown(project, rung, asked) for rung in (found.rung, rungs[report["model"]]))
    assert by_recipe.tolist() == by_rung.tolist()
    # the release itself has learnt from those who judge
    release = open_recommender(places.releases / found.release, "")
    assert shown(project, release.model, asked).tolist() != by_rung.tolist()


def test_a_metric_of_scores_is_no_metric_of_lists(films: Path) -> None:
    done = world.mlctl(films, "compose", "films", "metrics.auc={kind: roc_auc}")

    assert done.returncode == 2
    assert "metrics.auc.kind" in done.stderr
    assert "ndcg" in done.stderr


def test_the_composed_gate_holds_what_nobody_wrote(films: Path) -> None:
    composed = (films / "projects/films/params.yaml").read_text()

    assert "not_below_popularity_in_any_state" in composed
    assert "not_below" not in (films / "projects/films/project.yaml").read_text()
