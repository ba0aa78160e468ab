"""The ledger: lines add up, survive a cut, and are found by month."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlctl.costs import ledger
from mlctl.costs.ledger import Entry, Spent
from mlctl.workspace import Places

SHOP = Places("shop")


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def entry(day: str, act: str = "train", **more: object) -> Entry:
    spent = Spent(wall_s=2.0, cpu_s=1.5, read_bytes=512, written_bytes=1024, peak_bytes=4096)
    return Entry(datetime.fromisoformat(day).replace(tzinfo=UTC), "shop", act, spent, **more)  # type: ignore[arg-type]


def test_what_is_written_is_read_in_order_and_by_half_open_window() -> None:
    lines = [
        entry("2026-10-31"),
        entry("2026-11-01", rows=7, details={"seconds": {"orders": 0.5}}),
        entry("2026-12-01"),
    ]
    for line in lines:
        ledger.append(SHOP, line)

    assert list(ledger.read(SHOP)) == lines
    november = (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
    assert list(ledger.read(SHOP, *november)) == lines[1:2]


def test_a_line_that_was_cut_costs_only_itself() -> None:
    ledger.append(SHOP, entry("2026-11-01"))
    path = SHOP.ledger / "2026-11.ndjson"
    path.write_bytes(path.read_bytes() + b'{"at": "2026-11-02", "act')
    ledger.append(SHOP, entry("2026-11-03"))

    assert [f"{line.at:%d}" for line in ledger.read(SHOP)] == ["01", "03"]


def test_work_of_children_that_ended_is_counted_and_a_failure_is_measured_too() -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    with pytest.raises(ValueError, match="on purpose"), ledger.measured() as meter:
        subprocess.run([sys.executable, "-c", burn], check=True)
        raise ValueError("on purpose")

    assert 0.3 <= meter.spent.cpu_s < 3
    assert meter.spent.peak_bytes > 2**20


def test_a_whole_without_its_parts_is_never_below_nothing() -> None:
    whole, part = Spent(wall_s=5.0, cpu_s=4.0, written_bytes=100), Spent(wall_s=1.0, cpu_s=3.0, written_bytes=60)

    assert ledger.without(whole, part) == Spent(wall_s=4.0, cpu_s=1.0, written_bytes=40)
    assert ledger.without(whole, part, part).cpu_s == 0


def test_serving_adds_a_line_for_each_stretch_with_the_answers_of_that_stretch() -> None:
    from mlctl.server.measures import Measures
    from mlctl.server.segments import Segments

    measures = Measures("shop")
    segments = Segments(SHOP, measures, lambda: datetime(2026, 11, 1, tzinfo=UTC), lambda _: None)
    answer = {"release": "aaaa", "variant": "champion", "reason": "model"}
    measures.answers([answer] * 3)
    segments.end()
    measures.answers([answer])
    segments.end()

    assert [(line.act, line.predictions) for line in ledger.read(SHOP)] == [("serve", 3), ("serve", 1)]
