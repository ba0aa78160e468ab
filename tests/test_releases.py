"""The register: numbers are given once, whoever asks at the same time, and a merge that gave one twice is told."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlctl import releases, rollout
from mlctl.errors import ConfigError, IntegrityError
from mlctl.lineage.facts import Facts
from mlctl.releases import Reference
from mlctl.releases._register import claim
from mlctl.rollout import Note, Traffic
from mlctl.workspace import Places

SHOP = Places("shop")
NOTE = Note("ann", datetime(2026, 11, 28, tzinfo=UTC), "a test")
CLAIM = """
import sys
from datetime import UTC, datetime
from mlctl.lineage.facts import Facts
from mlctl.releases._register import claim
from mlctl.rollout import Note
from mlctl.workspace import Places
note = Note(sys.argv[1], datetime(2026, 11, 28, tzinfo=UTC), "a race")
for index in range(40):
    claim(Places("shop"), f"{index:016x}" if index % 2 else f"{sys.argv[1]}{index:015x}", Facts(), note)
"""


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_of_many_that_claim_numbers_at_once_each_release_has_one_and_none_is_left_out() -> None:
    """Each claims twenty of its own and twenty that all claim."""
    running = [subprocess.Popen([sys.executable, "-c", CLAIM, name]) for name in "abcd"]
    assert [process.wait() for process in running] == [0] * 4

    found = releases.entries(SHOP)
    assert [entry.number for entry in found] == list(range(1, 4 * 20 + 20 + 1))
    assert len({entry.release for entry in found}) == 100


def test_two_branches_that_gave_one_number_are_told_of_it() -> None:
    for release in ("aaaa", "bbbb"):
        claim(SHOP, release, Facts(), NOTE)
    path = SHOP.releases / "bbbb.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "number": 1}))

    with pytest.raises(IntegrityError, match="is refused") as refused:
        releases.entries(SHOP)
    assert "aaaa and bbbb are both shop/1" in refused.value.why


def test_every_form_of_a_reference_finds_its_release() -> None:
    for release in ("0a1b", "0a2c", "7fff"):
        claim(SHOP, release, Facts(), NOTE)
    rollout.change(SHOP, rollout.read(SHOP), Traffic("0a1b", "7fff"), NOTE)

    def found(text: str) -> str | None:
        reference = Reference.read(text)
        assert reference is not None
        entry = releases.named(SHOP, reference)
        return entry and entry.release

    forms = ("shop", "projects/shop/", "shop@champion", "shop@challenger", "shop/2", "shop/0a2", "shop/7fff")
    assert [found(text) for text in forms] == [None, None, "0a1b", "7fff", "0a2c", "0a2c", "7fff"]
    with pytest.raises(ConfigError) as ambiguous:
        found("shop/0a")
    assert ambiguous.value.why.startswith("it is the beginning of several ids; kept: shop/1, shop/2, shop/3")
    with pytest.raises(ConfigError) as absent:
        found("shop/7")  # a number, and not the release whose id begins with 7
    assert absent.value.why.startswith("there is no such release")


def test_before_the_first_champion_there_was_none() -> None:
    claim(SHOP, "aaaa", Facts(), NOTE)
    rollout.change(SHOP, rollout.read(SHOP), Traffic("aaaa"), NOTE)

    with pytest.raises(ConfigError) as none:
        releases.back(SHOP, None, NOTE)
    assert "no champion was before this one; kept: shop/1" in none.value.why


def test_going_back_typed_again_goes_back_no_further_but_a_promotion_since_is_taken_back() -> None:
    """The states of the history are hand-made: aaaa, bbbb, back to aaaa."""
    back = Note("ann", NOTE.at, "it is worse", {"rolled_back": "bbbb"})
    for release, note in (("aaaa", NOTE), ("bbbb", NOTE), ("aaaa", back)):
        claim(SHOP, release, Facts(), NOTE)
        rollout.change(SHOP, rollout.read(SHOP), Traffic(release), note)
    rollout.change(SHOP, rollout.read(SHOP), Traffic("aaaa", "bbbb"), NOTE)

    again = releases.back(SHOP, None, NOTE)
    assert (again.release, again.before, again.already) == ("aaaa", "bbbb", True)
    assert rollout.read(SHOP).revision == 4

    rollout.change(SHOP, rollout.read(SHOP), Traffic("bbbb"), NOTE)
    with pytest.raises(IntegrityError, match="aaaa"):  # it would go back to this one, which was never sealed here
        releases.back(SHOP, None, NOTE)
    assert rollout.read(SHOP).champion == "bbbb"
