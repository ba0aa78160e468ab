"""The online store: found by key whatever the key, too old is said, damaged is refused, and one pointer decides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from mlctl import online
from mlctl.errors import IntegrityError
from mlctl.online import Served
from mlctl.server.inputs import Inputs, Refused
from mlctl.server.lookups import Lookups, all_filled

AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
KEYS = sorted(["", "0", "00", "10", "9", "a", "Zoë", "ß", "漢字", "c\u0000d", "a b", *(f"k{i}" for i in range(500))])
SCHEMA = {"spend": "Float64", "plan": "String"}


def written(folder: Path, identity: str = "one", when_stale: str = "fallback") -> None:
    rows = pl.DataFrame(
        {
            "who": KEYS,
            "spend": [float(place) if place % 3 else None for place in range(len(KEYS))],
            "plan": [f"p{place}" for place in range(len(KEYS))],
        }
    )
    features = [
        Served("spend", AS_OF - timedelta(hours=3), timedelta(hours=6), when_stale),
        Served("plan", AS_OF, None, "fallback"),
    ]
    about = {"as_of": "2026-11-01", "dataset": "d", "release": "r", "key": "who", "plan": "p"}
    digests = rows.select("who", low=pl.lit(1, pl.UInt64), high=pl.lit(2, pl.UInt64))
    online.write(folder, identity, online.Tables(rows, digests), about, features)


def opened(folder: Path) -> online.Store:
    store = online.open_store(folder, "again")
    assert store is not None
    return store


def lookups(folder: Path, hours: float = 0.0) -> Lookups:
    return Lookups(opened(folder), lambda: AS_OF + timedelta(hours=hours))


def test_every_key_is_found_and_no_other(tmp_path: Path) -> None:
    written(tmp_path)
    store = opened(tmp_path)

    assert [row["plan"] for key in KEYS if (row := store.row(key))] == [f"p{place}" for place in range(len(KEYS))]
    assert [store.row(key) for key in ("b", "k", "k500", "zz", "\U0001f600")] == [None] * 5
    assert store.holds(SCHEMA)
    assert not store.holds({"spend": "Int64"})
    assert not store.holds({"basket": "Float64"})


def test_only_the_last_two_generations_are_kept_and_an_open_one_still_answers(tmp_path: Path) -> None:
    written(tmp_path, "one")
    first = opened(tmp_path)
    written(tmp_path, "two")
    written(tmp_path, "three")

    assert opened(tmp_path).id == "three"
    assert {path.name for path in tmp_path.iterdir()} == {"two", "three", "current.json"}
    assert first.row("a") is not None


def test_a_changed_byte_is_refused(tmp_path: Path) -> None:
    written(tmp_path)
    path = tmp_path / "one" / "features.arrow"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))

    with pytest.raises(IntegrityError, match="again"):
        online.open_store(tmp_path, "again")


def test_without_a_generation_there_is_no_store(tmp_path: Path) -> None:
    assert online.open_store(tmp_path, "again") is None
    assert online.stamp(tmp_path) is None


@pytest.mark.parametrize(("when_stale", "reason"), [("fallback", "stale_feature"), ("missing", "")])
def test_what_is_too_old_falls_back_or_is_missing(tmp_path: Path, when_stale: str, reason: str) -> None:
    written(tmp_path, when_stale=when_stale)
    inputs = Inputs(SCHEMA, "who", 10)

    fresh = lookups(tmp_path, hours=2.9).filled({"who": "a"}, inputs, "")
    late = lookups(tmp_path, hours=3.0).filled({"who": "a"}, inputs, "")
    said = lookups(tmp_path, hours=3.0).filled({"who": "a", "spend": 5.0}, inputs, "")

    assert (fresh.row["spend"], fresh.reason) == (opened(tmp_path).row("a")["spend"], "")  # type: ignore[index]
    assert (late.row["spend"], late.reason) == (None, reason)
    assert (said.row["spend"], said.reason) == (5.0, "")
    assert said.about == {"store": "one", "said": ["spend"]}


def test_the_answer_is_in_the_shape_of_feast_with_ages(tmp_path: Path) -> None:
    written(tmp_path)
    body = {"entities": {"who": ["a", "nobody"]}, "features": ["shop:plan", "spend"], "full_feature_names": True}

    told = lookups(tmp_path, hours=1).answered(body, Inputs(SCHEMA, "who", 10))
    late = lookups(tmp_path, hours=4).answered(body, Inputs(SCHEMA, "who", 10))

    place = KEYS.index("a")
    assert told["metadata"]["feature_names"] == ["who", "shop__plan", "spend"]
    assert told["results"][0]["values"] == ["a", "nobody"]
    assert told["results"][1] == {
        "values": [f"p{place}", None],
        "statuses": ["PRESENT", "NOT_FOUND"],
        "event_timestamps": ["2026-11-01", "1970-01-01T00:00:00Z"],
        "ages_s": [3600.0, None],
    }
    assert told["results"][2]["ages_s"] == [4 * 3600.0, None]
    assert late["results"][2]["statuses"] == ["OUTSIDE_MAX_AGE", "NOT_FOUND"]
    assert late["results"][2]["values"] == [None, None]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ([], 400, ""),
        ({}, 422, "entities"),
        ({"entities": {"customer": ["a"]}}, 422, "entities"),
        ({"entities": {"who": "a"}}, 422, "entities"),
        ({"entities": {"who": []}}, 422, ""),
        ({"entities": {"who": ["a"] * 11}}, 413, ""),
        ({"entities": {"who": [None]}}, 422, "entities.who[0]"),
        ({"entities": {"who": [True]}}, 422, "entities.who[0]"),
        ({"entities": {"who": ["a"]}, "features": "spend"}, 422, "features"),
        ({"entities": {"who": ["a"]}, "features": ["shop:spent"]}, 422, "features[0]"),
        ({"entities": {"who": ["a"]}, "features": [1]}, 422, "features[0]"),
    ],
)
def test_a_wrong_body_is_told_by_field(tmp_path: Path, body: object, status: int, field: str) -> None:
    written(tmp_path)

    with pytest.raises(Refused) as refused:
        lookups(tmp_path).answered(body, Inputs(SCHEMA, "who", 10))

    assert (refused.value.status, refused.value.field) == (status, field)


def test_rows_that_name_everything_or_no_key_are_left_as_they_are(tmp_path: Path) -> None:
    written(tmp_path)
    inputs = Inputs(SCHEMA, "who", 10)
    whole = {"spend": 1.0, "plan": "x", "who": "a"}

    rows, fills = all_filled(lookups(tmp_path), [whole, {"plan": "x"}, {"who": None}, 7], inputs)

    assert rows == [whole, {"plan": "x"}, {"who": None}, 7]
    assert [(fill.reason, fill.about) for fill in fills] == [("", None)] * 4
    assert all_filled(None, whole, inputs) == (whole, ())
