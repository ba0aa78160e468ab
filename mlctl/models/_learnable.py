"""What every kind refuses to learn from."""

from __future__ import annotations

from mlctl.errors import DataError
from mlctl.models import TrainingTable


def refuse_unlearnable(table: TrainingTable) -> None:
    """Lets a table pass that has rows, finite or missing values, and both outcomes.

    Raises:
        DataError: There is no row, a value is infinite, or the labels do not vary.
    """
    import numpy as np

    rows = len(table.labels)
    if rows == 0:
        why = "the training part of the split is empty"
        raise DataError.no_rows("the training rows", why, "look at split: and at the window of the snapshot")
    infinite = np.isinf(table.matrix)
    if infinite.any():
        columns = [table.columns[position] for position in np.flatnonzero(infinite.any(axis=0))]
        raise DataError.infinite(columns, int(infinite.any(axis=1).sum()))
    if (table.labels == table.labels[0]).all():
        raise DataError.no_variation("the training rows", float(table.labels[0]), rows)
