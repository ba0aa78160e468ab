"""What has to outlive a killed retraining, and how the next one finds that there is nothing to do.

.mlctl/NAME/retrain/begun.json      the champion that a retraining found; gone once it has ended
.mlctl/NAME/retrain/finished.json   a hash of all that the last one rested on and left, and its outcome
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

from mlctl import dvc, lineage, releases, rollout, snapshot
from mlctl.errors import MlctlError
from mlctl.files import canonical_json, read_json, sha256_of, sha256_of_file, write_json
from mlctl.retraining._outcomes import Retraining
from mlctl.workspace import Places


def begin(places: Places, champion: str) -> str:
    """Remembers the champion of the beginning; of a retraining that goes on, gives that of its own beginning."""
    path = places.retrain / "begun.json"
    if not path.is_file():
        write_json(path, {"champion": champion})
    return str(read_json(path)["champion"])


def finish(places: Places, became: Retraining) -> None:
    """Writes down what a retraining rested on and left, so that the next one can see that nothing is new."""
    told = {"rests_on": _digest(places), "outcome": became.outcome, "release": became.release}
    write_json(places.retrain / "finished.json", {**told, "remarks": list(became.remarks)})
    (places.retrain / "begun.json").unlink(missing_ok=True)


def last(places: Places, as_of: datetime | None) -> dict[str, Any] | None:
    """The outcome of the last retraining, if everything is as it left it and the data is of the asked moment."""
    path = places.retrain / "finished.json"
    taken = snapshot.read(places)
    if not path.is_file() or (places.retrain / "begun.json").is_file() or taken is None:
        return None
    if as_of is not None and taken.as_of != as_of:
        return None
    told = read_json(path)
    try:
        return dict(told) if told["rests_on"] == _digest(places) else None
    except MlctlError:
        return None  # something is damaged: the long way says what


def _digest(places: Places) -> str:
    """A hash over code, configuration, data and what was made of them; every file of the release is read.

    Raises:
        IntegrityError: The snapshot or the release is damaged, or another project's.
    """
    taken = snapshot.read(places)
    tables = {} if taken is None else {name: sha256_of_file(places.data / f"{name}.parquet") for name in taken.sources}
    files = [places.config, places.admitted, places.waivers, places.tuned, places.params, dvc.PIPELINE]
    files += sorted([*Path("conf").rglob("*.yaml"), *places.metrics.glob("*"), *places.plots.glob("*")])
    return sha256_of(
        canonical_json(
            {
                "code": lineage.code(),
                "surroundings": lineage.surroundings(),
                "files": {str(path): sha256_of_file(path) for path in files if path.is_file()},
                "snapshot": None if taken is None else taken.version,
                "pinned": snapshot.pinned(places.name),
                "tables": tables,
                "stages": _locked(places.name),
                "release": releases.identity_of(places.name, places.release, "") if places.release.is_dir() else None,
                "rollout": rollout.read(places).seal,
            }
        )
    )


def _locked(project: str) -> list[str]:
    """What dvc.lock says of a project's stages, as text: to parse it all would take longer than all the rest."""
    text = dvc.LOCK.read_text(encoding="utf-8") if dvc.LOCK.is_file() else ""
    return re.findall(rf"(?m)^  \w+@{project}:\n(?:    .*\n)*", text)
