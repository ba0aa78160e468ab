"""Lines for cron: one machine, nothing to install.

Use it where cron is what there is. `CRON_TZ` is of cronie; Debian's cron reads all times in the machine's own zone.
"""

from __future__ import annotations

import shlex

from mlctl.timetables import Files, Timetable

_HEAD = """\
# {name}: mlctl export cron {name}; put it into /etc/cron.d or crontab -e (then without the word USER)
CRON_TZ={zone}
SHELL=/bin/sh
"""


def files(of: Timetable) -> Files:
    """One file for /etc/cron.d."""
    lines = [_HEAD.format(name=of.name, zone=of.schedule.time_zone)]
    for act in of.acts:
        guard = f".mlctl/locks/{of.name}.{act.name}.cron.lock"
        log = f".mlctl/{of.name}/{act.name}.log"
        work = shlex.quote(act.line(of.program))
        line = f"cd {shlex.quote(of.root)} && mkdir -p .mlctl/locks && flock -n {guard} sh -c {work} >> {log} 2>&1"
        # a percent sign is a line feed for cron
        line = line.replace("%", "\\%")
        lines.append(f"{act.when.text} USER {line}\n")
        if of.schedule.catch_up == "once" and act.name != "retrain":
            lines.append(f"@reboot USER {line}\n")
    return {of.name: "".join(lines)}
