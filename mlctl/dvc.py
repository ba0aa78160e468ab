"""DVC by its command line and its files; its Python internals are not touched.

DVC decides what has to run again; this module runs it, listens, and finds out why each stage ran or did not by
comparing dvc.lock before and after.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mlctl.errors import ConflictError, ExternalError, StoppedError, listed
from mlctl.files import write_text

LOCK: Final = Path("dvc.lock")
PIPELINE: Final = Path("dvc.yaml")
GRACE_S: Final = 5.0
_RUNNING: Final = re.compile(r"Running stage '(?P<stage>[^']+)'")
_SKIPPED: Final = re.compile(r"Stage '(?P<stage>[^']+)' didn't change, skipping")
_RESTORED: Final = re.compile(r"Stage '(?P<stage>[^']+)' is cached - skipping run")
_RUN: Final = "MLCTL_RUN_PID"
"""Environment of a stage: the process that waits for it."""
_NO_SPACE_BYTES: Final = 1_000_000
_WORKERS: Final = Path(".dvc/tmp/rwlock")
_BUSY: Final = re.compile(r"is busy, it is being blocked by:\s+(?P<who>.+)|Unable to acquire lock")
_TOLD: Final = re.compile(r"^(?P<heading>error|fault|where|why|next):\s+(?P<text>.+)$", re.MULTILINE)
_EXITED: Final = re.compile(r"failed to reproduce '(?P<stage>[^@']+)@.*exited with (?P<code>-?\d+)")


@dataclass(frozen=True)
class StageRun:
    """What DVC did with one stage.

    Attributes:
        stage: Its name without the project.
        outcome: `ran`, `skipped` (nothing it reads changed) or `restored` (an earlier run with the same inputs).
        why: The inputs that changed, or that none did.
        seconds: How long it ran.
    """

    stage: str
    outcome: str
    why: str
    seconds: float

    def record(self) -> dict[str, Any]:
        """The run as JSON-ready data."""
        return {"stage": self.stage, "outcome": self.outcome, "why": self.why, "seconds": round(self.seconds, 2)}


@dataclass(frozen=True)
class Reproduction:
    """What `dvc repro` did.

    Attributes:
        stages: The stages in order.
        exit_code: Of the stage that failed; 0 when none did.
        failed: The stage that failed.
        said: What that stage told of its failure, as (heading, text).
    """

    stages: tuple[StageRun, ...]
    exit_code: int
    failed: str = ""
    said: tuple[tuple[str, str], ...] = ()


def enlist(project: str) -> bool:
    """Adds a project to the list in dvc.yaml; True when it was not there.

    Raises:
        ExternalError: dvc.yaml has no list `projects`, or cannot be written.
    """
    text = PIPELINE.read_text(encoding="utf-8")
    match = re.search(r"^(?P<head> *- projects: *)\[(?P<names>[^\]]*)\]", text, re.MULTILINE)
    if match is None:
        raise ExternalError.tool("reading dvc.yaml", "it has no line `- projects: [...]` under vars:")
    names = [name.strip() for name in match["names"].split(",") if name.strip()]
    if project in names:
        return False
    changed = f"{match['head']}[{', '.join([*names, project])}]"
    write_text(PIPELINE, text[: match.start()] + changed + text[match.end() :])
    return True


def add(path: str) -> None:
    """`dvc add`: the path's content goes into the cache and its hash into `path.dvc`.

    Raises:
        ExternalError: DVC refused.
    """
    _tidy()
    done = _run(["add", "--quiet", path])
    if done.returncode != 0:
        failure = _failed(f"dvc add {path}", _last_line(done.stderr))
        _remove_half_written()
        raise failure


def checkout(workspace: Path, pointer: str, cache: Path) -> None:
    """`dvc checkout` of one pointer in another workspace, from a cache that is not its own.

    Raises:
        ExternalError: The cache does not hold it.
    """
    for arguments in (["cache", "dir", "--local", str(cache)], ["checkout", "--quiet", pointer]):
        done = _run(arguments, workspace)
        if done.returncode != 0:
            raise _failed(f"dvc {' '.join(arguments[:2])}", _last_line(done.stderr))


def reproduce(project: str, downstream_of: str | None, log: Path, hear: Callable[[str, str], None]) -> Reproduction:
    """Brings a project's stages up to date.

    Args:
        project: The project.
        downstream_of: A stage; only it and what comes after it is looked at. None looks at all.
        log: Everything that DVC and the stages print goes there.
        hear: Called as things happen with (`start`, stage) and (`line`, text of a stage).

    Raises:
        StoppedError: A stage or DVC was killed.
        ConflictError: Another DVC works on the same files.
        ExternalError: DVC failed by itself.
    """
    target = ["--downstream", f"{downstream_of}@{project}"] if downstream_of else [f"package@{project}"]
    _tidy()
    before = _locked()
    seen: list[tuple[str, str, float]] = []
    text: list[str] = []
    with _process([*_command(), "repro", *target]) as process:
        for line in process.stdout or ():
            text.append(line)
            for outcome, pattern in (("ran", _RUNNING), ("skipped", _SKIPPED), ("restored", _RESTORED)):
                if match := pattern.search(line):
                    seen.append((match["stage"], outcome, time.monotonic()))
                    if outcome == "ran":
                        hear("start", match["stage"].partition("@")[0])
            if line.startswith("  ") and not line.lstrip().startswith(">"):
                hear("line", line.strip())
        code = process.wait()
    printed = "".join(text)
    if code == 0:
        write_text(log, printed)
        return Reproduction(_stage_runs(seen, before, _locked()), 0)
    exited, busy = _EXITED.search(printed), _BUSY.search(printed)
    if busy and not exited:
        raise ConflictError.held("these files with DVC", " ".join(busy[0].split()))
    failure = _failed("dvc repro", f"{_last_line(printed)} (all of it: {log})")
    _remove_half_written()
    write_text(log, printed)
    if code < 0:
        raise StoppedError.killed("dvc repro", -code)
    if not exited:
        raise failure
    if int(exited["code"]) < 0:
        raise StoppedError.killed(f"stage {exited['stage']}", -int(exited["code"]))
    said = tuple((match["heading"], match["text"]) for match in _TOLD.finditer(printed))
    return Reproduction(_stage_runs(seen, before, _locked()), int(exited["code"]), exited["stage"], said)


def _run(arguments: Sequence[str], workspace: Path | None = None) -> subprocess.CompletedProcess[str]:
    """DVC as a child that does not outlive this process: what it had half written then, the next one removes."""
    return subprocess.run(
        [*_command(), *arguments],
        cwd=workspace,
        capture_output=True,
        text=True,
        env=_environment(),
        check=False,
        preexec_fn=die_with_parent,
    )


def _tidy() -> None:
    """Takes away what a killed DVC left: its place in the list of who works, and files of its cache by other names."""
    _forget_the_dead()
    _remove_half_written()


def _failed(command: str, why: str) -> ExternalError:
    """DVC's failure; it does not always say that the disk is full."""
    if shutil.disk_usage(".").free < _NO_SPACE_BYTES:
        return ExternalError.disk(Path(".dvc/cache"), OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)} ({command})"))
    return ExternalError.tool(command, why)


def _remove_half_written() -> None:
    """Removes what a failed DVC left in its cache under temporary names: it would keep a full disk full."""
    _, alive = _workers()
    if not any(alive.values()):
        for path in Path(".dvc/cache/files").rglob(".*.tmp"):
            path.unlink(missing_ok=True)


def _forget_the_dead() -> None:
    """Takes dead processes out of DVC's list of who works on which file.

    DVC does so itself, but takes a killed process whose parent has not collected it yet for a living one; in a
    container without an init that is for ever. The list is edited under DVC's own lock.
    """
    if not _WORKERS.is_file():
        return
    with _WORKERS.with_name("rwlock.lock").open("a+") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        told, alive = _workers()
        if alive != told:
            write_text(_WORKERS, json.dumps(alive))


def _workers() -> tuple[dict[str, Any], dict[str, Any]]:
    """DVC's list of who works on which file as it stands, and without the dead."""
    try:
        told = json.loads(_WORKERS.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        told = {}  # half-written by a killed DVC, which could not read it either
    writing = {path: entry for path, entry in told.get("write", {}).items() if _alive(entry["pid"])}
    reading = {path: [e for e in entries if _alive(e["pid"])] for path, entries in told.get("read", {}).items()}
    return told, {"write": writing, "read": {path: entries for path, entries in reading.items() if entries}}


def _alive(pid: int) -> bool:
    """Whether a process runs; a dead one that nobody has collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return not Path("/proc/self").exists()


def _stage_runs(
    seen: Sequence[tuple[str, str, float]], before: Mapping[str, Any], after: Mapping[str, Any]
) -> tuple[StageRun, ...]:
    ends = [*(moment for _, _, moment in seen), time.monotonic()][1:]
    runs = []
    for (name, outcome, moment), end in zip(seen, ends, strict=True):
        why = _unchanged(after.get(name, {})) if outcome == "skipped" else _changed(before.get(name), after.get(name))
        runs.append(StageRun(name.partition("@")[0], outcome, why, end - moment if outcome != "skipped" else 0.0))
    return tuple(runs)


def _unchanged(entry: Mapping[str, Any]) -> str:
    """What was compared and found equal."""
    inputs = [str(dep["path"]) for dep in entry.get("deps", ())]
    keys = sorted({key for params in entry.get("params", {}).values() for key in params})
    return f"unchanged: {listed([*inputs, *keys], 6)}"


def _changed(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    """Which inputs differ between two entries of dvc.lock."""
    if before is None:
        return "it has not run here before"
    if after is None or after == before:
        return "its output was missing or had been changed"
    hashes = [{dep["path"]: dep.get("md5") for dep in entry.get("deps", ())} for entry in (before, after)]
    changed = [path for path, md5 in hashes[1].items() if hashes[0].get(path) != md5]
    for file, params in after.get("params", {}).items():
        changed += _changed_keys(before.get("params", {}).get(file, {}), params)
    return f"changed: {listed(changed, 6)}" if changed else "its output was missing or had been changed"


def _changed_keys(before: Any, after: Any, prefix: str = "") -> list[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        found: list[str] = []
        for key in [*after, *(key for key in before if key not in after)]:
            found += _changed_keys(before.get(key), after.get(key), f"{prefix}.{key}" if prefix else str(key))
        return found
    return [] if before == after else [prefix]


def _locked() -> dict[str, Any]:
    import yaml

    if not LOCK.is_file():
        return {}
    loaded = yaml.safe_load(LOCK.read_text(encoding="utf-8")) or {}
    return dict(loaded.get("stages", {}))


@contextmanager
def _process(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """A child in a process group of its own that never outlives this process's interest in it."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        env=_environment(),
        start_new_session=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - no thread runs here yet
    )
    try:
        yield process
    except BaseException:
        _end(process)
        raise


def _end(process: subprocess.Popen[str]) -> None:
    for deadly in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, deadly)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
            return


def die_with_parent() -> None:
    """Asks the kernel to end this process when its parent dies, so that a killed command leaves no writer behind.

    Linux only; elsewhere the stage lock still keeps a second writer out.
    """
    if sys.platform != "linux":
        return
    import ctypes

    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)


def orphaned() -> bool:
    """Whether the command that began this stage died before the stage could ask to die with it."""
    run = os.environ.get(_RUN, "")
    return run.isdigit() and not _alive(int(run))


def _command() -> list[str]:
    return [sys.executable, "-m", "dvc"]


def _environment() -> dict[str, str]:
    # the stages call `mlctl`: it must be the one of this environment, activated or not
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    told = {"DVC_NO_ANALYTICS": "true", "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", _RUN: str(os.getpid())}
    return {**os.environ, "PATH": path, **told}


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip() and "having any troubles" not in line.lower()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["no reason given"])[-1].removeprefix("ERROR: ")
