"""Times of any form and zone on the UTC line, or refused."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mlctl.errors import DataError
from tests.sources import read, read_csv, written


def times(folder: Path, column: pl.Series, **options: Any) -> list[str]:
    """The moments that a Parquet file's time column comes out as."""
    path = written(pl.DataFrame({"at": column}), "parquet", folder)
    table = read("parquet", path=path, time="at", **options)
    return [moment.strftime("%Y-%m-%dT%H:%M:%S.%f").removesuffix(".000000") for moment in table["at"]]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-03-01T10:00:00Z", "2025-03-01T10:00:00"),
        ("2025-03-01T10:00:00+02:00", "2025-03-01T08:00:00"),
        ("2025-03-01T10:00:00-0330", "2025-03-01T13:30:00"),
        ("2025-03-01 10:00:00.25+02", "2025-03-01T08:00:00.250000"),
        ("2025-03-01 10:00:00 UTC", "2025-03-01T10:00:00"),
        ("2025-03-01T10:00Z", "2025-03-01T10:00:00"),
        ("2025-03-01T10:00-05:00", "2025-03-01T15:00:00"),
        ("2025-03-01t10:00:00,5z", "2025-03-01T10:00:00.500000"),
        (" 2025-03-01T10:00:00.123456789Z ", "2025-03-01T10:00:00.123456"),
        ("2025-03-01T10:00:00", "2025-03-01T09:00:00"),
        ("2025-03-01 10:00", "2025-03-01T09:00:00"),
        ("2025-03-01", "2025-02-28T23:00:00"),
        ("2025-07-01", "2025-06-30T22:00:00"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00"),
    ],
)
def test_iso_texts_are_placed_on_the_utc_line(text: str, moment: str, tmp_path: Path) -> None:
    found = times(tmp_path, pl.Series([text]), time_zone="Europe/Berlin")
    assert [found[0].rjust(len(moment), "0")] == [moment]


def test_offsets_zones_and_dates_may_stand_in_one_column(tmp_path: Path) -> None:
    texts = pl.Series(["2025-03-01T10:00:00+02:00", "2025-03-01T10:00:00Z", "2025-03-01T10:00:00", "2025-03-01"])
    found = times(tmp_path, texts, time_zone="America/New_York")
    assert found == ["2025-03-01T08:00:00", "2025-03-01T10:00:00", "2025-03-01T15:00:00", "2025-03-01T05:00:00"]


@pytest.mark.parametrize(
    "column",
    [
        pl.Series(["2025-03-01T10:00:00"]),
        pl.Series(["2025-03-01"]),
        pl.Series([datetime(2025, 3, 1)]),
        pl.Series([date(2025, 3, 1)]),
    ],
)
def test_a_time_without_a_zone_is_refused_until_the_source_declares_one(column: pl.Series, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no time zone(.|\n)*set sources.orders.time_zone"):
        times(tmp_path, column)
    assert len(times(tmp_path, column, time_zone="UTC")) == 1


def test_typed_times_are_placed_on_the_utc_line(tmp_path: Path) -> None:
    local = pl.Series([datetime(2025, 7, 1, 10)])
    assert times(tmp_path, local, time_zone="Europe/Berlin") == ["2025-07-01T08:00:00"]
    assert times(tmp_path, local.cast(pl.Datetime("ns")), time_zone="UTC") == ["2025-07-01T10:00:00"]
    assert times(tmp_path, local.dt.replace_time_zone("Asia/Tokyo")) == ["2025-07-01T01:00:00"]
    assert times(tmp_path, pl.Series([date(2025, 7, 1)]), time_zone="Asia/Tokyo") == ["2025-06-30T15:00:00"]


def test_the_hour_that_autumn_repeats_is_the_earlier_and_the_one_that_spring_skips_is_refused(tmp_path: Path) -> None:
    autumn, spring = pl.Series([datetime(2025, 10, 26, 2, 30)]), pl.Series([datetime(2025, 3, 30, 2, 30)])
    assert times(tmp_path, autumn, time_zone="Europe/Berlin") == ["2025-10-26T00:30:00"]
    with pytest.raises(DataError, match=r"1 values do not exist in Europe/Berlin.*2025-03-30 02:30:00"):
        times(tmp_path, spring, time_zone="Europe/Berlin")


def test_integers_are_times_by_their_format_alone(tmp_path: Path) -> None:
    days = pl.Series([19970102, 19981231])
    found = times(tmp_path, days, time_format="%Y%m%d", time_zone="UTC")
    assert found == ["1997-01-02T00:00:00", "1998-12-31T00:00:00"]
    assert times(tmp_path, pl.Series([1704067200]), time_format="%s") == ["2024-01-01T00:00:00"]
    with pytest.raises(DataError, match="type Int64; give time_format"):
        times(tmp_path, days, time_zone="UTC")
    with pytest.raises(DataError, match=r"1 values are not of the form %Y%m%d, such as '1997012'"):
        times(tmp_path, pl.Series([19970102, 1997012]), time_format="%Y%m%d", time_zone="UTC")


def test_csv_integers_are_times_by_their_format(tmp_path: Path) -> None:
    options = {"time": "day", "time_format": "%Y%m%d", "time_zone": "UTC"}
    table = read_csv(tmp_path, "id,day\n1,19970102\n2,\n", **options)
    assert table["day"].to_list() == [datetime(1997, 1, 2, tzinfo=UTC), None]


@pytest.mark.parametrize(
    ("text", "form", "moment"),
    [
        ("5/1/2024", "%d/%m/%Y", "2024-01-05T00:00:00"),
        ("05.01.2024 13:30", "%d.%m.%Y %H:%M", "2024-01-05T13:30:00"),
        ("01/05/2024 01:30 PM", "%m/%d/%Y %I:%M %p", "2024-01-05T13:30:00"),
        ("2024-01-05 23:30 -0500", "%Y-%m-%d %H:%M %z", "2024-01-06T04:30:00"),
        ("20240105093000", "%Y%m%d%H%M%S", "2024-01-05T09:30:00"),
    ],
)
def test_texts_of_a_declared_form_are_placed_on_the_utc_line(text: str, form: str, moment: str, tmp_path: Path) -> None:
    assert times(tmp_path, pl.Series([text]), time_format=form, time_zone="UTC") == [moment]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2025-02-30", None),
        ("24-01-05", None),
        ("2025-1-5", None),
        ("yesterday", None),
        ("2025-03-01T25:00:00Z", None),
        ("2025-03-01T10:00:00+0", None),
        ("1/5/24", "%d/%m/%Y"),
        ("2024-01-05T00:00:00Z", "%Y-%m-%d"),
    ],
)
def test_what_is_no_time_is_refused_with_its_count(text: str, form: str | None, tmp_path: Path) -> None:
    column = pl.Series([text, "2025-01-01" if form != "%d/%m/%Y" else "1/1/2025", None, text])
    with pytest.raises(DataError, match=r"2 values are not of the form .*, such as ") as caught:
        times(tmp_path, column, time_format=form, time_zone="UTC")
    assert repr(text) in caught.value.why


def test_a_zone_that_does_not_exist_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'Mars/Olympus' is not an IANA time zone"):
        times(tmp_path, pl.Series(["2025-01-01"]), time_zone="Mars/Olympus")


# the moment from which a row was known


def known(folder: Path, column: pl.Series, **options: Any) -> pl.DataFrame:
    table = pl.DataFrame({"at": [datetime(2025, 1, 1, tzinfo=UTC)] * len(column), "known": column})
    return read("parquet", path=written(table, "parquet", folder), time="at", knowledge_time="known", **options)


def test_the_moment_from_which_a_row_was_known_obeys_the_rules_of_times(tmp_path: Path) -> None:
    naive = pl.Series([datetime(2025, 7, 1, 10), None])
    table = known(tmp_path, naive, time_zone="Europe/Berlin")
    assert table["known"].to_list() == [datetime(2025, 7, 1, 8, tzinfo=UTC), None]
    assert table.schema["known"] == pl.Datetime("us", "UTC")
    with pytest.raises(
        DataError, match=r"column 'known' is not a time\nwhere: sources.orders.knowledge_time\n.*no time zone"
    ):
        known(tmp_path, naive)
    with pytest.raises(DataError, match="do not exist in Europe/Berlin"):
        known(tmp_path, pl.Series([datetime(2025, 3, 30, 2, 30)]), time_zone="Europe/Berlin")
    with pytest.raises(DataError, match=r"no column 'later'\nwhere: sources.orders.knowledge_time"):
        path = written(pl.DataFrame({"id": [1]}), "parquet", tmp_path)
        read("parquet", path=path, knowledge_time="later")


def test_csv_has_a_moment_of_knowledge_as_text_and_blanks_mean_the_event_time(tmp_path: Path) -> None:
    text = "at,known\n20250101,20250103\n20250102,\n"
    options = {"time": "at", "knowledge_time": "known", "time_format": "%Y%m%d", "time_zone": "UTC"}
    assert read_csv(tmp_path, text, **options)["known"].to_list() == [datetime(2025, 1, 3, tzinfo=UTC), None]
