"""Scores on their way into the database: nobody sees them before all are there and approved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from mlctl.database.generations import history, publish
from mlctl.database.loading import Coming
from mlctl.errors import DataError, ExternalError
from tests.test_generations import AS_OF, NOW, ORDER, SECOND, another, read, scored

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import TupleRow

    Connection = psycopg.Connection[TupleRow]


def on_their_way(*pieces: pl.DataFrame, approve: Callable[[], None] = lambda: None) -> Coming:
    """Scores that are made piece by piece."""
    constants = {"release": "rel2", "variant": None, "as_of": AS_OF, "scored_at": NOW, "contributions": None}
    return Coming(("customer_id", pl.String()), [piece.clone for piece in pieces], constants, approve)


def test_scores_made_while_they_are_written_are_the_table_of_scores_that_were_all_there(connection: Connection) -> None:
    # the second piece has texts of so many lengths that it goes by CSV
    pieces = [scored({f"{start}{'x' * place}": place / 300 for place in range(lengths)}) for start, lengths in
              (("a", 3), ("b", 300), ("c", 2), ("d", 0))]  # fmt: skip
    made = publish(connection, SECOND, on_their_way(*pieces))
    found = read(connection, "*")
    assert (made.rows, len(found)) == (305, 305)
    publish(connection, replace(ORDER, run_id="c" * 64, release="rel2"), pl.concat(pieces))
    assert read(connection, "*") == found


def test_nobody_sees_scores_that_are_not_approved_and_a_refusal_leaves_nothing(
    connection: Connection, postgres_root: Path
) -> None:
    publish(connection, ORDER, scored({"c1": 0.5}))
    asked: list[Any] = []

    def refuse() -> None:
        with another(postgres_root) as reader:
            asked.append(read(reader))
        raise DataError.audit_failed(["the mean lies far off"])

    coming = on_their_way(scored({"c1": 0.25}), scored({"c2": 0.25}), approve=refuse)
    with pytest.raises(DataError, match="the mean lies far off"):
        publish(connection, SECOND, coming)
    assert (read(connection), asked) == ([("c1", 0.5)], [[("c1", 0.5)]])
    assert [one.run_id for one in history(connection, "public", "churn")] == [ORDER.run_id]
    assert connection.execute("SELECT to_regclass('mlctl.churn_scores_bbbbbbbbbbbb')").fetchone() == (None,)
    # a run that is shown again is approved again
    publish(connection, SECOND, on_their_way(scored({"c1": 0.25})))
    publish(connection, replace(ORDER, run_id="c" * 64), scored({"c1": 0.75}))
    with pytest.raises(DataError, match="the mean lies far off"):
        publish(connection, SECOND, on_their_way(scored({"c1": 0.25}), approve=refuse))
    assert read(connection) == [("c1", 0.75)]


@pytest.mark.parametrize("bad", [scored({"c1": float("nan")}), scored({"c0": 0.5})], ids=["NaN", "doubled"])
def test_what_the_approval_says_goes_before_what_the_database_says(connection: Connection, bad: pl.DataFrame) -> None:
    publish(connection, ORDER, scored({"c1": 0.5}))

    def refuse() -> None:
        raise DataError.audit_failed(["1 score is missing or NaN"])

    with pytest.raises(DataError, match="1 score is missing or NaN"):
        publish(connection, SECOND, on_their_way(scored({"c0": 0.5}), bad, approve=refuse))
    with pytest.raises(DataError, match=r"check constraint|could not create unique index"):
        publish(connection, SECOND, on_their_way(scored({"c0": 0.5}), bad))
    assert read(connection) == [("c1", 0.5)]


def test_a_database_that_is_lost_in_the_load_keeps_the_old_scores_and_the_same_call_goes_on(
    connection: Connection, postgres_root: Path
) -> None:
    publish(connection, ORDER, scored({"c1": 0.5}))
    with another(postgres_root) as lost:

        def cut() -> pl.DataFrame:
            connection.execute("SELECT pg_terminate_backend(%s, 5000)", (lost.info.backend_pid,))
            return scored({"c9": 0.25})

        coming = on_their_way(scored({"c0": 0.25}))
        with pytest.raises(ExternalError, match="the database cannot be used"):
            publish(lost, SECOND, replace(coming, makers=[*coming.makers, cut, *coming.makers]))
    assert read(connection) == [("c1", 0.5)]
    assert publish(connection, SECOND, coming).rows == 1
    assert read(connection) == [("c0", 0.25)]


def test_a_piece_that_cannot_be_made_or_stored_leaves_the_old_scores(connection: Connection) -> None:
    publish(connection, ORDER, scored({"c1": 0.5}))

    def cannot() -> pl.DataFrame:
        raise DataError.no_rows("the piece", "it is gone", "look for it")

    coming = on_their_way(scored({"c0": 0.5}))
    with pytest.raises(DataError, match="no rows in the piece"):
        publish(connection, SECOND, replace(coming, makers=[*coming.makers, cannot]))
    with pytest.raises(DataError, match="'customer_id' has 1 texts with a NUL"):
        publish(connection, SECOND, on_their_way(scored({"c0": 0.5}), scored({"c\0": 0.5})))
    assert read(connection) == [("c1", 0.5)]
