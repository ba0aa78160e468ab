"""The files behind a `path`: one file, those of a folder that have the same columns, or one object of a store.

`s3://`, `gs://`, `az://`, `hf://`, `https://` and `http://` are read as Polars reads them, `file://` is a plain path.
Credentials come from the environment only.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote

from pydantic import Field, field_validator

from mlctl.errors import DataError, ExternalError, IntegrityError, first_line, listed
from mlctl.sources import SourceOptions, must_not_be_too_wide
from mlctl.spec import holds_password

if TYPE_CHECKING:
    import polars as pl

_REMOTE: Final = re.compile(r"(?:s3a?|gs|gcs|az|azure|abfss?|adl|hf|https?)://")
_SECRET: Final = re.compile(r"[?&][^=&]*(?:sig|token|key|secret|credential)[^=&]*=", re.IGNORECASE)
_PLAIN_OPTIONS: Final = (
    *("region", "aws_region", "endpoint_url", "aws_endpoint_url", "skip_signature", "aws_skip_signature"),
    *("allow_http", "aws_allow_http", "virtual_hosted_style_request", "aws_virtual_hosted_style_request"),
    *("account_name", "azure_storage_account_name"),
)
_PACKED: Final = (".gz", ".bz2", ".xz", ".zst", ".zip")
_OTHER_FORMATS: Final = {
    b"PAR1\x15": "a Parquet file",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"\x28\xb5\x2f\xfd": "a Zstandard archive",
    b"BZh91AY&SY": "a bzip2 archive",
    b"\xfd7zXZ\0": "an XZ archive",
}
_UNPACK: Final = "it is packed; unpack it"
_TIMEOUT_S: Final = 60
_PART_BYTES: Final = 2**20


class FileOptions(SourceOptions):
    """What is said of files and objects, whatever their kind."""

    path: str = Field(
        description="file, folder whose files are read in the order of their names, or s3:// gs:// az:// hf:// https://"
    )
    storage_options: dict[str, str] = Field(
        default_factory=dict, description="of an object store, such as region; credentials by the environment only"
    )
    max_bytes: int = Field(
        default=4 * 2**30, ge=1, description="bytes that all its files may have once they are unpacked; 4 GiB"
    )

    @field_validator("path")
    @classmethod
    def _no_secret(cls, path: str) -> str:
        if holds_password(path) or (is_remote(path) and _SECRET.search(path)):
            raise ValueError("a path holds no password, signature or token; credentials come from the environment")
        return path

    @field_validator("storage_options")
    @classmethod
    def _no_credentials(cls, given: dict[str, str]) -> dict[str, str]:
        others = sorted(set(given) - set(_PLAIN_OPTIONS))
        if others:
            raise ValueError(
                f"{listed(others)} may not stand here; it has: {listed(_PLAIN_OPTIONS, 20)}; no credentials"
            )
        return given


class Piece(NamedTuple):
    """One file, or one object of a store.

    Attributes:
        where: Its path or URI, for messages.
        local: The file, or None for an object.
        options: The source that names it.
    """

    where: str
    local: Path | None
    options: FileOptions

    def __str__(self) -> str:
        return self.where

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.where.rstrip("/").rpartition("/")[2]

    @property
    def keeps_bytes(self) -> bool:
        """Whether `data` is what is stored, byte by byte; of objects in a store Polars gives the lines."""
        return self.local is not None or self.where.startswith("http")

    def data(self) -> bytes:
        """The content.

        Raises:
            DataError: It cannot be read, is not there, or has more than `max_bytes`.
            ExternalError: The store or server does not answer.
        """
        if self.local is not None:
            try:
                return self.local.read_bytes()
            except OSError as error:
                why = f"it cannot be read: {error.strerror}"
                raise DataError.not_of_kind(self.options.name, self.options.kind, self.where, why) from error
        with fetching(self):
            if self.where.startswith("http"):
                return _downloaded(self.where, Room(self.options))
            return b"\n".join(self._lines())

    def _lines(self) -> Iterator[bytes]:
        """The lines of an object, which Polars unpacks on the way: they are counted as they come, each one whole."""
        import polars as pl

        given = dict(self.options.storage_options) or None
        scanned, room = pl.scan_lines(self.where, glob=False, storage_options=given), Room(self.options)
        for part in scanned.collect_batches(lazy=True):
            room.take(self.where, int(part.estimated_size()) + part.height)
            for line in part.to_series():
                yield line.encode()


class Room:
    """What a source's files may still take of the memory."""

    def __init__(self, options: FileOptions) -> None:
        self._options, self._taken = options, 0

    def must_hold(self, where: str, size: int) -> None:
        """Refuses what has more bytes than there is room for.

        Raises:
            DataError: It has.
        """
        if self._taken + size > self._options.max_bytes:
            raise DataError.unpacks_to_more(self._options.name, where, self._taken + size, self._options.max_bytes)

    def take(self, where: str, size: int) -> None:
        """Lets bytes take their room.

        Raises:
            DataError: There is not so much.
        """
        self.must_hold(where, size)
        self._taken += size


def other_format(data: bytes) -> str | None:
    r"""What bytes are that should be text, by how they begin.

    >>> other_format(b"PK\x03\x04 and more"), other_format(b"a,b")
    ('a ZIP archive', None)
    """
    return next((what for magic, what in _OTHER_FORMATS.items() if data.startswith(magic)), None)


def is_remote(path: str) -> bool:
    """Whether a path is a URI of an object store or a web server.

    >>> is_remote("s3://bucket/orders.parquet"), is_remote("file:///data/orders.csv"), is_remote("orders.csv")
    (True, False, False)
    """
    return _REMOTE.match(path) is not None


@contextmanager
def fetching(piece: Piece) -> Iterator[None]:
    """Tells what a store says as an error of ours.

    Raises:
        DataError: The object is not there, or not of its kind.
        ExternalError: The store does not answer, or refuses.
    """
    import polars as pl

    source = piece.options.name
    try:
        yield
    except FileNotFoundError as error:
        raise DataError.missing_file(source, piece.where) from error
    except OSError as error:
        raise ExternalError.object_store(source, piece.where, first_line(error)) from error
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise DataError.not_of_kind(source, piece.options.kind, piece.where, first_line(error)) from error


def _downloaded(address: str, room: Room) -> bytes:
    import http.client
    import io
    import urllib.error
    import urllib.request

    try:
        # `_REMOTE` lets http and https through alone
        with urllib.request.urlopen(address, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            data = io.BytesIO()
            while part := answer.read(_PART_BYTES):
                room.take(address, len(part))
                data.write(part)
            # what is read by parts ends without a word where the connection does
            if answer.length:
                raise http.client.IncompleteRead(data.getvalue(), answer.length)
    except http.client.HTTPException as error:
        raise OSError(f"the answer broke off: {first_line(error)}") from error
    except urllib.error.HTTPError as error:
        if error.code in (404, 410):
            raise FileNotFoundError(address) from error
        raise OSError(f"the server answers {error.code} {error.reason}") from error
    return data.getvalue()


def pieces_of(options: FileOptions, ending: str) -> list[Piece]:
    """The file itself, the folder's files of that ending by name, or the object; hidden files are no data.

    Raises:
        DataError: Nothing is there, or the folder holds no such file, or one that would be left out unseen; or an
            object is packed.
    """
    source, path = options.name, options.path
    if is_remote(path):
        if path.lower().endswith(_PACKED):
            raise DataError.not_of_kind(source, options.kind, path, _UNPACK)
        return [Piece(path, None, options)]
    place = Path(unquote(path.removeprefix("file://")) if path.startswith("file://") else path)
    if place.is_dir():
        found = _files_in(options, place, ending)
        if not found:
            raise DataError.missing_file(source, str(place / f"*{ending}"))
        return [Piece(str(file), file, options) for file in found]
    if not place.is_file():
        raise DataError.missing_file(source, path)
    return [Piece(str(place), place, options)]


def _files_in(options: FileOptions, folder: Path, ending: str) -> list[Path]:
    """The folder's files of that ending, `.CSV` too; what looks like more of them and cannot be read is refused."""
    found = []
    for entry in sorted(folder.iterdir()):
        name = entry.name.lower()
        why = None
        if name.startswith("."):
            continue
        if name.endswith(tuple(ending + packed for packed in _PACKED)):
            why = _UNPACK
        elif entry.is_dir():
            # what begins with _ is a writer's own, as in folders that Spark writes
            if not name.startswith("_") and _holds(entry, ending):
                why = f"it is a folder with {ending} files, and those of {folder.name} alone are read; name it itself"
        elif name.endswith(ending) and not entry.is_file():
            why = "it is no file, or a link that leads nowhere"
        elif name.endswith(ending):
            found.append(entry)
        if why:
            raise DataError.not_of_kind(options.name, options.kind, str(entry), why)
    return found


def _holds(folder: Path, ending: str) -> bool:
    return any(entry.name.lower().endswith(ending) and not entry.name.startswith(".") for entry in folder.rglob("*"))


@contextmanager
def unchanged(options: FileOptions, ending: str) -> Iterator[list[Piece]]:
    """The files behind a path while they are read; afterwards they must be the same, as they were.

    Raises:
        DataError: As `pieces_of`; or the files have more than `max_bytes` as they are.
        IntegrityError: A file was written, replaced, added or removed meanwhile.
    """
    pieces = pieces_of(options, ending)
    before = {piece.where: _state(piece) for piece in pieces}
    room = Room(options)
    for where, (size, _, _) in before.items():
        room.take(where, size)
    yield pieces
    try:
        after = {piece.where: _state(piece) for piece in pieces_of(options, ending)}
    except (DataError, OSError):
        after = {}
    changed = sorted(where for where in before | after if before.get(where) != after.get(where))
    if changed:
        raise IntegrityError.changed_while_read(options.name, changed[0])


def _state(piece: Piece) -> tuple[int, int, int]:
    if piece.local is None:
        # an object is fetched in one request, or Polars holds it to its ETag
        return 0, 0, 0
    stat = piece.local.stat()
    return stat.st_size, stat.st_mtime_ns, stat.st_ino


def counted(rows: int, files: int, what: str = "records") -> str:
    """What was counted, for people.

    >>> counted(1200, 3)
    '1,200 records counted in 3 files'
    """
    return f"{rows:,} {what} counted in {files} file{'s' if files != 1 else ''}"


def same_columns(
    source: str, kind: str, files: Sequence[Piece], parts: Sequence[pl.DataFrame], absent_is_missing: bool = False
) -> list[pl.DataFrame]:
    """The files' tables with the same columns in the same order: those of the first file, then what later ones add.

    Args:
        source: The source's name.
        kind: Its kind, for messages.
        files: The files.
        parts: Their tables.
        absent_is_missing: A column that a file does not have is missing in all its rows, and no fault.

    Grain: as each part. Time: as the files have it.

    Raises:
        DataError: A file has other columns than the first; or none that any other has; or there are too many columns.
    """
    import polars as pl

    names = list(dict.fromkeys(name for part in parts for name in part.columns))
    must_not_be_too_wide(source, files[0].name, len(names))
    for file, part in zip(files, parts, strict=True):
        differing = sorted(set(part.columns) ^ set(parts[0].columns))
        if differing and not absent_is_missing:
            why = f"its columns are not those of {files[0].name}: {listed(differing)}"
            raise DataError.not_of_kind(source, kind, str(file), why)
    owners = Counter(name for part in parts for name in part.columns)
    for file, part in reversed(list(zip(files, parts, strict=True))):
        if len(parts) > 1 and part.columns and all(owners[name] == 1 for name in part.columns):
            why = f"no other file has one of its columns: {listed(part.columns)}"
            raise DataError.not_of_kind(source, kind, str(file), why)
    there = [frozenset(part.columns) for part in parts]
    return [
        part.select(pl.col(name) if name in known else pl.lit(None).alias(name) for name in names)
        for part, known in zip(parts, there, strict=True)
    ]
