"""Everybody scored while the scores are on their way into the database: piece by piece, none waits for the last one.

It is how one release scores in this process. Two releases, or an engine's workers, are waited for: whether a challenger
may score anybody is known when both have scored everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mlctl.database.loading import Coming
from mlctl.plan import AS_OF
from mlctl.release import Release
from mlctl.release.contributions import NAME
from mlctl.rollout.flag_file import CHAMPION
from mlctl.scoring.sharing import Scored, Sharers, When, champion_of
from mlctl.serving import batch
from mlctl.spec import Project
from mlctl.workspace import Places

if TYPE_CHECKING:
    import polars as pl


def streams(who: Sharers, project: Project) -> bool:
    """Whether everybody is scored by one release, here."""
    return who.challenger is None and project.engine.kind == "local"


def begin(who: Sharers, places: Places, files: Mapping[str, Path], when: When) -> Stream:
    """Computes everybody's features; nobody is scored yet.

    Args:
        who: Who scores.
        places: The project's paths.
        files: Each source's checked table, as a Parquet file.
        when: The moment of the features, and the present.

    Raises:
        DataError: A table lacks a column, or nobody is known.
        IntegrityError: The release is missing or damaged.
    """
    import polars as pl

    champion = champion_of(who, places)
    tables = {name: pl.read_parquet(path) for name, path in files.items()}
    return Stream(champion, batch.features_of_everybody(champion, tables, when[0]), when)


class Stream:
    """Everybody's scores, each piece of them made when it is asked for first."""

    def __init__(self, champion: Release, features: pl.DataFrame, when: When) -> None:
        self._champion, self._features, self._when = champion, features, when
        self._makers = batch.makers(champion, features)
        self._made: dict[int, pl.DataFrame] = {}

    def coming(self, change: Callable[[pl.DataFrame], pl.DataFrame], approve: Callable[[], None]) -> Coming:
        """The scores for the database.

        Args:
            change: What readers get of a piece.
            approve: Called when all are written and before they are shown.
        """
        key, (as_of, now) = self._champion.project.entity.key, self._when
        constants = {"release": self._champion.id, "variant": CHAMPION, AS_OF: as_of, "scored_at": now}
        if not self._champion.project.serving.reasons:
            constants[NAME] = None
        makers = [partial(self._changed, change, place) for place in range(len(self._makers))]
        return Coming((key, self._features.schema[key]), makers, constants, approve)

    def scored(self) -> Scored:
        """The whole batch; what was not made yet is made now."""
        import polars as pl

        decided = pl.concat([self._piece(place) for place in range(len(self._makers))])
        return Scored(self._champion, batch.labelled(self._champion, decided, *self._when), self._features)

    def _changed(self, change: Callable[[pl.DataFrame], pl.DataFrame], place: int) -> pl.DataFrame:
        return change(self._piece(place))

    def _piece(self, place: int) -> pl.DataFrame:
        if place not in self._made:
            self._made[place] = self._makers[place]()
        return self._made[place]
