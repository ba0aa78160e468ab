"""`mlctl reproduce`: a release built again from its lineage, in a place of its own, and compared byte by byte.

The code and configuration are those of the lineage's commit, in a git worktree of its own; the data is the snapshot of
the lineage's version, from this workspace or from DVC's cache. Every stage is really run there: nothing is taken from
DVC's run cache, which would only prove that a copy is a copy. The first file that is not the same is named, by the
stage that made it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from mlctl import dvc, git, lineage, snapshot
from mlctl.errors import ConfigError, ExternalError, IntegrityError, Relayed
from mlctl.files import lock, read_json, sha256_of_file, write_text
from mlctl.release import sealed
from mlctl.rollout import Note, Rollout, Traffic, flag_file
from mlctl.stages import ORDER, Tell, package
from mlctl.workspace import DATA, STATE, Places

_SCRATCH: Final = STATE / "reproduce"
_RUN: Final = "from mlctl.cli import main; main()"


@dataclass(frozen=True)
class Reproduced:
    """What came of building a release again.

    Attributes:
        release: The id of the release.
        again: The id of what was built.
        same: How many files were compared and are the same.
        first: The first file that differs, such as `features/train.parquet`; None when all are the same.
        why: What differs in it, as far as it can be said.
        libraries: Libraries of another version than the lineage names, with both.
    """

    release: str
    again: str
    same: int
    first: str | None
    why: str
    libraries: Mapping[str, tuple[str, str]]

    def record(self) -> dict[str, Any]:
        """The outcome as JSON-ready data."""
        return {"format_version": "1.0", **vars(self), "libraries": {k: list(v) for k, v in self.libraries.items()}}


def reproduce(places: Places, folder: Path, tell: Tell) -> Reproduced:
    """Builds a release again and compares.

    Args:
        places: The project.
        folder: The sealed release.
        tell: Hears (stage, line).

    Raises:
        IntegrityError: The release is damaged, was sealed with uncommitted changes, or its commit or data is not here.
        ConflictError: The same is at work already.
        ExternalError: git, DVC or the disk.
        Relayed: A stage failed, in its own words.
    """
    manifest = sealed.read_manifest(folder, f"mlctl run projects/{places.name}", _any_file)
    made_from = manifest["lineage"]
    sha = _commit(folder, made_from)
    libraries = _other_libraries(made_from)
    for name, (then, now) in libraries.items():
        tell("reproduce", f"{name} was {then} then and is {now} here: other bytes would be no surprise")
    scratch = _SCRATCH / places.name
    held = lock(STATE / "locks" / f"{places.name}.reproduce.lock", f"mlctl reproduce {places.name}")
    with held, _worktree(scratch, sha):
        tell("reproduce", f"commit {sha[:12]}, data {made_from['dataset'][:12]}, in a worktree of its own")
        _bring_data(places, scratch, made_from["dataset"])
        _bring_champion(places, scratch, manifest.get("champion") or "")
        _run_stages(places, scratch, made_from, tell)
        return _compared(places, folder, manifest, scratch, libraries)


def _any_file(_: str) -> bool:
    """Which files a release has is the affair of its kind; here they are compared, whatever they are."""
    return True


def _commit(folder: Path, made_from: Mapping[str, Any]) -> str:
    if git.said("--version") is None:
        raise ConfigError("git cannot be run", next_step="install git")
    sha, dirty = made_from["git"]["sha"], made_from["git"]["dirty"]
    next_step = "commit, then mlctl run: the lineage then names a commit that holds what it is made from"
    if sha is None:
        raise IntegrityError.refused(str(folder), "it was sealed outside of git, so nobody knows its code", next_step)
    if dirty:
        why = f"it was sealed with changes that commit {sha[:12]} does not hold"
        raise IntegrityError.refused(str(folder), why, next_step)
    if git.said("cat-file", "-e", f"{sha}^{{commit}}") is None:
        raise IntegrityError.missing(f"the commit {sha[:12]} of the lineage", "git fetch --unshallow (or git fetch)")
    return str(sha)


def _other_libraries(made_from: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Libraries and Python, where another version is here than was then: (then, here)."""
    now = lineage.surroundings()
    then = {**made_from["libraries"], "python": made_from["python"]}
    here = {**now["libraries"], "python": now["python"]}
    return {name: (old, str(here.get(name))) for name, old in then.items() if here.get(name) != old}


@contextmanager
def _worktree(scratch: Path, sha: str) -> Iterator[None]:
    """A checkout of a commit; what a killed run left is removed first, and it is gone afterwards."""

    def remove() -> None:
        git.said("worktree", "remove", "--force", "--force", str(scratch), timeout_s=None)
        shutil.rmtree(scratch, ignore_errors=True)
        git.said("worktree", "prune", timeout_s=None)

    remove()
    scratch.parent.mkdir(parents=True, exist_ok=True)
    if git.said("worktree", "add", "--quiet", "--detach", str(scratch), sha, timeout_s=None) is None:
        raise ExternalError.git("worktree add", f"commit {sha[:12]} cannot be checked out to {scratch}")
    try:
        yield
    finally:
        remove()


def _bring_data(places: Places, scratch: Path, version: str) -> None:
    """The snapshot of a version, and the data.dvc that pins it.

    Raises:
        IntegrityError: Neither this workspace nor DVC's cache has it.
    """
    (scratch / DATA).mkdir(exist_ok=True)
    taken = snapshot.read(places)
    if taken is not None and taken.version == version:
        shutil.copytree(places.data, scratch / places.data, dirs_exist_ok=True)
        shutil.copy("data.dvc", scratch / "data.dvc")
        return
    found = git.said("log", "--format=%H", "-S", version, "--", "data.dvc", timeout_s=None) or ""
    for commit in found.split():
        pinned = git.said("show", f"{commit}:data.dvc")
        if pinned is not None and version in pinned:
            (scratch / "data.dvc").write_text(pinned, encoding="utf-8")
            dvc.checkout(scratch, "data.dvc", Path(".dvc/cache").resolve())
            return
    next_step = "dvc pull, or run it where the snapshot was taken"
    raise IntegrityError.missing(f"the snapshot {version[:12]} of {places.name}", next_step)


def _bring_champion(places: Places, scratch: Path, champion: str) -> None:
    """The release that was the champion when it was evaluated, as the champion; none where there was none.

    Raises:
        IntegrityError: Neither this workspace nor DVC's cache has it.
    """
    (scratch / places.rollout).unlink(missing_ok=True)
    if not champion:
        return
    folder = places.releases / champion
    if folder.is_dir():
        shutil.copytree(folder, scratch / folder, dirs_exist_ok=True)
    elif (pointer := Path(f"{folder}.dvc")).is_file():
        (scratch / folder.parent).mkdir(parents=True, exist_ok=True)
        shutil.copy(pointer, scratch / pointer)
        dvc.checkout(scratch, pointer.as_posix(), Path(".dvc/cache").resolve())
    else:
        raise IntegrityError.missing(f"the champion {champion}, which it was held against", "git pull and dvc pull")
    alone = Rollout(Traffic(champion), 1, Note("mlctl reproduce", datetime.fromtimestamp(0, UTC), "as it was then"))
    write_text(scratch / places.rollout, flag_file.text_of(places.name, alone))


def _run_stages(places: Places, scratch: Path, made_from: Mapping[str, Any], tell: Tell) -> None:
    environment = {**os.environ, "DVC_STAGE": "reproduce"}
    if (scratch / "mlctl").is_dir():
        environment["PYTHONPATH"] = str(scratch.resolve())
    elif lineage.code()["code"] != made_from["mlctl"]["code"]:
        then = made_from["mlctl"]
        why = f"it was made by mlctl {then['version']} (code {then['code']}); here is another"
        raise IntegrityError.refused("the release", why, f"install mlctl {then['version']} and type it again")
    for stage in (name for name in ORDER if name != "ingest"):
        tell(stage, "")
        command = [sys.executable, "-c", _RUN, stage, f"projects/{places.name}"]
        done = subprocess.run(command, cwd=scratch, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.strip()][-4:]
            raise Relayed(done.returncode, [("error", f"{stage} failed when it was run again"), *_told(said)])


def _told(lines: list[str]) -> list[tuple[str, str]]:
    return [("why", line.strip()) for line in lines]


def _compared(
    places: Places,
    folder: Path,
    manifest: Mapping[str, Any],
    scratch: Path,
    libraries: Mapping[str, tuple[str, str]],
) -> Reproduced:
    """The stages' files in the order in which they were made, then those of the release."""
    there = sealed.read_manifest(scratch / places.release, "mlctl package", _any_file)
    wanted = {**manifest["stages"], **{f"release/{name}": found for name, found in manifest["files"].items()}}
    found = {**there["stages"], **{f"release/{name}": found for name, found in there["files"].items()}}
    order = [made.name for made in (*package.made(places), places.release)]
    in_order = sorted({**wanted, **found}, key=lambda name: order.index(name.partition("/")[0]))
    first = next((name for name in in_order if wanted.get(name) != found.get(name)), None)
    same = sum(found.get(name) == digest for name, digest in wanted.items())
    why = "" if first is None else _difference(places, folder, scratch, first, wanted)
    return Reproduced(manifest["id"], there["id"], same, first, why, libraries)


def _difference(places: Places, folder: Path, scratch: Path, name: str, wanted: Mapping[str, str]) -> str:
    """What differs in a file, where the original is still here."""
    stage, _, rest = name.partition("/")
    ours = folder / rest if stage == "release" else places.state / name
    theirs = scratch / (places.release / rest if stage == "release" else places.state / name)
    if not theirs.is_file():
        return "it was not made"
    if name not in wanted:
        return "it was not there then"
    if not ours.is_file() or sha256_of_file(ours) != wanted[name]:
        return "the original is no longer here, so it cannot be said what differs in it"
    if ours.suffix == ".parquet":
        return _columns(ours, theirs)
    if ours.suffix == ".json":
        keys = sorted(set(_leaves(read_json(ours))) ^ set(_leaves(read_json(theirs))))
        return (
            f"other values at {', '.join(key for key, _ in keys[:5])}" if keys else "the same values, written otherwise"
        )
    return f"{ours.stat().st_size:,} bytes then, {theirs.stat().st_size:,} now"


def _columns(ours: Path, theirs: Path) -> str:
    import polars as pl

    one, other = pl.read_parquet(ours), pl.read_parquet(theirs)
    if one.height != other.height:
        return f"{one.height:,} rows then, {other.height:,} now"
    unlike = [name for name in one.columns if name not in other.columns or not one[name].equals(other[name])]
    return f"columns {', '.join(unlike)}" if unlike else "the same values, written otherwise"


def _leaves(data: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(data, dict):
        for name, value in data.items():
            yield from _leaves(value, f"{key}.{name}" if key else str(name))
    elif isinstance(data, list):
        for place, value in enumerate(data):
            yield from _leaves(value, f"{key}.{place}")
    else:
        yield key, repr(data)
