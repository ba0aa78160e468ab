"""A challenger gets its share, always of the same entities; one that goes wrong is sent away before many have met it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from mlctl import rollout
from mlctl.rollout import Rollout, Traffic, buckets
from mlctl.server import prediction_log
from tests import challengers, served, world

SHOP = Path(".mlctl/shop")
ALARMED = """
serving: {kind: http}
monitors: {stale: {kind: freshness, max_age: 1h}}
respond: {act: {stale: ACT}}
"""


@pytest.fixture(scope="session")
def promoted(finished_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a champion. Not to be changed."""
    folder = world.copy_workspace(finished_workspace, tmp_path_factory.mktemp("promoted") / "workspace")
    done = world.mlctl(folder, "promote", "shop")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def trial(promoted: Path, tmp_path: Path) -> Iterator[Trial]:
    yield Trial(world.copy_workspace(promoted, tmp_path / "workspace"))


class Trial:
    """A workspace with a champion, in which challengers are made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.champion = self.stands().champion

    def challenger(self, **how: bool | str) -> str:
        """Seals a release as the next challenger, and gives its id."""
        source = self.folder / "projects/shop/releases" / self.champion
        return challengers.made(source, self.folder / SHOP / "release", **how)

    def ramp(self, *words: str) -> dict:
        done = world.mlctl(self.folder, "ramp", "shop", *words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def stands(self) -> Rollout:
        return rollout.flag_file.parsed("shop", (self.folder / "projects/shop/rollout.flagd.json").read_text())

    def scored(self) -> pl.DataFrame:
        """What the last batch showed."""
        newest = max((self.folder / SHOP / "scored").glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)
        return pl.read_parquet(newest)

    def watched(self, act: str) -> None:
        """Lets a monitor that always finds something ask for an act."""
        path = self.folder / "projects/shop/project.yaml"
        path.write_text(path.read_text() + ALARMED.replace("ACT", act))

    def rows(self, count: int) -> list[dict]:
        rows = served.rows_of(self.folder).to_dicts()[:count]
        return [row | {"customer_id": f"c{place}"} for place, row in enumerate(rows)]


def test_a_challenger_answers_its_share_and_loses_it_within_a_second(trial: Trial) -> None:
    challenger = trial.challenger(card="once more")
    assert trial.ramp("30")["challenger"] == challenger
    rows = trial.rows(200)
    with served.serve(trial.folder) as server:
        server.said(f"{challenger} answers 30 %")
        got = {answer["id"]: answer for answer in server.post("/predict", rows)}
        whose = [answer["variant"] for answer in got.values()]
        traffic = Traffic(trial.champion, challenger).at(30)
        assert whose == [buckets.variant("shop", traffic, row["customer_id"]) for row in rows]
        assert {answer["release"] for answer in got.values()} == {trial.champion, challenger}

        # without a key it is the request's id that is shared out
        row = {name: value for name, value in rows[0].items() if name != "customer_id"}
        for identity in ("order-1", "order-2", "order-3", "order-4"):
            answer = server.ask("POST", "/predict", row, x_request_id=identity)[1]
            assert answer["variant"] == buckets.variant("shop", traffic, identity)

        trial.ramp("60")
        server.said(f"{challenger} answers 60 %")
        more = [answer["variant"] for answer in server.post("/predict", rows)]
        assert all(now == "challenger" for before, now in zip(whose, more, strict=True) if before == "challenger")
        assert more.count("challenger") > whose.count("challenger")

        trial.ramp("0")
        server.said("the champion answers everybody")
        assert {answer["variant"] for answer in server.post("/predict", rows)} == {"champion"}
        text = server.ask("GET", "/metrics")[1].decode()
    assert "mlctl_challenger_percent 0.0" in text
    pairs = list(prediction_log.read(trial.folder / SHOP / "trial"))
    assert len(pairs) >= whose.count("challenger") + more.count("challenger")
    assert all(pair["champion"]["score"] == pair["challenger"]["score"] for pair in pairs)
    logged = Counter(line["variant"] for line in prediction_log.read(trial.folder / SHOP / "predictions"))
    assert logged["challenger"] >= whose.count("challenger") + more.count("challenger")


def test_in_the_shadow_the_champion_answers_everybody_and_both_are_written_down(trial: Trial) -> None:
    challenger = trial.challenger(card="once more")
    assert trial.ramp("--shadow")["mode"] == "shadow"
    rows = trial.rows(100)
    with served.serve(trial.folder) as server:
        server.said("answers in the background")
        answers = server.post("/predict", rows)
        assert {(answer["variant"], answer["release"]) for answer in answers} == {("champion", trial.champion)}
    pairs = {pair["id"]: pair for pair in prediction_log.read(trial.folder / SHOP / "trial")}
    assert {answer["id"] for answer in answers} == set(pairs)
    assert all(pair["challenger"]["release"] == challenger for pair in pairs.values())


def test_a_challenger_whose_answers_lie_far_off_is_sent_away(trial: Trial) -> None:
    challenger = trial.challenger(shifted=True)
    trial.ramp("100")
    with served.serve(trial.folder) as server:
        server.said(f"{challenger} answers 100 %")
        met = 0
        for row in trial.rows(300):
            if server.post("/predict", row)["variant"] == "champion":
                break
            met += 1
        assert met <= 50
        server.said("far from the champion")
    stands = trial.stands()
    assert (stands.traffic.mode, stands.champion, stands.challenger) == ("off", trial.champion, challenger)
    assert stands.note is not None
    assert "sent away: it answered" in stands.note.why
    assert stands.note.evidence["far"]["bad"] <= 50


def test_nobody_gets_a_failure_of_the_challenger_and_it_is_sent_away(trial: Trial) -> None:
    challenger = trial.challenger(strict=True)
    trial.ramp("100")
    rows = [row | {"plan": "one that nobody has seen"} for row in trial.rows(20)]
    with served.serve(trial.folder) as server:
        server.said(f"{challenger} answers 100 %")
        answers = [server.post("/predict", row) for row in rows]
        assert {(answer["variant"], answer["reason"]) for answer in answers} == {("champion", "model")}
        server.said("it failed on 3 of 3 rows")
    assert trial.stands().traffic.mode == "off"


def test_a_challenger_that_is_slow_is_sent_away_and_cost_nobody_an_answer(trial: Trial) -> None:
    trial.challenger(slow=True)
    trial.ramp("100")
    with served.serve(trial.folder) as server:
        server.said("answers 100 %")
        answers = [server.post("/predict", row) for row in trial.rows(60)]
        server.said("it needed more than 3 times the champion's seconds")
    assert {answer["reason"] for answer in answers} == {"model"}
    stands = trial.stands()
    assert stands.traffic.mode == "off"
    assert stands.note is not None
    assert 2 <= stands.note.evidence["slow"]["bad"] <= 50


def test_what_cannot_be_read_or_opened_is_told_and_the_last_good_goes_on(trial: Trial) -> None:
    challenger = trial.challenger(card="once more")
    trial.ramp("100")
    path = trial.folder / "projects/shop/rollout.flagd.json"
    good = path.read_text()
    with served.serve(trial.folder) as server:
        server.said(f"{challenger} answers 100 %")
        path.write_text(good.replace("100000", "50000"))
        server.said("the new rollout is not taken")
        assert server.post("/predict", trial.rows(1)[0])["variant"] == "challenger"
        status = world.mlctl(trial.folder, "ramp", "shop", "--status")
        assert status.returncode == 6
        assert "git checkout projects/shop/rollout.flagd.json" in status.stderr

        stands = rollout.flag_file.parsed("shop", good)
        path.write_text(
            rollout.flag_file.text_of("shop", replace(stands, traffic=Traffic(trial.champion, "f" * 16).at(50)))
        )
        server.said(f"{'f' * 16} is not taken, the champion answers everybody")
        assert server.post("/predict", trial.rows(1)[0])["variant"] == "champion"

        own = trial.folder / "projects/shop/releases"
        foreign = challengers.made(own / trial.champion, own / "foreign", card="of prices\n", project="prices")
        (own / "foreign").rename(own / foreign)
        path.write_text(
            rollout.flag_file.text_of("shop", replace(stands, traffic=Traffic(trial.champion, foreign).at(50)))
        )
        told = server.said(f"{foreign} is not taken, the champion answers everybody")
        assert "it is a release of projects/prices, and a release of projects/shop belongs here" in told
        assert server.post("/predict", trial.rows(1)[0])["variant"] == "champion"
    path.write_text(good)
    (trial.folder / "projects/shop/releases" / challenger / "model.onnx").write_bytes(b"damaged")
    assert world.mlctl(trial.folder, "ramp", "shop", "50").returncode == 6
    assert trial.stands().traffic.percent == 100


def test_a_batch_is_shared_as_a_server_shares_requests_and_keeps_what_both_said(trial: Trial) -> None:
    challenger = trial.challenger(card="once more")
    trial.ramp("25")
    assert world.mlctl(trial.folder, "score", "shop").returncode == 0
    traffic = Traffic(trial.champion, challenger).at(25)
    shown = trial.scored()
    assert shown.height == 600
    for customer, variant, release in shown.select("customer_id", "variant", "release").iter_rows():
        assert variant == buckets.variant("shop", traffic, customer)
        assert release == (challenger if variant == "challenger" else trial.champion)
    kept = pl.read_parquet(trial.folder / SHOP / "trial" / "*.parquet")
    assert kept.height == 600
    assert kept["champion_score"].equals(kept["challenger_score"], null_equal=True)
    assert set(kept["cohorts"].explode().drop_nulls()) == {"annual"}
    # each is watched by what its own training saw
    watched = json.loads(world.mlctl(trial.folder, "monitor", "shop", "--json", "--dry-run").stdout)
    (day,) = watched["days"]
    assert (day["rows"], day["releases"], day["verdict"]) == (600, [trial.champion, challenger], "note")
    means = [one["where"] for one in watched["series"] if (one["monitor"], one["what"]) == ("predictions", "mean")]
    assert f"@score (release {challenger})" in means
    # in the shadow nobody gets its scores; what both said is kept all the same
    trial.ramp("--shadow")
    assert world.mlctl(trial.folder, "score", "shop").returncode == 0
    assert set(trial.scored()["variant"]) == {"champion"}
    assert pl.read_parquet(trial.folder / SHOP / "trial" / "*.parquet")["mode"].value_counts().height == 2


def test_a_challenger_that_must_not_score_anybody_is_sent_away_and_labels_say_so_too(trial: Trial) -> None:
    challenger = trial.challenger(shifted=True)
    trial.ramp("25")
    done = world.mlctl(trial.folder, "score", "shop", "--as-of", "2026-07-01")
    assert done.returncode == 0, done.stderr
    assert f"challenger {challenger} is sent away" in done.stderr
    assert set(trial.scored()["release"]) == {trial.champion}
    stands = trial.stands()
    assert (stands.traffic.mode, stands.challenger) == ("off", challenger)

    # what both said was kept; the outcomes of July are known by November
    done = world.mlctl(trial.folder, "compare", "shop", "--json")
    found = json.loads(done.stdout)
    assert (found["verdict"], found["labels_needed"]) == ("keep", 0)
    assert found["labels"] > 400
    assert found["better_by"]["high"] < 0
    assert found["why"] == "its loss is not lower, and more labels will not change that"
    trial.ramp("1")
    back = trial.ramp("--next")
    assert (back["percent"], back["mode"]) == (0, "off")
    assert back["why"].startswith("sent away: ")
    assert back["evidence"]["verdict"] == "keep"


def test_a_ramp_says_what_it_cannot_do(trial: Trial) -> None:
    for words, why in (
        (["5"], "is the champion itself"),
        (["101"], "between 0 and 100 %"),
        (["0.00001"], "finer than 0.001 %"),
        (["nan"], "between 0 and 100 %"),
        (["5", "--next"], "give one of"),
        (["5", "--challenger", "nobody"], "there is no such release; kept: "),
    ):
        done = world.mlctl(trial.folder, "ramp", "shop", *words)
        assert (done.returncode, why in done.stderr) == (2, True), done.stderr


def test_the_steps_are_taken_when_their_pauses_are_over(trial: Trial) -> None:
    steps = "rollout: {steps: [{setWeight: 5}, {setWeight: 20}, {pause: {duration: 1h}}, {setWeight: 100}]}\n"
    project = trial.folder / "projects/shop/project.yaml"
    project.write_text(project.read_text() + steps)
    assert world.mlctl(trial.folder, "compose", "shop").returncode == 0
    trial.challenger(card="once more")

    assert trial.ramp("--next")["percent"] == 5
    second = trial.ramp("--next")
    assert (second["percent"], second["next"]["percent"], second["next"]["due"]) == (20, 100, False)
    third = trial.ramp("--next")
    assert (third["percent"], third["changed"]) == (20, False)
    assert "pause until" in third["next"]["why"]

    # a step that is due waits while an alarm that asks for it is open
    project.write_text(project.read_text().replace("{pause: {duration: 1h}}, ", ""))
    trial.watched("hold")
    assert world.mlctl(trial.folder, "compose", "shop").returncode == 0
    watched = world.mlctl(trial.folder, "monitor", "shop", "--json")
    assert watched.returncode == 9
    assert json.loads(watched.stdout)["response"]["outcomes"] == {"hold": "done"}
    held = trial.ramp("--next")
    assert (held["percent"], held["changed"]) == (20, False)
    assert "alarm" in held["next"]["why"]


def test_an_alarm_takes_a_champion_back_while_it_answers(trial: Trial) -> None:
    first, second = trial.champion, trial.challenger(card="once more")
    promoted = world.mlctl(trial.folder, "promote", "shop")
    assert promoted.returncode == 0, promoted.stderr
    assert trial.stands().champion == second
    trial.watched("rollback")
    row = trial.rows(1)[0]
    with served.serve(trial.folder) as server:
        assert server.post("/predict", row)["release"] == second
        watched = world.mlctl(trial.folder, "monitor", "shop", "--json")
        server.said(f"release {first} takes over from {second}")
        answered = server.post("/predict", row)["release"]

    assert watched.returncode == 9
    assert json.loads(watched.stdout)["response"]["outcomes"] == {"rollback": "done"}
    assert answered == first
    history = rollout.flag_file.parsed("shop", (trial.folder / "projects/shop/rollout.flagd.json").read_text())
    assert history.note is not None
    assert "respond.act.stale: rollback on alarm" in history.note.why
