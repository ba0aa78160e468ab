"""A file is as before or as after, never between; a lock is held by the living alone."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mlctl.errors import ConflictError, ExternalError, IntegrityError
from mlctl.files import (
    canonical_json,
    lock,
    read_json,
    sha256_of,
    sha256_of_file,
    write_bytes,
    write_json,
    write_text,
    write_with,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def half_then(error: Exception):
    def write(temporary: Path) -> None:
        temporary.write_text("half")
        raise error

    return write


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("write failed (os error 28)")])
def test_a_write_that_the_disk_refuses_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    with pytest.raises(ExternalError) as caught:
        write_with(path, half_then(error))

    assert "No space left on device" in str(caught.value)
    assert caught.value.where == str(path)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [RuntimeError("something else"), KeyboardInterrupt()])
def test_any_other_failure_is_passed_on_and_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    with pytest.raises(type(error)):
        write_with(path, half_then(error))

    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


LIMITED = """
import resource, signal, sys
from pathlib import Path
from mlctl.errors import ExternalError
from mlctl.files import write_bytes
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    write_bytes(Path(sys.argv[1]), b"x" * 5000)
except ExternalError as error:
    sys.exit(error.exit_code)
"""


def test_a_file_system_that_is_full_half_way_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.bin"
    write_bytes(path, b"old")

    done = subprocess.run([sys.executable, "-c", LIMITED, str(path)], check=False)

    assert done.returncode == 7
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "deep" / "a.txt"
    write_text(path, "old")
    seen = []

    def write(temporary: Path) -> None:
        temporary.write_text("new")
        seen.append(path.read_text())

    write_with(path, write)

    assert (seen, path.read_text()) == (["old"], "new")


def test_two_writers_of_one_file_do_not_take_each_other_for_dead(tmp_path):
    path = tmp_path / "tuned.yaml"

    def first(temporary):
        temporary.write_text("first")
        write_text(path, "second, begun and ended while the first one wrote")

    write_with(path, first)

    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path):
    path = tmp_path / "tuned.yaml"
    (tmp_path / ".tuned.yaml.abc.tmp").write_text("half a")

    write_text(path, "whole")

    assert list(tmp_path.iterdir()) == [path]


def test_a_written_file_has_the_mode_that_the_umask_allows(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "x")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_a_file_where_a_folder_should_be_is_an_external_error(tmp_path):
    (tmp_path / "a").write_text("x")

    with pytest.raises(ExternalError):
        write_text(tmp_path / "a" / "b", "x")
    with pytest.raises(ExternalError), lock(tmp_path / "a" / "lock", "it"):
        pass


def test_canonical_json_is_one_text_for_one_value(tmp_path):
    assert canonical_json({"b": [1, None], "a": "ü"}) == canonical_json({"a": "ü", "b": [1, None]})
    assert canonical_json({"a": "ü"}) == '{\n  "a": "ü"\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json([float("nan")])
    write_json(tmp_path / "a.json", {"z": 0.1 + 0.2})
    assert read_json(tmp_path / "a.json") == {"z": 0.1 + 0.2}


@pytest.mark.parametrize("text", [b"", b"{", b"\xff"])
def test_json_that_is_missing_or_broken_is_an_integrity_error(tmp_path, text):
    with pytest.raises(IntegrityError, match="is missing"):
        read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_bytes(text)
    with pytest.raises(IntegrityError, match="is refused"):
        read_json(tmp_path / "a.json")


def test_hashes_are_sha256(tmp_path):
    write_bytes(tmp_path / "a", b"abc")

    # FIPS 180-2, appendix B.1
    assert sha256_of(b"abc") == sha256_of("abc") == sha256_of_file(tmp_path / "a")
    assert sha256_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with pytest.raises(IntegrityError):
        sha256_of_file(tmp_path / "none")


HOLDER = """
import sys
from pathlib import Path
from mlctl.files import lock
with lock(Path(sys.argv[1]), "projects/shop"):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_held_lock_is_a_conflict_that_names_its_holder_and_is_free_after_it(tmp_path):
    path = tmp_path / "locks" / "shop.lock"
    process = holder(path)

    with pytest.raises(ConflictError) as caught, lock(path, "projects/shop"):
        pass

    assert caught.value.exit_code == 5
    assert "projects/shop" in caught.value.what
    assert f"pid {process.pid} on " in caught.value.where
    process.communicate("")
    with lock(path, "projects/shop"):
        assert f"pid {os.getpid()} on " in path.read_text()
        assert path.read_text().count("\n") == 1


def test_a_killed_holder_holds_nothing(tmp_path):
    path = tmp_path / "shop.lock"
    process = holder(path)

    process.send_signal(signal.SIGKILL)
    process.wait()

    with lock(path, "projects/shop"):
        pass
    process.communicate()


def test_a_lock_is_free_after_an_error_inside(tmp_path):
    with pytest.raises(KeyError), lock(tmp_path / "l", "it"):
        raise KeyError
    with lock(tmp_path / "l", "it"):
        pass
