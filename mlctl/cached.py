"""What DVC gives back is what was put in: DVC does not look again at bytes that it once has hashed.

A disk that loses a bit of the cache would otherwise hand a rotten table to the next stage, under the hash of the good
one. Every file that a stage is about to read, and every output that was taken from the cache, is hashed before use.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from mlctl import dvc
from mlctl.errors import IntegrityError
from mlctl.files import read_json
from mlctl.workspace import STATE, Places

_CACHE: Final = Path(".dvc/cache/files/md5")
_OUT: Final = re.compile(r"- path: (?P<path>\S+)\n +hash: md5\n +md5: (?P<md5>[0-9a-f]{32}(?:\.dir)?)")


def prove_inputs(places: Places, stage: str) -> None:
    """Hashes what a stage is about to read, if DVC runs it.

    Raises:
        IntegrityError: A file is not what DVC has written down.
    """
    import yaml

    pipeline = yaml.safe_load(dvc.PIPELINE.read_text(encoding="utf-8"))["stages"]
    reads = {str(dep).replace("${item.project}", places.name) for dep in pipeline.get(stage, {}).get("deps", ())}
    for path, md5 in _outputs(places.name).items():
        if path in reads:
            _prove(Path(path), md5, f"mlctl run projects/{places.name}")


def prove_outputs(places: Places, stages: Iterable[str]) -> None:
    """Hashes what these stages left, where it was taken from the cache.

    Raises:
        IntegrityError: A file is not what DVC has written down.
    """
    for stage in stages:
        for path, md5 in _outputs(places.name, stage).items():
            _prove(Path(path), md5, f"mlctl run projects/{places.name}")


def _outputs(project: str, stage: str = r"\w+") -> dict[str, str]:
    """The md5 that dvc.lock has of each output in the cache, by path; read as text, which takes no time."""
    text = dvc.LOCK.read_text(encoding="utf-8") if dvc.LOCK.is_file() else ""
    found: dict[str, str] = {}
    for entry in re.findall(rf"(?m)^  {stage}@{project}:\n(?:    .*\n)*", text):
        outputs = entry.partition("\n    outs:\n")[2]
        found |= {match["path"]: match["md5"] for match in _OUT.finditer(outputs)}
    return {path: md5 for path, md5 in found.items() if path.startswith(f"{STATE}/")}


def _prove(path: Path, md5: str, again: str) -> None:
    """Compares a folder or file with its hash.

    Raises:
        IntegrityError: They differ; the message says what to remove so that it is made again.
    """
    if not md5.endswith(".dir"):
        _same(path, md5, again)
        return
    listing = _object(md5)
    if not listing.is_file():
        return  # it was never put into this cache, so it was not taken from there
    _same(listing, md5.removesuffix(".dir"), again)
    entries: list[dict[str, Any]] = read_json(listing)
    for entry in entries:
        _same(path / entry["relpath"], entry["md5"], again)


def _same(path: Path, md5: str, again: str) -> None:
    try:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except FileNotFoundError as error:
        raise IntegrityError.missing(str(path), again) from error
    if found != md5:
        rotten = [str(name) for name in dict.fromkeys((path, _object(md5))) if name.is_file()]
        raise IntegrityError.damaged(str(path), md5, found, f"rm -f {' '.join(rotten)}; then {again}")


def _object(md5: str) -> Path:
    """Where the cache keeps what has this hash."""
    return _CACHE / md5[:2] / md5[2:]
