"""What is wrong around us: other commands, artefacts, disk, database, programs."""

from __future__ import annotations

from pathlib import Path

from mlctl.errors._tree import MlctlError


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

    @classmethod
    def changed_first(cls, what: str, why: str, next_step: str) -> ConflictError:
        """What was decided rests on a state that somebody else has changed since."""
        return cls(f"somebody changed {what} first", why=why, next_step=next_step)


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
    def changed_while_read(cls, source: str, path: str) -> IntegrityError:
        """A source's file was written, replaced, added or removed while it was read."""
        return cls(
            f"source {source!r} changed while it was read",
            where=path,
            why="its size, time or inode is not what it was at the beginning, so the rows may be of two versions",
            next_step="wait until nobody writes it, then run the same command again",
        )

    @classmethod
    def another_lineage(cls, artefact: str, wanted: str, found: str, next_step: str) -> IntegrityError:
        """An artefact that is whole, and somebody else's."""
        why = f"it is {found}, and {wanted} belongs here; nothing was changed"
        return cls(f"{artefact} is of another lineage", why=why, next_step=next_step)

    @classmethod
    def refused(cls, artefact: str, why: str, next_step: str) -> IntegrityError:
        """An artefact that is whole but may not be used."""
        return cls(f"{artefact} is refused", why=why, next_step=next_step)


class ExternalError(MlctlError):
    """Database, HTTP, disk or another program (exit 7). Says whether a retry helps."""

    exit_code = 7
    retry: bool = True
    """Whether the same may work later, with nothing mended by anybody here."""

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
    def listening(cls, where: str, why: str) -> ExternalError:
        """An address that cannot be listened on: somebody else does, or it is another machine's."""
        return cls(
            "cannot listen for requests",
            where=where,
            why=why,
            next_step="stop who listens there, or choose another address: mlctl serve projects/NAME --port 8081",
        )

    @classmethod
    def git(cls, command: str, why: str) -> ExternalError:
        """Git refused."""
        return cls(f"git {command} failed", why=why, next_step="git status; then the same command again")

    @classmethod
    def object_store(cls, source: str, where: str, why: str) -> ExternalError:
        """An object store or web server does not answer, or refuses."""
        return cls(
            f"source {source!r} cannot be fetched",
            where=where,
            why=why,
            next_step="set the store's credentials in the environment; a retry helps once it answers",
        )

    @classmethod
    def undelivered(cls, channel: str, where: str, why: str, *, retry: bool) -> ExternalError:
        """An alert that a channel did not take; it waits."""
        later = "it is sent again by the next mlctl monitor, or at once: mlctl alerts flush"
        mend = "correct the channel in alerts:, then: mlctl alerts flush"
        made = cls(f"{channel} did not take the alert", where=where, why=why, next_step=later if retry else mend)
        made.retry = retry
        return made

    @classmethod
    def tool(cls, command: str, why: str) -> ExternalError:
        """Another program (git, dvc) failed."""
        return cls(f"{command} failed", why=why, next_step="mlctl doctor")
