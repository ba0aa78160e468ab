"""An export is a function from a sealed release to the files that a platform takes.

Every kind gives texts and bytes by path and touches nothing; `export` writes them. What a person changed in the folder
is not written over unless that is asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlctl import kinds
from mlctl.errors import ConfigError, did_you_mean, listed
from mlctl.files import read_json, write_bytes
from mlctl.release import open_release
from mlctl.release.sealed import must_be_of
from mlctl.serving.http import Options
from mlctl.spec import Database
from mlctl.text_encoder import is_sealed_file

if TYPE_CHECKING:
    from mlctl.recommend.answering import Recommender
    from mlctl.release import Release

PORT: Final = 8080
USER: Final = 65532
"""The numeric user that distributions of containers call nonroot."""
HOME: Final = "/app"
READY: Final = "/v2/health/ready"
LIVE: Final = "/v2/health/live"
DSN: Final = "MLCTL_DSN"
"""The environment variable with the connection string of the database, where a server has one."""

Files = dict[str, str | bytes]


@dataclass(frozen=True)
class Parcel:
    """What is exported.

    Attributes:
        name: The project.
        release: The release, opened.
        contents: The bytes of each of its files.
        image: The container image's name and tag.
        options: The limits it serves with.
        database: The database that it asks or fetches features from; its connection string comes by `DSN`. None: none.
        fetches: Whether features by key are fetched from the database, before the start and again and again.
    """

    name: str
    release: Release | Recommender
    contents: Mapping[str, bytes]
    image: str
    options: Options
    database: Database | None = None
    fetches: bool = False

    @property
    def recommends(self) -> bool:
        """Whether it is a recommender's release."""
        return self.release.project.ranks()

    @property
    def reads_by_encoder(self) -> bool:
        """Whether texts are read by an encoder of one's own."""
        return any(is_sealed_file(name) for name in self.contents)

    def with_database(self, database: Database, stored: bool) -> Parcel:
        """The same, with the database that a recommender asks, or that features by key are fetched from.

        Args:
            database: The project's, as it is composed now.
            stored: Whether there is a store of features by key, or of users' histories.
        """
        return replace(self, database=database, fetches=stored) if stored or self.recommends else self

    @property
    def dns_name(self) -> str:
        """The project's name as Kubernetes takes names."""
        return self.name.strip("_").replace("_", "-")

    @property
    def grace_s(self) -> int:
        """How long a process may take to stop: it drains its connections first."""
        return int(self.options.drain_s) + 15


@dataclass(frozen=True)
class Exported:
    """What was written where."""

    kind: str
    folder: str
    release: str
    files: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """The outcome as JSON-ready data."""
        return {"format_version": "1.0", **vars(self)}


def parcel(name: str, folder: Path, image: str | None, next_step: str) -> Parcel:
    """Opens the release to be exported.

    Raises:
        IntegrityError: It is missing or damaged, and `next_step` makes one; or it is another project's, which no image
            of this one would answer with.
    """
    release: Release | Recommender
    if read_json(folder / "manifest.json", next_step).get("task") == "ranking":
        from mlctl.recommend.sealing import open_recommender

        release = open_recommender(folder, next_step)
    else:
        release = open_release(folder, next_step)
    must_be_of(name, release.manifest, folder)
    contents = {file: (folder / file).read_bytes() for file in (*release.manifest["files"], "manifest.json")}
    own: Any = release.project.serving
    options = own if isinstance(own, Options) else Options()
    return Parcel(name, release, contents, image or f"{name.replace('_', '-')}:{release.id}", options)


def export(kind: str, what: Parcel, folder: Path, force: bool) -> Exported:
    """Writes the files of a kind.

    Args:
        kind: The platform, such as docker or k8s.
        what: The release.
        folder: Where they go.
        force: Whether files that are there with other contents are written over.

    Raises:
        ConfigError: There is no such kind, or a file is there with other contents.
        ExternalError: The disk.
    """
    known = kinds.names("exports")
    if kind not in known:
        raise ConfigError.bad_argument(f"export {kind}", did_you_mean(kind, known) or f"known: {listed(known)}")
    written = write(kind, kinds.load("exports", kind).files(what), folder, force)
    return Exported(kind, str(folder), what.release.id, written)


def write(kind: str, made: Files, folder: Path, force: bool) -> tuple[str, ...]:
    """Writes the files of an export, and gives their paths; what a person changed is not written over.

    Raises:
        ConfigError: A file is there with other contents, and `force` does not say that it is to be written over.
        ExternalError: The disk.
    """
    contents = {path: text.encode() if isinstance(text, str) else text for path, text in made.items()}
    others = [path for path, data in contents.items() if _differs(folder / path, data)]
    if others and not force:
        why = f"{listed(others)} in {folder} was changed, or is of another release"
        raise ConfigError.bad_argument(f"export {kind}", why, "--force writes over it, --to takes another folder")
    for path, data in sorted(contents.items()):
        write_bytes(folder / path, data)
    return tuple(sorted(contents))


def _differs(path: Path, data: bytes) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).digest() != hashlib.sha256(data).digest()


def yaml_text(data: Any) -> str:
    """Data as YAML, in the order in which it was written."""
    import yaml

    text: str = yaml.safe_dump(data, sort_keys=False, width=120)
    return text
