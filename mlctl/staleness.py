"""What the model loses when features are old: the rows that judged the release, with features as they were before.

A cadence lets features become as old as itself, just before the next refresh. The release scores the same rows with
everybody's features as of that much earlier, and the first metric of the project is measured on the same labels. What
a model loses because it is trained more rarely is not in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mlctl.metrics import measuring
from mlctl.plan import AS_OF, compile_plan
from mlctl.plan.compute import compute
from mlctl.release import open_release
from mlctl.spec import Project
from mlctl.stages._rows import part
from mlctl.stages.features import checked_tables
from mlctl.times import duration
from mlctl.workspace import Places

if TYPE_CHECKING:
    import polars as pl

_MOST_ROWS: Final = 20_000


@dataclass(frozen=True)
class Staleness:
    """What the metric is at each age of the features.

    Attributes:
        metric: The first metric of the project.
        better: `higher` or `lower`.
        rows: Rows that were scored for each age.
        fresh: The metric with features as they judged the release.
        aged: By age, such as `6h`, the metric with features so old.
    """

    metric: str
    better: str
    rows: int
    fresh: float
    aged: dict[str, float]

    def record(self) -> dict[str, Any]:
        """The outcome as JSON-ready data."""
        return dict(vars(self))


def staleness(places: Places, project: Project, ages: Sequence[str]) -> Staleness | None:
    """What the sealed release loses by older features; None where features do not hang on a moment.

    Raises:
        IntegrityError: Release, tables or test rows are missing or damaged.
        DataError: A feature of an earlier moment cannot be computed.
    """
    if not project.split.over_time() or project.label.task not in ("binary", "regression"):
        return None
    release = open_release(places.release, f"mlctl run projects/{places.name}")
    _, tables = checked_tables(places, project)
    plan = compile_plan(release.project, {name: table.columns for name, table in tables.items()})
    rows, columns = part(places, "test")
    rows = rows.gather_every(max(1, rows.height // _MOST_ROWS))
    name, options = next(iter(project.metrics.items()))
    measure, better = measuring(options)
    truth = rows["label"].cast(float).to_numpy()

    def of(features: pl.DataFrame) -> float:
        return measure(truth, release.score(features).astype("float64"), truth * 0 + 1)

    aged = {}
    for age in ages:
        spine = rows.select(project.entity.key, rows[AS_OF] - duration(age))
        aged[age] = of(compute(plan, tables, spine).select(plan.names))
    return Staleness(name, better, rows.height, of(rows.select(columns)), aged)
