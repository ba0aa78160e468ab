"""What retrainings did: what changed and why, the seconds beside the promise, and where it is kept."""

from __future__ import annotations

from mlctl import console
from mlctl.console.gate import gate_table
from mlctl.console.releases import differences_table
from mlctl.console.run import stage_table
from mlctl.retraining import BUDGET_S, Retrained, Retraining


def retrained(done: Retrained) -> None:
    """The diff reports on stdout, the steps and their seconds on stderr."""
    for became in done.projects:
        if became.at_rest:
            what = became.release or "the gate refused"
            console.words(f"  {became.project:<9} nothing is new since the last retraining: {what}, {became.outcome}")
        else:
            _told(became)
        for remark in became.remarks:
            console.words(f"  {became.project:<9} {remark}")
    console.words(f"  commit    {done.kept}")


def _told(became: Retraining) -> None:
    title = f"{became.project}: {became.release or 'no release'}, {became.outcome}"
    differences_table(title, became.differences, became.why)
    console.on_stderr().print(stage_table(became.stages))
    console.words(f"  all steps {became.seconds:.1f} s of {BUDGET_S:,.0f} s promised")
    if became.outcome == "refused":
        console.on_stderr().print(gate_table(became.gate))
        console.words(f"  refused   the champion is what it was; mlctl gate {became.project}")
