"""Which release answers which row: the one place where that is decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from mlctl.server.answers import Answerer
from mlctl.server.inputs import Refused

if TYPE_CHECKING:
    from mlctl.server.batching import Row


class Share(NamedTuple):
    """The rows of a batch that one release answers, by their places in it."""

    answerer: Answerer
    places: Sequence[int]


class Variants:
    """The releases that answer: one."""

    def __init__(self) -> None:
        self._champion: Answerer | None = None

    @property
    def champion(self) -> Answerer:
        """The release whose schema requests are read by, and whose fallback answers.

        Raises:
            Refused: 503: there is none yet.
        """
        if self._champion is None:
            raise Refused(503, "no release is ready yet", retry_after_s=1)
        return self._champion

    @property
    def release(self) -> str:
        """The champion's id; empty before there is one."""
        return "" if self._champion is None else self._champion.release.id

    def take(self, champion: Answerer) -> None:
        """Lets another release answer."""
        self._champion = champion

    def shares(self, rows: Sequence[Row]) -> list[Share]:
        """Who answers which rows; every row is answered by one.

        Raises:
            Refused: 503: there is no release yet.
        """
        return [Share(self.champion, range(len(rows)))]
