"""`mlctl materialize --database put` and `--database get`: the online store handed on to servers on other machines."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mlctl import database, online
from mlctl.config import read_params, with_secrets
from mlctl.files import lock
from mlctl.online import fleet
from mlctl.online.fleet import Shelf
from mlctl.spec import Project
from mlctl.stages import Tell
from mlctl.times import moment_text
from mlctl.workspace import Places


@dataclass(frozen=True)
class Fetched:
    """What can be looked up now: the generation and its entities; `already` when it answered before."""

    id: str
    as_of: str
    rows: int
    already: bool

    def record(self) -> dict[str, Any]:
        """The outcome as JSON-ready data."""
        return {"format_version": "1.0", **asdict(self)}


def publish(places: Places, now: datetime, tell: Tell) -> None:
    """Puts the generation that answers here into the project's database.

    Raises:
        IntegrityError: There is none, or it is damaged.
        ExternalError: The database.
    """
    project = read_params(places)
    spec, again = with_secrets(project.database), maker(project)
    with database.open_database(spec, Path.cwd()) as connection:
        identity, already = fleet.publish(connection, Shelf(spec.schema_name, places.name), places.online, now, again)
    tell(again.split()[1], f"generation {identity} {'was' if already else 'is'} in the database for others to fetch")


def maker(project: Project) -> str:
    """The command that makes a project's online store: features by key, or a recommender's histories."""
    return f"mlctl {'index' if project.ranks() else 'materialize'} projects/{project.name}"


def fetch(places: Places, tell: Tell) -> Fetched:
    """Takes the generation that answers in the project's database; a running server takes it at once.

    Raises:
        IntegrityError: There is none, or it came damaged; what answers here stays.
        ConflictError: Another command works on the project.
        ExternalError: The database or the disk.
    """
    tell("materialize", "")
    project = read_params(places)
    spec, again = with_secrets(project.database), maker(project)
    with lock(places.lock, f"projects/{places.name}"), database.open_database(spec, Path.cwd()) as connection:
        identity, already = fleet.fetch(connection, Shelf(spec.schema_name, places.name), places.online, again)
        store = online.open_store(places.online, f"mlctl materialize projects/{places.name} --database get")
    rows, as_of = (0, "") if store is None else (len(store), moment_text(store.as_of))
    how = "was here already" if already else "fetched from the database"
    tell("materialize", f"{rows:,} entities as of {as_of}, generation {identity}: {how}")
    return Fetched(identity, as_of, rows, already)
