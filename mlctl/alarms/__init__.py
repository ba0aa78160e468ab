"""Alarms: from what monitors found to who is told what, once, and what is done about it.

An *alarm* is a cause with its findings, from the day it is found until the day it is gone; an *alert* is a message
about it on one channel. Everything lies in one journal, `.mlctl/NAME/alerts/journal.ndjson`, which is only ever added
to; the present is what its lines add up to (`journal.py`). What a watch found becomes one line, with its messages,
before anything is sent; a message counts as delivered once a line says so. A command that is killed anywhere therefore
loses no message, and sends one twice at most if it dies between a delivery and its line. `incidents.py` decides,
`delivery.py` sends, `acting.py` says what an alarm starts, `budget.py` counts false ones.
"""

from mlctl.alarms.acting import Decision, begun, decisions, ended, held
from mlctl.alarms.budget import Budget, budget
from mlctl.alarms.delivery import Delivered, deliver, dry_run, try_out
from mlctl.alarms.incidents import Found, hear
from mlctl.alarms.journal import Alarm, Book, Silence, drop, mark, read, silence

__all__ = [
    "Alarm",
    "Book",
    "Budget",
    "Decision",
    "Delivered",
    "Found",
    "Silence",
    "begun",
    "budget",
    "decisions",
    "deliver",
    "drop",
    "dry_run",
    "ended",
    "hear",
    "held",
    "mark",
    "read",
    "silence",
    "try_out",
]
