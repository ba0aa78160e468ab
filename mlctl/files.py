"""Files that are either as before or as after: atomic write, canonical JSON, content hash, folder lock.

Every write goes to a temporary name in the same folder, is flushed to the disk (fsync) and renamed over the target;
then the folder is flushed. A reader therefore never sees half a file, and a crash leaves the old one (Pillai et al.,
"All File Systems Are Not Created Equal", OSDI 2014).
"""

from __future__ import annotations

import errno
import fcntl
import glob
import hashlib
import json
import os
import re
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from mlctl.errors import ConflictError, ExternalError, IntegrityError


def canonical_json(data: Any) -> str:
    r"""JSON with sorted keys, two-space indent and a final newline; the same data is always the same text.

    Raises:
        ValueError: `data` holds NaN or an infinity, which JSON does not have.

    >>> canonical_json({"b": 1, "a": 0.5})
    '{\n  "a": 0.5,\n  "b": 1\n}\n'
    """
    return json.dumps(data, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def sha256_of(data: bytes | str) -> str:
    """SHA-256 of bytes or UTF-8 text, in hex.

    >>> sha256_of("")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex.

    Raises:
        IntegrityError: The file does not exist.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise IntegrityError.missing(str(path), "run the stage that writes it: mlctl run projects/NAME") from error


def write_with(path: Path, write: Callable[[Path], object]) -> None:
    """Lets `write` fill a temporary file, then puts it in the place of `path`.

    Raises:
        ExternalError: The file system refused; `path` is as it was and no temporary file is left.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _temporary(path) as temporary:
            write(temporary)
            # mkstemp makes 0600; the artefact gets what the user's umask allows, as any other file
            temporary.chmod(0o666 & ~_umask())
            _flush(temporary)
            temporary.replace(path)
            _flush(path.parent)
    except OSError as error:
        raise ExternalError.disk(path, error) from error
    except Exception as error:
        # polars tells a full disk as an error of its own, with the system's number in the text
        number = re.search(r"\(os error (\d+)\)", str(error))
        if number is None:
            raise
        raise ExternalError.disk(path, OSError(int(number[1]), os.strerror(int(number[1])))) from error


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """A new empty file beside `path`, gone after the block unless it was renamed; what killed writers left goes too.

    Each holds a lock on its file while it lives, so that one of two writers does not take the other for dead.
    """
    for left_over in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        with suppress(FileNotFoundError), left_over.open("rb") as stream:
            if _held(stream, wait_s=0.0):
                left_over.unlink()
    held, temporary = _made(path)
    with held:
        try:
            yield temporary
        finally:
            with suppress(OSError):
                temporary.unlink()


def _made(path: Path) -> tuple[IO[Any], Path]:
    """A new temporary file that is locked; made again if another writer took it for dead before it was."""
    while True:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.path.lexists(name):
            return os.fdopen(descriptor), Path(name)
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text atomically. Raises: ExternalError as `write_with`."""
    write_with(path, lambda temporary: temporary.write_text(text, encoding="utf-8", newline="\n"))


def write_bytes(path: Path, data: bytes) -> None:
    """Writes bytes atomically. Raises: ExternalError as `write_with`."""
    write_with(path, lambda temporary: temporary.write_bytes(data))


def write_json(path: Path, data: Any) -> None:
    """Writes canonical JSON atomically. Raises: ExternalError as `write_with`; ValueError on NaN."""
    write_text(path, canonical_json(data))


def append_line(path: Path, line: str) -> None:
    """Adds a line to a file that is only ever added to, in one write, and flushes it to the disk.

    Several processes may add at once. A line that was cut before it (by a death, a full disk) does not run into it.

    Raises:
        ExternalError: The file system refused; what it took of the line is a cut one, which readers leave out.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+", buffering=0) as stream:
            size = stream.seek(0, os.SEEK_END)
            cut = size > 0 and os.pread(stream.fileno(), 1, size - 1) != b"\n"
            told = f"{chr(10) if cut else ''}{line}\n".encode()
            if stream.write(told) != len(told):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(stream.fileno())
    except OSError as error:
        raise ExternalError.disk(path, error) from error


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of such a file, a line each; what was cut is left out, and no file has none."""
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            yield found


def read_json(path: Path, next_step: str = "mlctl run projects/NAME") -> Any:
    """Reads a JSON artefact.

    Raises:
        IntegrityError: It is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise IntegrityError.missing(str(path), next_step) from error
    except ValueError as error:
        raise IntegrityError.refused(str(path), f"it is not JSON: {error}", next_step) from error


def without_secrets(words: Sequence[str]) -> str:
    """Words of a command line in one line, without the secret that a dsn may hold.

    >>> without_secrets(["mlctl", "run", "churn", "database.dsn=postgresql://ann:s3cret@db/scores"])
    'mlctl run churn database.dsn=***'
    """
    return " ".join(re.sub(r"(?s)(dsn=).*", r"\1***", word) for word in words)


@contextmanager
def lock(path: Path, what: str, wait_s: float = 0.0) -> Iterator[None]:
    """Holds an exclusive lock on `path` while the block runs; the kernel frees it when the process dies.

    Args:
        path: The lock file; it stays and tells who held it last.
        what: What is locked, for the message, such as `projects/churn`.
        wait_s: How long to wait for another holder, who may be just about to end.

    Raises:
        ConflictError: Another process holds it; the message names its pid, host and command.
        ExternalError: The file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise ExternalError.disk(path, error) from error
    with stream:
        if not _held(stream, wait_s):
            stream.seek(0)
            raise ConflictError.held(what, stream.read().strip() or "a holder that has not said its name yet")
        stream.seek(0)
        stream.truncate()
        stream.write(
            f"pid {os.getpid()} on {socket.gethostname()}: {without_secrets([Path(sys.argv[0]).name, *sys.argv[1:]])}\n"
        )
        stream.flush()
        yield


def _held(stream: IO[Any], wait_s: float) -> bool:
    """Takes the lock, trying again for a while; False when another process keeps it."""
    until = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(0.05)
        else:
            return True


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
