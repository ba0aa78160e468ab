"""What a retraining leaves to be read: what changed and why, and the seconds of each step beside the promise.

`.mlctl/NAME/retrain/report.json` and `report.md` are of the last one that did something; a line a retraining goes to
the ledger (`mlctl/costs/ledger.py`).
"""

from __future__ import annotations

from datetime import datetime

from mlctl.costs import ledger
from mlctl.costs.ledger import Entry, Spent
from mlctl.files import write_json, write_text
from mlctl.lineage.differences import markdown
from mlctl.retraining._outcomes import BUDGET_S, REFUSED, Retraining
from mlctl.workspace import Places


def write(places: Places, became: Retraining, now: datetime) -> None:
    """Writes the report of what was done, and the line of the ledger, also where nothing was to be done.

    Raises:
        ExternalError: The disk.
    """
    if not became.at_rest:
        write_json(places.retrain / "report.json", {"format_version": "1.0", **became.record()})
        write_text(places.retrain / "report.md", as_markdown(became))
    steps = {stage.stage: round(stage.seconds, 3) for stage in became.stages}
    # stages and scores have lines of their own, which the seconds of this one must not double
    entry = Entry(now, places.name, "retrain", Spent(), "refused" if became.outcome == REFUSED else "done")
    ledger.append(places, Entry(**{**vars(entry), "details": {"seconds": steps, "release": became.release}}))


def as_markdown(became: Retraining) -> str:
    """The report of one project as Markdown."""
    title = f"`{became.project}`: {became.release or 'no release'} {became.outcome}"
    lines = [markdown(title, became.differences, became.why).rstrip(), ""]
    lines += [*(f"- {remark}" for remark in became.remarks), *([""] if became.remarks else [])]
    lines += ["| step | outcome | seconds | why |", "|---|---|---|---|"]
    lines += [f"| {s.stage} | {s.outcome} | {s.seconds:.1f} | {s.why.replace('|', '/')} |" for s in became.stages]
    lines.append(f"| **all** | | **{became.seconds:.1f}** | of {BUDGET_S:,.0f} s promised |")
    return "\n".join(lines) + "\n"
