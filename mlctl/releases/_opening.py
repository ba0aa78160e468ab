"""A kept or sealed release of whichever kind, proved to be whole and to answer as it was sealed."""

from __future__ import annotations

from pathlib import Path

from mlctl.release import open_release, sealed

_GRAPH = "model.onnx"
"""The file that a release which scores rows has, and one that ranks items has not."""


def identity_of(folder: Path, next_step: str) -> str:
    """The id of a release, after proving that every file is as it was sealed.

    Raises:
        IntegrityError: A file is missing or changed.
    """
    return str(sealed.read_manifest(folder, next_step, lambda _: True)["id"])


def prove(folder: Path, next_step: str) -> None:
    """Opens a release, which asks it for its golden answers.

    Raises:
        IntegrityError: It is missing, damaged, or does not answer as sealed.
    """
    if (folder / _GRAPH).is_file() or not (folder / sealed.MANIFEST).is_file():
        open_release(folder, next_step)
        return
    from mlctl.recommend.sealing import open_recommender

    open_recommender(folder, next_step)
