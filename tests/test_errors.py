"""Every situation says what is wrong and what to do next, and ends with the exit code of its class."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from mlctl import errors
from mlctl.errors import ConfigError, Fault, MlctlError, Relayed

CODES = {
    "ConfigError": 2,
    "DataError": 3,
    "ConflictError": 5,
    "IntegrityError": 6,
    "ExternalError": 7,
    "StoppedError": 8,
}
SAMPLES: dict[str, Any] = {
    "Path": Path("projects/shop"), "OSError": OSError(28, "No space left on device"), "Sequence[str]": ["alpha", "beta"],
    "Sequence[Fault]": [Fault("model.c", "is missing", "a.yaml:3", "project file", "did you mean 'd'?")], "int": 4, "float": 0.05, "bool": True, "object": 1, "str": "thing",
}  # fmt: skip
CONSTRUCTORS = [
    (kind, name)
    for kind in vars(errors).values()
    if inspect.isclass(kind) and issubclass(kind, MlctlError) and kind is not Relayed
    for name, member in vars(kind).items()
    if isinstance(member, classmethod)
]


def made(kind: type[MlctlError], name: str) -> MlctlError:
    constructor = getattr(kind, name)
    return constructor(
        **{key: SAMPLES[parameter.annotation] for key, parameter in inspect.signature(constructor).parameters.items()}
    )


def test_every_class_has_constructors_and_its_own_exit_code():
    assert {kind.__name__: kind.exit_code for kind, _ in CONSTRUCTORS} == CODES


@pytest.mark.parametrize(
    ("kind", "name"), CONSTRUCTORS, ids=lambda part: part if isinstance(part, str) else part.__name__
)
def test_every_situation_tells_what_and_the_next_step(kind, name):
    error = made(kind, name)

    assert type(error) is kind
    assert error.exit_code == CODES[kind.__name__]
    headings = [heading for heading, _ in error.lines()]
    assert headings[0] == "error"
    assert headings[-1] == "next"
    assert set(headings) <= {"error", "fault", "where", "why", "next"}
    assert not error.what.endswith(".")
    assert all(text and "None" not in text for _, text in error.lines())
    assert str(error) == "\n".join(f"{heading}: {text}" for heading, text in error.lines())


@pytest.mark.parametrize(
    ("kind", "name"), CONSTRUCTORS, ids=lambda part: part if isinstance(part, str) else part.__name__
)
def test_an_error_is_told_again_from_its_record_in_another_process(kind, name):
    error = made(kind, name)

    record = json.loads(json.dumps(error.record()))
    again = Relayed(record["exit_code"], [(heading, text) for heading, text in record["lines"]])

    assert (again.exit_code, again.lines(), str(again), again.what) == (
        error.exit_code,
        error.lines(),
        str(error),
        error.what,
    )
    assert again.record() == record


def test_a_fault_is_one_line_with_place_key_hint_and_who_set_it():
    assert str(Fault("model.c", "is missing")) == "project: model.c: is missing"
    assert (
        str(Fault("k", "is wrong", "a.yaml:3", "preset model=x", "try y"))
        == "a.yaml:3: k: is wrong; try y [preset model=x]"
    )
    error = ConfigError.of_project("shop", [Fault("a", "x"), Fault("b", "y")])
    assert [heading for heading, _ in error.lines()] == ["error", "fault", "fault", "next"]
    assert "2 faults" in error.what
    assert "1 fault" in ConfigError.of_project("shop", [Fault("a", "x")]).what


def test_parts_that_are_not_known_are_left_out():
    assert MlctlError("it broke").lines() == [("error", "it broke")]
    assert MlctlError("it broke").exit_code == errors.EXIT_BUG == 1
    assert Relayed(9, []).what == "a stage failed"


def test_hints_and_lists():
    assert errors.did_you_mean("xyz", ["alpha"]) == ""
    assert errors.did_you_mean("alpa", ["beta", "alpha"]) == "did you mean 'alpha'?"
    assert errors.listed([]) == ""
    assert errors.listed(range(13)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 1 more"
