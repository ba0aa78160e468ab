"""Features over time: histories, leaks, ages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlctl import console
from mlctl.errors import listed

if TYPE_CHECKING:
    from mlctl.history.backfill import Done, Preflight


def backfilled(done: Done, out: str | None) -> None:
    """What a backfill did, in two lines."""
    if not done.blocks:
        console.words(f"  backfill  everything asked is there already, in {done.folder}")
    else:
        again = f", {done.resumed} of {done.buckets} buckets were there" if done.resumed else ""
        pace = f" ({done.rows / done.seconds:,.0f} a second)" if done.seconds else ""
        console.words(
            f"  backfill  {done.rows:,} rows x {len(done.columns)} columns in {done.seconds:.1f} s{pace}{again}"
        )
    console.words(f"  history   {out or done.folder}")


def preflight(found: Preflight) -> None:
    """What a backfill would do, on stdout."""
    lines = [f"asked     {len(found.columns)} columns at {found.moments} moments for {found.entities:,} entities"]
    if not found.missing:
        console.data("\n".join([*lines, "missing   nothing"]))
        return
    for block in found.missing:
        first, last = (_day(block.first_us + index * block.step_us) for index in (0, block.count - 1))
        lines.append(f"missing   {first} to {last} ({block.count} moments): {listed(block.columns, 8)}")
    basis = "by earlier runs here" if found.measured else "a guess: nothing was measured here yet"
    if found.error_share is not None:
        basis += f", which were off by {found.error_share:.0%}"
    there = f", {found.done} of them there already" if found.done else ""
    lines.append(f"rows      {found.rows:,}, in {found.partitions} partitions ({found.buckets} buckets) a block{there}")
    lines.append(f"seconds   {found.seconds:,.1f} ({basis})")
    lines.append(f"memory    {found.memory_mb:,} MB")
    console.data("\n".join(lines))


def _day(microseconds: int) -> str:
    from datetime import UTC, datetime, timedelta

    from mlctl.times import moment_text

    return moment_text(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds))


def leakcheck_table(report: Any) -> None:
    """What was planted and what moved, and what could not be proved."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2), header_style="bold")
    for heading in ("source", "planted", "at", "rows", "moved"):
        table.add_column(heading, justify="right" if heading == "rows" else "left")
    for mark in report.planted:
        moved = f"{len(mark.moved)} columns, as they must" if mark.kind == "known" else listed(mark.moved) or "nothing"
        table.add_row(mark.source, mark.kind, mark.as_of, f"{mark.rows:,}", moved)
    console.on_stdout().print(table)
    for line in report.unproved:
        console.words(f"  unproved  {line}")
    console.words(f"  leakcheck no feature sees what was not known ({report.entities:,} rows compared)")


def freshness_table(ages: Mapping[str, Sequence[Any]], missed: Sequence[str] = ()) -> None:
    """The age of every source, what depends on a stale one, and the runs that were missed."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2), header_style="bold")
    for heading in ("project", "source", "newest", "age", "may be", "", "read by"):
        table.add_column(heading)
    for project, found in ages.items():
        for age in found:
            state = Text("STALE", style="bold red") if age.stale else Text("ok" if age.max_age else "no limit")
            newest = age.newest or "no time"
            readers = listed(age.readers, 6) or "nothing"
            table.add_row(project, age.source, newest, f"{age.age_hours:,.1f} h", age.max_age or "", state, readers)
    console.on_stdout().print(table)
    for sentence in missed:
        console.on_stdout().print(f"  MISSED  {console.printable(sentence)}", markup=False)
