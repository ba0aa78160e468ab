"""A release at work: rows of features to answers, and the fallback where the model gives none.

An answer is a row's score, decision, reason and confidence, as batch scoring writes them, and whose they are. Every row
is answered: what goes wrong inside is counted, and the project's fallback answers with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlctl.decide import ERROR_PREVIOUS, MODEL_ERROR, Decider
from mlctl.encoding import encode
from mlctl.errors import DataError
from mlctl.features import fulfils
from mlctl.files import read_json
from mlctl.release import Release, open_release
from mlctl.release.contributions import contributions
from mlctl.release.sealed import must_be_of
from mlctl.rollout.flag_file import CHAMPION
from mlctl.server.inputs import Inputs
from mlctl.server.quick import Quick

if TYPE_CHECKING:
    import polars as pl

Answer = dict[str, Any]
TIMEOUT: Final = "timeout"
TIMEOUT_PREVIOUS: Final = "timeout_previous"
"""It waited too long; decided by the release that was live before."""
_LATE: Final = {MODEL_ERROR: TIMEOUT, ERROR_PREVIOUS: TIMEOUT_PREVIOUS}
"""Reasons of a model that was not asked, by those of one that failed."""


@dataclass(frozen=True)
class Answerer:
    """An opened release, and what its answers need beside it.

    Attributes:
        release: The release; every hash held, and its golden rows were answered as sealed.
        schema: By feature its Polars type, as in the golden rows.
        examples: The golden rows.
        decider: What turns scores into decisions.
        variant: What it is: champion, or challenger while it is tried.
    """

    release: Release
    schema: Mapping[str, str]
    examples: tuple[Mapping[str, Any], ...]
    decider: Decider
    variant: str = CHAMPION

    @classmethod
    def open(cls, folder: Path, project: str, next_step: str, variant: str = CHAMPION) -> Answerer:
        """Opens a release of a project, which asks its graph for the golden rows.

        Raises:
            IntegrityError: The release is missing, damaged, another project's, or does not answer as sealed.
        """
        release = open_release(folder, next_step)
        must_be_of(project, release.manifest, folder)
        golden = read_json(folder / "golden.json", next_step)
        columns = golden["features"]
        examples = tuple({name: columns[name][row] for name in columns} for row in range(len(golden["scores"])))
        return cls(release, golden["schema"], examples, release.decider(), variant)

    @cached_property
    def inputs(self) -> Inputs:
        """What its own rows hold."""
        return Inputs(self.schema, self.release.project.entity.key, 0)

    def fits(self, inputs: Inputs) -> bool:
        """Whether rows that were read so hold all its features, in their types."""
        return all(inputs.schema.get(name) == kind for name, kind in self.schema.items())

    def cohorts(self, rows: Sequence[Mapping[str, Any]]) -> list[list[str]] | None:
        """The declared cohorts that each row is in; None where none is declared.

        Raises:
            DataError: A condition cannot be computed.
        """
        declared = self.release.project.cohorts
        if not declared:
            return None
        table = self.inputs.table(rows)
        members = {name: fulfils(table, text, f"cohorts.{name}").to_list() for name, text in declared.items()}
        return [[name for name in members if members[name][row]] for row in range(len(rows))]

    def answers_or_fallback(self, rows: Sequence[Mapping[str, Any]], tell: Callable[[str], None]) -> list[Answer]:
        """The answers to rows; where the model fails, the fallback's."""
        try:
            return self.answers(self.inputs, rows)
        except Exception as error:  # noqa: BLE001 - the fallback answers, whatever failed
            if len(rows) > 1:  # one bad row must not spoil the others
                return [self.answers_or_fallback([row], tell)[0] for row in rows]
            if not isinstance(error, DataError):
                tell(f"the model failed: {type(error).__name__}: {error}")
            return self.without_model(rows, tell)

    def answers(self, inputs: Inputs, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The answers to rows; they are those of batch scoring, to the bit.

        Raises:
            DataError: A value is refused by `encoding:`.
        """
        if self.quick is not None:
            scores = self.release.graph(self.quick.matrix(rows)).astype("float64")
            decided = self.quick.decide(rows, scores)
        else:
            features = inputs.table(rows)
            scores = self.release.score(features)
            decided = self.decider(features, scores).to_dicts()
        for row in decided:
            row.update(self.whose)
        return decided

    @cached_property
    def quick(self) -> Quick | None:
        """The way without a table, where there is one."""
        return Quick.of(self.release.encoding, self.decider)

    @cached_property
    def whose(self) -> Mapping[str, str]:
        """Whose answers these are."""
        return {"release": self.release.id, "variant": self.variant}

    def without_model(self, rows: Sequence[Mapping[str, Any]], tell: Callable[[str], None]) -> list[Answer]:
        """The answers to rows that the model failed at: by rule or by the release before, where the project says so."""
        if self.quick is None:
            try:
                told = self.decider.without_model(self.inputs.table(rows)).to_dicts()
            except Exception as error:  # noqa: BLE001 - the word is always there
                tell(f"the fallback failed: {type(error).__name__}: {error}")
            else:
                return [{**row, **self.whose} for row in told]
        return [self.fallback(MODEL_ERROR) for _ in rows]

    def late(self, rows: Sequence[Mapping[str, Any]], tell: Callable[[str], None]) -> list[Answer]:
        """The answers to rows that waited too long for the model."""
        told = self.without_model(rows, tell)
        return [{**row, "reason": _LATE.get(row["reason"], row["reason"])} for row in told]

    def fallback(self, reason: str) -> dict[str, Any]:
        """The word that is decided where nobody is asked."""
        decision = self.release.project.decide.fallback
        return {"score": None, "decision": decision, "reason": reason, "confidence": None, **self.whose}

    def explained(self, features: pl.DataFrame, top: int) -> list[str | None]:
        """Of each row the features that moved its score most, as JSON (`mlctl/release/contributions.py`).

        Raises:
            IntegrityError: The release's trees cannot tell.
        """
        return contributions(self.release, encode(self.release.encoding, features), top).to_list()
