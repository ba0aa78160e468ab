"""What a server follows: a release that was replaced while it was being opened is not taken for the one that answers."""

from __future__ import annotations

from pathlib import Path

from mlctl.files import write_json
from mlctl.server.stamps import stamp, stamp_if


def test_another_release_that_came_before_anybody_looked_is_not_taken_for_the_old_one(tmp_path: Path) -> None:
    write_json(tmp_path / "manifest.json", {"id": "first"})
    opened = "first"
    assert stamp_if(tmp_path, opened) == stamp(tmp_path) is not None

    write_json(tmp_path / "manifest.json", {"id": "second"})
    assert stamp_if(tmp_path, opened) is None

    (tmp_path / "manifest.json").write_text("{")
    assert stamp_if(tmp_path, opened) is None
    (tmp_path / "manifest.json").unlink()
    assert stamp_if(tmp_path, opened) is None
