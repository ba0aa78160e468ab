"""Sketches on disk: one small file for each day and origin, and the baselines that they were counted by.

  sketches/baselines/ID.json           a baseline; ID is the hash of its content
  sketches/DAY.batch.RUN.json          what one run of `mlctl score` scored on that day; a challenger's RUN.RELEASE.json
  sketches/DAY.online.SEGMENT.json     what a server answered on that day, one file for each segment of its log

Of several batches of one day the one that was scored last counts; segments add up. Sketches that two baselines counted
do not: each release is held against its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

from mlctl.errors import IntegrityError
from mlctl.files import write_bytes, write_text
from mlctl.sketches.baseline import Baseline, of_record
from mlctl.sketches.sheet import VARIANT, Sheet, added_up
from mlctl.times import moment_text
from mlctl.workspace import Places

FORMAT: Final = "1.0"


@dataclass(frozen=True)
class Watched:
    """What was scored on one day by one baseline's releases.

    Attributes:
        sheet: Its sketches.
        baseline: Id of the baseline that they were counted by.
        releases: The releases that scored, sorted.
        others: What releases of other baselines scored on the day, such as a challenger.
    """

    sheet: Sheet
    baseline: str
    releases: tuple[str, ...]
    others: tuple[Watched, ...] = ()

    @property
    def rows(self) -> int:
        """Rows that were scored on the day, whoever scored them."""
        return self.sheet.rows + sum(other.sheet.rows for other in self.others)

    @property
    def scorers(self) -> tuple[str, ...]:
        """Every release that scored on the day; the champion's first."""
        return (*self.releases, *(release for other in self.others for release in other.releases))


def keep(places: Places, baseline: Baseline, sheet: Sheet, told: Mapping[str, Any]) -> None:
    """Writes a sheet, and the baseline by which it was counted where that is not there yet.

    Args:
        places: The project's paths.
        baseline: Counted the sheet.
        sheet: The sketches.
        told: `day` (a date), `origin` (`batch` or `online`), `name` (run or segment), `release`, `scored_at`.

    Raises:
        ExternalError: The disk.
    """
    import orjson

    keep_baseline(places, baseline)
    name = f"{told['day']}.{told['origin']}.{told['name']}.json"
    written = record(baseline, sheet, told["release"], told["scored_at"])
    write_bytes(places.sketches / name, orjson.dumps(written) + b"\n")


def keep_baseline(places: Places, baseline: Baseline) -> None:
    """Writes a baseline where it is not there yet. Raises: ExternalError: The disk."""
    kept = places.sketches / "baselines" / f"{baseline.id}.json"
    if not kept.is_file():
        write_text(kept, baseline.text())


def record(baseline: Baseline, sheet: Sheet, release: str, scored_at: datetime) -> dict[str, Any]:
    """A sheet as it lies on disk."""
    return {
        "format_version": FORMAT,
        "release": release,
        "baseline": baseline.id,
        "scored_at": moment_text(scored_at),
        "sheet": sheet.record(),
    }


def days(places: Places) -> list[date]:
    """The days of which there are sketches, sorted."""
    return sorted({date.fromisoformat(path.name[:10]) for path in places.sketches.glob("*.json")})


def read(
    places: Places, first: date, last: date, living: Mapping[date, Sequence[Mapping[str, Any]]] | None = None
) -> dict[date, Watched]:
    """What was scored on each day of a stretch, both ends included; of several baselines the champion's comes first.

    Args:
        places: The project's paths.
        first: The first day.
        last: The last day.
        living: By day, records of sheets that are not on disk yet (`record`).

    Raises:
        IntegrityError: A file is damaged or of another format.
    """
    by_day: dict[date, list[tuple[str, dict[str, Any]]]] = {}
    for path in sorted(places.sketches.glob("*.json")):
        day, origin, _ = path.name.split(".", 2)
        if first.isoformat() <= day <= last.isoformat():
            by_day.setdefault(date.fromisoformat(day), []).append((origin, _record(path)))
    for of_day, records in (living or {}).items():
        if first <= of_day <= last:
            by_day.setdefault(of_day, []).extend(("online", dict(record)) for record in records)
    return {day: _together(told) for day, told in by_day.items()}


def _record(path: Path) -> dict[str, Any]:
    import orjson

    try:
        told: dict[str, Any] = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise IntegrityError.refused(
            str(path), f"it is not JSON: {error}", f"rm {path}; it is then not watched"
        ) from error
    if told.get("format_version") != FORMAT:
        why = f"its format is {told.get('format_version')}, this mlctl reads {FORMAT}"
        raise IntegrityError.refused(str(path), why, f"rm {path}; it is then not watched")
    return told


def _together(told: list[tuple[str, dict[str, Any]]]) -> Watched:
    batches = [record for origin, record in told if origin == "batch"]
    # a run's records, those of its challenger too, were scored at one moment
    last = max((record["scored_at"] for record in batches), default="")
    counted = [record for origin, record in told if origin == "online" or record["scored_at"] == last]
    by_baseline: dict[str, list[dict[str, Any]]] = {}
    for record in counted:
        by_baseline.setdefault(record["baseline"], []).append(record)
    found = []
    for identity, records in by_baseline.items():
        sheet = added_up(Sheet.of_record(record["sheet"]) for record in records) or Sheet(0, {})
        found.append(Watched(sheet, identity, tuple(sorted({record["release"] for record in records}))))
    first, *others = sorted(found, key=lambda one: (-_as_champion(one.sheet), -one.sheet.rows, one.baseline))
    return replace(first, others=tuple(others))


def _as_champion(sheet: Sheet) -> int:
    """Rows that a champion scored."""
    variant = sheet.columns.get(VARIANT)
    return sheet.rows - (0 if variant is None else variant.new.get("challenger", 0))


def baseline(places: Places, identity: str) -> Baseline:
    """A baseline that sketches were counted by.

    Raises:
        IntegrityError: It is missing, or not what its id says.
    """
    import orjson

    path = places.sketches / "baselines" / f"{identity}.json"
    again = f"mlctl score projects/{places.name}"
    if not path.is_file():
        raise IntegrityError.missing(str(path), again)
    try:
        found = of_record(orjson.loads(path.read_bytes()), str(path))
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError.refused(str(path), f"it cannot be read: {error}", again) from error
    if found.id != identity:
        raise IntegrityError.damaged(str(path), identity, found.id, f"remove it, then {again}")
    return found


def sealed(path: Path) -> Baseline | None:
    """The baseline that a release was sealed with; None where it is of an older mlctl."""
    import orjson

    return of_record(orjson.loads(path.read_bytes()), str(path)) if path.is_file() else None


def day_of(moment: datetime) -> date:
    """The last day of which something was known before a moment; of midnight, the day that ends.

    >>> day_of(datetime(2026, 11, 1, tzinfo=UTC)).isoformat()
    '2026-10-31'
    """
    return (moment.astimezone(UTC) - timedelta(microseconds=1)).date()


def end_of(day: date) -> datetime:
    """The first moment behind a day, UTC."""
    return datetime.combine(day + timedelta(days=1), time(), UTC)
