"""Who answers whom, for people."""

from __future__ import annotations

from mlctl import console
from mlctl.comparing import Compared
from mlctl.ramp import Stands
from mlctl.times import moment_text


def stands(found: Stands) -> None:
    """How a rollout stands, on stderr: a line a fact."""
    traffic, note = found.now.traffic, found.now.note
    if not traffic.champion:
        console.stage_line("ramp", f"nothing was promoted yet: mlctl promote projects/{found.project}")
        return
    does = {
        "off": "answers nobody",
        "shadow": "answers in the background",
        "split": f"answers {traffic.percent:g} % of the entities",
    }
    console.stage_line("champion", traffic.champion)
    if traffic.challenger:
        console.stage_line("challenger", f"{traffic.challenger} {does[traffic.mode]}")
    if note is not None:
        how = " (nothing was changed)" if found.changed is False else ""
        told = f"{found.now.revision}, by {note.by} at {moment_text(note.at)}: {note.why}{how}"
        console.stage_line("revision", told)
    if found.step is not None:
        step = found.step
        ahead = "" if step.percent is None else f"{step.percent:g} %"
        told = (
            ": ".join(filter(None, [ahead, step.why]))
            if not step.due
            else f"{ahead}: mlctl ramp {found.project} --next"
        )
        console.stage_line("next", told)


def compared(found: Compared) -> None:
    """A comparison, on stdout: the loss, the guards, the verdict and what is still needed."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2), header_style="bold")
    for heading in ("compared", "verdict", "found (at any time)", "wanted"):
        table.add_column(heading)
    better = found.better_by
    told = f"better by {better.mean:+.4f} [{better.low:+.4f}, {better.high:+.4f}] of {found.labels:,} labels"
    holds = True if better.low > found.margin else False if better.high < found.margin else None
    table.add_row(f"loss: {found.loss}", _mark(holds), told, f"> {found.margin:g}")
    for guard in found.guards:
        table.add_row(guard.name, _mark(guard.holds), Text(console.printable(guard.found)), guard.limit)
    console.on_stdout().print(f"{found.project}: challenger {found.challenger} against {found.champion}", markup=False)
    console.on_stdout().print(table)
    console.on_stdout().print(f"verdict: {found.verdict}: {found.why}{_missing(found)}", markup=False)


def _mark(holds: bool | None) -> str:
    return "not known" if holds is None else "holds" if holds else "BROKEN"


def _missing(found: Compared) -> str:
    if found.labels_needed == 0:
        return ""
    if not found.labels + found.waiting:
        return f"; both have answered nothing yet: mlctl score {found.project}, or mlctl serve {found.project}"
    if not found.labels:
        return f"; of {found.waiting:,} entities no outcome is known yet"
    if found.labels_needed is None:
        return f"; a million labels would not tell so small a difference ({found.waiting:,} outcomes are to come)"
    days = "" if found.days_needed is None else f", in about {found.days_needed:,.0f} days"
    return f"; about {found.labels_needed:,} labels more are needed{days}"
