"""What answers requests away from a workspace: the package's own files, the release, and the libraries both need."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Final

from mlctl.errors import ExternalError
from mlctl.exports import DSN, HOME, PORT, Files, Parcel, yaml_text

SERVING: Final = (
    *("typer", "rich", "pydantic", "pyyaml", "numpy", "scipy", "polars", "pyarrow", "onnx", "onnxruntime", "jinja2"),
    *("uvicorn", "uvloop", "httptools", "orjson", "prometheus-client"),
)
"""What `mlctl serve` imports; none of it trains or reads a Hydra configuration."""
_DATABASE: Final = ("psycopg", "psycopg-binary", "pgvector")
_LEFT_OUT: Final = frozenset({"__pycache__"})


def program(parcel: Parcel) -> Files:
    """The files of the folder from which `command` runs: package, release, and the mark of a workspace."""
    package = Path(__file__).parents[1]
    found: Files = {
        f"mlctl/{path.relative_to(package)}": path.read_bytes()
        for path in sorted(package.rglob("*"))
        if path.suffix in (".py", ".html") and not _LEFT_OUT & set(path.parts)
    }
    found |= {f"release/{name}": data for name, data in parcel.contents.items()}
    found["dvc.yaml"] = "# marks the workspace; nothing is built here\n"
    found[f"projects/{parcel.name}/project.yaml"] = f"name: {parcel.name}  # the release holds all the rest\n"
    if parcel.database is not None:
        own = {"kind": "postgres", "dsn": f"${{oc.env:{DSN}}}", "schema": parcel.database.schema_name}
        mapping = {**json.loads(parcel.contents["project.json"]), "database": own}
        head = "# The project as the release was sealed; the database is the one that the environment names.\n"
        found[f"projects/{parcel.name}/params.yaml"] = head + yaml_text(mapping)
    return found


def fetch(parcel: Parcel) -> list[str]:
    """The words behind `python` that fetch the features by key which the database holds now."""
    return ["-m", "mlctl.cli", "materialize", parcel.name, "--database", "get"]


def command(parcel: Parcel, home: str = HOME, host: str = "0.0.0.0") -> list[str]:  # noqa: S104 - inside a container
    """The words behind `python`."""
    return [
        "-m",
        "mlctl.cli",
        "serve",
        parcel.name,
        "--release",
        f"{home}/release",
        "--host",
        host,
        "--port",
        str(PORT),
    ]


def requirements(parcel: Parcel) -> str:
    """The libraries that serving a release needs, in the versions that are installed here and answered the golden rows.

    Raises:
        ExternalError: One of them is not installed.
    """
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    found: dict[str, str] = {}
    waiting = list(SERVING)
    if parcel.reads_by_encoder:
        waiting.append("tokenizers")
    if parcel.database is not None:
        waiting += _DATABASE
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        try:
            found[name] = version(name)
        except PackageNotFoundError as error:
            raise ExternalError.tool("mlctl export", f"{name} is not installed here") from error
        for line in requires(name) or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                waiting.append(needed.name)
    return "".join(f"{name}=={found[name]}\n" for name in sorted(found))
