"""What models are tried on before the test: training rows, and the parts in which they judge each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlctl.judging import splits
from mlctl.metrics import Measure, measuring
from mlctl.spec import Project
from mlctl.stages._rows import scored

if TYPE_CHECKING:
    import numpy as np
    import polars as pl


@dataclass(frozen=True)
class Ground:
    """What every model is tried on.

    Attributes:
        project: The project.
        rows: Its training rows.
        columns: Their features.
        known: Names of the classes.
        parts: Who teaches and who judges, once a part.
        metric: Name of the metric that decides.
        space: By option of the model, its range, where options are tried.
    """

    project: Project
    rows: pl.DataFrame
    columns: list[str]
    known: tuple[str, ...]
    parts: tuple[splits.Part, ...]
    metric: str
    space: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def measure(self) -> tuple[Measure, str]:
        """The metric that decides, and which side is better."""
        return measuring(self.project.metrics[self.metric])

    def held_out(
        self, options: Any, share: float = 1.0, hear: Callable[[int, float], bool] | None = None
    ) -> np.ndarray[Any, Any] | None:
        """Scores of the rows that judge, by models of a share of those that teach; None when it was given up."""
        import numpy as np

        width = (len(self.known),) if self.project.label.task == "multiclass" else ()
        scores = np.full((self.rows.height, *width), np.nan)
        truth, (measure, _) = self.truth(), self.measure()
        for number, (teaches, judges) in enumerate(self.parts):
            taught = self.taught(teaches, share)
            asked = self.rows.filter(judges)
            scores[judges] = scored(self.project, options, taught, asked, (self.columns, self.known))
            value = measure(truth[judges], scores[judges], np.ones(int(judges.sum())))
            if hear is not None and hear(number, value):
                return None
        return scores

    def taught(self, teaches: np.ndarray[Any, Any], share: float) -> pl.DataFrame:
        """Of the rows that teach those of a share of the entities; a smaller share's are among a larger one's."""
        import numpy as np
        import polars as pl

        entities = splits.entity_codes(self.project, self.rows)
        drawn = np.random.Generator(np.random.PCG64(self.project.tune.seed)).random(int(entities.max(initial=-1)) + 1)
        return self.rows.filter(pl.Series(teaches & (drawn[entities] < share)))

    def truth(self) -> np.ndarray[Any, Any]:
        """The labels, float64 (rows,)."""
        labels: np.ndarray[Any, Any] = self.rows["label"].to_numpy().astype("float64")
        return labels

    def judged(self) -> np.ndarray[Any, Any]:
        """Mask of the rows that judge in some part."""
        import numpy as np

        mask: np.ndarray[Any, Any] = np.logical_or.reduce([judges for _, judges in self.parts])
        return mask

    def value(self, scores: np.ndarray[Any, Any]) -> float:
        """The metric over all rows that judge."""
        import numpy as np

        chosen = self.judged()
        return self.measure()[0](self.truth()[chosen], scores[chosen], np.ones(int(chosen.sum())))
