"""Who answers whom: one truth, changed by compare-and-set, divided as flagd divides."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlctl import rollout
from mlctl.errors import ConflictError, IntegrityError
from mlctl.rollout import Note, Rollout, Traffic, buckets
from mlctl.workspace import Places
from tests import killed_lines

NOW = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)
NOTE = Note("Ann <ann@example.com>", NOW, "it was better", {"brier": {"low": 0.001, "high": 0.02}})
SHOP = Places("shop")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A workspace's root, as the current folder."""
    project = tmp_path / "projects" / "shop"
    project.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def changed(*wanted: Traffic) -> Rollout:
    now = rollout.read(SHOP)
    for traffic in wanted:
        now = rollout.change(SHOP, now, traffic, NOTE)
    return now


def test_before_anything_was_promoted_there_is_no_champion_and_no_file() -> None:
    found = rollout.read(SHOP)

    assert (found.champion, found.challenger, found.revision, found.seal) == ("", "", 0, "")
    assert rollout.verified_history(SHOP) == []


def test_a_change_is_what_is_read_next_and_a_line_of_the_history() -> None:
    made = changed(Traffic("aaa"), Traffic("aaa", "bbb").at(2.5))

    assert rollout.read(SHOP) == made
    assert made.traffic == Traffic("aaa", "bbb", "split", 2500)
    assert (made.revision, made.note) == (2, NOTE)
    first, second = rollout.verified_history(SHOP)
    assert (first.traffic, first.revision, first.before) == (Traffic("aaa"), 1, "")
    assert second == made
    assert second.before == first.seal


def test_the_file_is_a_flag_that_flagd_reads() -> None:
    changed(Traffic("aaa"), Traffic("aaa", "bbb").at(1))
    flag = json.loads(SHOP.rollout.read_text())["flags"]["shop"]

    assert flag["variants"] == {"champion": "aaa", "challenger": "bbb"}
    assert flag["defaultVariant"] == "champion"
    hashed = {"cat": [{"var": "$flagd.flagKey"}, "/bbb/", {"var": "targetingKey"}]}
    assert flag["targeting"] == {"fractional": [hashed, ["challenger", 1000], ["champion", 99000]]}
    assert all(isinstance(value, str | int | float | bool) for value in flag["metadata"].values())


def test_who_comes_second_is_told_who_was_first_and_changes_nothing() -> None:
    seen = changed(Traffic("aaa"), Traffic("aaa", "bbb"))
    rollout.change(SHOP, seen, seen.traffic.at(5), NOTE)

    with pytest.raises(ConflictError, match="first") as refused:
        rollout.change(SHOP, seen, seen.traffic.at(50), NOTE)

    assert refused.value.exit_code == 5
    assert "revision 3 now by Ann <ann@example.com> at 2026-11-28T09:30:00Z" in refused.value.why
    assert rollout.read(SHOP).traffic.percent == 5


def test_the_same_change_again_changes_no_byte() -> None:
    before = changed(Traffic("aaa"))
    rollout.change(SHOP, before, Traffic("aaa", "bbb"), NOTE)
    bytes_before = SHOP.rollout.read_bytes(), SHOP.rollout_history.read_bytes()

    again = rollout.change(SHOP, before, Traffic("aaa", "bbb"), NOTE)

    assert again.revision == 2
    assert (SHOP.rollout.read_bytes(), SHOP.rollout_history.read_bytes()) == bytes_before


@pytest.mark.parametrize("kept", [0, 1, 40, -1], ids=["no line", "a letter", "some", "all but the end"])
def test_what_a_killed_process_left_out_of_the_history_is_added_by_the_next_change(kept: int) -> None:
    changed(Traffic("aaa"), Traffic("aaa", "bbb"))
    lines = SHOP.rollout_history.read_bytes().splitlines(keepends=True)
    SHOP.rollout_history.write_bytes(lines[0] + lines[1][:kept])

    assert [state.revision for state in rollout.verified_history(SHOP)] == [1, 2]
    changed(Traffic("bbb"))
    assert SHOP.rollout_history.read_bytes().splitlines(keepends=True)[:2] == lines
    assert [state.champion for state in rollout.verified_history(SHOP)] == ["aaa", "aaa", "bbb"]


def test_a_history_in_which_a_word_was_changed_is_noticed() -> None:
    changed(Traffic("aaa"), Traffic("aaa", "bbb"), Traffic("bbb"))
    text = SHOP.rollout_history.read_text()
    for damaged in (text.replace("Ann", "Bob", 1), "".join(text.splitlines(keepends=True)[1:])):
        SHOP.rollout_history.write_text(damaged)
        with pytest.raises(IntegrityError, match="is refused"):
            rollout.verified_history(SHOP)


def test_a_history_that_lost_its_end_does_not_lead_to_the_file() -> None:
    changed(Traffic("aaa"), Traffic("aaa", "bbb"), Traffic("bbb"))
    SHOP.rollout_history.write_text(SHOP.rollout_history.read_text().splitlines(keepends=True)[0])

    with pytest.raises(IntegrityError) as refused:
        rollout.verified_history(SHOP)
    assert "ends with revision 1" in refused.value.why


def test_after_git_brought_an_older_file_back_the_history_goes_on_from_its_end() -> None:
    changed(Traffic("aaa"))
    older = SHOP.rollout.read_bytes()
    changed(Traffic("bbb"))
    SHOP.rollout.write_bytes(older)

    assert rollout.read(SHOP).champion == "aaa"
    assert changed(Traffic("ccc")).revision == 3
    assert [state.champion for state in rollout.verified_history(SHOP)] == ["aaa", "bbb", "ccc"]


@pytest.mark.parametrize(
    ("old", "new"), [("1000", "2000"), ('"aaa"', '"xxx"'), ("split", "shadow"), ("{", "["), ("ENABLED", "DISABLED")]
)
def test_a_file_that_was_edited_by_hand_is_refused(old: str, new: str) -> None:
    changed(Traffic("aaa"), Traffic("aaa", "bbb").at(1))
    SHOP.rollout.write_text(SHOP.rollout.read_text().replace(old, new, 1))

    with pytest.raises(IntegrityError) as refused:
        rollout.read(SHOP)
    assert "git checkout projects/shop/rollout.flagd.json" in refused.value.next_step


@pytest.mark.parametrize("percent", [-1, 100.5, 101, float("nan"), float("inf"), 0.0001, 1.00005])
def test_a_share_that_is_none_is_refused(percent: float) -> None:
    with pytest.raises(ValueError, match="%"):
        Traffic("aaa", "bbb").at(percent)


def test_nobody_gets_a_challenger_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="needs a challenger"):
        Traffic("aaa").at(1)
    with pytest.raises(ValueError, match="needs a champion"):
        Traffic("", "bbb")
    with pytest.raises(ValueError, match="same release"):
        Traffic("aaa", "aaa")
    assert Traffic("aaa", "bbb").at(0).mode == "off"


KEYS = [f"c{number:05d}" for number in range(19_990)] + [
    "",
    " ",
    "ä",
    "名前",
    "x" * 30,
    "y" * 300,
    "z" * 70_000,
    "0",
    "-1",
    "🦊",
]


def test_entities_are_divided_as_the_provider_of_openfeature_divides_them(folder: Path) -> None:
    from openfeature import api
    from openfeature.contrib.provider.flagd import FlagdProvider
    from openfeature.contrib.provider.flagd.config import ResolverType
    from openfeature.evaluation_context import EvaluationContext

    now = changed(Traffic("aaa"), Traffic("aaa", "bbb").at(12.345))
    path = str(folder / SHOP.rollout)
    provider = FlagdProvider(resolver_type=ResolverType.FILE, offline_flag_source_path=path)
    api.set_provider_and_wait(provider, "rollout test")
    try:
        client = api.get_client("rollout test")
        asked = [client.get_string_details("shop", "", EvaluationContext(key)) for key in KEYS]
    finally:
        provider.shutdown()
        for thread in threading.enumerate():
            if thread.name.startswith("FlagdFileWatcher"):
                thread.join()

    ours = buckets.to_challenger("shop", now.traffic, KEYS).tolist()
    assert [details.variant for details in asked] == ["challenger" if yes else "champion" for yes in ours]
    assert [details.value for details in asked] == ["bbb" if yes else "aaa" for yes in ours]
    assert [buckets.variant("shop", now.traffic, key) for key in KEYS] == [details.variant for details in asked]


def test_a_larger_share_moves_nobody_back_and_each_share_is_as_large_as_it_says() -> None:
    keys = [str(number) for number in range(100_000)]
    shares = [0, 0.001, 0.1, 1, 2.5, 10, 50, 99.999, 100]
    answered = [buckets.to_challenger("shop", Traffic("aaa", "bbb").at(share), keys) for share in shares]

    assert all((~small | large).all() for small, large in itertools.pairwise(answered))
    assert answered[0].sum() == 0
    assert answered[-1].sum() == len(keys)
    # five deviations of a binomial of 100,000 at 50 % are 0.8 points, at 1 % 0.16
    assert all(abs(100 * got.mean() - share) < 0.8 for got, share in zip(answered, shares, strict=True))
    assert abs(100 * answered[3].mean() - 1) < 0.16


def test_another_challenger_has_other_entities_in_its_first_percent() -> None:
    keys = [str(number) for number in range(50_000)]
    first, second = (buckets.to_challenger("shop", Traffic("aaa", of).at(10), keys) for of in ("bbb", "ccc"))

    # independent: 1 % of 50,000 are in both, five deviations are 111
    assert abs(int((first & second).sum()) - 500) < 111


def _add_one(folder: str, times: int) -> None:
    """Raises the share by a part, again where somebody was first, so many times."""
    import os

    os.chdir(folder)
    done = 0
    while done < times:
        seen = rollout.read(SHOP)
        wanted = Traffic("aaa", "bbb", "split", seen.traffic.weight + 1)
        try:
            now = rollout.change(SHOP, seen, wanted, Note(str(os.getpid()), NOW, "one more"))
        except ConflictError:
            continue
        done += now.note is not None and now.note.by == str(os.getpid())


def test_of_many_processes_no_change_is_lost(folder: Path) -> None:
    changed(Traffic("aaa"), Traffic("aaa", "bbb"))
    spawned = multiprocessing.get_context("spawn")
    workers = [spawned.Process(target=_add_one, args=(str(folder), 20)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert [worker.exitcode for worker in workers] == [0] * 4
    states = rollout.verified_history(SHOP)
    assert rollout.read(SHOP) == states[-1]
    assert [state.traffic.weight for state in states[2:]] == list(range(1, 81))


def test_killed_before_any_line_it_is_as_before_or_as_after_and_the_same_change_ends_in_the_same_bytes(
    folder: Path,
) -> None:
    shutil.rmtree("projects")
    done = subprocess.run([sys.executable, killed_lines.__file__, "3"], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)

    assert told["faults"] == []
    assert told["lines"] > 100
    assert set(told["seen"]) == {"aaa", "bbb"}
