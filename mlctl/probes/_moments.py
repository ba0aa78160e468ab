"""Times that cannot be: values from after the moment, and a test that begins while training outcomes are open."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from mlctl.findings import Finding
from mlctl.plan import AS_OF
from mlctl.probes._scene import Looked, Scene
from mlctl.times import duration, moment_text

if TYPE_CHECKING:
    import polars as pl

_DATE: Final = r"^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}.*)?$"
_DATES_SHARE: Final = 0.9


def after_as_of(scene: Scene) -> Looked:
    """Times (and texts that are dates) at or after `as_of`, and days since something that are below zero."""
    days_since = {name for name, options in scene.project.features.items() if options.kind == "days_since"}
    findings, looked_at = [], 0
    for name in scene.columns:
        values = scene.rows[name]
        times = _times(values)
        if times is not None:
            late, what = (times >= scene.rows[AS_OF].dt.replace_time_zone(None)).fill_null(False), "at or after as_of"
        elif values.dtype.is_numeric() and _is_of(name, days_since):
            late, what = (values < 0).fill_null(False), "below 0 days"
        else:
            continue
        looked_at += 1
        rows = late.arg_true().to_list()
        if rows:
            first = f"{scene.keys(rows)} ({values[rows[0]]} at {moment_text(scene.rows[AS_OF][rows[0]])})"
            value = f"{len(rows):,} of {len(values):,} values {what}, such as {first}"
            where, rule = f"feature {name}", "probes.after_as_of"
            limit = "only what was known before as_of"
            findings.append(Finding(scene.severity("after_as_of"), rule, where, value, limit, tuple(rows), name))
    if not looked_at:
        return Looked.not_run("no feature is a time or a days_since")
    return Looked(scene.rows.height, findings)


def _is_of(column: str, names: set[str]) -> bool:
    return any(column == name or column.startswith(f"{name}_") for name in names)


def _times(values: pl.Series) -> pl.Series | None:
    """A column as moments in UTC without a zone, or None where it holds none."""
    import polars as pl

    if values.dtype == pl.Date:
        return values.cast(pl.Datetime("us"))
    if isinstance(values.dtype, pl.Datetime):
        return values.dt.replace_time_zone(None).cast(pl.Datetime("us"))
    if values.dtype != pl.String:
        return None
    there = values.drop_nulls()
    some = there.gather_every(max(1, len(there) // 1000))
    if len(some) == 0 or some.str.contains(_DATE).sum() < _DATES_SHARE * len(some):
        return None
    return values.str.slice(0, 10).str.to_datetime("%Y-%m-%d", strict=False, time_unit="us")


def period(scene: Scene) -> Looked:
    """A test moment before the last training moment, or before the outcomes of training were known (no purging)."""
    if not scene.in_time:
        return Looked.not_run("the split is not in time")
    if scene.folds:
        return Looked.not_run("with folds each row judges once: look at each window by itself")
    train = sorted(scene.rows[AS_OF].filter(scene.part == 0).unique())
    test = sorted(scene.rows[AS_OF].filter(scene.part == 1).unique())
    if not train or not test:
        return Looked.not_run("one side of the split has no rows")
    first, last = test[0], train[-1]
    horizon = duration(scene.project.label.horizon) if scene.project.label.horizon else timedelta()
    rule, severity = "probes.period", scene.severity("period")
    limit = f"a test from {moment_text(last + horizon)} on, when the last training outcome is known"
    if first <= last:
        inside = int(((scene.rows[AS_OF] <= last).to_numpy() & (scene.part == 1)).sum())
        value = f"{inside:,} test rows at or before {moment_text(last)}, the last training moment"
        return Looked(scene.rows.height, [Finding(severity, rule, "the test", f"{value}; {_known(first)}", limit)])
    if last + horizon > first:
        open_rows = int(((scene.rows[AS_OF] + horizon > first).to_numpy() & (scene.part == 0)).sum())
        value = f"its first moment {moment_text(first)} inside the horizon of {open_rows:,} training outcomes"
        return Looked(scene.rows.height, [Finding(severity, rule, "the test", value, limit)])
    return Looked(scene.rows.height, [])


def _known(first: datetime) -> str:
    return f"it begins {moment_text(first)}"
