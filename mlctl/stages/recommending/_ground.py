"""What the stages of a recommender share: the tables that `features` wrote, and fits of its kinds on them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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
from mlctl.recommend.events import USER
from mlctl.recommend.forms import Form
from mlctl.recommenders import Fitted, Interactions, Learning
from mlctl.spec import Project
from mlctl.stages.recommending._cases import REHEARSES, Cases
from mlctl.stages.recommending._interactions import ITEM, TEXT, arrays, section_of
from mlctl.stages.recommending._judging import lists_of, names_of, shown
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
WINDOWS: Final = ("36500d", "365d", "90d", "30d", "7d")
"""Windows of popularity that are tried where none is said; the first is for ever."""
MOST_CASES: Final = 4000
_LONGEST: Final = ("als", "ease")


@dataclass(frozen=True)
class Ground:
    """What is learnt from and judged by.

    Attributes:
        project: The project.
        events: Everything that users had.
        part: int8 (events,): which teach, rehearse and judge (`_cases.py`).
        items: The catalogue.
        rehearsal: Users who rehearse, at their moments.
        scratch: A folder for what an engine reads; it must lie where its workers see it.
        settled: The window of popularity that `freeze` chose; None before it did.
    """

    project: Project
    events: Interactions
    part: Array
    items: pl.DataFrame
    rehearsal: Cases
    scratch: Path
    settled: str | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """What each item says."""
        return tuple(self.items[TEXT])

    def before(self, which: int) -> Interactions:
        """The events that come before a part."""
        return self.events.only(self.part < which)

    def fits(self, events: Interactions, only: Sequence[str] = ()) -> dict[str, Fitted]:
        """Every kind of the ladder but the blend, or only some of them, learnt from some events."""
        # what is to be limited must have been loaded before
        import scipy.linalg  # noqa: F401
        from threadpoolctl import threadpool_limits

        learning = Learning(events, self.texts, together=self._together(events), known=self._known(events))
        names = only or [name for name in names_of(self.project) if name != BLEND]
        # a kind learns on one thread, so that its sums are always added up in one order; several kinds go on at once.
        # The limit stands around all of them: whoever set it alone would lift it while another still counts on it
        with threadpool_limits(limits=1), ThreadPoolExecutor(os.cpu_count()) as threads:
            begun = {name: threads.submit(self._fitted, name, learning) for name in sorted(names, key=_order_of)}
            return {name: begun[name].result() for name in names}

    def _fitted(self, name: str, learning: Learning) -> Fitted:
        learns_nothing = name == CONTENT and self.options(CONTENT).embedding is not None
        return self._read_once if learns_nothing else self._fit(name, learning)

    def _known(self, events: Interactions) -> Array | None:
        """Bool (items,): whose texts may teach; None for all, where nothing is held back."""
        import numpy as np

        if len(events.user) == len(self.events.user):
            return None
        return np.bincount(events.item, minlength=events.items) > 0

    def _fit(self, name: str, learning: Learning) -> Fitted:
        fitted: Fitted = kinds.load("recommenders", name).fit(self.options(name), learning)
        return fitted

    @cached_property
    def _read_once(self) -> Fitted:
        """What an encoder of one's own makes of texts hangs on no event."""
        return self._fit(CONTENT, Learning(self.events, self.texts))

    def _together(self, events: Interactions) -> pl.DataFrame | None:
        """Who had both of two items, counted by the project's engine; None where that is this process."""
        import polars as pl

        engine = self.project.engine
        if engine.kind == "local":
            return None
        path = self.scratch / "asked.parquet"
        write_table(path, pl.DataFrame({USER: events.user, ITEM: events.item}))
        try:
            found: pl.DataFrame = kinds.load("engines", engine.kind).together(engine, path)
        finally:
            path.unlink(missing_ok=True)
        return found

    def options(self, name: str) -> Any:
        """A rung's options: the project's own, or what `model.options` says of it."""
        model = self.project.model
        said = {"seed": model.seed, **model.options.get(name, {}), "kind": name}
        own = model if name == model.kind else kinds.options("recommenders", said)
        if name == POPULARITY and own.window is None:
            return own.model_copy(update={"window": self.window})
        return own

    @cached_property
    def window(self) -> str:
        """The window of popularity that foretells best what users who rehearse had: the floor is no straw man."""
        import numpy as np

        if self.settled is not None:
            return self.settled
        cases, metric = self.rehearsal, next(iter(self.project.metrics.values()))
        measure = kinds.load("rankings", metric.kind).measure
        chosen = np.linspace(0, len(cases.user) - 1, min(MOST_CASES, len(cases.user))).astype(int)
        some = cases.only(np.isin(np.arange(len(cases.user)), chosen))
        taught = self.before(REHEARSES)
        gains = []
        for window in WINDOWS:
            own = kinds.options("recommenders", {"kind": POPULARITY, "window": window})
            form = kinds.load("recommenders", POPULARITY).fit(own, Learning(taught, self.texts)).form
            lists = lists_of(shown(self.project, form, some), some, taught)
            gains.append(measure(metric, lists)(np.ones(len(some.user))))
        return WINDOWS[gains.index(max(gains))]

    def rungs(self, fits: Mapping[str, Fitted]) -> dict[str, Blend]:
        """Each fitted kind as it would answer: who is cold gets popularity."""
        popularity, states = fits[POPULARITY].form, section_of(self.project).states.begins()
        return {name: alone(name, fitted.form, popularity, states) for name, fitted in fits.items()}


def _order_of(name: str) -> tuple[bool, str]:
    """What takes longest begins first."""
    return name not in _LONGEST, name


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
    rehearsal = cases_of(places, "rehearsal")[1]
    had = arrays(events, items.height)
    frozen = places.frozen / "report.json"
    settled = read_json(frozen).get("window") if frozen.is_file() else None
    return Ground(project, had, events[PART].to_numpy(), items, rehearsal, places.state, settled)


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
