"""What `mlctl init` makes of `--label COLUMN`: yes or no, one of several classes, or a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mlctl.drafts.discovery import Draft, Found
from mlctl.drafts.drafting import scalar
from mlctl.drafts.profile import ColumnProfile
from mlctl.errors import ConfigError, did_you_mean, listed
from mlctl.spec import Task

if TYPE_CHECKING:
    import polars as pl

_LEAK_AUC: Final = 0.99
_MOST_CLASSES: Final = 200
_FEWEST_OF_A_CLASS: Final = 5


@dataclass(frozen=True)
class LabelDraft:
    """A label that is a column.

    Attributes:
        source: The table that holds it.
        column: The column.
        task: What is foretold.
        positive: Binary: the value that counts as 1.
        classes: Multiclass: the classes of enough rows, where others have too few; empty where all have enough.
    """

    source: str
    column: str
    task: Task
    positive: Any = None
    classes: tuple[str, ...] = ()

    def line(self) -> str:
        """The section `label:`."""
        head = f"label: {{kind: lookup, source: {self.source}, column: {scalar(self.column)}"
        if self.task == "binary":
            return f"{head}, is: {scalar(self.positive)}}}"
        if self.classes:
            named = ", ".join(scalar(name) for name in self.classes)
            return f"{head}, task: multiclass, other: other, classes: [{named}]}}  # other: too few rows of each"
        return f"{head}, task: {self.task}}}"

    def gate_lines(self) -> list[str]:
        """The section `gate:`: the least that may be asked, to be raised."""
        rule = {
            "binary": "ranks: {metric: roc_auc, min: 0.6}  # raise it to what you need",
            "multiclass": "right: {metric: accuracy, better_than: constant}  # add a min that you need",
            "regression": "explains: {metric: r2, min: 0.1}  # raise it to what you need",
        }
        return ["gate:", f"  {rule[self.task]}"]


def label_of(draft: Draft, given: str | None) -> LabelDraft:
    """What a command line's `COLUMN` or `COLUMN=VALUE` foretells.

    Two values are yes or no (the rarer is 1), more words are classes, more numbers are a number.

    Raises:
        ConfigError: There is no such column or value, or nothing to be foretold about it.
    """
    source, column, value = _column(draft, given or "")
    found = draft.tables[source]
    counts = found.table[column].drop_nulls().value_counts(name="rows").sort("rows", column)
    values = counts[column].to_list()
    if value is not None:
        return LabelDraft(source, column, "binary", _named(values, column, value))
    if len(values) == 2:
        return LabelDraft(source, column, "binary", values[0])
    kind = found.profile.column(column).kind
    if kind in ("integer", "number") and len(values) > 2:
        return LabelDraft(source, column, "regression")
    often = sorted(counts.filter(counts["rows"] >= _FEWEST_OF_A_CLASS)[column].to_list()) if kind == "text" else []
    if 2 <= len(often) <= _MOST_CLASSES:
        return LabelDraft(source, column, "multiclass", classes=tuple(often) if len(often) < len(values) else ())
    named = f"; name the one to be foretold, such as --label '{column}={values[0]}'" if values else ""
    why = f"{column} has {len(values)} values ({listed(values)}), which are neither yes and no nor classes{named}"
    raise ConfigError.bad_argument(f"--label {column}", why)


def hint(draft: Draft, given: str | None) -> str:
    """What could be foretold."""
    two = [f"{c.name}" for f in draft.tables.values() for c in f.profile.columns if c.values == 2]
    events = [name for name, found in draft.tables.items() if found.profile.time]
    ways = [f"--label {name}" for name in two[:8]] + [f"--label 'none {name} 90d'" for name in events]
    known = {column.name for found in draft.tables.values() for column in found.profile.columns}
    near = did_you_mean(given, known) if given else ""
    return near or (f"say what is to be foretold, such as {', '.join(ways)}" if ways else "no column has two values")


def left_out(found: Found, label: LabelDraft, entity: str) -> dict[str, str]:
    """Columns that are no features, and why."""
    reasons = {}
    for column in found.profile.columns:
        if column.name in (label.column, entity, found.source.get("time")):
            continue
        if why := unreadable(column):
            reasons[column.name] = why
        elif column.is_constant:
            reasons[column.name] = "it has one value only"
        elif column.is_free_text:
            if label.task == "regression":
                reasons[column.name] = "no kind of model reads texts to foretell a number"
        elif column.kind == "text" and column.values > column.rows / 2:
            reasons[column.name] = "nearly every row has a value of its own"
        elif _tells_all(found.table, column, label):
            reasons[column.name] = "it alone tells the label: known only afterwards?"
    return reasons


def _column(draft: Draft, given: str) -> tuple[str, str, str | None]:
    """The source that holds the label's column, the column, and the value that was named as `COLUMN=VALUE`."""
    for name, found in draft.tables.items():
        if given in found.table.columns:
            return name, given, None
    column, _, value = given.partition("=")
    for name, found in draft.tables.items():
        if value and column in found.table.columns:
            return name, column, value
    raise ConfigError.bad_argument(f"--label {given}".strip(), hint(draft, given))


def _named(values: list[Any], column: str, value: str) -> Any:
    chosen = [candidate for candidate in values if str(candidate) == value]
    if not chosen:
        why = did_you_mean(value, map(str, values)) or f"the values are {listed(values)}"
        raise ConfigError.bad_argument(f"--label {column}={value}", why)
    return chosen[0]


def unreadable(column: ColumnProfile) -> str:
    """Why a model cannot take a column as it is; empty when it can."""
    if column.is_time:
        return "a time is neither a number nor a category; a number of days would be"
    readable = column.kind != "other" and not column.dtype.startswith("Decimal")
    return "" if readable else f"a model cannot read its type, {column.dtype}"


def _tells_all(table: pl.DataFrame, column: ColumnProfile, label: LabelDraft) -> bool:
    """Whether one column ranks the label almost perfectly (numbers by size, categories by their share of it)."""
    import polars as pl
    from sklearn.metrics import roc_auc_score

    if label.task != "binary":
        # the leak probes look at what is left, by the model's own features
        return False
    truth = (table[label.column] == label.positive).cast(pl.Float64).fill_null(0.0)
    if truth.n_unique() < 2:
        # nothing ranks what does not vary; mlctl run will say so
        return False
    values = table[column.name]
    if values.dtype.is_numeric():
        finite = pl.when(pl.col("value").is_finite()).then("value")
        score = values.cast(pl.Float64).alias("value").to_frame().select(finite).to_series()
        score = score.fill_null(score.mean() or 0.0)
    elif column.values <= column.rows / 20:
        known = pl.DataFrame({"value": values.cast(pl.String).fill_null(""), "truth": truth})
        score = known.select(pl.col("truth").mean().over("value")).to_series()
    else:
        return False
    auc = float(roc_auc_score(truth.to_numpy(), score.to_numpy()))
    return max(auc, 1 - auc) >= _LEAK_AUC
