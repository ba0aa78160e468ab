"""What is new in a table since the last snapshot, put in its place among the rows of that snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlctl.sources import Earlier
from mlctl.sources._sql_asking import Asking, quoted
from mlctl.sources._times import on_utc_line

if TYPE_CHECKING:
    import polars as pl

    from mlctl.sources._sql_options import SqlOptions


def since(options: SqlOptions, asking: Asking, earlier: Earlier, inside: str) -> tuple[pl.DataFrame | None, str]:
    """The rows of the last snapshot, those that changed since in their new form, and those that came.

    Keys and watermarks of all rows are read too: a row that is gone, or that has another watermark, is not kept.

    Args:
        options: The source's options; they name a watermark and a key.
        asking: The open transaction.
        earlier: The last snapshot.
        inside: The condition of the new window.

    Returns:
        The rows, or None when they must be read in full; and how, for people. Grain: one row of what is asked.
        Time: the time columns as Datetime(us, UTC).
    """
    import polars as pl

    name, old = options.watermark or "", earlier.rows
    highest = old[name].drop_nulls().max() if name in old.columns else None
    later = None if highest is None else asking.at_least(name, highest, options.time_zone)
    if later is None:
        return None, "read in full: the last snapshot has no watermark to go on from"
    conditions = [later, f"{quoted(name)} IS NULL"]
    if options.time is not None and (coming := asking.at_least(options.time, earlier.as_of, options.time_zone)):
        conditions.append(coming)
    fresh = _on_utc_line(options, asking.rows(" OR ".join(conditions)))
    if dict(old.schema) != dict(fresh.schema):
        return None, "read in full: the columns are not those of the last snapshot"
    same = list(dict.fromkeys([*options.key, name]))
    there = _on_utc_line(options, asking.rows(inside, same))
    kept = _without(old.select(fresh.columns), fresh, options.key)
    still = kept.join(there, on=same, how="semi", nulls_equal=True)
    whole = pl.concat([still, fresh.join(there, on=same, how="semi", nulls_equal=True)])
    gone = kept.height - still.height
    return whole, f"{fresh.height:,} read since the last snapshot" + (f", {gone:,} gone" if gone else "")


def _without(rows: pl.DataFrame, others: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    return rows.join(others.select(key), on=key, how="anti", nulls_equal=True)


def _on_utc_line(options: SqlOptions, rows: pl.DataFrame) -> pl.DataFrame:
    named = (("time", options.time), ("knowledge_time", options.knowledge_time))
    return rows.with_columns(
        on_utc_line(options, rows, (key, column))
        for key, column in named
        if column is not None and column in rows.columns
    )
