"""Small enough to read: files, functions, parameters, commands."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "mlctl").rglob("*.py"))
MAX_FILE = 400
MAX_FUNCTION = 60
MAX_PARAMETERS = 5
FORBIDDEN = {"utils", "helpers", "common", "base", "manager", "core", "types"}


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            yield node


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_and_its_functions_can_be_held_in_the_head(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_FILE
    for function in functions(path):
        docstring = len((ast.get_docstring(function) or "").splitlines())
        lines = (function.end_lineno or 0) - function.lineno + 1 - docstring
        assert lines <= MAX_FUNCTION, f"{function.name} has {lines} lines"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_function_takes_few_parameters(path: Path) -> None:
    for function in functions(path):
        arguments = function.args
        # keyword-only parameters are named at the call, so they do not have to be remembered
        count = len(arguments.posonlyargs) + len(arguments.args)
        own = function.args.args[0].arg in ("self", "cls") if function.args.args else False
        assert count - own <= MAX_PARAMETERS, f"{function.name} takes {count}"


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert not FORBIDDEN & {path.stem for path in FILES}


def test_no_frame_is_called_df() -> None:
    for path in FILES:
        names = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
        assert "df" not in names, path
