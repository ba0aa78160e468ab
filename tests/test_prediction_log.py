"""Lines of the prediction log: whole or left out, whatever the disk says."""

from __future__ import annotations

import resource
from datetime import UTC, datetime
from pathlib import Path

from mlctl.server import prediction_log
from mlctl.server.prediction_log import PredictionLog

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def test_a_disk_that_takes_no_more_loses_lines_that_are_counted_and_no_others(tmp_path: Path) -> None:
    lost: list[int] = []
    log = PredictionLog(tmp_path, lambda: NOW, lost.append)
    log.write([{"id": "1"}, {"id": "2"}])
    (segment,) = tmp_path.iterdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (segment.stat().st_size + 20, hard))
    try:
        for number in range(3, 8):
            log.write([{"id": str(number)}])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    log.write([{"id": "8"}])
    log.write([{"id": "9"}])
    log.close()

    assert sum(lost) == 5
    assert [line["id"] for line in prediction_log.read(tmp_path)] == ["1", "2", "8", "9"]
    assert list(tmp_path.iterdir()) == [segment]


def test_a_long_segment_is_followed_by_another(tmp_path: Path, monkeypatch) -> None:
    moments = iter(datetime(2026, 11, 1, 0, 0, second, tzinfo=UTC) for second in range(9))
    monkeypatch.setattr(prediction_log, "SEGMENT_BYTES", 100)
    log = PredictionLog(tmp_path, lambda: next(moments), lambda _: None)
    for number in range(6):
        log.write([{"id": str(number)}])
    log.close()

    assert len(list(tmp_path.iterdir())) == 3
    assert [line["id"] for line in prediction_log.read(tmp_path)] == list("012345")


def test_a_folder_that_cannot_be_made_loses_the_lines_and_no_answer(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    lost: list[int] = []

    PredictionLog(tmp_path / "file" / "log", lambda: NOW, lost.append).write([{"id": "1"}, {"id": "2"}])

    assert lost == [2]
