"""Timers of systemd: one machine; a time that passed while it was off is caught up.

Use it before cron where there is systemd: a unit that still runs is not started again, and `systemctl list-timers` says
when each is due.
"""

from __future__ import annotations

import shlex

from mlctl.timetables import Act, Files, Timetable

_SERVICE = """\
[Unit]
Description={name}: {act}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
WorkingDirectory={root}
ExecStart=/bin/sh -c {line}
KillSignal=SIGTERM
TimeoutStopSec=30
NoNewPrivileges=yes
PrivateTmp=yes
"""

_TIMER = """\
[Unit]
Description={name}: when {act} is due

[Timer]
OnCalendar={calendar}
Persistent={persistent}

[Install]
WantedBy=timers.target
"""


def files(of: Timetable) -> Files:
    """A service and a timer for each act."""
    made: Files = {}
    for act in of.acts:
        unit = f"mlctl-{of.dns_name}-{act.name}"
        made[f"{unit}.service"] = _SERVICE.format(name=of.name, act=act.name, root=of.root, line=_quoted(act, of))
        made[f"{unit}.timer"] = _TIMER.format(
            name=of.name,
            act=act.name,
            calendar=act.when.on_calendar(of.schedule.time_zone),
            persistent="true" if of.schedule.catch_up == "once" else "false",
        )
    return made


def _quoted(act: Act, of: Timetable) -> str:
    """The line as one word of a unit, in which % and $ mean something."""
    return shlex.quote(act.line(of.program)).replace("%", "%%").replace("$", "$$")
