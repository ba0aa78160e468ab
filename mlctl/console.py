"""Reports as text for people. Words go to stderr, data to stdout; the only module that knows rich."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from mlctl.console_gate import changes_table, gate_table
from mlctl.console_gate import printable as _safe
from mlctl.errors import listed

if TYPE_CHECKING:
    from rich.console import Console

    from mlctl.backfill import Advance, Done, Preflight
    from mlctl.discovery import Draft
    from mlctl.errors import MlctlError
    from mlctl.flow import Run
    from mlctl.generations import Generation
    from mlctl.scaffold import Made
    from mlctl.stages import Tell


@cache
def _words() -> Console:
    from rich.console import Console

    return Console(stderr=True, width=_width(sys.stderr.isatty()), highlight=False, soft_wrap=True, emoji=False)


@cache
def _data() -> Console:
    from rich.console import Console

    return Console(width=_width(sys.stdout.isatty()), highlight=False, soft_wrap=True, emoji=False)


def _width(is_terminal: bool) -> int | None:
    """The terminal's own width; in a file or a pipe, wide enough for the tables."""
    return None if is_terminal else 150


def data(text: str) -> None:
    """Writes data to stdout, exactly as it is."""
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")


def json_data(record: Any) -> None:
    """Writes JSON to stdout."""
    data(json.dumps(record, indent=2, ensure_ascii=False, default=str))


def words(text: str) -> None:
    """Writes a line for people to stderr."""
    _words().print(_safe(text), markup=False)


def error(problem: MlctlError, as_json: bool = False) -> None:
    """Writes an error: what, where, why, next; as JSON on stdout when asked to."""
    if as_json:
        json_data({"format_version": "1.0", "error": problem.record()})
    for index, (heading, text) in enumerate(problem.lines()):
        style = "bold red" if index == 0 else "bold"
        _words().print(f"[{style}]{heading + ':':<7}[/] ", end="")
        _words().print(_safe(text), markup=False)


@contextmanager
def progress() -> Iterator[Tell]:
    """A `tell` that shows what stage is at work: a line a report, and on a terminal the present one."""
    console = _words()
    if not console.is_terminal:
        yield _plain_tell
        return
    with console.status("starting") as status:

        def tell(stage: str, line: str) -> None:
            if line:
                console.print(f"  [bold cyan]{stage:<9}[/] ", end="")
                console.print(_safe(line), markup=False)
            status.update(f"{stage} ...")

        yield tell


def _plain_tell(stage: str, line: str) -> None:
    words(f"  {stage:<9} {line or '...'}")


def stage_line(stage: str, line: str) -> None:
    """One line about a stage, in the form that a waiting `mlctl run` passes on."""
    words(f"  {stage:<9} {line}")


def run_summary(run: Run) -> None:
    """The final panel: what was made from what, the gate, where the scores are, what to type next."""
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    facts = Table.grid(padding=(0, 2))
    for name, value in _facts(run):
        facts.add_row(Text(name, style="bold"), Text(_safe(value)))
    _words().print()
    _words().print(_stage_table(run.stages))
    _words().print(gate_table(run.gate))
    colour = "red" if run.refused else "yellow" if run.overrides else "green"
    title = "refused" if run.refused else "experiment" if run.overrides else "done"
    _words().print(
        Panel(facts, title=f"{run.project}: {title} in {run.seconds:.1f} s", border_style=colour, expand=False)
    )


def _facts(run: Run) -> list[tuple[str, str]]:
    sha = str(run.git["sha"])[:12] if run.git["sha"] else "no commit yet"
    if run.git["sha"] and run.git["dirty"]:
        sha += " with uncommitted changes"
    facts = [
        ("data", f"version {run.dataset['version'][:12]}, {run.dataset['rows']:,} rows as of {run.dataset['as_of']}"),
        ("git", sha),
    ]
    if run.overrides:
        facts.append(("overrides", " ".join(run.overrides)))
        facts += [
            (name, f"{value:.4f}{_against(run, name)}")
            for name, value in run.metrics.items()
            if isinstance(value, float)
        ]
        facts.append(("published", "nothing: an experiment. To keep it, write it into project.yaml"))
        facts.append(
            ("next", f"dvc metrics diff   |   mlctl run projects/{run.project} (back to the committed configuration)")
        )
    elif run.refused:
        facts.append(("published", "nothing: the gate refused; what was live before is live now"))
        facts.append(
            ("next", f"mlctl gate projects/{run.project}   |   mlctl run projects/{run.project} model=logistic")
        )
    elif run.published is not None:
        how = "as before" if run.published.already else "new"
        facts.append(("release", run.release))
        facts.append(
            ("scores", f"{run.published.rows:,} rows in {run.published.view} ({how}, run {run.published.run_id})")
        )
        facts.append(
            ("next", f'mlctl db psql projects/{run.project} -- -c "select * from {run.published.view} limit 5"')
        )
    else:
        facts += [("release", run.release), ("next", f"mlctl serve projects/{run.project}")]
    return facts


def _against(run: Run, metric: str) -> str:
    before = run.committed.get(metric)
    return f"  ({run.metrics[metric] - before:+.4f} against the last commit)" if isinstance(before, float) else ""


def _stage_table(stages: Sequence[Any]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2), header_style="bold")
    for heading in ("stage", "outcome", "seconds", "why"):
        table.add_column(heading, justify="right" if heading == "seconds" else "left")
    for stage in stages:
        seconds = f"{stage.seconds:.1f}" if stage.outcome != "skipped" else ""
        table.add_row(stage.stage, stage.outcome, seconds, Text(_safe(stage.why)))
    return table


def gates(reports: Sequence[Mapping[str, Any]]) -> None:
    """The gates of several projects, on stdout, with what changed where a report says it."""
    for report in reports:
        _data().print(f"{report['project']}: {'passed' if report['passed'] else 'REFUSED'}", markup=False)
        _data().print(gate_table(report["rules"]))
        if report.get("changes"):
            _data().print(f"against {report['against']}:", markup=False)
            _data().print(changes_table(report["changes"]))
        elif "against" in report:
            _data().print(f"nothing is better or worse than at {report['against']}", markup=False)


def runs(kept: Sequence[Generation]) -> None:
    """The runs whose scores can be shown, on stdout; one of them is live."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2), header_style="bold")
    for heading in ("run", "status", "rows", "as of", "release", "published"):
        table.add_column(heading, justify="right" if heading == "rows" else "left", no_wrap=True)
    for run in kept:
        told = run.record()
        table.add_row(run.run_id, run.status, f"{run.rows:,}", told["as_of"], run.release, told["published_at"])
    _data().print(table)


def sweep_table(runs: Sequence[Run]) -> None:
    """Every run of a sweep as one table on stdout, the committed configuration's metrics being the last commit's."""
    from rich.table import Table

    names = [name for name, value in runs[0].metrics.items() if isinstance(value, float)]
    table = Table(box=None, padding=(0, 2), header_style="bold")
    for heading in ("overrides", *names, "gate", "seconds"):
        table.add_column(heading, justify="left" if heading in ("overrides", "gate") else "right")
    for run in runs:
        values = [f"{run.metrics[name]:.4f}" if isinstance(run.metrics.get(name), float) else "" for name in names]
        table.add_row(" ".join(run.overrides), *values, "refused" if run.refused else "pass", f"{run.seconds:.1f}")
    _data().print(table)


def doctor_table(findings: Sequence[Any]) -> None:
    """The doctor's findings on stdout, with one line to mend each problem."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2), header_style="bold")
    for heading in ("", "what", "found", "mend"):
        table.add_column(heading)
    marks = {
        "ok": Text("ok", style="green"),
        "warn": Text("warn", style="yellow"),
        "fail": Text("FAIL", style="bold red"),
    }
    for finding in findings:
        table.add_row(marks[finding.state], finding.what, Text(_safe(finding.found)), Text(_safe(finding.mend)))
    _data().print(table)


@contextmanager
def partitions(what: str) -> Iterator[Advance]:
    """An `advance` that shows partitions done, rows a second and the time left: live on a terminal, else some lines."""
    console = _words()
    shown = [-1]

    def line(done: int, total: int, rows: int, seconds: float) -> None:
        tenth = 10 * done // max(total, 1)
        if tenth != shown[0]:
            shown[0] = tenth
            words(f"  {what:<9} {done} of {total} partitions{_pace(done, total, rows, seconds)}")

    if not console.is_terminal:
        yield line
        return
    with console.status(what) as status:
        yield lambda done, total, rows, seconds: status.update(
            f"{what}: {done} of {total} partitions{_pace(done, total, rows, seconds)}"
        )


def _pace(done: int, total: int, rows: int, seconds: float) -> str:
    if not rows or not seconds:
        return ""
    left = rows * (total - done) / done / (rows / seconds) if done else 0.0
    return f", {rows:,} rows, {rows / seconds:,.0f} rows/s, {left:,.0f} s left"


def backfilled(done: Done, out: str | None) -> None:
    """What a backfill did, in two lines."""
    if not done.blocks:
        words(f"  backfill  everything asked is there already, in {done.folder}")
    else:
        again = f", {done.resumed} of {done.partitions} partitions were there" if done.resumed else ""
        pace = f" ({done.rows / done.seconds:,.0f} a second)" if done.seconds else ""
        words(f"  backfill  {done.rows:,} rows x {len(done.columns)} columns in {done.seconds:.1f} s{pace}{again}")
    words(f"  history   {out or done.folder}")


def preflight(found: Preflight) -> None:
    """What a backfill would do, on stdout."""
    lines = [f"asked     {len(found.columns)} columns at {found.moments} moments for {found.entities:,} entities"]
    if not found.missing:
        data("\n".join([*lines, "missing   nothing"]))
        return
    for block in found.missing:
        first, last = (_day(block.first_us + index * block.step_us) for index in (0, block.count - 1))
        lines.append(f"missing   {first} to {last} ({block.count} moments): {listed(block.columns, 8)}")
    basis = "by earlier runs here" if found.measured else "a guess: nothing was measured here yet"
    if found.error_share is not None:
        basis += f", which were off by {found.error_share:.0%}"
    there = f", {found.done} of them there already" if found.done else ""
    lines.append(f"rows      {found.rows:,}, in {found.partitions} partitions a block{there}")
    lines.append(f"seconds   {found.seconds:,.1f} ({basis})")
    lines.append(f"memory    {found.memory_mb:,} MB")
    data("\n".join(lines))


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
    _data().print(table)
    for line in report.unproved:
        words(f"  unproved  {line}")
    words(f"  leakcheck no feature sees what was not known ({report.entities:,} rows compared)")


def freshness_table(ages: Mapping[str, Sequence[Any]]) -> None:
    """The age of every source, and what depends on a stale one."""
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
    _data().print(table)


def discovered(draft: Draft, written: Sequence[object] = ()) -> None:
    """What discovery drafts, on stdout as YAML, or where it was written; what to ask, as words."""
    from mlctl.drafting import draft_text

    for path in written:
        words(f"  wrote     {path}")
    if not written:
        data(draft_text(draft))
    for question in draft.questions():
        words(f"  ask       {question}")


def initialised(made: Made, name: str) -> None:
    """What init wrote, what it left out, and what to type next."""
    words(
        f"  init      {made.folder}/project.yaml ({made.kind} data) and README.md with {len(made.questions)} questions"
    )
    for column, why in made.left_out.items():
        words(f"  left out  {column}: {why}")
    words(f"  next      mlctl run projects/{name}")


def dictionary_table(entries: Sequence[Any]) -> None:
    """The dictionary on stdout."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2), header_style="bold")
    for heading in ("column", "type", "meaning", "owner", "read by", "last finding"):
        table.add_column(heading, overflow="fold")
    for entry in entries:
        about = entry.about + (f" [{entry.unit}]" if entry.unit else "") + (" (personal)" if entry.pii else "")
        cells = [
            f"{entry.source}.{entry.column}",
            entry.type,
            about,
            entry.owner,
            ", ".join(entry.readers),
            entry.finding,
        ]
        table.add_row(*[Text(_safe(cell)) for cell in cells])
    _data().print(table)
