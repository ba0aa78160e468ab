"""The error tree: each class is one exit code, each situation is said once, by a named constructor.

A message always has the same four parts: *what* is wrong; *where* (file:line, column, row count, artefact); *why*; and
*next*, the command to type. Expected bad outcomes (a refused gate, a failed check) are reports and not exceptions,
until they must stop the command.

Exit codes: 0 done, 1 a bug, 2 ConfigError, 3 DataError, 4 the gate refused, 5 ConflictError, 6 IntegrityError,
7 ExternalError, 8 stopped but resumable, 9 a monitor's alarm, 130 interrupt, 143 terminate.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

EXIT_OK: Final = 0
EXIT_BUG: Final = 1
EXIT_REFUSED: Final = 4
EXIT_STOPPED: Final = 8
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


@dataclass(frozen=True)
class Fault:
    """One thing wrong in the configuration.

    Attributes:
        key: Dotted path of the key, such as `model.max_depth`.
        message: What is wrong and what was expected.
        place: `file:line`, or the override that set the value.
        set_by: Who set the value: `project file`, `preset`, `command line`, `default`.
        hint: "did you mean ...?" or another way out.
    """

    key: str
    message: str
    place: str = ""
    set_by: str = ""
    hint: str = ""

    def __str__(self) -> str:
        origin = f" [{self.set_by}]" if self.set_by else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.place or 'project'}: {self.key}: {self.message}{hint}{origin}"


class ConfigError(MlctlError):
    """The YAML or the command line is wrong (exit 2). Carries every fault that was found."""

    exit_code = 2

    def __init__(self, what: str, *, where: str = "", why: str = "", next_step: str = "", faults: Sequence[Fault] = ()):
        super().__init__(what, where=where, why=why, next_step=next_step)
        self.faults = tuple(faults)

    def lines(self) -> list[tuple[str, str]]:
        """The headline, then a line a fault, then the next step."""
        parts = super().lines()
        faults = [("fault", str(fault)) for fault in self.faults]
        return parts[:1] + faults + parts[1:]

    @classmethod
    def of_project(cls, name: str, faults: Sequence[Fault]) -> ConfigError:
        """Every fault of a project's configuration at once."""
        count = f"{len(faults)} fault{'s' if len(faults) != 1 else ''}"
        return cls(
            f"the configuration of {name!r} has {count}",
            faults=faults,
            next_step="mlctl explain KEY tells what a key means",
        )

    @classmethod
    def unknown_kind(cls, seam: str, kind: str, known: Sequence[str]) -> ConfigError:
        """A `kind:` that has no file in its seam."""
        why = did_you_mean(kind, known) or f"known: {listed(known)}"
        return cls(f"{seam} has no kind {kind!r}", why=why, next_step=f"mlctl explain {seam}")

    @classmethod
    def unknown_key(cls, key: str, known: Sequence[str]) -> ConfigError:
        """A dotted key or kind that `explain` does not know."""
        why = did_you_mean(key, known) or f"known: {listed(known)}"
        return cls(f"there is no kind or key {key!r}", why=why, next_step="mlctl explain lists every kind")

    @classmethod
    def no_project(cls, folder: Path, known: Sequence[str]) -> ConfigError:
        """The named folder is not a project."""
        why = did_you_mean(folder.name, known) or (f"projects here: {listed(known)}" if known else "")
        return cls(
            f"{str(folder)!r} is not a project: it has no project.yaml", why=why, next_step="mlctl run projects/NAME"
        )

    @classmethod
    def no_workspace(cls, start: Path) -> ConfigError:
        """No folder from `start` upwards holds dvc.yaml and projects/."""
        why = "no folder from here up to the root holds dvc.yaml and projects/"
        return cls(
            "this is not an mlctl workspace", where=str(start), why=why, next_step="cd into the clone of the workspace"
        )

    @classmethod
    def unreadable_yaml(cls, place: str, why: str) -> ConfigError:
        """A YAML file that cannot be parsed, or that uses what is refused (tags, aliases, traps)."""
        return cls(
            "the YAML cannot be read", where=place, why=why, next_step="correct the line and run the same command again"
        )

    @classmethod
    def bad_override(cls, override: str, why: str) -> ConfigError:
        """A Hydra override that cannot be applied."""
        return cls(
            f"the override {override!r} cannot be applied",
            where="command line",
            why=why,
            next_step="mlctl explain KEY tells which keys exist",
        )

    @classmethod
    def missing_environment(cls, name: str, key: str) -> ConfigError:
        """`${oc.env:NAME}` names a variable that is not set."""
        return cls(
            f"the environment variable {name} is not set",
            where=key,
            next_step=f"export {name}=... and run the same command again",
        )


class DataError(MlctlError):
    """A source broke its contract (exit 3)."""

    exit_code = 3

    @classmethod
    def missing_file(cls, source: str, path: str) -> DataError:
        """A file source names a path where nothing is."""
        return cls(
            f"source {source!r} reads a file that does not exist",
            where=path,
            next_step=f"correct sources.{source}.path",
        )

    @classmethod
    def not_of_kind(cls, source: str, kind: str, path: str, why: str) -> DataError:
        """The bytes are not what the source's kind says."""
        return cls(
            f"source {source!r} is not readable as {kind}",
            where=path,
            why=why,
            next_step=f"correct sources.{source}.kind or the file",
        )

    @classmethod
    def empty(cls, source: str, where: str) -> DataError:
        """A source without a single row."""
        why = "there is no row in the snapshot's window"
        return cls(
            f"source {source!r} is empty",
            where=where,
            why=why,
            next_step=f"look at sources.{source}, or at the as_of of the snapshot",
        )

    @classmethod
    def missing_column(cls, source: str, column: str, known: Sequence[str], wanted_by: str) -> DataError:
        """A column that the configuration names and the source does not have."""
        why = did_you_mean(column, known) or f"it has: {listed(known)}"
        return cls(
            f"source {source!r} has no column {column!r}", where=wanted_by, why=why, next_step=f"correct {wanted_by}"
        )

    @classmethod
    def bad_time(cls, source: str, column: str, why: str) -> DataError:
        """A time column that cannot be placed on the UTC time line."""
        return cls(
            f"source {source!r}: column {column!r} is not a time",
            where=f"sources.{source}.time",
            why=why,
            next_step=f"set sources.{source}.time_zone or time_format",
        )

    @classmethod
    def contract_broken(cls, findings: Sequence[str], report: str) -> DataError:
        """Checks of severity `fail` found something."""
        return cls(
            "the data broke its contract",
            where=report,
            why=" | ".join(findings),
            next_step="correct the source, or the rule in checks:",
        )

    @classmethod
    def no_variation(cls, what: str, value: object, rows: int) -> DataError:
        """A label of one class cannot be learnt."""
        why = f"all {rows} rows are {value!r}; a model needs both outcomes"
        return cls(f"the label does not vary in {what}", where="label", why=why, next_step="look at label: and split:")

    @classmethod
    def no_rows(cls, what: str, why: str, next_step: str) -> DataError:
        """A part of the split, or the population, without a row."""
        return cls(f"there are no rows in {what}", where="split", why=why, next_step=next_step)

    @classmethod
    def infinite(cls, columns: Sequence[str], rows: int) -> DataError:
        """Training rows that hold infinities, which no model can learn from."""
        why = f"{rows} rows hold an infinity, in {listed(columns)}; missing values must be null, not infinite"
        return cls(
            "the training rows are not finite",
            where="features",
            why=why,
            next_step="look for a division by zero or a logarithm in features:",
        )

    @classmethod
    def bad_expression(cls, key: str, expression: str, why: str) -> DataError:
        """An SQL expression that the tables refuse."""
        return cls(f"the expression {expression!r} cannot be computed", where=key, why=why, next_step=f"correct {key}")

    @classmethod
    def audit_failed(cls, findings: Sequence[str]) -> DataError:
        """Scores that must not be published; the live ones stay."""
        why = " | ".join(findings)
        return cls(
            "the scores did not pass their audit; nothing was published",
            where="serving.audit",
            why=why,
            next_step="look at the release and at the snapshot; the live scores are untouched",
        )


class ConflictError(MlctlError):
    """A lock is held, or somebody else changed it first (exit 5)."""

    exit_code = 5

    @classmethod
    def held(cls, lock: str, holder: str) -> ConflictError:
        """Another process works on the same thing."""
        return cls(
            f"another command works on {lock}",
            where=holder,
            next_step="wait for it to end, then run the same command again",
        )


class IntegrityError(MlctlError):
    """An artefact is missing, damaged or of another lineage (exit 6)."""

    exit_code = 6

    @classmethod
    def missing(cls, artefact: str, next_step: str) -> IntegrityError:
        """An artefact that an earlier stage should have written."""
        return cls(f"{artefact} is missing", next_step=next_step)

    @classmethod
    def damaged(cls, artefact: str, expected: str, found: str, next_step: str) -> IntegrityError:
        """Bytes that do not hash to what is written down."""
        why = f"expected {expected}, found {found}"
        return cls(f"{artefact} is not what was recorded", why=why, next_step=next_step)

    @classmethod
    def refused(cls, artefact: str, why: str, next_step: str) -> IntegrityError:
        """An artefact that is whole but may not be used."""
        return cls(f"{artefact} is refused", why=why, next_step=next_step)


class ExternalError(MlctlError):
    """Database, HTTP, disk or another program (exit 7). Says whether a retry helps."""

    exit_code = 7

    @classmethod
    def disk(cls, path: Path, error: OSError) -> ExternalError:
        """A write that the file system refused (full, read-only, no permission)."""
        return cls(
            f"cannot write {path.name}",
            where=str(path),
            why=error.strerror or str(error),
            next_step="free the disk or mend the permission; the same command goes on",
        )

    @classmethod
    def database(cls, where: str, why: str) -> ExternalError:
        """The database does not answer or refuses."""
        return cls(
            "the database cannot be used",
            where=where,
            why=why,
            next_step="mlctl doctor; a retry helps once the database answers",
        )

    @classmethod
    def tool(cls, command: str, why: str) -> ExternalError:
        """Another program (git, dvc) failed."""
        return cls(f"{command} failed", why=why, next_step="mlctl doctor")
