"""The history of a project: feature columns at evenly spaced moments, in blocks on disk.

A block holds some columns at some moments for everybody; `blocks/ID.json` says which, and `bucket-NNNN/ID.parquet` are
its rows. The id is a hash of what the columns are computed from and of the moments: a column whose YAML did not change
keeps its blocks, and one that did asks for new ones. What is asked and not there is *missing*; blocks of one
stretch of moments stand beside each other row by row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import mlctl
from mlctl.errors import IntegrityError
from mlctl.files import canonical_json, read_json, sha256_of, write_json
from mlctl.history.bucket import Block, file_of
from mlctl.plan import AS_OF, Plan
from mlctl.workspace import Places

if TYPE_CHECKING:
    import polars as pl

DAY_US: Final = 86_400_000_000
_CODE: Final = (
    "features/*.py",
    "plan/events.py",
    "plan/windows.py",
    "plan/compute.py",
    "history/bucket.py",
)
# what a person says about a feature changes no value
_WORDS: Final = frozenset({"about", "max_age", "when_stale", "windows", "values"})


@dataclass(frozen=True)
class Asked:
    """What a backfill wants.

    Attributes:
        columns: Feature columns, in the plan's order.
        first_us: The first moment, microseconds since 1970.
        step_us: From one moment to the next.
        count: How many moments.
    """

    columns: tuple[str, ...]
    first_us: int
    step_us: int
    count: int


@dataclass(frozen=True)
class Shelf:
    """The blocks of one dataset and code that are whole.

    Attributes:
        folder: Where the history lies.
        partitions: Into how many parts the entities are divided.
        at_once: How many buckets a partition is: that many are in work at a time.
        blocks: What is there, each with the fingerprints of its columns.
    """

    folder: Path
    partitions: int
    at_once: int
    blocks: tuple[tuple[Block, Mapping[str, str]], ...]

    @property
    def buckets(self) -> int:
        """How many files a block is."""
        return self.partitions * self.at_once

    def missing(self, asked: Asked, prints: Mapping[str, str]) -> list[Block]:
        """The blocks that are still to be computed, as few as keep stretches of moments apart or equal."""
        near = [(block, marks) for block, marks in self.blocks if block.step_us == asked.step_us]
        runs: list[tuple[int, int, tuple[str, ...], frozenset[str]]] = []
        for index in range(asked.count):
            moment = asked.first_us + index * asked.step_us
            here = [(block, marks) for block, marks in near if _covers(block, moment)]
            there = {name for block, marks in here for name in block.columns if marks[name] == prints.get(name)}
            lacking = tuple(name for name in asked.columns if name not in there)
            beside = frozenset(block.id for block, _ in here)
            if runs and runs[-1][2:] == (lacking, beside):
                runs[-1] = (runs[-1][0], runs[-1][1] + 1, lacking, beside)
            else:
                runs.append((index, 1, lacking, beside))
        return [
            block_of(columns, prints, asked.first_us + start * asked.step_us, asked.step_us, count)
            for start, count, columns, _ in runs
            if columns
        ]

    def rows(self, asked: Asked, prints: Mapping[str, str]) -> pl.LazyFrame:
        """The asked columns at the asked moments.

        Grain: one row per (entity, as_of), sorted by bucket and stretch, then by key and as_of. Time: `as_of`.

        Raises:
            IntegrityError: Something of it is missing.
        """
        import polars as pl

        if self.missing(asked, prints):
            raise IntegrityError.missing("a part of the history", "mlctl backfill with the same words")
        end = asked.first_us + asked.count * asked.step_us
        frames = []
        for bucket in range(self.buckets):
            for stretch in self._stretches(asked, prints):
                parts = [pl.scan_parquet(self.path(block.id, bucket)).select(names) for block, names in stretch]
                rows = pl.scan_parquet(self.path(stretch[0][0].stretch, bucket))
                together = pl.concat([rows, *parts], how="horizontal")
                inside = pl.col(AS_OF).to_physical().is_between(asked.first_us, end, closed="left")
                frames.append(together.filter(inside))
        return pl.concat(frames).select(pl.nth(0), AS_OF, *asked.columns)

    def path(self, block: str, bucket: int) -> Path:
        """The file of one bucket of a block."""
        return file_of(self.folder, bucket, block)

    def _stretches(self, asked: Asked, prints: Mapping[str, str]) -> list[list[tuple[Block, list[str]]]]:
        """For each stretch of moments the blocks that together hold the columns, each column once."""
        by_moments: dict[tuple[int, int, int], list[tuple[Block, list[str]]]] = {}
        taken: set[tuple[int, str]] = set()
        for block, marks in self.blocks:
            if block.step_us != asked.step_us:
                continue
            names = [
                name
                for name in block.columns
                if name in asked.columns and marks[name] == prints.get(name) and (block.first_us, name) not in taken
            ]
            taken |= {(block.first_us, name) for name in names}
            if names and any(_covers(block, asked.first_us + i * asked.step_us) for i in range(asked.count)):
                by_moments.setdefault((block.first_us, block.step_us, block.count), []).append((block, names))
        return [by_moments[key] for key in sorted(by_moments)]


def shelf(places: Places, dataset: str) -> Shelf | None:
    """What is there of a dataset, or None when its history was not begun.

    Raises:
        IntegrityError: The description of a block is damaged.
    """
    head = _head(places)
    return stored(places) if head and head["dataset"] == dataset and head["code"] == _code() else None


def stored(places: Places) -> Shelf | None:
    """Every whole block, of whatever data and code, or None when no history was begun.

    Raises:
        IntegrityError: The description of a block is damaged.
    """
    head, folder = _head(places), places.history
    if not head:
        return None
    blocks = []
    for path in sorted((folder / "blocks").glob("*.json")):
        told = read_json(path)
        block = Block(told["id"], tuple(told["columns"]), told["first_us"], told["step_us"], told["count"])
        blocks.append((block, told["fingerprints"]))
    # of a version that knew no buckets only the descriptions can be read
    return Shelf(folder, head["partitions"], head.get("at_once", 1), tuple(blocks))


def _head(places: Places) -> dict[str, Any]:
    """What the history is of; empty where none was begun."""
    path = places.history / "history.json"
    return dict(read_json(path)) if path.is_file() else {}


def begin(places: Places, dataset: str, partitions: int, at_once: int) -> Shelf:
    """The history of a dataset, begun anew where there is none; one of another dataset or code is removed."""
    import shutil

    here = shelf(places, dataset)
    if here is not None:
        return here
    shutil.rmtree(places.history, ignore_errors=True)
    head = {"format_version": "1.1", "dataset": dataset, "code": _code(), "partitions": partitions, "at_once": at_once}
    write_json(places.history / "history.json", head)
    return Shelf(places.history, partitions, at_once, ())


def finish(places: Places, block: Block, prints: Mapping[str, str]) -> None:
    """Writes down that every bucket of a block is there.

    Raises:
        ExternalError: The disk.
    """
    marks = {name: prints[name] for name in block.columns}
    told: dict[str, Any] = {"id": block.id, "columns": list(block.columns), "fingerprints": marks}
    told |= {"first_us": block.first_us, "step_us": block.step_us, "count": block.count}
    write_json(places.history / "blocks" / f"{block.id}.json", told)


def fingerprints(plan: Plan) -> dict[str, str]:
    """For each column a hash of all that its values hang on, besides the data and the code."""
    prints: dict[str, str] = {}
    waiting = {column.name: column for column in plan.columns}
    for feature, options in plan.options.items():
        told = {k: v for k, v in options.model_dump(mode="json").items() if k not in _WORDS}
        for column in [column for column in waiting.values() if column.feature == feature]:
            place = None if options.form == "expression" else vars(plan.places[options.source])
            read = {name: prints[name] for name in plan.reads(column) if name in prints}
            print_ = [told, column.part, column.value, place, read, plan.entity.model_dump(mode="json")]
            prints[column.name] = sha256_of(canonical_json(print_))[:16]
    return prints


def block_of(columns: Sequence[str], prints: Mapping[str, str], first_us: int, step_us: int, count: int) -> Block:
    """A block of columns at moments; its id is the hash of both."""
    said = [[[name, prints[name]] for name in columns], first_us, step_us, count]
    return Block(sha256_of(canonical_json(said))[:16], tuple(columns), first_us, step_us, count)


def _covers(block: Block, moment: int) -> bool:
    place, rest = divmod(moment - block.first_us, block.step_us)
    return rest == 0 and 0 <= place < block.count


def _code() -> str:
    """A digest of the code that computes features; other code does not change a history."""
    package = Path(mlctl.__file__).parent
    files = sorted(file for name in _CODE for file in package.glob(name))
    return sha256_of(canonical_json([[file.name, file.read_text(encoding="utf-8")] for file in files]))[:16]
