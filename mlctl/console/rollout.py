"""Who answers whom, for people."""

from __future__ import annotations

from mlctl import console
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
