"""A waiver lets a release pass although a rule refuses it: for a while, by a person, with a reason, in git.

`waivers.yaml` beside the project's YAML holds them. One counts while its last day has not ended, when the git author of
the last commit that touched its lines is the one that it names, and when it was signed for at most 90 days. One that
does not count is told with its line and its reason, and never lets anything pass. Outside a git checkout nobody can
sign, and that is told too.

`mlctl compose` and `mlctl run` judge them and write the outcome into params.yaml, so that DVC judges the gate again
when a waiver comes, changes or ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import Field, TypeAdapter, ValidationError

from mlctl import git
from mlctl.errors import ConfigError, Fault, did_you_mean, listed
from mlctl.gates import Verdict
from mlctl.kinds import Record
from mlctl.spec import Project
from mlctl.spec.gate_rules import EACH
from mlctl.strict_yaml import read_yaml
from mlctl.workspace import Places

LONGEST_DAYS: Final = 90
SECTION: Final = "waivers"
_UNBORN: Final = "0" * 40
_HEADER: Final = re.compile(r"(?P<sha>[0-9a-f]{40}) \d+ (?P<line>\d+)(?: \d+)?")


class Waiver(Record):
    """A refusal that somebody answers for, until a day."""

    rule: str = Field(min_length=1, description="the gate's rule")
    cohort: str | None = Field(default=None, description="only the refusal of this cohort")
    until: date = Field(description="the last day on which it counts")
    by: str = Field(min_length=1, description="who answers for it: the name or the mail address of the git author")
    because: str = Field(min_length=10, description="why it may be released all the same")
    evaluation: str | None = Field(
        default=None, pattern="^[0-9a-f]{8,64}$", description="only this evaluation: how its hash in gate.json begins"
    )


class Judged(Record):
    """A waiver, where it stands, and why it does not count."""

    waiver: Waiver = Field(description="what was written")
    place: str = Field(description="file and line")
    signed: bool = Field(default=True, description="whether git tells who wrote it")
    refused: str = Field(default="", description="why it does not count; empty when it counts")

    def line(self) -> str:
        """The waiver for people, when it does not count or nobody could sign it."""
        return f"waiver of {self.waiver.rule} at {self.place} does not count: {self.refused}"


def judged(places: Places, project: Project, today: date) -> tuple[Judged, ...]:
    """Every waiver of `waivers.yaml`, in its order, and whether it counts on this day; none without the file.

    Raises:
        ConfigError: Every entry that is malformed, gives no reason, or names no rule or cohort of the gate.
    """
    if not places.waivers.is_file():
        return ()
    body, lines = read_yaml(places.waivers)
    found, faults = _entries(body, lines, project, places.waivers)
    if faults:
        raise ConfigError.bad_waivers(places.name, faults)
    text = places.waivers.read_text(encoding="utf-8").splitlines()
    starts = [lines[f"{SECTION}.{index}"] for index in range(len(found))]
    is_git, blamed = _blame(places.waivers)
    told = []
    for index, waiver in enumerate(found):
        end = starts[index + 1] if index + 1 < len(starts) else len(text) + 1
        own = [line for line in range(starts[index], end) if text[line - 1].split("#")[0].strip(" -")]
        why = _unsigned(waiver, [blamed.get(line) for line in own], places.waivers) if is_git else ""
        place = f"{places.waivers}:{starts[index]}"
        told.append(Judged(waiver=waiver, place=place, signed=is_git, refused=why or _expired(waiver, today)))
    return tuple(told)


def params(entries: Sequence[Judged]) -> list[dict[str, Any]]:
    """What params.yaml holds of the waivers; `of_params` reads it back."""
    return [entry.model_dump(mode="json") for entry in entries]


def of_params(places: Places, today: date) -> tuple[Judged, ...]:
    """The waivers as the last `compose` judged them; one that has ended since does not count any more.

    Raises:
        ConfigError: params.yaml is missing or was edited.
    """
    body, lines = read_yaml(places.params)
    try:
        entries = TypeAdapter(tuple[Judged, ...]).validate_python(body.get(SECTION) or ())
    except ValidationError as error:
        place = f"{places.params}:{lines.get(SECTION, 1)}"
        raise ConfigError.unreadable_yaml(place, "it was edited; mlctl compose writes it") from error
    return tuple(
        entry.model_copy(update={"refused": entry.refused or _expired(entry.waiver, today)}) for entry in entries
    )


def waive(verdicts: Iterable[Verdict], entries: Sequence[Judged], evaluation: str) -> list[Verdict]:
    """The verdicts, with the refusals that a waiver covers marked as waived.

    Args:
        verdicts: What the gate says.
        entries: The judged waivers; those that do not count cover nothing.
        evaluation: SHA-256 of the evaluation report, for waivers of one evaluation.
    """
    alive = [entry for entry in entries if not entry.refused]
    return [_waived(verdict, alive, evaluation) for verdict in verdicts]


def told(verdicts: Sequence[Verdict], entries: Sequence[Judged]) -> tuple[str, ...]:
    """One line for each waiver: what it does, or why it does nothing."""
    used = {(verdict.rule, verdict.waived) for verdict in verdicts}
    lines = [f"{verdict.rule} is {verdict.waived}" for verdict in verdicts if verdict.waived]
    lines += [entry.line() for entry in entries if entry.refused]
    idle = [entry for entry in entries if not entry.refused and (entry.waiver.rule, _by(entry)) not in used]
    lines += [f"waiver of {entry.waiver.rule} at {entry.place} covers no refusal of this evaluation" for entry in idle]
    return tuple(lines)


def card_lines(gate: Mapping[str, Any]) -> list[str]:
    """The waived rules of a gate report as Markdown for the model card; nothing when nothing is waived.

    >>> card_lines({"rules": [{"rule": "ranks", "subject": "roc_auc of new", "found": "0.6", "wanted": ">= 0.7",
    ...     "waived": "waived by ann until 2026-12-01: few rows"}]})[-1]
    '- **ranks** (roc_auc of new: 0.6, wanted >= 0.7): waived by ann until 2026-12-01: few rows'
    """
    lines = [
        f"- **{rule['rule']}** ({rule['subject']}: {rule['found']}, wanted {rule['wanted']}): {rule['waived']}"
        for rule in gate["rules"]
        if rule.get("waived")
    ]
    return ["", "## Released although the gate refused", "", *lines] if lines else []


def _waived(verdict: Verdict, alive: Sequence[Judged], evaluation: str) -> Verdict:
    for entry in alive:
        waiver = entry.waiver
        meant = waiver.rule == verdict.rule and waiver.cohort in (None, verdict.cohort)
        if meant and not verdict.passed and evaluation.startswith(waiver.evaluation or ""):
            return replace(verdict, waived=_by(entry))
    return verdict


def _by(entry: Judged) -> str:
    unsigned = "" if entry.signed else " (not signed: this is no git checkout)"
    waiver = entry.waiver
    return f"waived by {waiver.by}{unsigned} until {waiver.until.isoformat()}: {' '.join(waiver.because.split())}"


def _expired(waiver: Waiver, today: date) -> str:
    return f"it ended on {waiver.until.isoformat()}" if today > waiver.until else ""


def _entries(
    body: Mapping[str, Any], lines: Mapping[str, int], project: Project, path: Path
) -> tuple[list[Waiver], list[Fault]]:
    faults = [
        Fault(key, "unknown key", place=f"{path}:{lines[key]}", hint=f"the file has one key, {SECTION}")
        for key in body
        if key != SECTION
    ]
    entries = body.get(SECTION) or []
    if not isinstance(entries, list):
        return [], [*faults, Fault(SECTION, "is not a list", place=f"{path}:{lines[SECTION]}")]
    found = []
    for index, entry in enumerate(entries):
        key = f"{SECTION}.{index}"
        try:
            waiver = Waiver.model_validate(entry)
        except ValidationError as error:
            faults += _malformed(error, key, lines, path)
            continue
        found.append(waiver)
        faults += _unknown(waiver, key, lines, project, path)
    return found, faults


def _malformed(error: ValidationError, prefix: str, lines: Mapping[str, int], path: Path) -> list[Fault]:
    faults = []
    for item in error.errors(include_url=False):
        key = ".".join([prefix, *map(str, item["loc"])])
        known = list(Waiver.model_fields)
        unknown = item["type"] == "extra_forbidden"
        hint = (did_you_mean(str(item["loc"][-1]), known) or f"known: {listed(known)}") if unknown else ""
        message = "unknown key" if unknown else "is missing" if item["type"] == "missing" else item["msg"]
        place = f"{path}:{lines.get(key, lines[prefix])}"
        faults.append(Fault(key, message[0].lower() + message[1:], place=place, hint=hint))
    return faults


def _unknown(waiver: Waiver, prefix: str, lines: Mapping[str, int], project: Project, path: Path) -> list[Fault]:
    faults = []
    if waiver.rule not in project.gate:
        hint = did_you_mean(waiver.rule, project.gate) or f"known: {listed(project.gate)}"
        place = f"{path}:{lines[f'{prefix}.rule']}"
        return [Fault(f"{prefix}.rule", f"the gate has no rule {waiver.rule!r}", place=place, hint=hint)]
    asked = project.gate[waiver.rule].cohort
    if waiver.cohort is not None and asked not in (EACH, waiver.cohort):
        place = f"{path}:{lines[f'{prefix}.cohort']}"
        faults.append(Fault(f"{prefix}.cohort", f"{waiver.rule} does not judge {waiver.cohort!r}", place=place))
    return faults


def _unsigned(waiver: Waiver, commits: Sequence[Mapping[str, str] | None], path: Path) -> str:
    """Why git does not say that it was signed by the person it names, for at most 90 days; empty when it does."""
    signed = []
    for commit in commits:
        if commit is None or commit["sha"] == _UNBORN:
            return "it is not committed"
        if "shallow" in commit:
            return "this clone is too shallow to tell who signed it; git fetch --unshallow"
        # git follows a file that was moved; what was signed for one project is not signed for another
        if not f"/{commit['filename']}".endswith(f"/{path.as_posix()}"):
            return f"it was signed in {commit['filename']}; write it here and commit it"
        name, mail = commit["author"], commit["author-mail"].strip("<>")
        if waiver.by not in (name, mail, f"{name} <{mail}>"):
            return f"it names {waiver.by}, and the last to touch it was {name} <{mail}>"
        signed.append(datetime.fromtimestamp(int(commit["author-time"]), UTC).date())
    days = (waiver.until - max(signed)).days
    if days > LONGEST_DAYS:
        return f"it lasts {days} days from its commit; allowed are {LONGEST_DAYS}"
    return ""


def _blame(path: Path) -> tuple[bool, dict[int, dict[str, str]]]:
    """Whether this is a git checkout, and by line the commit that touched it last."""
    shallow = git.said("rev-parse", "--is-shallow-repository")
    if shallow is None:
        return False, {}
    # what is in the file now, so that an edit that is not committed shows as nobody's
    # and no commit left out that somebody's own settings ignore
    text = git.said("blame", "--line-porcelain", "--ignore-revs-file=", "--", str(path)) or ""
    commits: dict[int, dict[str, str]] = {}
    commit: dict[str, str] = {}
    for line in text.split("\n"):
        if match := _HEADER.fullmatch(line):
            commit = {"sha": match["sha"]}
            commits[int(match["line"])] = commit
        elif not line.startswith("\t"):
            key, _, value = line.partition(" ")
            commit[key] = value
            if key == "boundary" and shallow.strip() == "true":
                commit["shallow"] = "yes"
    return True, commits
