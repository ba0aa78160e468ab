"""What a server follows: what is replaced while it is being opened is not taken for what answers."""

from __future__ import annotations

from pathlib import Path

from mlctl.files import write_json
from mlctl.server.stamps import Changes, stamp


def test_what_comes_while_the_one_before_is_opened_is_seen_once(tmp_path: Path) -> None:
    write_json(tmp_path / "manifest.json", {"id": "first"})
    changes = Changes(lambda: stamp(tmp_path))
    assert not changes.seen()

    write_json(tmp_path / "manifest.json", {"id": "second"})
    assert changes.seen()
    assert not changes.seen()


def test_what_is_gone_is_nothing_new_and_what_comes_after_it_is(tmp_path: Path) -> None:
    changes = Changes(lambda: stamp(tmp_path))
    assert not changes.seen()

    write_json(tmp_path / "manifest.json", {"id": "first"})
    assert changes.seen()
    (tmp_path / "manifest.json").unlink()
    assert not changes.seen()
    write_json(tmp_path / "manifest.json", {"id": "first"})
    assert changes.seen()
