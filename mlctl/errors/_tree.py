"""The root of the tree, exit codes, and how a message is put together."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any, Final

EXIT_OK: Final = 0
EXIT_BUG: Final = 1
EXIT_REFUSED: Final = 4
EXIT_STOPPED: Final = 8
EXIT_ALARM: Final = 9
EXIT_INTERRUPTED: Final = 130
EXIT_TERMINATED: Final = 143
SIGKILL: Final = 9


class MlctlError(Exception):
    """An expected failure that ends the command with `exit_code`.

    Args:
        what: What is wrong, in one sentence without a full stop.
        where: File:line, column, row count or artefact.
        why: The cause, when it is known.
        next_step: What to type or to change.
    """

    exit_code: int = EXIT_BUG

    def __init__(self, what: str, *, where: str = "", why: str = "", next_step: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.why, self.next_step = what, where, why, next_step

    def lines(self) -> list[tuple[str, str]]:
        """The parts that are known, as (heading, text), in the order they are shown."""
        parts = [("error", self.what), ("where", self.where), ("why", self.why), ("next", self.next_step)]
        return [(heading, text) for heading, text in parts if text]

    def __str__(self) -> str:
        return "\n".join(f"{heading}: {text}" for heading, text in self.lines())

    def record(self) -> dict[str, Any]:
        """The error as JSON-ready data."""
        return {"exit_code": self.exit_code, "lines": [list(line) for line in self.lines()]}


class StoppedError(MlctlError):
    """Stopped half-way by somebody else, and resumable (exit 8)."""

    exit_code = EXIT_STOPPED

    @classmethod
    def killed(cls, what: str, number: int) -> StoppedError:
        """A process of ours was ended by a signal, such as the kernel's when memory runs out."""
        return cls(
            f"{what} was killed by signal {number}",
            why="somebody ended it, or the machine ran out of memory" if number == SIGKILL else "",
            next_step="nothing is half-written; the same command goes on",
        )


class Relayed(MlctlError):
    """An error of a stage that ran in another process, told again with its own exit code."""

    def __init__(self, exit_code: int, lines: Sequence[tuple[str, str]]) -> None:
        super().__init__(next((text for heading, text in lines if heading == "error"), "a stage failed"))
        self.exit_code, self._lines = exit_code, [(heading, text) for heading, text in lines]

    def lines(self) -> list[tuple[str, str]]:
        """The parts as the stage told them."""
        return self._lines


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint with the nearest known word, or the empty string.

    >>> did_you_mean("max_dept", ["max_depth", "seed"])
    "did you mean 'max_depth'?"
    """
    nearest = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return f"did you mean {nearest[0]!r}?" if nearest else ""


def first_line(error: BaseException) -> str:
    """What a library's exception says, in one line; its class where it says nothing.

    >>> first_line(ValueError("no such column")), first_line(KeyError())
    ('no such column', 'KeyError')
    """
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def listed(words: Iterable[object], most: int = 12) -> str:
    """Words joined by commas, cut after `most` with the count of the rest.

    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    texts = [str(word) for word in words]
    if len(texts) <= most:
        return ", ".join(texts)
    return f"{', '.join(texts[:most])} and {len(texts) - most} more"
