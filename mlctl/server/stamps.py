"""What changes on the disk when a release is replaced: asked often, so it reads nothing while nothing changes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

Stamp = tuple[Path, int, int]


class Changes:
    """What comes to a place after this was made.

    Made before what lies there is opened: so nothing that comes while it is being opened is taken for it.
    """

    def __init__(self, look: Callable[[], Any]) -> None:
        """From now on.

        Args:
            look: The stamp of what lies there; None while nothing does.
        """
        self._look, self._seen = look, look()

    def seen(self) -> bool:
        """Whether something has come since the last call, or since this was made; what came is asked for once."""
        found = self._look()
        if found is None or found == self._seen:
            return False
        self._seen = found
        return True


def stamp(folder: Path) -> Stamp | None:
    """What changes when a release is replaced; None while it has no manifest, which is written last."""
    with suppress(OSError):
        found = (folder / "manifest.json").stat()
        return folder, found.st_ino, found.st_mtime_ns
    return None
