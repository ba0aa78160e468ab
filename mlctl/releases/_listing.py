"""The register as people read it, and as GTO reads it from git."""

from __future__ import annotations

import re
from typing import Any

from mlctl import git, rollout
from mlctl.errors import ExternalError
from mlctl.lineage import facts
from mlctl.lineage.facts import Facts
from mlctl.releases._register import Entry, entries
from mlctl.rollout import Rollout
from mlctl.workspace import Places


def listing(places: Places) -> list[dict[str, Any]]:
    """A line for each release that is kept, the newest first: its name, whom it answers, its gate and its lineage.

    Raises:
        IntegrityError: The rollout or an entry is damaged.
    """
    state = rollout.read(places)
    return [_line(entry, state) for entry in reversed(entries(places))]


def _line(entry: Entry, state: Rollout) -> dict[str, Any]:
    told = facts.told(entry.facts)
    alias = {state.champion: "champion", state.challenger: "challenger"}.get(entry.release, "")
    percent = state.traffic.percent
    share = {"champion": f" ({100 - percent:g} %)" if percent else "", "challenger": f" ({state.traffic.mode}"}
    answers = alias + share.get(alias, "")
    if alias == "challenger":
        answers += f" {percent:g} %)" if percent else ")"
    return {
        "name": entry.name,
        "number": entry.number,
        "release": entry.release,
        "alias": alias,
        "answers": answers,
        "gate": "passed" if told.gate.get("passed") else "not passed",
        "metric": _metric(told),
        "model": told.model,
        "as_of": str(told.data.get("as_of", "")),
        "dataset": str(told.data.get("version", "")),
        "commit": _commit(told),
        "registered_at": entry.registered_at,
        "by": entry.by,
    }


def _metric(told: Facts) -> str:
    measured = told.metrics.get(facts.EVERYBODY, {}).get(told.metric, {}).get("value")
    return "" if measured is None else f"{told.metric} {measured:.4f}"


def _commit(told: Facts) -> str:
    made = told.made_from.get("git") or {}
    return f"{str(made.get('sha') or 'none')[:12]}{' with changes' if made.get('dirty') else ''}"


def tag(places: Places, entry: Entry) -> list[str]:
    """Tags a champion in git as GTO reads it: `NAME@vN.0.0`, the release, and `NAME#champion#M`, that it was promoted.

    What is tagged already stays as it is.

    Raises:
        ExternalError: The release is in no commit, or git refuses.
    """
    pointer = places.releases / f"{entry.release}.json"
    sha = (git.said("log", "-1", "--format=%H", "--", str(pointer)) or "").strip()
    if not sha:
        raise ExternalError.git("tag", f"{pointer} is in no commit yet: git add {places.folder} && git commit")
    version, stage = f"{places.name}@v{entry.number}.0.0", f"{places.name}#champion#"
    there = (git.said("tag", "--list", f"{places.name}[@#]*") or "").split()
    made = []
    if version not in there:
        git.tag(version, sha, f"release {entry.release}")
        made.append(version)
    stages = sorted(int(name.removeprefix(stage)) for name in there if re.fullmatch(rf"{re.escape(stage)}\d+", name))
    newest = f"{stage}{stages[-1]}" if stages else ""
    if not newest or (git.said("rev-list", "-n", "1", newest) or "").strip() != sha:
        git.tag(f"{stage}{1 + (stages[-1] if stages else 0)}", sha, f"release {entry.release} answers")
        made.append(f"{stage}{1 + (stages[-1] if stages else 0)}")
    return made
