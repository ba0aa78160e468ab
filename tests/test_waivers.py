"""A waiver counts when a person signed it in git, for at most 90 days, and its last day has not ended."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from mlctl.config import validation
from mlctl.errors import ConfigError
from mlctl.gates import Verdict, waivers
from mlctl.strict_yaml import yaml_text
from mlctl.workspace import Places
from tests import world
from tests.test_spec import changed

SHOP = Places("shop")
TODAY = date(2026, 3, 1)
ENTRY = {"rule": "ranks", "until": "2026-03-31", "by": "Ann", "because": "the annual cohort is too young"}


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git checkout with a project's folder, in which Ann commits on the first of March at noon."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_AUTHOR_DATE", "2026-03-01T12:00:00Z")
    (tmp_path / "projects" / "shop").mkdir(parents=True)
    world.git(tmp_path, "init", "--quiet", "--initial-branch=main")
    becomes(tmp_path, "Ann")
    return tmp_path


def becomes(folder: Path, name: str) -> None:
    world.git(folder, "config", "user.name", name)
    world.git(folder, "config", "user.email", f"{name.lower()}@example.com")


def write(*entries: dict, commit: bool = True) -> None:
    SHOP.waivers.write_text(yaml_text({"waivers": [dict(entry) for entry in entries]}))
    if commit:
        world.commit(Path.cwd(), "waive")


def judged(today: date = TODAY) -> tuple[waivers.Judged, ...]:
    rules = {
        "ranks": {"metric": "roc_auc", "min": 0.7},
        "ranks_new": {"metric": "roc_auc", "cohort": "new", "min": 0.7},
        "everywhere": {"metric": "roc_auc", "cohort": "each", "min": 0.7},
    }
    project, faults = validation.read(changed(gate=rules))
    assert project is not None, faults
    return waivers.judged(SHOP, project, today)


def refused(today: date = TODAY) -> str:
    (entry,) = judged(today)
    return entry.refused


def verdict(rule: str = "ranks", passed: bool = False, cohort: str = "") -> Verdict:
    return Verdict(rule, passed, f"roc_auc of {cohort or 'everybody'}", "0.6 [0.5, 0.65]", ">= 0.7 by interval", cohort)


def test_without_the_file_there_is_nothing(checkout: Path) -> None:
    assert judged() == ()


@pytest.mark.parametrize("by", ["Ann", "ann@example.com", "Ann <ann@example.com>"])
def test_who_committed_it_is_named_by_name_or_mail(checkout: Path, by: str) -> None:
    write({**ENTRY, "by": by})

    (entry,) = judged()
    assert (entry.refused, entry.place, entry.signed) == ("", "projects/shop/waivers.yaml:2", True)


def test_who_did_not_commit_it_has_not_signed_it(checkout: Path) -> None:
    write({**ENTRY, "by": "Bob"})

    assert refused() == "it names Bob, and the last to touch it was Ann <ann@example.com>"


def test_whoever_touches_one_line_of_it_later_has_to_sign_it(checkout: Path) -> None:
    write(ENTRY)
    becomes(checkout, "Bob")
    write({**ENTRY, "until": "2026-04-30"})

    assert "the last to touch it was Bob" in refused()


def test_a_commit_that_the_settings_of_git_ignore_is_not_ignored_here(checkout: Path) -> None:
    write(ENTRY)
    becomes(checkout, "Bob")
    write({**ENTRY, "until": "2026-04-30"})
    (checkout / "ignored").write_text(world.git(checkout, "rev-parse", "HEAD"))
    world.git(checkout, "config", "blame.ignoreRevsFile", "ignored")

    assert "the last to touch it was Bob" in refused()


def test_what_was_signed_for_another_project_is_not_signed_for_this_one(checkout: Path) -> None:
    write(ENTRY, commit=False)
    (checkout / "projects" / "other").mkdir()
    SHOP.waivers.rename("projects/other/waivers.yaml")
    world.commit(checkout, "waive there")
    becomes(checkout, "Bob")
    world.git(checkout, "mv", "projects/other/waivers.yaml", "projects/shop/waivers.yaml")
    world.commit(checkout, "move it here")

    assert refused() == "it was signed in projects/other/waivers.yaml; write it here and commit it"


def test_another_entry_and_comments_of_others_leave_it_alone(checkout: Path) -> None:
    write(ENTRY)
    becomes(checkout, "Bob")
    text = SHOP.waivers.read_text()
    SHOP.waivers.write_text(
        text.replace("waivers:\n", "waivers:\n# reviewed\n")
        + "\n# next\n"
        + "- {rule: ranks_new, until: 2026-03-02, by: Bob, because: few rows in it}\n"
    )
    world.commit(checkout, "another")

    assert [(entry.refused, entry.place) for entry in judged()] == [
        ("", "projects/shop/waivers.yaml:3"),
        ("", "projects/shop/waivers.yaml:9"),
    ]


@pytest.mark.parametrize("tracked", [True, False])
def test_what_is_not_committed_does_not_count(checkout: Path, tracked: bool) -> None:
    if tracked:
        write(ENTRY)
        world.replace(SHOP.waivers, "2026-03-31", "2026-04-01")
    else:
        write(ENTRY, commit=False)

    assert refused() == "it is not committed"


@pytest.mark.parametrize(
    ("today", "why"),
    [(date(2026, 3, 31), ""), (date(2026, 4, 1), "it ended on 2026-03-31")],
)
def test_the_last_day_counts_and_the_next_does_not(checkout: Path, today: date, why: str) -> None:
    write(ENTRY)

    assert refused(today) == why


@pytest.mark.parametrize(
    ("until", "why"), [("2026-05-30", ""), ("2026-05-31", "it lasts 91 days from its commit; allowed are 90")]
)
def test_ninety_days_from_the_commit_are_the_longest(checkout: Path, until: str, why: str) -> None:
    write({**ENTRY, "until": until})

    assert refused() == why


def test_a_shallow_clone_cannot_tell_who_signed(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(ENTRY)
    world.commit(checkout, "later")
    world.git(checkout, "clone", "--quiet", "--depth", "1", f"file://{checkout}", str(tmp_path / "shallow"))
    monkeypatch.chdir(tmp_path / "shallow")

    assert refused() == "this clone is too shallow to tell who signed it; git fetch --unshallow"


def test_outside_a_git_checkout_it_counts_and_says_that_nobody_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    SHOP.folder.mkdir(parents=True)
    write(ENTRY, commit=False)

    entries = judged()

    (found,) = waivers.waive([verdict()], entries, "abc")
    assert found.waived == (
        "waived by Ann (not signed: this is no git checkout) until 2026-03-31: the annual cohort is too young"
    )


def test_every_fault_of_the_file_is_told_at_once_with_its_line(checkout: Path) -> None:
    SHOP.waivers.write_text(
        "waivers:\n"
        "- {rule: rank, until: 2026-03-31, by: Ann, because: the cohort is young}\n"
        "- {rule: ranks, until: soon, by: Ann, because: none}\n"
        "- {rule: ranks, by: Ann}\n"
        "- {rule: ranks, untill: 2026-03-31, until: 2026-03-31, by: Ann, because: the cohort is young}\n"
        "- {rule: ranks_new, cohort: old, until: 2026-03-31, by: Ann, because: the cohort is young}\n"
        "- ranks\n"
        "other: 1\n"
    )

    with pytest.raises(ConfigError) as raised:
        judged()

    told = [str(fault) for fault in raised.value.faults]
    path = "projects/shop/waivers.yaml"
    assert [fault.split(": ")[:2] for fault in told] == [
        [f"{path}:8", "other"], [f"{path}:2", "waivers.0.rule"], [f"{path}:3", "waivers.1.until"], [f"{path}:3", "waivers.1.because"],
        [f"{path}:4", "waivers.2.until"], [f"{path}:4", "waivers.2.because"], [f"{path}:5", "waivers.3.untill"],
        [f"{path}:6", "waivers.4.cohort"], [f"{path}:7", "waivers.5"],
    ]  # fmt: skip
    assert "did you mean 'ranks'?" in told[1]
    assert "did you mean 'until'?" in told[6]
    assert raised.value.exit_code == 2


def test_it_covers_its_rule_its_cohort_and_its_evaluation_and_nothing_else(checkout: Path) -> None:
    write({**ENTRY, "rule": "everywhere", "cohort": "new"}, {**ENTRY, "evaluation": "0123abcd"})
    entries = judged()

    def waived(evaluation: str, *verdicts: Verdict) -> list[bool]:
        return [bool(found.waived) for found in waivers.waive(verdicts, entries, evaluation)]

    each = [verdict("everywhere", cohort="new"), verdict("everywhere", cohort="old"), verdict("ranks")]
    assert waived("0123abcdef", *each) == [True, False, True]
    assert waived("1123abcdef", *each) == [True, False, False]
    assert waived("0123abcdef", verdict("ranks", passed=True)) == [False]


def test_one_that_does_not_count_opens_nothing_and_every_one_is_told(checkout: Path) -> None:
    write(ENTRY, {**ENTRY, "rule": "ranks_new", "by": "Bob"}, {**ENTRY, "rule": "everywhere"})
    entries = judged()

    found = waivers.waive([verdict(), verdict("ranks_new"), verdict("everywhere", passed=True)], entries, "abc")

    assert [bool(entry.waived) for entry in found] == [True, False, False]
    assert waivers.told(found, entries) == (
        "ranks is waived by Ann until 2026-03-31: the annual cohort is too young",
        "waiver of ranks_new at projects/shop/waivers.yaml:6 does not count: it names Bob, and the last to touch it was Ann <ann@example.com>",
        "waiver of everywhere at projects/shop/waivers.yaml:10 covers no refusal of this evaluation",
    )


def test_params_hold_what_was_judged_and_one_that_ended_since_does_not_count(checkout: Path) -> None:
    write(ENTRY, {**ENTRY, "by": "Bob"})
    entries = judged()
    SHOP.params.write_text(yaml_text({"name": "shop", "waivers": waivers.params(entries)}))

    assert waivers.of_params(SHOP, TODAY) == entries
    assert waivers.of_params(SHOP, date(2026, 4, 1))[0].refused == "it ended on 2026-03-31"
    world.replace(SHOP.params, "because: ", "reason: ")
    with pytest.raises(ConfigError, match="cannot be read"):
        waivers.of_params(SHOP, TODAY)


def test_the_model_card_names_every_waived_rule() -> None:
    record = {**verdict().record(), "waived": "waived by Ann until 2026-03-31: the annual cohort is too young"}

    assert waivers.card_lines({"rules": [verdict(passed=True).record(), record]})[3:] == [
        "- **ranks** (roc_auc of everybody: 0.6 [0.5, 0.65], wanted >= 0.7 by interval): waived by Ann until 2026-03-31: the annual cohort is too young"
    ]
    assert waivers.card_lines({"rules": [verdict().record()]}) == []
