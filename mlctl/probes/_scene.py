"""What every probe looks at: the rows, in which part of the split each stands, and each feature in bins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mlctl.findings import Finding, Severity
from mlctl.plan import AS_OF
from mlctl.probes._bins import Binned, binned
from mlctl.spec import Project

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]

LABEL: Final = "label"
FOLD: Final = "fold"
SHOWN: Final = 3
"""Most keys that a finding shows."""
IN_TIME: Final = frozenset({"time", "backtest"})
"""Splits in which an entity may stand on both sides, at different moments."""


class Looked(NamedTuple):
    """What one probe saw: findings on so many rows, or why it did not run."""

    rows: int
    findings: list[Finding]
    why: str = ""

    @classmethod
    def not_run(cls, why: str) -> Looked:
        """A probe that has nothing to look at."""
        return cls(0, [], why)


@dataclass(frozen=True)
class Scene:
    """The rows of both parts, once.

    Attributes:
        project: Names the key, the label and the limits.
        rows: Grain: one entity at one moment; training rows first. Time: `as_of`.
        part: int array (rows,): 0 teaches and 1 judges; with folds, the fold.
        columns: The features but texts: those are another one in each row, and there to tell the label.
        task: binary, multiclass or regression.
        whole: All features.
    """

    project: Project
    rows: pl.DataFrame
    part: Array
    columns: tuple[str, ...]
    task: str = "binary"
    whole: tuple[str, ...] = ()
    _codes: dict[str, Binned] = field(default_factory=dict)

    @classmethod
    def of(cls, project: Project, train: pl.DataFrame, test: pl.DataFrame, columns: Sequence[str]) -> Scene:
        """The scene of two parts, or of one in folds."""
        import numpy as np
        import polars as pl

        task = str(getattr(project.label, "task", "binary"))
        apart, whole = tuple(name for name in columns if name not in project.encoding.texts), tuple(columns)
        if FOLD in train.columns:
            return cls(project, train, train[FOLD].to_numpy().astype(np.int64), apart, task, whole)
        rows = pl.concat([train, test.select(train.columns)], how="vertical_relaxed")
        part = np.repeat(np.array([0, 1]), [train.height, test.height])
        return cls(project, rows, part, apart, task, whole)

    @property
    def folds(self) -> bool:
        """Whether everybody judges once."""
        return FOLD in self.rows.columns

    @property
    def in_time(self) -> bool:
        """Whether later moments judge, so that an entity may stand on both sides."""
        return str(self.project.split.kind) in IN_TIME

    @cached_property
    def truth(self) -> Array:
        """float64 array (rows,): the label as number; codes of classes for multiclass."""
        import numpy as np
        import polars as pl

        label = self.rows[LABEL]
        # classes that are still texts are numbered in their order
        numbers = label if label.dtype.is_numeric() or label.dtype == pl.Boolean else label.rank("dense") - 1
        return np.asarray(numbers.cast(pl.Float64).to_numpy())

    @cached_property
    def teaches(self) -> Array:
        """Bool array (rows,): the training rows; every row with folds."""
        import numpy as np

        return np.ones(len(self.part), dtype=bool) if self.folds else self.part == 0

    @cached_property
    def moment(self) -> Array:
        """Bool array (rows,): the rows of the moment at which most rows stand, so that each entity stands once."""
        import numpy as np

        moments = self.rows[AS_OF].rank("dense").to_numpy().astype(np.int64)
        return np.asarray(moments == np.bincount(moments, minlength=1).argmax())

    def bins(self, column: str) -> Binned:
        """A feature in bins over all rows; computed once."""
        if column not in self._codes:
            self._codes[column] = binned(self.rows[column])
        return self._codes[column]

    def severity(self, probe: str) -> Severity:
        """What the project says of a probe that is not skipped."""
        said: Severity = getattr(self.project.probes, probe)
        return said

    def keys(self, positions: Sequence[int] | Array) -> str:
        """A few of the rows by their keys, for people."""
        key = self.rows[self.project.entity.key]
        return ", ".join(str(key[int(position)]) for position in positions[:SHOWN])
