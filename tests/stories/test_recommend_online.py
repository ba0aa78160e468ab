"""What a recommender's users get: from the index, from the release where no database answers, and never what is gone."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mlctl import database, online
from mlctl.recommend.sealing import contents, open_recommender, seal
from mlctl.rollout import Traffic, buckets
from mlctl.server import prediction_log
from tests import exported, served, world

PROJECT = """\
name: shop
about: Which products to show next?
entity: {key: user_id}
sources:
  products: {kind: parquet, path: raw/products.parquet, key: [item_id]}
  views: {kind: parquet, path: raw/views.parquet, time: at}
items: {key: item_id, source: products, text: [title], columns: [aisle, price], k: 5}
index: {release_numbers: 0, queries: 40, filters: {food: {aisle: food}, cheap: {price: {max: 20}}}}
label: {kind: interactions, source: views}
split: {kind: time, test_share: 0.25}
model: {kind: content, dimension: 8, terms: {min_rows: 1, pieces: null}}
refresh: {as_of: 2026-06-01}
"""
AISLES = ("food", "tools", "books")
WORDS = {
    "food": "apple pear plum cherry bread cheese olive rice".split(),
    "tools": "steel bolt nut hammer saw drill screw file".split(),
    "books": "novel poem essay story drama diary atlas comic".split(),
}


def products(count: int = 60) -> pl.DataFrame:
    """Products of three aisles; the words of a title tell the aisle, the price its number."""
    generator = np.random.default_rng(5)
    aisles = [AISLES[place % 3] for place in range(count)]
    titles = [" ".join(generator.choice(WORDS[aisle], 3, replace=False)) for aisle in aisles]
    ids = [f"p{place:03}" for place in range(count)]
    return pl.DataFrame({"item_id": ids, "title": titles, "aisle": aisles, "price": [float(n) for n in range(count)]})


def views(users: int = 90) -> pl.DataFrame:
    """Users who each keep to one aisle, ten views each over five months."""
    generator = np.random.default_rng(6)
    rows = []
    for user in range(users):
        for place in generator.choice(20, 10, replace=False):
            at = datetime(2026, 1, 1) + timedelta(minutes=int(generator.integers(0, 150 * 1440)))
            rows.append((f"u{user:03}", f"p{int(place) * 3 + user % 3:03}", at))
    return pl.DataFrame(rows, schema=["user_id", "item_id", "at"], orient="row").with_columns(
        pl.col("at").dt.replace_time_zone("UTC")
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace whose recommender is trained and indexed, and whose database runs."""
    made = world.make_workspace(tmp_path_factory.mktemp("recommend") / "workspace", PROJECT)
    (made / "raw").mkdir()
    products().write_parquet(made / "raw/products.parquet")
    views().write_parquet(made / "raw/views.parquet")
    done = world.mlctl(made, "run", "shop")
    assert done.returncode == 0, done.stderr
    assert world.mlctl(made, "db", "start").returncode == 0
    indexed = world.mlctl(made, "index", "shop")
    assert indexed.returncode == 0, indexed.stderr
    assert "through the index" in indexed.stderr
    yield made
    world.mlctl(made, "db", "stop")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[served.Server]:
    with served.serve(folder) as running:
        yield running


def of(answer: dict[str, Any]) -> list[str]:
    """The items of an answer."""
    return [one["item"] for one in answer["items"]]


def aisles(items: list[str]) -> set[str]:
    return {AISLES[int(item[1:]) % 3] for item in items}


def test_a_known_user_gets_five_items_of_the_own_aisle_that_were_not_seen(server: served.Server) -> None:
    answer = server.post("/recommend", {"user_id": "u001"})

    seen = set(views().filter(pl.col("user_id") == "u001")["item_id"])
    assert (answer["by"], answer["state"], answer["reason"], answer["known"]) == ("index", "warm", "model", True)
    assert len(of(answer)) == 5
    assert aisles(of(answer)) == {"tools"}
    assert not seen & set(of(answer))
    assert all(set(one["because"]) <= seen and one["because"] for one in answer["items"])


def test_one_event_is_enough_and_none_gives_what_is_popular(server: served.Server) -> None:
    one = server.post("/recommend", {"history": ["p000"], "k": 3})
    none = server.post("/recommend", {"user_id": "who", "k": 3})

    assert (one["state"], aisles(of(one))) == ("warming", {"food"})
    assert (none["state"], none["reason"], none["known"]) == ("cold", "popularity", False)
    assert len(of(none)) == 3


def test_filters_leave_k_where_k_exist_and_say_so_where_fewer_do(server: served.Server) -> None:
    books = server.post("/recommend", {"history": ["p000"], "filter": {"aisle": "books", "price": {"min": 20}}})
    few = server.post("/recommend", {"history": ["p000"], "filter": {"price": {"max": 2}}})

    assert (len(of(books)), aisles(of(books))) == (5, {"books"})
    assert all(int(item[1:]) >= 20 for item in of(books))
    assert set(of(few)) == {"p001", "p002"}
    assert few["short"] == "5 were asked for; 2 items that were not seen hold the filter"


def test_likeness_counts_against_an_item_when_diversity_is_asked_for(server: served.Server) -> None:
    plain = server.post("/recommend", {"history": ["p000", "p001"], "k": 6})
    spread = server.post("/recommend", {"history": ["p000", "p001"], "k": 6, "diversity": 0.9})

    assert of(plain)[0] == of(spread)[0]
    assert of(plain) != of(spread)


def test_neighbours_of_an_item_are_of_its_aisle(server: served.Server) -> None:
    answer = server.post("/similar", {"item": "p002", "k": 4})

    assert aisles(of(answer)) == {"books"}
    assert "p002" not in of(answer)
    assert [one["score"] for one in answer["items"]] == sorted([one["score"] for one in answer["items"]], reverse=True)


@pytest.mark.parametrize(
    ("path", "body", "field", "told"),
    [
        ("/recommend", {"history": ["p000", "px"]}, "history[1]", "there is no item 'px'"),
        ("/recommend", {"histori": []}, "histori", "did you mean 'history'?"),
        ("/recommend", {"k": 3}, "history", "say user_id, or the items of a history"),
        ("/recommend", {"history": [], "k": 0}, "k", "a whole number from 1 to 1,000"),
        ("/recommend", {"history": [], "filter": {"isle": "food"}}, "filter.isle", "did you mean 'aisle'?"),
        ("/recommend", {"history": [], "filter": {"price": "x"}}, "filter.price", "wanted a number, not 'x'"),
        ("/recommend", {"history": [], "diversity": 2}, "diversity", "a number from 0 to 1"),
        ("/recommend", [{"history": []}, {"history": [], "seen": "no"}], "[1].seen", "wanted hide or show"),
        ("/similar", {"item": "px"}, "item", "there is no item 'px'"),
    ],
)
def test_what_cannot_be_answered_names_the_field(
    server: served.Server, path: str, body: Any, field: str, told: str
) -> None:
    status, answer, _ = server.ask("POST", path, body)

    assert (status, answer["field"]) == (422, field)
    assert told in answer["error"]


def test_unknown_items_are_left_out_where_that_is_asked_for(server: served.Server) -> None:
    with_it = server.post("/recommend", {"history": ["p000", "px"], "unknown_items": "ignore"})

    assert of(with_it) == of(server.post("/recommend", {"history": ["p000"]}))


def test_the_routes_describe_and_count_themselves(server: served.Server, folder: Path) -> None:
    server.post("/recommend", [{"history": ["p000"]}, {"user_id": "u002"}])
    _, described, _ = server.ask("GET", "/openapi.json")
    _, page, _ = server.ask("GET", "/docs")
    _, metrics, _ = server.ask("GET", "/metrics")

    assert {"/recommend", "/similar"} <= described["paths"].keys()
    assert b"histories of 90 users" in page
    assert b'mlctl_recommendations_total{by="index",state="warming"}' in metrics
    log = "".join(path.read_text() for path in sorted((folder / ".mlctl/shop/predictions").glob("*.ndjson")))
    assert json.loads(log.splitlines()[-1])["user_id"] == "u002"


def test_the_same_index_again_changes_nothing_and_nothing_is_due(folder: Path) -> None:
    again = json.loads(world.mlctl(folder, "index", "shop", "--json").stdout)
    planned = json.loads(world.mlctl(folder, "reembed", "shop", "--plan", "--json").stdout)
    measured = json.loads(world.mlctl(folder, "decay", "shop", "--json").stdout)

    assert again["already"]
    assert {one["filter"] for one in again["recall"]} == {"everything", "food", "cheap"}
    assert (planned["embed"], planned["items"]) == (0, 60)
    assert measured["findings"] == []
    assert measured["facts"]["strays"] == {"items": 60, "missing": 0, "silent": 0, "changed": 0, "gone": 0}


def test_everybodys_items_are_published_as_an_audited_generation(folder: Path) -> None:
    done = world.mlctl(folder, "score", "shop")
    again = world.mlctl(folder, "score", "shop")

    assert "90 audited lists in public.shop_scores" in done.stderr
    assert "of this release and snapshot already" in again.stderr
    row = world.psql(folder, "select decision, variant, contributions from shop_scores where user_id = 'u001'")
    best, variant, told = row.split("|", 2)
    assert (variant, len(json.loads(told)["items"])) == ("champion", 5)
    assert json.loads(told)["items"][0]["item"] == best


def test_new_items_are_served_at_once_and_items_that_are_gone_never(folder: Path, server: served.Server) -> None:
    more = pl.concat(
        [
            products()[1:],
            pl.DataFrame({"item_id": ["new"], "title": ["apple pear plum"], "aisle": ["food"], "price": [3.0]}),
        ]
    )
    checked = folder / ".mlctl/shop/checked/products.parquet"
    before = checked.read_bytes()
    try:
        more.write_parquet(checked)
        planned = json.loads(world.mlctl(folder, "reembed", "shop", "--plan", "--json").stdout)
        measured = world.mlctl(folder, "decay", "shop")
        done = json.loads(world.mlctl(folder, "index", "shop", "--json").stdout)
        server.said("answers, 61 items", "60 items, looked")
        answer = server.post("/recommend", {"history": ["p003"], "k": 20, "filter": {"aisle": "food"}})
    finally:
        checked.write_bytes(before)

    assert (planned["new"], planned["gone"]) == (1, 1)
    assert measured.returncode == 9
    assert "index.strays" in measured.stderr
    assert (done["embedded"], done["copied"]) == (1, 59)
    assert "new" in of(answer)
    assert "p000" not in of(answer)


def challenger(folder: Path, champion: Path, half_life: float | None = None, parts: tuple[str, ...] = ()) -> str:
    """Seals the champion with another half-life, or with some of its parts alone, as the last release; gives its id."""
    own = open_recommender(champion, "")
    model = own.model
    lives = {n: replace(form, half_life=half_life) if n == "content" else form for n, form in model.parts.items()}
    weights = {
        state: {n: w for n, w in mixed.items() if n in (parts or mixed)} for state, mixed in model.weights.items()
    }
    files = contents(
        own.project, replace(model, parts=lives, weights=weights), own.encoder, own.items, [["p000", "p004"]]
    )
    about = {name: own.manifest[name] for name in ("project", "task", "lineage", "evaluation")}
    return seal(folder / ".mlctl/shop/release", {**files, "card.md": "# another\n"}, about)


def test_a_challenger_gets_its_share_of_the_users_and_goes_when_its_lists_are_others(
    folder: Path, server: served.Server
) -> None:
    assert world.mlctl(folder, "promote", "shop").returncode == 0
    users = [f"u{user:03}" for user in range(90)]
    released = folder / ".mlctl/shop/release"
    first = json.loads((released / "manifest.json").read_text())["id"]
    champion = folder / "projects/shop/releases" / first
    try:
        other = challenger(folder, champion, half_life=2.0)
        assert world.mlctl(folder, "ramp", "shop", "40").returncode == 0
        server.said(f"{other} answers 40 %")
        answers = [server.post("/recommend", {"user_id": user}) for user in users]
        compared = json.loads(world.mlctl(folder, "compare", "shop", "--json").stdout)

        # who recommends otherwise than the champion to everybody is sent away
        crowd = challenger(folder, champion, parts=("popularity",))
        assert world.mlctl(folder, "ramp", "shop", "100", "--challenger", "sealed").returncode == 0
        server.said(f"{crowd} answers 100 %")
        alike = [server.post("/recommend", {"user_id": user, "k": 1})["variant"] for user in users]
        server.said("rows far from the champion")
        assert server.post("/recommend", {"user_id": "u001"})["variant"] == "champion"
    finally:
        shutil.rmtree(released)
        shutil.copytree(champion, released)

    share = Traffic(first, other).at(40)
    whose = [answer["variant"] for answer in answers]
    assert whose == [buckets.variant("shop", share, user) for user in users]
    assert {(answer["variant"], answer["release"]) for answer in answers} == {
        ("champion", first),
        ("challenger", other),
    }
    assert alike[0] == "challenger"
    pairs = [
        line for line in prediction_log.read(folder / ".mlctl/shop/trial") if line["challenger"]["release"] == other
    ]
    assert {line["user_id"] for line in pairs} == set(users)
    shown = {line["user_id"]: line[line_of["variant"]]["items"] for line, line_of in zip(
        sorted(pairs, key=lambda line: line["user_id"]), answers, strict=True)}  # fmt: skip
    assert shown == {user: of(answer) for user, answer in zip(users, answers, strict=True)}
    # nobody knows yet what became of them
    assert (compared["loss"], compared["labels"]) == ("missed", 0)
    assert compared["waiting"] == 2 * min(whose.count("champion"), whose.count("challenger"))
    assert compared["verdict"] == "not yet"


def test_a_recommender_of_another_project_takes_nobodys_place(folder: Path, tmp_path: Path) -> None:
    released = folder / ".mlctl/shop/release"
    manifest = json.loads((released / "manifest.json").read_text())
    files = {name: (released / name).read_bytes() for name in manifest["files"]} | {"card.md": "# of films\n"}
    about = {name: manifest[name] for name in ("task", "lineage", "evaluation")} | {"project": "films"}
    seal(tmp_path / "release", files, about)
    refused = world.mlctl(folder, "serve", "shop", "--port", "0", "--release", str(tmp_path / "release"))

    taken = shutil.copytree(released, tmp_path / "taken")
    with served.serve(folder, "--release", str(taken)) as running:
        seal(taken, files, about)
        told = running.said("is of another lineage")
        answer = running.post("/recommend", {"user_id": "u001"})

    assert refused.returncode == 6
    assert "it is a release of projects/films, and a release of projects/shop belongs here" in refused.stderr
    assert f"{manifest['id']} goes on answering" in told
    assert len(of(answer)) == 5


def test_a_killed_database_is_answered_for_by_the_release_and_comes_back(folder: Path, server: served.Server) -> None:
    asked = {"user_id": "u004", "k": 4}
    by_index = server.post("/recommend", asked)
    postmaster = int((folder / ".mlctl/postgres/postmaster.pid").read_text().splitlines()[0])
    os.kill(postmaster, signal.SIGKILL)
    server.said("the index is away")

    by_release = server.post("/recommend", asked)
    assert world.mlctl(folder, "db", "start").returncode == 0
    server.said("answers:")
    back = server.post("/recommend", asked)

    assert [one["by"] for one in (by_index, by_release, back)] == ["index", "release", "index"]
    assert of(by_index) == of(by_release) == of(back)


def test_an_image_asks_the_database_of_its_environment_and_sees_what_comes_while_it_starts(folder: Path) -> None:
    dsn = database.server_url(folder)
    assert world.mlctl(folder, "index", "shop", "--database", "put").returncode == 0
    assert world.mlctl(folder, "export", "docker", "shop").returncode == 0
    image = folder / "deploy/shop/docker"
    fetched = exported.begin(image, ["materialize", "shop", "--database", "get"], MLCTL_DSN=dsn)
    assert fetched.wait(timeout=served.MOST_S) == 0, fetched.communicate()[1]

    server = served.Server(exported.begin(image, exported.entry(image), MLCTL_DSN=dsn))
    try:
        server.said("90 users are known")
        server.process.send_signal(signal.SIGSTOP)
        leave(image / "app/.mlctl/shop/online", 7)
        server.process.send_signal(signal.SIGCONT)
        server.said("items, looked at")
        server.answers()
        answer = server.post("/recommend", {"user_id": "u004"})
        server.said("7 users are known")
    finally:
        server.end()

    assert answer["known"]
    assert world.mlctl(folder, "export", "triton", "shop").returncode == 2


def leave(store: Path, users: int) -> None:
    """Lays another generation of histories, which knows fewer users."""
    known = online.open_store(store, "")
    assert known is not None
    about = {"as_of": "2026-05-31T00:00:00Z", "dataset": known.dataset, "release": "", "key": known.key}
    tables = online.Tables(known.rows.head(users))
    online.write(store, "00000000000000f7", tables, about, list(known.features.values()))


def test_popularity_answers_where_that_is_declared(folder: Path) -> None:
    told = folder / "projects/shop/project.yaml"
    text = told.read_text()
    try:
        told.write_text(text.replace("index: {", "index: {fallback: popularity, "))
        assert world.mlctl(folder, "compose", "shop").returncode == 0
        assert world.mlctl(folder, "db", "stop").returncode == 0
        (folder / ".mlctl/postgres").rename(folder / ".mlctl/aside")
        (folder / ".mlctl/postgres").write_text("no database")
        with served.serve(folder) as running:
            answer = running.post("/recommend", {"user_id": "u001"})
    finally:
        (folder / ".mlctl/postgres").unlink(missing_ok=True)
        (folder / ".mlctl/aside").rename(folder / ".mlctl/postgres")
        told.write_text(text)

    assert (answer["by"], answer["reason"], len(of(answer))) == ("popularity", "popularity", 5)
