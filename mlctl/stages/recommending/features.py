"""Makes what a recommender learns from and is judged by: events, the catalogue, and cases (users at moments)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlctl.errors import DataError
from mlctl.files import write_json
from mlctl.spec import Project
from mlctl.stages import Report
from mlctl.stages.features import checked_tables
from mlctl.stages.recommending._cases import JUDGES, REHEARSES, Cases, cases, parts
from mlctl.stages.recommending._ground import EVENTS, ITEMS, PART, write_table
from mlctl.stages.recommending._interactions import arrays, catalogue, interactions, told
from mlctl.workspace import Places

if TYPE_CHECKING:
    pass


def features(places: Places, project: Project) -> Report:
    """Writes `interactions.parquet`, `items.parquet`, `rehearsal.parquet`, `test.parquet` and `report.json`.

    Raises:
        DataError: The catalogue is empty, no event is left, or a part has nobody.
        IntegrityError: The checked tables are missing.
    """
    import polars as pl

    as_of, tables = checked_tables(places, project)
    items = catalogue(project, tables)
    events, left_out = interactions(project, tables[project.label.source], items, as_of)
    had = arrays(events, items.height)
    part = parts(project, had)
    over_time = project.split.kind == "time"
    settled = {
        name: cases(project, had, part, which, over_time)
        for name, which in (("rehearsal", REHEARSES), ("test", JUDGES))
    }
    for name, found in settled.items():
        if not len(found.user):
            why = "nobody had an item then that was not had before"
            raise DataError.no_rows(f"the {name} part", why, "look at split:, items.seen and the span of the events")
    tables_of = {
        EVENTS: events.with_columns(pl.Series(PART, part)),
        ITEMS: items,
        **{f"{name}.parquet": found.table() for name, found in settled.items()},
    }
    files = {name: write_table(places.features / name, table) for name, table in tables_of.items()}
    data: dict[str, Any] = {
        "task": "ranking",
        "columns": [],
        "classes": [],
        "files": files,
        **told(events, items),
        "train": {"rows": int((part < JUDGES).sum()), "sha256": files[EVENTS]["sha256"], "as_of": []},
        "test": {**files["test.parquet"], "as_of": []},
        "frozen": files["test.parquet"]["sha256"],
        "left_out": [finding.record() for finding in left_out],
    }
    write_json(places.features / "report.json", data)
    line = (
        f"{data['events']:,} events of {data['users']:,} users and {data['items']:,} items; "
        f"{data['train']['rows']:,} teach, {_who(settled['test'])} judge"
    )
    return Report("features", line, data, details=tuple(f"warn: {finding.sentence()}" for finding in left_out))


def _who(found: Cases) -> str:
    import numpy as np

    return f"{len(np.unique(found.user)):,} users at {len(found.user):,} moments"
