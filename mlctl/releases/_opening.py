"""A kept or sealed release of whichever kind, proved to be whole and to answer as it was sealed."""

from __future__ import annotations

from pathlib import Path

from mlctl.release import open_release, sealed

_GRAPH = "model.onnx"
"""The file that a release which scores rows has, and one that ranks items has not."""


def identity_of(project: str, folder: Path, next_step: str) -> str:
    """The id of a project's release, after proving that every file is as it was sealed.

    Raises:
        IntegrityError: A file is missing or changed, or it is another project's.
    """
    manifest = sealed.read_manifest(folder, next_step, lambda _: True)
    sealed.must_be_of(project, manifest, folder)
    return str(manifest["id"])


def prove(project: str, folder: Path, next_step: str) -> None:
    """Opens a project's release, which asks it for its golden answers.

    Raises:
        IntegrityError: It is missing, damaged, another project's, or does not answer as sealed.
    """
    if (folder / _GRAPH).is_file() or not (folder / sealed.MANIFEST).is_file():
        manifest = open_release(folder, next_step).manifest
    else:
        from mlctl.recommend.sealing import open_recommender

        manifest = open_recommender(folder, next_step).manifest
    sealed.must_be_of(project, manifest, folder)
