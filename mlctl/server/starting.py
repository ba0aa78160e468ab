"""What `mlctl serve` starts: a server of rows or of recommendations, one process or several."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from mlctl.files import read_json
from mlctl.server import process, recommend_process
from mlctl.server.answers import Answerer
from mlctl.server.process import Served
from mlctl.server.recommend_process import Beside


def serve(
    served: Served, beside: Beside, workers: int, now: Callable[[], datetime], tell: Callable[[str], None]
) -> None:
    """Serves until a signal ends it.

    Args:
        served: What, and where.
        beside: What a recommender reads beside its release.
        workers: How many processes share the port.
        now: The clock.
        tell: Hears what happens.

    Raises:
        IntegrityError: The release is missing, damaged, another project's, or does not answer as sealed.
        ExternalError: The address cannot be listened on.
    """
    recommends = _recommends(served.release(), served.next_step)
    if workers > 1:
        # a release that does not open would let one worker after the other die
        if recommends:
            recommend_process.opened(served, beside)
        else:
            Answerer.open(served.release(), served.name, served.next_step)
        process.serve_by_several(served, workers, tell)
    elif recommends:
        recommend_process.serve(served, beside, now, tell)
    else:
        process.serve(served, now, tell)


def _recommends(folder: Path, next_step: str) -> bool:
    """Whether a sealed folder is a recommender's.

    Raises:
        IntegrityError: It has no manifest.
    """
    manifest = read_json(folder / "manifest.json", next_step)
    return isinstance(manifest, dict) and manifest.get("task") == "ranking"
