"""What people see in the file is what the program gets; everything else is refused with its line."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mlctl.errors import ConfigError
from mlctl.strict_yaml import MAX_BYTES, read_yaml, yaml_text


def read(folder: Path, text: str | bytes):
    path = folder / "some.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_yaml(path)


def refused(folder: Path, text: str | bytes) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        read(folder, text)
    assert caught.value.exit_code == 2
    assert "some.yaml" in caught.value.where
    assert caught.value.why
    assert caught.value.next_step
    return caught.value


def test_values_and_the_line_of_every_key_and_item(tmp_path):
    value, lines = read(tmp_path, "a: 1\nb:\n  c: [x, 0.5]\n  d:\n    - true\n    - null\n")

    assert value == {"a": 1, "b": {"c": ["x", 0.5], "d": [True, None]}}
    assert lines == {"a": 1, "b": 2, "b.c": 3, "b.c.0": 3, "b.c.1": 3, "b.d": 4, "b.d.0": 5, "b.d.1": 6}


@pytest.mark.parametrize("trap", "no yes on OFF y N 010 09 -010 0_10 12:30 12:30:45 -1:30 12:30:45.5 00:30".split())
def test_a_plain_word_that_yaml_turns_into_something_else_is_refused_and_the_quoted_one_is_text(tmp_path, trap):
    assert refused(tmp_path, f"a: 1\nb: {trap}\n").where.endswith("some.yaml:2")
    assert trap in refused(tmp_path, f"b: [{trap}]\n").why
    assert refused(tmp_path, f"{trap}: 1\n").where.endswith("some.yaml:1")
    assert read(tmp_path, f"b: '{trap}'\n")[0] == {"b": trap}


@pytest.mark.parametrize(
    ("text", "value"),
    [("2026-11-01", "2026-11-01"), ("2026-11-01T06:00:00Z", "2026-11-01T06:00:00Z"), ("0", 0), ("0.5", 0.5), ("-3", -3),
     ("true", True), ("False", False), ("30d", "30d"), ("${model.c}", "${model.c}"), ("'c[0-9]{6,}'", "c[0-9]{6,}")],
)  # fmt: skip
def test_dates_stay_text_and_plain_numbers_are_numbers(tmp_path, text, value):
    found = read(tmp_path, f"a: {text}\n")[0]["a"]

    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("a: 1\nb: &x 2\n", 2, "anchors and aliases"),
        ("a: &x {b: 1}\nc: *x\n", 1, "anchors and aliases"),
        ("a: 1\nb: !!python/object/apply:os.system [ls]\n", 2, "tag"),
        ("a: !!str 1\n", 1, "tag"),
        ("a: 1\nb: 2\na: 3\n", 3, "'a' stands twice"),
        ("a:\n  b: 1\n  b: 1\n", 3, "'b' stands twice"),
        ("a: 1\nb:\n\tc: 2\n", 3, "'\\t'"),
        ("a: [1, 2\nb: 3\n", 2, "expected"),
        ("a: =\n", 1, "constructor"),
    ],
)
def test_what_is_refused_is_named_with_its_line(tmp_path, text, line, why):
    error = refused(tmp_path, text)

    assert error.where.endswith(f"some.yaml:{line}")
    assert why in error.why


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "- a\n- b\n", "just text\n", b"a: \xff\xfe\n", "a: 1\n---\nb: 2\n", "a: \x07\n"]
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text):
    refused(tmp_path, text)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(ConfigError) as caught:
            read_yaml(path)
        assert "does not exist" in caught.value.why


def test_a_huge_file_is_refused_before_it_is_read_as_yaml(tmp_path):
    assert f"{MAX_BYTES:,}" in refused(tmp_path, b"a: " + b"x" * MAX_BYTES).why
    assert read(tmp_path, b"a: " + b"x" * (MAX_BYTES - 3))[0] == {"a": "x" * (MAX_BYTES - 3)}


@pytest.mark.parametrize(
    "text",
    ["a: " + "[" * 10_000, "a: " + "[" * 10_000 + "]" * 10_000, "a: " + "{a: " * 10_000, "a:\n" + "- " * 10_000,
     "".join(" " * depth + "a:\n" for depth in range(1_400))],
    ids=["open", "closed", "mappings", "dashes", "blocks"],
)  # fmt: skip
def test_deep_nesting_is_refused_at_once(tmp_path, text):
    begin = time.process_time()

    refused(tmp_path, text)

    assert time.process_time() - begin < 1.0


def test_the_merge_key_merges_nothing(tmp_path):
    assert read(tmp_path, "<<: {a: 1}\nb: 2\n")[0] == {"<<": {"a": 1}, "b": 2}


def test_written_data_is_read_back_as_it_was(tmp_path):
    same = ["shared"]
    words = "no yes n y on 010 -010 09 00:30 12:30:45.5 1e3 2026-11-01 null ~ true = << *a &a !x".split()
    data = {
        "words": [*words, "", " a ", "a: b", "#", "a\nb\n", "é ü 漢字", "\x85\u2028", "'", '"', "${a}", "x " * 100],
        "numbers": [0, -1, 10**15, 0.1, 1e-9, 1e300, True, False, None],
        "y": {"n": same, "again": same, "empty": {}, "none": []},
    }

    assert read(tmp_path, yaml_text(data))[0] == data
    assert yaml_text(data) == yaml_text(read(tmp_path, yaml_text(data))[0])
