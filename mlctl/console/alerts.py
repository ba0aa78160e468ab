"""Alarms: what is open, what waits, what would be sent, and how many were false."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlctl import console
from mlctl.times import moment_text

if TYPE_CHECKING:
    from mlctl.alarms import Book, Budget, Decision, Delivered
    from mlctl.responding import Response


def record(book: Book, decisions: Sequence[Decision], now: datetime) -> dict[str, Any]:
    """All of it as JSON-ready data."""
    silences = [
        {"pattern": one.pattern, "until": moment_text(one.until), "by": one.by, "because": one.because}
        for one in book.silences
        if now < one.until
    ]
    waiting = [
        {"channel": one.channel, "message": one.message.record(), "tries": one.tries, "why": one.why}
        for one in book.waiting
    ]
    return {
        "format_version": "1.0",
        "open": [alarm.record() for alarm in book.open()],
        "decisions": [decision.record() for decision in decisions],
        "waiting": waiting,
        "silences": silences,
    }


def book(book: Book, decisions: Sequence[Decision], now: datetime) -> None:
    """Open alarms as a table on stdout, with what they would start, what waits, and silences below."""
    alarms = book.open()
    if alarms:
        console.on_stdout().print(_alarms(book, now))
    else:
        console.data("no alarm is open")
    for decision in decisions:
        word = "would" if decision.verdict == "act" else "will not"
        console.data(f"{word} {decision.command}: {decision.why}")
    for waiting in book.waiting:
        console.data(f"waits for {waiting.channel}: {waiting.message.subject()} ({waiting.why or 'not tried yet'})")
    for silence in book.silences:
        if now < silence.until:
            whose = " ".join(part for part in (silence.by, silence.because and f"because {silence.because}") if part)
            console.data(f"silent until {moment_text(silence.until)}: {silence.pattern} {whose}".rstrip())


def _alarms(book: Book, now: datetime) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2), header_style="bold")
    for heading in ("alarm", "severity", "since", "findings", "told", "cause"):
        table.add_column(heading, justify="right" if heading == "findings" else "left")
    for alarm in book.open():
        told = ", ".join(alarm.told) or ("silenced" if book.silenced(alarm, now) else "nobody")
        cells = (alarm.id, alarm.severity, str(alarm.day), str(len(alarm.findings)), told, alarm.cause)
        table.add_row(*(Text(console.printable(cell)) for cell in cells))
    return table


def responded(response: Response | None) -> None:
    """What a watch led to, behind what it found."""
    if response is None:
        words = "nobody was told and nothing begun"
        console.words(f"  respond   {words}: a dry run")
        return
    if response.delivered:
        delivered(response.delivered)
    for alarm in response.open:
        told = f"told {', '.join(alarm.told)}" if alarm.told else "nobody was told"
        console.words(f"  alarm     {alarm.id} is open since {alarm.day}: {alarm.cause} ({told})")
    for decision in response.decisions:
        if decision.verdict != "act":
            console.words(f"  respond   {decision.why}")


def delivered(outcomes: Sequence[Delivered]) -> None:
    """What became of each message, a line each on stderr."""
    for outcome in outcomes:
        how = f"not delivered: {outcome.why}" if outcome.why else "delivered"
        console.words(f"  alerts    {outcome.channel}: {outcome.message.subject()}: {how}")
    if not outcomes:
        console.words("  alerts    nothing waits")


def dry_run(made: Sequence[tuple[str, str]]) -> None:
    """What each channel would be sent, on stdout."""
    for name, text in made:
        console.data(f"--- {name}, nothing was sent\n{console.printable(text)}")
    if not made:
        console.words("alerts: names no channel; mlctl explain alerts tells which there are")


def budget(months: Sequence[Budget]) -> None:
    """Alarms and false ones by month and monitor, on stdout."""
    if not months:
        console.data("nobody was told of an alarm yet")
    for month in months:
        word = "OVER the budget" if month.spent else "within the budget"
        unmarked = month.alarms - month.false - month.true
        console.data(
            f"{month.month}: {month.alarms} alarms, {month.false} false, {month.true} right, {unmarked} not marked; "
            f"{word} of {month.most} false ones"
        )
        for monitor, (count, false) in sorted(month.by_monitor.items()):
            console.data(f"  {monitor}: {count} alarms, {false} false")
