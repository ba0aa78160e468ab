"""Who may import whom: a module imports only from rows above its own; neighbours never import each other."""

import ast
from pathlib import Path

import pytest

from mlctl.kinds import SEAMS

ROOT = Path(__file__).parents[2]
ROWS = """
cron errors findings schema_drift times
environment files git kinds strict_yaml workspace
checks crash dvc features metrics quarantine rankings snapshot text text_encoder
cached spec
alerts costs database lineage models rollout
alarms config graphs plan sources
doctor drafts encoding explain freshness history judging online outcomes probes
decide engines gates report slices
advice release validating
recommend serving sketches
exports index recommenders releases
monitors ramp timetables
server
stages
comparing distributing leakcheck materializing reproduce scoring tuning
flow indexing parity returns staleness
retraining watching
changes health responding review
console
cli
""".split("\n")
ROW_OF = {name: index for index, row in enumerate(ROWS) for name in row.split()}
FILES = sorted((ROOT / "mlctl").rglob("*.py"))


def modules_imported_by(path: Path) -> set[str]:
    """First name below `mlctl` of every import, also of those inside functions and for types."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "mlctl":
            rest = node.module.split(".")[1:]
            found |= {".".join(rest)} if rest else {alias.name for alias in node.names}
        if isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("mlctl.") for alias in node.names if alias.name.startswith("mlctl.")}
    return found - {"__version__"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT / "mlctl")))
def test_a_module_imports_only_from_the_rows_above_its_own(path: Path) -> None:
    here = path.relative_to(ROOT / "mlctl").parts[0].removesuffix(".py")
    if here == "__init__":
        assert not modules_imported_by(path)
        return
    for imported in modules_imported_by(path):
        there = imported.split(".")[0]
        assert there in ROW_OF, f"{there} has no row in the table above"
        if there == here:
            continue
        assert ROW_OF[there] < ROW_OF[here], f"{here} (row {ROW_OF[here]}) imports {there} (row {ROW_OF[there]})"


@pytest.mark.parametrize("path", [path for path in FILES if path.parent.name in SEAMS], ids=lambda path: path.stem)
def test_kinds_of_a_seam_know_only_their_seam_and_its_helpers(path: Path) -> None:
    seam = path.parent.name
    for imported in modules_imported_by(path):
        parts = imported.split(".")
        if parts[0] == seam and len(parts) > 1:
            assert parts[1].startswith("_"), f"{seam}.{path.stem} imports its neighbour {imported}"


def test_every_module_has_a_row() -> None:
    names = {path.relative_to(ROOT / "mlctl").parts[0].removesuffix(".py") for path in FILES} - {"__init__"}

    assert names == set(ROW_OF)


def test_rich_is_known_to_the_console_alone_and_only_the_command_line_exits() -> None:
    for path in FILES:
        text = path.read_text()
        if path.parent.name != "console":
            assert "rich" not in {name.split(".")[0] for name in third_party_imports(text)}, path
        if path.parent.name != "cli":
            assert "sys.exit(" not in text, path
            assert "print(" not in text or path.parent.name == "console", path


def third_party_imports(text: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found
