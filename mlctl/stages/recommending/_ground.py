"""What the stages of a recommender share: the tables that `features` wrote, and fits of its kinds on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlctl import kinds
from mlctl.errors import IntegrityError
from mlctl.files import read_json, sha256_of_file, write_with
from mlctl.recommend.answering import CONTENT
from mlctl.recommend.blends import Blend, alone
from mlctl.recommend.encoders import Encoder
from mlctl.recommend.forms import Form
from mlctl.recommenders import Fitted, Interactions, Learning
from mlctl.spec import Project
from mlctl.stages.recommending._cases import Cases
from mlctl.stages.recommending._interactions import TEXT, arrays, section_of
from mlctl.stages.recommending._judging import names_of
from mlctl.workspace import Places

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]

EVENTS: Final = "interactions.parquet"
ITEMS: Final = "items.parquet"
PART: Final = "part"
BLEND: Final = "blend"
POPULARITY: Final = "popularity"


@dataclass(frozen=True)
class Ground:
    """What is learnt from and judged by.

    Attributes:
        project: The project.
        events: Everything that users had.
        part: int8 (events,): which teach, rehearse and judge (`_cases.py`).
        items: The catalogue.
    """

    project: Project
    events: Interactions
    part: Array
    items: pl.DataFrame

    @property
    def texts(self) -> tuple[str, ...]:
        """What each item says."""
        return tuple(self.items[TEXT])

    def before(self, which: int) -> Interactions:
        """The events that come before a part."""
        return self.events.only(self.part < which)

    def fits(self, events: Interactions, only: Sequence[str] = ()) -> dict[str, Fitted]:
        """Every kind of the ladder but the blend, or only some of them, learnt from some events."""
        learning = Learning(events, self.texts)
        names = only or [name for name in names_of(self.project) if name != BLEND]
        return {name: self._of_texts if name == CONTENT else self._fit(name, learning) for name in names}

    def _fit(self, name: str, learning: Learning) -> Fitted:
        fitted: Fitted = kinds.load("recommenders", name).fit(self.options(name), learning)
        return fitted

    @cached_property
    def _of_texts(self) -> Fitted:
        """What texts say hangs on no event, and is learnt once."""
        return self._fit(CONTENT, Learning(self.events, self.texts))

    def options(self, name: str) -> Any:
        """A rung's options: the project's own, or what `model.options` says of it."""
        model = self.project.model
        if name == model.kind:
            return model
        return kinds.options("recommenders", {"seed": model.seed, **model.options.get(name, {}), "kind": name})

    def rungs(self, fits: Mapping[str, Fitted]) -> dict[str, Blend]:
        """Each fitted kind as it would answer: who is cold gets popularity."""
        popularity, states = fits[POPULARITY].form, section_of(self.project).states.begins()
        return {name: alone(name, fitted.form, popularity, states) for name, fitted in fits.items()}


def encoder_of(fits: Mapping[str, Fitted]) -> Encoder | None:
    """What turns texts into vectors; None where no text is read."""
    return next((fitted.encoder for fitted in fits.values() if fitted.encoder is not None), None)


def forms_of(fits: Mapping[str, Fitted]) -> dict[str, Form]:
    """The forms of fits, by kind."""
    return {name: fitted.form for name, fitted in fits.items()}


def write_table(path: Path, table: pl.DataFrame) -> dict[str, Any]:
    """Writes a table and tells its rows and hash."""
    write_with(path, partial(table.write_parquet, compression="zstd"))
    return {"rows": table.height, "sha256": sha256_of_file(path)}


def ground(places: Places, project: Project) -> Ground:
    """The tables of the features stage.

    Raises:
        IntegrityError: They are missing or changed.
    """
    events, items = _read(places, EVENTS), _read(places, ITEMS)
    return Ground(project, arrays(events, items.height), events[PART].to_numpy(), items)


def cases_of(places: Places, name: str) -> tuple[pl.DataFrame, Cases]:
    """The cases that `features` settled: `test` or `rehearsal`.

    Raises:
        IntegrityError: They are missing or changed.
    """
    table = _read(places, f"{name}.parquet")
    return table, Cases.of_table(table)


def _read(places: Places, file: str) -> pl.DataFrame:
    import polars as pl

    again = f"mlctl run projects/{places.name}"
    path = places.features / file
    recorded = read_json(places.features / "report.json", again)["files"][file]["sha256"]
    if (found := sha256_of_file(path)) != recorded:
        raise IntegrityError.damaged(str(path), recorded, found, again)
    return pl.read_parquet(path)


def ids_of(items: pl.DataFrame, key: str, histories: Sequence[Array]) -> list[list[str]]:
    """Histories as item ids."""
    ids = items[key].to_list()
    return [[ids[place] for place in history.tolist()] for history in histories]
