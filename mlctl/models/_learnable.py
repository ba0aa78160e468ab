"""What every kind refuses to learn from, and how much each row weighs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlctl.errors import ConfigError, DataError, Fault, listed
from mlctl.models import ModelOptions, TrainingTable

if TYPE_CHECKING:
    import numpy as np


def refuse_unlearnable(table: TrainingTable) -> None:
    """Lets a table pass that has rows, finite or missing values, and labels that vary; of classes each must be there.

    Raises:
        DataError: There is no row, a value is infinite, the labels do not vary, or a class has no row.
    """
    import numpy as np

    rows = len(table.labels)
    if rows == 0:
        why = "the training part of the split is empty"
        raise DataError.no_rows("the training rows", why, "look at split: and at the window of the snapshot")
    infinite = np.isinf(table.matrix[:, : len(table.columns)])
    if infinite.any():
        columns = [table.columns[position] for position in np.flatnonzero(infinite.any(axis=0))]
        raise DataError.infinite(columns, int(infinite.any(axis=1).sum()))
    if (table.labels == table.labels[0]).all():
        raise DataError.no_variation("the training rows", float(table.labels[0]), rows)
    if table.task == "multiclass":
        counts = np.bincount(table.labels.astype(np.int64), minlength=len(table.classes))
        gone = [name for name, count in zip(table.classes, counts, strict=True) if count == 0]
        if gone:
            raise DataError.class_without_rows(gone, "the training rows", rows)


def refuse_texts(kind: str, table: TrainingTable) -> None:
    """Lets a table without texts pass.

    Raises:
        ConfigError: The kind cannot learn from the terms of a text.
    """
    if table.texts:
        names = listed([table.columns[text.column] for text in table.texts])
        hint = "take model: {kind: logistic}, or leave the text out of encoding.text"
        raise ConfigError.of_project("model", [Fault("model.kind", f"{kind} cannot read the text {names}", hint=hint)])


def weights(options: ModelOptions, table: TrainingTable) -> np.ndarray[Any, Any] | None:
    """How much each row weighs: float64 array (rows,), on average 1 when balanced; None where all weigh the same.

    Raises:
        ConfigError: `class_weight` names another class than the label has.
    """
    import numpy as np

    wanted = options.class_weight
    if wanted is None or table.task == "regression":
        return None
    codes = table.labels.astype(np.int64)
    if wanted == "balanced":
        counts = np.bincount(codes, minlength=len(table.classes))
        by_class = len(codes) / (len(table.classes) * np.maximum(counts, 1))
    else:
        if unknown := sorted(set(wanted) - set(table.classes)):
            hint = f"the label's classes: {listed(table.classes, 20)}"
            raise ConfigError.of_project("model", [Fault("model.class_weight", f"no class {unknown[0]!r}", hint=hint)])
        by_class = np.array([wanted.get(name, 1.0) for name in table.classes])
    return np.asarray(by_class[codes], dtype=np.float64)
