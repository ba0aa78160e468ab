"""Write, verify, swap: readers see one whole generation or the other, whatever happens in between."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from mlctl.database import open_database
from mlctl.database.generations import Generation, PublishOrder, back, history, kept_bytes, live, publish
from mlctl.errors import ConfigError, ConflictError, DataError, ExternalError, IntegrityError
from mlctl.scoring.publishing import to_show
from mlctl.spec import Database

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import TupleRow

    Connection = psycopg.Connection[TupleRow]

AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ORDER = PublishOrder("public", "churn", "a" * 64, "rel1", AS_OF, NOW, "customer_id", keep=3, swap_tries=2)
SECOND = replace(ORDER, run_id="b" * 64, release="rel2")

PUBLISHES = """
import sys
import polars as pl
from dataclasses import replace
from pathlib import Path
from mlctl.database import open_database
from mlctl.database.generations import publish
from mlctl.spec import Database
from tests.test_generations import SECOND, many
with open_database(Database(), Path(sys.argv[1])) as connection:
    publish(connection, replace(SECOND, swap_tries=200), many())
"""


def scored(scores: dict[Any, float | None], **columns: Any) -> pl.DataFrame:
    """A scores table of these keys, each with a reason."""
    keys = pl.DataFrame(
        {"customer_id": list(scores), "score": list(scores.values())}, schema_overrides={"score": pl.Float64}
    )
    return keys.with_columns(reason=pl.lit("model"), **columns)


def many() -> pl.DataFrame:
    """Enough scores for their load to be watched."""
    return (
        scored({})
        .clear(1_000_000)
        .with_columns(customer_id=pl.int_range(1_000_000).cast(pl.String), score=pl.lit(0.25), reason=pl.lit("model"))
    )


def read(connection: Connection, columns: str = "customer_id, score") -> list[Any]:
    """What a reader of the view sees."""
    return connection.execute(f"SELECT {columns} FROM public.churn_scores ORDER BY 1").fetchall()


@contextmanager
def another(root: Path) -> Iterator[Connection]:
    """A second connection."""
    with open_database(Database(), root) as connection:
        yield connection


def wait_until(connection: Connection, query: str) -> None:
    """Asks until the query has a row, or fails after about a minute."""
    for _ in range(6000):
        if connection.execute(query).fetchone() is not None:
            return
        connection.execute("SELECT pg_sleep(0.01)")
    pytest.fail(f"never true: {query}")


def test_what_was_published_is_what_readers_see(connection: Connection) -> None:
    scores = scored(
        {"c2": 0.25, "c1": 1 / 3}, decision=pl.lit("call"), confidence=pl.lit(0.75), variant=pl.lit("champion")
    )
    generation = publish(connection, ORDER, scores)
    assert (generation.view, generation.table) == ("public.churn_scores", "mlctl.churn_scores_aaaaaaaaaaaa")
    assert (generation.rows, generation.status, generation.published_at) == (2, "live", NOW)
    assert read(connection, "*") == [
        ("c1", 1 / 3, "call", "model", 0.75, "rel1", "champion", AS_OF, NOW, None),
        ("c2", 0.25, "call", "model", 0.75, "rel1", "champion", AS_OF, NOW, None),
    ]


def test_columns_of_the_table_go_before_what_the_order_says(connection: Connection) -> None:
    times = pl.lit(AS_OF).cast(pl.Datetime("us", "UTC"))
    publish(connection, ORDER, scored({"c1": 0.5}, release=pl.lit("challenger"), scored_at=times))
    assert read(connection, "release, scored_at, as_of, variant") == [("challenger", AS_OF, AS_OF, None)]


def test_nothing_is_live_in_an_empty_database(connection: Connection) -> None:
    assert live(connection, "public", "churn") is None
    assert history(connection, "public", "churn") == []


def test_the_same_call_again_changes_nothing(connection: Connection) -> None:
    state = "SELECT oid, xmin, relname FROM pg_class WHERE relname LIKE 'churn%' ORDER BY 1"
    first = publish(connection, ORDER, scored({"c1": 0.5}))
    before = connection.execute(state).fetchall()
    assert publish(connection, replace(ORDER, now=AS_OF), scored({"c1": 0.5})) == first
    assert connection.execute(state).fetchall() == before
    assert history(connection, "public", "churn") == [first]


def test_other_scores_under_a_known_run_id_are_refused(connection: Connection) -> None:
    publish(connection, ORDER, scored({"c1": 0.5}))
    with pytest.raises(IntegrityError, match="is not what was recorded"):
        publish(connection, ORDER, scored({"c1": 0.75}))
    with pytest.raises(IntegrityError, match="first 12 characters"):
        publish(connection, replace(ORDER, run_id="a" * 12 + "c"), scored({"c1": 0.5}))
    assert read(connection) == [("c1", 0.5)]


def test_an_earlier_run_published_again_is_shown_again_without_being_written(connection: Connection) -> None:
    publish(connection, ORDER, scored({"c1": 0.5}))
    oid = "SELECT 'mlctl.churn_scores_aaaaaaaaaaaa'::regclass::oid"
    before = connection.execute(oid).fetchone()
    publish(connection, SECOND, scored({"c1": 0.75}))
    again = publish(connection, ORDER, scored({"c1": 0.5}))
    assert (read(connection), connection.execute(oid).fetchone()) == ([("c1", 0.5)], before)
    assert [one.status for one in history(connection, "public", "churn")] == ["live", "old", "old"]
    assert live(connection, "public", "churn") == again


def test_a_generation_of_before_there_were_contributions_is_shown_again(connection: Connection) -> None:
    publish(connection, ORDER, scored({"c1": 0.5}))
    connection.execute("DROP VIEW churn_scores")
    connection.execute("ALTER TABLE mlctl.churn_scores_aaaaaaaaaaaa DROP COLUMN contributions")
    connection.execute("CREATE VIEW churn_scores AS SELECT * FROM mlctl.churn_scores_aaaaaaaaaaaa")
    publish(connection, SECOND, scored({"c1": 0.75}, contributions=pl.lit("[]")))
    assert read(connection, "score, contributions") == [(0.75, "[]")]
    back(connection, ORDER)
    assert read(connection, "score, contributions") == [(0.5, None)]


def test_a_view_that_somebody_dropped_comes_back(connection: Connection) -> None:
    publish(connection, ORDER, scored({"c1": 0.5}))
    connection.execute("DROP VIEW public.churn_scores")
    publish(connection, ORDER, scored({"c1": 0.5}))
    assert read(connection) == [("c1", 0.5)]
    assert len(history(connection, "public", "churn")) == 1


@pytest.mark.parametrize(
    ("scores", "why"),
    [
        (scored({"c1": float("nan")}), "check constraint"),
        (scored({"c1": 1.0000001}, confidence=pl.lit(0.9)), "check constraint"),
        (scored({"c1": -0.1}, confidence=pl.lit(0.9)), "check constraint"),
        (scored({"c1": float("inf")}), "check constraint"),
        (scored({"c1": 0.5}, confidence=pl.lit(float("nan"))), "check constraint"),
        (scored({"c1": None}).drop("reason"), "check constraint"),
        (scored({"c1": 0.5, None: 0.5}), "1 empty keys"),
        (pl.concat([scored({"c1": 0.5})] * 3), "2 doubled keys"),
        (scored({"c\0": 0.5}), "'customer_id' has 1 texts with a NUL"),
        (scored({"c1": 0.5}, mood=pl.lit("good")), "the columns are"),
        (scored({1.5: 0.5}), "text or an integer"),
    ],
)
def test_scores_that_must_not_be_seen_are_refused_and_nothing_changes(
    connection: Connection, scores: pl.DataFrame, why: str
) -> None:
    publish(connection, ORDER, scored({"c1": 0.5}))
    with pytest.raises(DataError, match=why):
        publish(connection, SECOND, scores)
    assert read(connection) == [("c1", 0.5)]
    left = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'mlctl'").fetchone()
    assert left == (2,)  # the live generation and the history


def test_a_missing_score_with_a_reason_is_published(connection: Connection) -> None:
    publish(connection, ORDER, scored({"c1": None, "c2": 0.5}))
    assert read(connection, "customer_id, score, reason") == [("c1", None, "model"), ("c2", 0.5, "model")]


def test_any_text_makes_the_round_trip(connection: Connection) -> None:
    keys = ["", '"', "'", "a,b", "l\nm", "c\rd", "\\.", "\n\\.\n", "\\N", "NULL", "é𝄞", " x ", "a\tb", "%s {}"]
    publish(connection, ORDER, scored(dict.fromkeys(keys, 0.5), decision=pl.col("customer_id")))
    assert dict(read(connection, "customer_id, decision")) == {key: key for key in keys}


@pytest.mark.parametrize(
    ("dtype", "key"), [(pl.Int64, 2**63 - 1), (pl.UInt64, 2**64 - 1), (pl.Int8, -1), (pl.Categorical, "c1")]
)
def test_keys_keep_their_type(connection: Connection, dtype: Any, key: Any) -> None:
    publish(connection, ORDER, scored({key: 0.5}).with_columns(pl.Series("customer_id", [key], dtype=dtype)))
    assert read(connection, "customer_id") == [(key,)]


def test_names_are_quoted(connection: Connection) -> None:
    order = replace(ORDER, schema="sales", project='x"; DROP', entity='the "key"')
    generation = publish(connection, order, scored({"c1": 0.5}).rename({"customer_id": 'the "key"'}))
    assert connection.execute('SELECT "the ""key""" FROM sales."x""; DROP_scores"').fetchall() == [("c1",)]
    assert live(connection, "sales", 'x"; DROP') == generation
    assert kept_bytes(connection, "sales", 'x"; DROP') > 0


def test_two_schemas_hold_the_same_run_of_the_same_project(connection: Connection) -> None:
    publish(connection, ORDER, scored({"c1": 0.5}))
    publish(connection, replace(ORDER, schema="sales"), scored({"c1": 0.5}))
    assert len(history(connection, "public", "churn")) == len(history(connection, "sales", "churn")) == 1


def test_the_last_generations_are_kept_and_the_rest_is_history(connection: Connection) -> None:
    for index in range(5):
        publish(connection, replace(ORDER, run_id=f"{index}" * 64), scored({"c1": index / 10}))
    assert [one.status for one in history(connection, "public", "churn")] == [
        "live",
        "old",
        "old",
        "dropped",
        "dropped",
    ]
    tables = connection.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'churn%' ORDER BY 1").fetchall()
    assert tables == [(f"churn_scores_{str(index) * 12}",) for index in (2, 3, 4)]
    sizes = connection.execute("SELECT pg_total_relation_size(('mlctl.' || tablename)::regclass) FROM pg_tables "
                               "WHERE tablename LIKE 'churn%'").fetchall()  # fmt: skip
    assert kept_bytes(connection, "public", "churn") == sum(size for (size,) in sizes) > 0
    publish(connection, replace(ORDER, run_id="0" * 64), scored({"c1": 0.0}))  # dropped, so written anew
    assert read(connection) == [("c1", 0.0)]


def test_a_generation_that_somebody_builds_on_is_kept(connection: Connection) -> None:
    publish(connection, replace(ORDER, keep=1), scored({"c1": 0.5}))
    connection.execute("CREATE VIEW mine AS SELECT * FROM mlctl.churn_scores_aaaaaaaaaaaa")
    publish(connection, replace(SECOND, keep=1), scored({"c1": 0.75}))
    assert [one.status for one in history(connection, "public", "churn")] == ["live", "old"]


def test_a_key_of_another_name_and_type_makes_the_view_anew_and_keeps_its_grants(connection: Connection) -> None:
    publish(connection, ORDER, scored({"c1": 0.5}))
    connection.execute("GRANT SELECT ON public.churn_scores TO PUBLIC")
    publish(connection, replace(SECOND, entity="user_id"), scored({7: 0.5}).rename({"customer_id": "user_id"}))
    assert read(connection, "user_id, score") == [(7, 0.5)]
    assert connection.execute("SELECT has_table_privilege('pg_monitor', 'churn_scores', 'SELECT')").fetchone() == (
        True,
    )


def test_a_key_of_another_type_is_refused_when_others_build_on_the_view(connection: Connection) -> None:
    publish(connection, ORDER, scored({"c1": 0.5}))
    connection.execute("CREATE VIEW mine AS SELECT * FROM public.churn_scores")
    with pytest.raises(ExternalError, match="view mine depends on view churn_scores"):
        publish(connection, SECOND, scored({7: 0.5}))
    assert read(connection) == [("c1", 0.5)]


@pytest.mark.parametrize("taken", ["TABLE public.churn_scores (x int)", "VIEW public.churn_scores AS SELECT 1 AS x"])
def test_what_mlctl_did_not_make_is_not_replaced(connection: Connection, taken: str) -> None:
    connection.execute(f"CREATE {taken}")
    with pytest.raises(ExternalError, match="is not a view that mlctl made"):
        publish(connection, ORDER, scored({"c1": 0.5}))
    assert history(connection, "public", "churn") == []


def test_a_reader_with_an_older_snapshot_finds_a_whole_generation(connection: Connection, postgres_root: Path) -> None:
    publish(connection, ORDER, scored({"c1": 0.5}))
    with another(postgres_root) as reader, reader.transaction():
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT count(*) FROM pg_class")
        publish(connection, SECOND, scored({"c1": 0.75, "c2": 0.75}))
        assert read(reader) == [("c1", 0.75), ("c2", 0.75)]


def test_an_open_transaction_that_read_the_view_is_named_and_nothing_changes(
    connection: Connection, postgres_root: Path
) -> None:
    publish(connection, ORDER, scored({"c1": 0.5}))
    with another(postgres_root) as reader:
        with reader.transaction():
            assert read(reader) == [("c1", 0.5)]
            with pytest.raises(ConflictError, match=f"pid {reader.info.backend_pid} of postgres"):
                publish(connection, SECOND, scored({"c1": 0.75}))
            assert read(reader) == [("c1", 0.5)]
        publish(connection, SECOND, scored({"c1": 0.75}))
        assert read(reader) == [("c1", 0.75)]


def test_one_of_two_publishers_of_a_project_is_turned_away(connection: Connection, postgres_root: Path) -> None:
    publish(connection, ORDER, scored({"c1": 0.5}))
    with another(postgres_root) as reader, reader.transaction():
        read(reader)
        with publisher(postgres_root) as first:
            wait_until(connection, "SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted")
            with pytest.raises(ConflictError, match="the scores of churn"):
                publish(connection, replace(ORDER, run_id="c" * 64), scored({"c1": 0.1}))
            publish(connection, replace(ORDER, project="other"), scored({"c1": 0.1}))  # another project goes on
            reader.execute("COMMIT")
            assert first.wait(timeout=60) == 0
            reader.execute("BEGIN")
    assert len(read(connection)) == 1_000_000


@pytest.mark.parametrize("moment", ["loading", "swapping"])
def test_a_publisher_killed_at_any_moment_leaves_the_old_scores_and_the_same_call_goes_on(
    connection: Connection, postgres_root: Path, moment: str
) -> None:
    publish(connection, ORDER, scored({"c1": 0.5}))
    with another(postgres_root) as reader, reader.transaction():
        read(reader)
        with publisher(postgres_root) as killed:
            loading = "SELECT FROM pg_stat_progress_copy WHERE tuples_processed > 0"
            swapping = "SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted"
            wait_until(connection, loading if moment == "loading" else swapping)
            killed.kill()
            assert killed.wait(timeout=30) == -9
    assert read(connection) == [("c1", 0.5)]
    lock = "SELECT WHERE NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory')"
    wait_until(connection, lock)  # the server notices the death when it next reads or writes
    assert publish(connection, SECOND, many()).rows == 1_000_000
    assert connection.execute("SELECT count(*), min(score) FROM churn_scores").fetchone() == (1_000_000, 0.25)
    assert [one.status for one in history(connection, "public", "churn")] == ["live", "old"]


@contextmanager
def publisher(root: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that publishes many scores."""
    with subprocess.Popen([sys.executable, "-c", PUBLISHES, str(root)], cwd=Path(__file__).parent.parent) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_connection_that_would_not_commit_is_refused(connection: Connection) -> None:
    connection.autocommit = False
    with pytest.raises(ValueError, match="autocommit"):
        publish(connection, ORDER, scored({"c1": 0.5}))
    connection.autocommit = True


def test_a_lost_connection_is_an_external_error(connection: Connection, postgres_root: Path) -> None:
    with another(postgres_root) as lost:
        connection.execute("SELECT pg_terminate_backend(%s)", (lost.info.backend_pid,))
        with pytest.raises(ExternalError):
            publish(lost, ORDER, scored({"c1": 0.5}))


def test_scores_go_back_to_what_readers_saw_before_and_once() -> None:
    """Runs by number of their publication; what was gone back from is not what was before."""

    def published(*runs: str) -> list[Generation]:
        told = [
            Generation(number, "shop", run, "public.shop_scores", f"mlctl.shop_{run}", 1, "rel", AS_OF, NOW, "old")
            for number, run in enumerate(runs)
        ]
        return [replace(told[-1], status="live"), *reversed(told[:-1])]

    assert to_show(published("r1", "r2"), None).run_id == "r1"
    assert to_show(published("r1", "r2", "r1"), None).number == 2, "it is live: nothing is changed"
    assert to_show(published("r1", "r2", "r1", "r3"), None).run_id == "r1", "r2 was gone back from"
    assert to_show(published("r1", "r2", "r1", "r2"), None).run_id == "r1"
    with pytest.raises(ConfigError, match="rollback"):
        to_show(published("r1"), None)
