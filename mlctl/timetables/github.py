"""Workflows of GitHub Actions: the acts by their times, the gate on a pull request, and a weekly reproduction.

Use it where the code lives on GitHub. Its cron knows UTC alone, so a zone with summer time gets a line for each offset,
and a run at the wrong one of the two ends at once.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from mlctl.cron import Cron
from mlctl.errors import ConfigError
from mlctl.timetables import Act, Files, Timetable

_SETUP: Final = """\
      - uses: actions/checkout@v4
        with: {fetch-depth: 0}  # lineage names the commit that touched the inputs
      - uses: actions/setup-python@v5
        with: {python-version: "3.12"}
      - run: .ci/setup
"""

_ACT: Final = """\
name: {name} {act}
on:
  schedule:
{crons}
  workflow_dispatch:

permissions:
  contents: {contents}

concurrency:
  group: mlctl-{name}
  cancel-in-progress: false

jobs:
  {act}:
    runs-on: ubuntu-latest
    timeout-minutes: 60
    env:
      TZ_OF_SCHEDULE: {zone}
      MLCTL_DSN: ${{{{ secrets.MLCTL_DSN }}}}
    steps:
      - name: is it this offset's time
        id: due
        run: |
          case "$(TZ="$TZ_OF_SCHEDULE" date +%z) ${{{{ github.event.schedule }}}}" in
{cases}
            *" ") echo "now=yes" >> "$GITHUB_OUTPUT" ;;  # by hand
            *) echo "now=no" >> "$GITHUB_OUTPUT" ;;
          esac
{setup}
      - if: steps.due.outputs.now == 'yes'
        run: |
          . .venv/bin/activate
          {line}
{push}"""

_PUSH: Final = """\
      - if: steps.due.outputs.now == 'yes'
        run: git push
"""

_GATE: Final = (
    """\
name: gate
on: pull_request

permissions:
  contents: read
  pull-requests: write

concurrency:
  group: mlctl-gate-${{ github.ref }}
  cancel-in-progress: true

jobs:
  gate:
    runs-on: ubuntu-latest
    steps:
"""
    + _SETUP
    + """\
      - run: .venv/bin/mlctl validate
      - name: bring every project up to date
        run: |
          . .venv/bin/activate
          for project in projects/*/; do
            mlctl run "$project" || [ $? -eq 4 ]  # a refusal is told by the last step
          done
      - name: one comment, written anew each time
        if: always()
        env:
          GH_TOKEN: ${{ github.token }}
          BASE: ${{ github.base_ref }}
          COMMENTS: repos/${{ github.repository }}/issues/${{ github.event.number }}/comments
        run: |
          .venv/bin/mlctl gate --format md --against "origin/$BASE" > comment.md || true
          ours='.[] | select(.body | startswith("<!-- mlctl gate -->")) | .id'
          mine=$(gh api --paginate "$COMMENTS" --jq "$ours" | head -n 1)
          if [ -n "$mine" ]; then
            gh api --method PATCH "${COMMENTS%/*/*}/comments/$mine" --field body=@comment.md --silent
          else
            gh api --method POST "$COMMENTS" --field body=@comment.md --silent
          fi || echo "::warning::the comment was not written: a pull request from a fork has no right to"
      - run: .venv/bin/mlctl gate --format github --against "origin/${{ github.base_ref }}"
"""
)

_REPRODUCE: Final = (
    """\
name: reproduce
on:
  schedule:
    - cron: "41 4 * * 1"
  workflow_dispatch:

permissions:
  contents: read

concurrency:
  group: mlctl-reproduce
  cancel-in-progress: false

jobs:
  reproduce:
    runs-on: ubuntu-latest
    steps:
"""
    + _SETUP
    + """\
      - name: build what answers again, and compare every byte
        run: |
          . .venv/bin/activate
          mlctl run {name}
          mlctl reproduce {name}
"""
)


def files(of: Timetable) -> Files:
    """A workflow for each act, and those of the gate and of the reproduction."""
    made: Files = {f".github/workflows/{of.name}-{act.name}.yml": _workflow(of, act) for act in of.acts}
    made[".github/workflows/gate.yml"] = _GATE
    made[f".github/workflows/{of.name}-reproduce.yml"] = _REPRODUCE.replace("{name}", of.name)
    return made


def _workflow(of: Timetable, act: Act) -> str:
    lines = {offset: in_utc(act.when, offset) for offset in offsets(of.schedule.time_zone)}
    crons = [cron for found in lines.values() for cron in found]
    cases = [f'            "{_signed(offset)} {cron}")' for offset, found in lines.items() for cron in found]
    commits = act.name == "retrain"
    return _ACT.format(
        name=of.name,
        act=act.name,
        crons="\n".join(f'    - cron: "{cron}"' for cron in dict.fromkeys(crons)),
        cases="\n".join(f'{case} echo "now=yes" >> "$GITHUB_OUTPUT" ;;' for case in cases),
        zone=of.schedule.time_zone,
        contents="write" if commits else "read",
        setup="\n".join(_if_due(_SETUP)),
        line=act.line(),
        push=_PUSH if commits else "",
    )


def _if_due(steps: str) -> list[str]:
    """The steps of a checkout, each only when it is this offset's time."""
    lines = []
    for line in steps.rstrip("\n").splitlines():
        lines.append(line)
        if line.startswith("      - "):
            lines.append("        if: steps.due.outputs.now == 'yes'")
    return lines


def offsets(zone: str) -> list[timedelta]:
    """The distances to UTC that a zone has in the course of a year, the smallest first.

    >>> [offset.seconds // 3600 for offset in offsets("Europe/Vienna")]
    [1, 2]
    """
    place = ZoneInfo(zone)
    found = {datetime(2026, month, 15, tzinfo=UTC).astimezone(place).utcoffset() for month in range(1, 13)}
    return sorted(offset for offset in found if offset is not None)


def in_utc(when: Cron, offset: timedelta) -> list[str]:
    """The line of cron in UTC, for a zone at this distance; several where some of its hours fall on another day.

    Raises:
        ConfigError: It names days of the month, and is on another day in UTC.

    >>> from mlctl.cron import parse
    >>> in_utc(parse("0 2 * * *"), timedelta(hours=1)), in_utc(parse("30 1 * * mon"), timedelta(hours=2))
    (['0 1 * * *'], ['30 23 * * 0'])
    """
    found: dict[tuple[int, int], list[int]] = {}
    for hour in when.hours:
        for minute in when.minutes:
            day, rest = divmod(hour * 60 + minute - int(offset.total_seconds()) // 60, 24 * 60)
            found.setdefault((day, rest % 60), []).append(rest // 60)
    words = when.text.split()
    lines = []
    for (day, minute), hours in found.items():
        week = words[4]
        if day and len(when.weekdays) < 7:
            week = ",".join(str((weekday + day) % 7) for weekday in when.weekdays)
        if day and len(when.days) < 31:
            why = f"{when.text!r} names a day of the month at an hour that is another day in UTC"
            raise ConfigError.bad_argument("export github", why, "choose another hour or a day of the week")
        lines.append(f"{minute} {','.join(map(str, hours))} {words[2]} {words[3]} {week}")
    return lines


def _signed(offset: timedelta) -> str:
    minutes = int(offset.total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}{abs(minutes) % 60:02d}"
