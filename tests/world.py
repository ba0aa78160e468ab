"""A workspace of its own for every test that needs one: real git, real DVC, real PostgreSQL, the demo company in small."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]
MLCTL = Path(sys.executable).parent / "mlctl"
PATIENCE_S = 30

PROJECT = """\
name: shop
about: Who will stop buying in the next 90 days?
entity: {key: customer_id, source: customers}
sources:
  customers: {kind: demo, table: customers, customers: 600}
  orders: {kind: demo, table: orders, customers: 600}
checks:
  orders_once: {kind: unique, source: orders, columns: [order_id], severity: quarantine}
features:
  orders: {kind: count, source: orders, windows: [30d, 90d, 365d]}
  spend: {kind: sum, source: orders, column: amount_eur, windows: [90d]}
  days_since_order: {kind: days_since, source: orders}
  plan: {kind: lookup, source: customers, column: plan}
label: {kind: count, source: orders, horizon: 90d, is: 0}
model: {kind: xgboost, trees: 30, depth: 3}
cohorts: {annual: plan = 'annual'}
gate: {ranks: {metric: roc_auc, min: 0.7}}
decide: {evidence: orders_365d}
refresh: {as_of: 2026-11-01}
"""


def make_workspace(folder: Path, project: str = PROJECT, name: str = "shop") -> Path:
    """A git checkout with DVC, the stages of this repository and one project."""
    folder.mkdir(parents=True)
    shutil.copytree(ROOT / "conf", folder / "conf")
    shutil.copytree(ROOT / ".dvc", folder / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp"))
    shutil.copy(ROOT / ".gitignore", folder / ".gitignore")
    shutil.copy(ROOT / ".dvcignore", folder / ".dvcignore")
    stages = (
        (ROOT / "dvc.yaml")
        .read_text()
        .replace("      - mlctl\n", "")
        .replace("projects: [churn, support, recommend]", f"projects: [{name}]")
    )
    (folder / "dvc.yaml").write_text(stages)
    (folder / "projects" / name).mkdir(parents=True)
    (folder / "projects" / name / "project.yaml").write_text(project)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "config", "user.name", "tester")
    git(folder, "config", "user.email", "tester@example.com")
    commit(folder, "begin")
    return folder


def copy_workspace(source: Path, target: Path, database: bool = False) -> Path:
    """A copy with everything but the database, or with the database too, which must not run."""

    def left_out(folder: str, names: list[str]) -> list[str]:
        of_database = Path(folder) == source / ".mlctl" and not database
        return [name for name in names if of_database and name.startswith("postgres")]

    shutil.copytree(source, target, ignore=left_out, symlinks=True)
    return target


def commit(folder: Path, message: str) -> None:
    """Commits all there is."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)


def git(folder: Path, *arguments: str) -> str:
    """Runs git and gives what it prints."""
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


def mlctl(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the real command in a workspace, as a user does."""
    return subprocess.run(
        [str(MLCTL), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env=surroundings(**environment),
        check=False,
    )


def begin(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Begins the real command and does not wait for it; its words come line by line on `stderr`."""
    return subprocess.Popen(
        [str(MLCTL), *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=surroundings(),
    )


def killed_at(folder: Path, step: str, *arguments: str) -> None:
    """A command that is killed, with all its children, as soon as it says that a step begins.

    Raises:
        ValueError: It ended before, or something of it still works half a minute later.
    """
    run = begin(folder, *arguments)
    heard = []
    for line in run.stderr or ():
        heard.append(line)
        if line.split()[:1] == [step]:
            break
    else:
        raise ValueError(f"it ended before {step}: {heard}")
    run.kill()
    run.communicate()
    end = time.monotonic() + PATIENCE_S
    while at_work(folder):
        if time.monotonic() > end:
            raise ValueError(f"still at work: {at_work(folder)}")


def psql(folder: Path, query: str) -> str:
    """What a query gives in the database of the project `shop`, a line a row, values parted by |."""
    done = mlctl(folder, "db", "psql", "shop", "--", "-At", "-c", query)
    if done.returncode:
        raise ValueError(done.stderr)
    return done.stdout.strip()


def at_work(folder: Path) -> dict[int, str]:
    """The living processes that work in exactly this folder: pid and command line. The database works in its own."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            dead = process.joinpath("stat").read_text().rpartition(")")[2].split()[0] in "ZX"
            if not dead and process.joinpath("cwd").readlink() == folder.resolve():
                found[int(process.name)] = process.joinpath("cmdline").read_text().replace("\0", " ").strip()
    return found


def dvc(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the real DVC in a workspace, with this environment's mlctl on the path."""
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=surroundings(), check=False)


def surroundings(**changes: str) -> dict[str, str]:
    """The environment of a command: this one, with the environment's programs first and caches inside the test."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "NO_COLOR": "1", **changes}


def replace(path: Path, old: str, new: str) -> None:
    """Edits a file as a user would; the old text must be there."""
    text = path.read_text()
    if old not in text:
        raise ValueError(f"{path.name} does not hold {old!r}")
    path.write_text(text.replace(old, new))
