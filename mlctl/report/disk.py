"""What the stages left of a project, each part as it is or as absent; and what does not belong together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlctl.errors import IntegrityError, first_line
from mlctl.files import read_json, sha256_of_file
from mlctl.plan import AS_OF
from mlctl.spec import Project
from mlctl.workspace import Places

if TYPE_CHECKING:
    import polars as pl

Record = dict[str, Any]


@dataclass(frozen=True)
class Disk:
    """The artefacts of one project; None where there is none.

    Attributes:
        places: Where they lie.
        project: The project.
        checked: Findings and counts of the checks.
        features: The parts that teach and judge.
        frozen: The settled evaluation sets, and what the probes for leaks said.
        trained: The ladder.
        policy: What decisions go by.
        evaluation: The judgement.
        gate: The verdicts.
        manifest: Of the release.
    """

    places: Places
    project: Project
    checked: Record | None
    features: Record | None
    frozen: Record | None
    trained: Record | None
    policy: Record | None
    evaluation: Record | None
    gate: Record | None
    manifest: Record | None

    def missing(self) -> list[str]:
        """What is absent, and what was made from something else than what lies here now, a sentence each."""
        again = f"mlctl run projects/{self.places.name}"
        parts = {
            "checked tables": self.checked,
            "training and test tables": self.features,
            "trained model": self.trained,
            "evaluation": self.evaluation,
            "verdict of the gate": self.gate,
        }
        told = [f"There is no {name} yet; {again} makes it." for name, part in parts.items() if part is None]
        if self.manifest is None:
            refused = self.gate is not None and not self.gate["passed"]
            why = "the gate refused the model" if refused else f"{again} makes one"
            told.append(f"There is no release: {why}.")
        return told + [f"{fault} {again} brings it up to date." for fault in self._strangers()]

    def _strangers(self) -> list[str]:
        faults = []
        test = (self.evaluation or {}).get("test_set", {}).get("sha256")
        if self.evaluation and self.features and test != self.features["test"]["sha256"]:
            faults.append("The evaluation is of another test set than the one that lies here.")
        judged = (self.gate or {}).get("evaluation")
        if self.gate and self.evaluation and judged != sha256_of_file(self.places.evaluation / "report.json"):
            faults.append("The gate judged another evaluation than the one that lies here.")
        if self.manifest and self.evaluation and self.manifest.get("evaluation", {}).get("test_set") != test:
            faults.append("The release was sealed after another evaluation than the one that lies here.")
        graph = self.places.model / f"{self.own()}.onnx"
        sealed = (self.manifest or {}).get("files", {}).get("model.onnx")
        if sealed and graph.is_file() and sealed != sha256_of_file(graph):
            faults.append("The release holds another model than the one that is told of here.")
        return faults

    def own(self) -> str | None:
        """The model that was adopted."""
        return None if self.evaluation is None else str(self.evaluation["model"])

    def threshold(self) -> float:
        """Scores from here on are decided `above`."""
        found = (self.policy or {}).get("threshold")
        return 0.5 if found is None else float(found)

    def scored(self) -> pl.DataFrame | None:
        """The test rows with label and scores, and with features where these are of the same rows; or None.

        Grain: one row per entity and `as_of`. Time: label lies after `as_of`, features before it.

        Raises:
            IntegrityError: A file is there and cannot be read, or is not the one that was recorded.
        """
        import polars as pl

        path, again = self.places.evaluation / "scores.parquet", f"mlctl run projects/{self.places.name}"
        if self.evaluation is None or not path.is_file():
            return None
        scores = _table(path, again)
        features = self.places.features / "test.parquet"
        recorded = (self.features or {}).get("test", {}).get("sha256")
        if not features.is_file() or recorded != self.evaluation["test_set"]["sha256"]:
            return scores
        if (found := sha256_of_file(features)) != recorded:
            raise IntegrityError.damaged(str(features), recorded, found, again)
        rows, keys = _table(features, again), [self.project.entity.key, AS_OF]
        if not rows.select(keys).equals(scores.select(keys)):
            return scores
        return pl.concat([scores, rows.drop([name for name in scores.columns if name in rows])], how="horizontal")


def read(places: Places, project: Project) -> Disk:
    """Reads what is there.

    Raises:
        IntegrityError: A file is there and is not JSON.
    """
    found = {
        "checked": places.checked / "report.json",
        "features": places.features / "report.json",
        "frozen": places.frozen / "report.json",
        "trained": places.model / "report.json",
        "policy": places.model / "policy.json",
        "evaluation": places.evaluation / "report.json",
        "gate": places.metrics / "gate.json",
        "manifest": places.release / "manifest.json",
    }
    return Disk(places, project, **{name: _record(path, places) for name, path in found.items()})


def _record(path: Path, places: Places) -> Any:
    return read_json(path, f"mlctl run projects/{places.name}") if path.is_file() else None


def _table(path: Path, again: str) -> pl.DataFrame:
    import polars as pl

    try:
        return pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise IntegrityError.refused(str(path), f"it cannot be read: {first_line(error)}", again) from error
