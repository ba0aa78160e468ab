"""Kills a change of the rollout before every line of the program that it passes, and looks at what is left.

Run as a program in an empty folder: prints one line of JSON. Each kill is a real SIGKILL of a real process.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from mlctl import files, rollout
from mlctl.rollout import Note, Traffic, chain, changes, flag_file
from mlctl.workspace import Places

SHOP = Places("shop")
NOTE = Note("Ann <ann@example.com>", datetime(2026, 11, 28, tzinfo=UTC), "it was better", {"labels": 812})
BEFORE, AFTER = Traffic("aaa", "bbb").at(1), Traffic("bbb")
WATCHED = {module.__file__ for module in (files, chain, changes, flag_file)}


def begin() -> None:
    """A rollout with two states."""
    for path in (Path("projects"), Path(".mlctl")):
        shutil.rmtree(path, ignore_errors=True)
    SHOP.folder.mkdir(parents=True)
    rollout.change(SHOP, rollout.change(SHOP, rollout.read(SHOP), Traffic("aaa"), NOTE), BEFORE, NOTE)


def act() -> None:
    """The change."""
    rollout.change(SHOP, rollout.read(SHOP), AFTER, NOTE)


def left() -> dict[str, str]:
    """Every file of the project, by its name."""
    return {path.name: path.read_text() for path in sorted(SHOP.folder.iterdir())}


def killed_at(line: int) -> bool:
    """Acts in a process of its own that is killed before its n-th line; False where it has ended before."""
    pid = os.fork()
    if pid == 0:
        passed = 0

        def count(frame: object, event: str, _: object) -> object:
            nonlocal passed
            if event == "line" and frame.f_code.co_filename in WATCHED:  # type: ignore[attr-defined]
                passed += 1
                if passed == line:
                    os.kill(os.getpid(), signal.SIGKILL)
            return count

        sys.settrace(count)  # type: ignore[arg-type]
        act()
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def main() -> None:
    """Kills at every line, or at every n-th where a number is given."""
    begin()
    act()
    undisturbed = left()
    seen: dict[str, int] = {}
    faults: list[str] = []
    line, step = 1, int(sys.argv[1]) if len(sys.argv) > 1 else 1
    while True:
        begin()
        killed = killed_at(line)
        found = rollout.read(SHOP).traffic
        seen[found.champion] = seen.get(found.champion, 0) + 1
        if found not in (BEFORE, AFTER):
            faults.append(f"line {line}: {found}")
        rollout.verified_history(SHOP)
        act()
        if left() != undisturbed:
            faults.append(f"line {line}: the same command again leaves other bytes: {sorted(left())}")
        if not killed:
            break
        line += step
    print(json.dumps({"lines": line, "seen": seen, "faults": faults}))


if __name__ == "__main__":
    main()
