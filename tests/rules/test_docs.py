"""Everything public is explained, and what the README shows is true."""

import ast
import re
from pathlib import Path

import pytest
import typer

from mlctl import cli, kinds

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "mlctl").rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_everything_public_has_a_docstring(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "the module"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), node.name


@pytest.mark.parametrize(("seam", "kind"), [(seam, kind) for seam in kinds.SEAMS for kind in kinds.names(seam)])
def test_a_kind_explains_itself_and_its_example_is_valid(seam: str, kind: str) -> None:
    module = kinds.load(seam, kind)

    assert kinds.options(seam, module.EXAMPLE).kind == kind
    assert all(field.description for field in module.Options.model_fields.values())
    text = kinds.explain(seam, kind)
    assert "Options:" in text
    assert "Example:" in text


def commands(app: typer.Typer, prefix: str = "") -> set[str]:
    found = {
        prefix + (command.name or command.callback.__name__) for command in app.registered_commands if command.callback
    }
    for group in app.registered_groups:
        found |= commands(group.typer_instance, f"{prefix}{group.name} ") if group.typer_instance else set()
    return found


@pytest.mark.parametrize("name", ["README.md", ".github/CONTRIBUTING.md", "projects/churn/README.md"])
def test_every_command_that_the_documents_show_exists(name: str) -> None:
    known = commands(cli.app)
    known |= {command.split()[0] for command in known}
    shown = set(re.findall(r"\bmlctl ([a-z]+(?: (?:url|psql|start|stop))?)\b", (ROOT / name).read_text()))

    assert {command for command in shown if command not in known and command.split()[0] not in known} == set()


@pytest.mark.parametrize("name", ["README.md", ".github/CONTRIBUTING.md"])
def test_every_path_that_the_documents_show_exists(name: str) -> None:
    text = (ROOT / name).read_text()
    paths = re.findall(r"`((?:\.ci|\.github|conf|mlctl|projects/churn|tests)/[\w./-]*)`", text)

    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []
