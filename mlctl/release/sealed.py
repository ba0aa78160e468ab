"""A sealed folder: every file hashed into its manifest, the manifest sealed, its id the hash of its content.

What the files are is the affair of whoever seals them (`mlctl/release/`, `mlctl/recommend/sealing.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from mlctl.errors import IntegrityError
from mlctl.files import canonical_json, read_json, sha256_of, sha256_of_file, write_bytes, write_json

FORMAT: Final = 2
MANIFEST: Final = "manifest.json"
_ID: Final = re.compile(r"[0-9a-f]{16}")
"""The name of a folder in which a release is kept."""
_FILE: Final = re.compile(r"[a-z_][a-z0-9_-]*(\.[a-z_]+)?\.[a-z]+")


def seal(folder: Path, contents: Mapping[str, bytes | str], about: Mapping[str, Any]) -> str:
    """Writes a sealed folder and gives its id.

    Args:
        folder: Where it goes; what lay there is replaced file by file, the manifest last.
        contents: The bytes or text of each file.
        about: Lineage, signature and figures for the manifest.

    Returns:
        The id: the first 16 hex digits of the hash over the files' hashes.

    Raises:
        ExternalError: The folder cannot be written.
    """
    hashes = {name: sha256_of(data) for name, data in contents.items()}
    identity = sha256_of(canonical_json(hashes))[:16]
    (folder / MANIFEST).unlink(missing_ok=True)
    if folder.is_dir():
        for stale in folder.iterdir():
            if stale.name not in contents and _FILE.fullmatch(stale.name):
                stale.unlink()
    for name, data in contents.items():
        write_bytes(folder / name, data.encode() if isinstance(data, str) else data)
    manifest = {"format": FORMAT, "id": identity, "files": hashes, **about}
    write_json(folder / MANIFEST, {**manifest, "seal": sha256_of(canonical_json(manifest))})
    return identity


def read_manifest(folder: Path, next_step: str, belongs: Callable[[str], bool]) -> dict[str, Any]:
    """The manifest, after proving that it and every file that it names are as they were sealed.

    Args:
        folder: The sealed folder.
        next_step: What to type where it is not whole.
        belongs: Whether a file of this name may stand in such a folder.

    Raises:
        IntegrityError: A file is missing, changed, or none of such a folder; or a kept release is another one than its
            folder is named by.
    """
    manifest = read_json(folder / MANIFEST, next_step)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise IntegrityError.refused(
            str(folder / MANIFEST), f"it is not of format {FORMAT}, which this version reads", next_step
        )
    unsealed = {key: value for key, value in manifest.items() if key != "seal"}
    sealed, found = str(manifest.get("seal")), sha256_of(canonical_json(unsealed))
    if sealed != found or (folder / MANIFEST).read_text(encoding="utf-8") != canonical_json(manifest):
        raise IntegrityError.damaged(str(folder / MANIFEST), sealed, found, next_step)
    for name, wanted in manifest["files"].items():
        if not _FILE.fullmatch(name) or not belongs(name):
            raise IntegrityError.refused(str(folder), f"it lists {name!r}, which is no file of a release", next_step)
        found = sha256_of_file(folder / name)
        if wanted != found:
            raise IntegrityError.damaged(str(folder / name), str(wanted), found, next_step)
    if sha256_of(canonical_json(manifest["files"]))[:16] != manifest["id"]:
        raise IntegrityError.refused(str(folder), "its id is not the hash of its files", next_step)
    if _ID.fullmatch(folder.name) and folder.name != manifest["id"]:
        found = f"the release {manifest['id']}"
        raise IntegrityError.another_lineage(str(folder), f"the release {folder.name}", found, next_step)
    return manifest


def must_be_of(project: str, manifest: Mapping[str, Any], folder: Path) -> None:
    """Refuses a release that was made by another project, whose features and answers would pass for this one's.

    A copy keeps its id and its pointer, so that DVC would bring the same one back: the next step names one's own.

    Raises:
        IntegrityError: It is another project's.
    """
    made_by = manifest.get("project")
    if made_by != project:
        wanted, found = f"a release of projects/{project}", f"a release of projects/{made_by}"
        next_step = f"mlctl releases {project} lists its own; mlctl run projects/{project} seals one"
        raise IntegrityError.another_lineage(str(folder), wanted, found, next_step)
