"""DAGs of Airflow: one for each act, one run at a time.

Use it where Airflow is there already. A passed time is never run for its own sake: every act works on the newest data.
"""

from __future__ import annotations

from mlctl.timetables import Act, Files, Timetable

_DAG = '''\
"""{name}: {act}. Written by mlctl export airflow {name}."""

import pendulum
from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.latest_only import LatestOnlyOperator
from airflow.timetables.trigger import CronTriggerTimetable

with DAG(
    dag_id="mlctl_{name}_{act}",
    schedule=CronTriggerTimetable({cron!r}, timezone={zone!r}),
    start_date=pendulum.datetime(2026, 1, 1, tz={zone!r}),
    catchup=False,  # the newest data makes up for every time that passed
    max_active_runs=1,
    tags=["mlctl", {name!r}],
) as dag:
    act = BashOperator(
        task_id={act!r},
        bash_command={line!r},
        cwd={root!r},
        retries=1,
        retry_delay=pendulum.duration(minutes=10),
    )
{late}'''

_SKIP = '    LatestOnlyOperator(task_id="not_late") >> act\n'


def files(of: Timetable) -> Files:
    """A DAG for each act."""
    return {f"mlctl_{of.name}_{act.name}.py": _dag(of, act) for act in of.acts}


def _dag(of: Timetable, act: Act) -> str:
    return _DAG.format(
        name=of.name,
        act=act.name,
        cron=act.when.text,
        zone=of.schedule.time_zone,
        # Airflow reads a command that ends in .sh as the name of a template
        line=act.line(of.program) + " ",
        root=of.root,
        late=_SKIP if of.schedule.catch_up == "skip" else "",
    )
