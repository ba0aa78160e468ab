"""What is wrong with the data."""

from __future__ import annotations

from collections.abc import Sequence

from mlctl.errors._tree import MlctlError, did_you_mean, listed


class DataError(MlctlError):
    """A source broke its contract (exit 3)."""

    exit_code = 3

    @classmethod
    def missing_file(cls, source: str, path: str, key: str = "path") -> DataError:
        """A source names a file where nothing is; `key` is the option that names it."""
        return cls(
            f"source {source!r} reads a file that does not exist",
            where=path,
            next_step=f"correct sources.{source}.{key}",
        )

    @classmethod
    def not_of_kind(cls, source: str, kind: str, path: str, why: str) -> DataError:
        """The bytes are not what the source's kind says."""
        return cls(
            f"source {source!r} is not readable as {kind}",
            where=path,
            why=why,
            next_step=f"correct sources.{source}.kind or the file",
        )

    @classmethod
    def bad_query(cls, source: str, where: str, why: str) -> DataError:
        """A database answers, and refuses what a source asks of it."""
        return cls(
            f"source {source!r} asks what the database does not have",
            where=where,
            why=why,
            next_step=f"correct sources.{source}.table or query",
        )

    @classmethod
    def miscounted(cls, source: str, where: str, counted: int, read: int) -> DataError:
        """A read that lost or invented rows."""
        return cls(
            f"source {source!r}: the rows that were read are not those that are there",
            where=where,
            why=f"{counted:,} were counted and {read:,} were read",
            next_step="run the same command again; if it stays, the file or the driver is damaged",
        )

    @classmethod
    def empty(cls, source: str, where: str) -> DataError:
        """A source without a single row."""
        why = "there is no row in the snapshot's window"
        return cls(
            f"source {source!r} is empty",
            where=where,
            why=why,
            next_step=f"look at sources.{source}, or at the as_of of the snapshot",
        )

    @classmethod
    def too_wide(cls, source: str, where: str, columns: int, most: int) -> DataError:
        """A table of more columns than anybody has declared: a wrong delimiter, or a table that lies on its side."""
        return cls(
            f"source {source!r} has {columns:,} columns",
            where=where,
            why=f"at most {most:,} are read: each of them is looked at, checked and told by its name",
            next_step="turn a table that lies on its side, correct the delimiter, or keep the columns that are needed",
        )

    @classmethod
    def unpacks_to_more(cls, source: str, where: str, size: int, most: int) -> DataError:
        """A file that would take more memory than it may, however small it lies on the disk."""
        return cls(
            f"source {source!r} has {size:,} bytes or more once it is unpacked",
            where=where,
            why=f"at most {most:,} are read into memory: a small file can unpack to more than a machine has",
            next_step=f"look at what the file holds; if that is meant, set sources.{source}.max_bytes",
        )

    @classmethod
    def missing_column(cls, source: str, column: str, known: Sequence[str], wanted_by: str) -> DataError:
        """A column that the configuration names and the source does not have."""
        why = did_you_mean(column, known) or f"it has: {listed(known)}"
        return cls(
            f"source {source!r} has no column {column!r}", where=wanted_by, why=why, next_step=f"correct {wanted_by}"
        )

    @classmethod
    def bad_time(cls, source: str, column: str, why: str, key: str = "time") -> DataError:
        """A time column that cannot be placed on the UTC time line; `key` is the option that names the column."""
        return cls(
            f"source {source!r}: column {column!r} is not a time",
            where=f"sources.{source}.{key}",
            why=why,
            next_step=f"set sources.{source}.time_zone or time_format",
        )

    @classmethod
    def beyond_snapshot(cls, moment: str, as_of: str, project: str) -> DataError:
        """Features are asked for a moment at which the data had not been taken yet."""
        return cls(
            f"the moment {moment} lies after the snapshot",
            where=f"data.dvc pins the snapshot of {as_of}",
            why="events of the days between are not in it",
            next_step=f"end sooner, or mlctl ingest projects/{project} --latest and run it",
        )

    @classmethod
    def leak(cls, columns: Sequence[str], planted: str, report: str) -> DataError:
        """Features that moved although only rows were added which were not known at their moment."""
        return cls(
            f"{len(columns)} features see what was not known at their moment: {listed(columns)}",
            where=report,
            why=f"they moved when {planted} were planted",
            next_step="set time: and knowledge_time: of the sources that these features read",
        )

    @classmethod
    def leaking(cls, findings: Sequence[str], report: str) -> DataError:
        """Frozen rows in which probes of severity `fail` found the answer."""
        return cls(
            "the rows that teach and judge leak",
            where=report,
            why=" | ".join(findings),
            next_step="leave out the feature or the rows; if it is honest, set the probe to warn: mlctl explain probes",
        )

    @classmethod
    def not_numbers(cls, source: str, column: str, kind: str) -> DataError:
        """A feature that calculates reads a column of text or times."""
        return cls(
            f"source {source!r}: column {column!r} holds no numbers",
            where=f"features of {source}",
            why=f"its type is {kind}",
            next_step=f"set sources.{source}.types, or use n_unique, first or last",
        )

    @classmethod
    def too_large(cls, source: str, column: str, why: str) -> DataError:
        """Values that cannot be added up exactly."""
        return cls(
            f"source {source!r}: column {column!r} cannot be summed",
            where=f"features of {source}",
            why=why,
            next_step=f"add a check with a max for {column}, or correct the unit",
        )

    @classmethod
    def contract_broken(cls, findings: Sequence[str], report: str) -> DataError:
        """Checks of severity `fail` found something."""
        return cls(
            "the data broke its contract",
            where=report,
            why=" | ".join(findings),
            next_step="correct the source, or the rule in checks:",
        )

    @classmethod
    def no_variation(cls, what: str, value: object, rows: int) -> DataError:
        """A label of one class cannot be learnt."""
        why = f"all {rows} rows are {value!r}; a model needs both outcomes"
        return cls(f"the label does not vary in {what}", where="label", why=why, next_step="look at label: and split:")

    @classmethod
    def class_without_rows(cls, classes: Sequence[str], what: str, rows: int) -> DataError:
        """A class of the label that has no row where one is needed."""
        return cls(
            f"{len(classes)} classes have no row in {what}: {listed(classes)}",
            where="label",
            why=f"none of the {rows:,} rows has them; what is never seen cannot be foretold",
            next_step="merge rare classes with a CASE in the source, or look at label.classes and split:",
        )

    @classmethod
    def unknown_classes(cls, classes: Sequence[str], what: str, rows: int) -> DataError:
        """Outcomes that are none of the label's classes."""
        return cls(
            f"{rows:,} rows of {what} have an outcome that is none of the label's classes: {listed(classes)}",
            where="label.classes",
            why="the classes are those that are declared, or those of the training rows",
            next_step="add them to label.classes, or leave them out with a check of severity quarantine",
        )

    @classmethod
    def no_confidence(cls, most: float, best: float, rows: int) -> DataError:
        """A promised share of errors that no confidence keeps."""
        return cls(
            f"no confidence keeps the share of wrong decisions at or below {most:.2%}",
            where="decide.max_error",
            why=f"the surest rows of {rows:,} held out are wrong in {best:.2%}, or are too few to be certain",
            next_step="raise decide.max_error, or look at the data: mlctl report",
        )

    @classmethod
    def no_rows(cls, what: str, why: str, next_step: str) -> DataError:
        """A part of the split, or the population, without a row."""
        return cls(f"there are no rows in {what}", where="split", why=why, next_step=next_step)

    @classmethod
    def bad_vectors(cls, findings: Sequence[str]) -> DataError:
        """Items or vectors that no index can hold; the live one is untouched."""
        return cls(
            "the vectors cannot be indexed",
            where="the index",
            why=" | ".join(findings),
            next_step="mend what makes them, then run the same command again; the index that answers is untouched",
        )

    @classmethod
    def infinite(cls, columns: Sequence[str], rows: int) -> DataError:
        """Training rows that hold infinities, which no model can learn from."""
        why = f"{rows} rows hold an infinity, in {listed(columns)}; missing values must be null, not infinite"
        return cls(
            "the training rows are not finite",
            where="features",
            why=why,
            next_step="look for a division by zero or a logarithm in features:",
        )

    @classmethod
    def bad_expression(cls, key: str, expression: str, why: str) -> DataError:
        """An SQL expression that the tables refuse."""
        return cls(f"the expression {expression!r} cannot be computed", where=key, why=why, next_step=f"correct {key}")

    @classmethod
    def audit_failed(cls, findings: Sequence[str]) -> DataError:
        """Scores that must not be published; the live ones stay."""
        why = " | ".join(findings)
        return cls(
            "the scores did not pass their audit; nothing was published",
            where="serving.audit",
            why=why,
            next_step="look at the release and at the snapshot; the live scores are untouched",
        )
