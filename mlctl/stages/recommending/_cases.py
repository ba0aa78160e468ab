"""Which events teach and which judge, and the moments at which somebody is asked for: cases.

A case is a user at a moment: what the user had by then, and what came then. Over time a user who judges is asked for at
the moment of the split and again after 1, 2, 4 and 8 events more, as a server would be: the model is the one of the
split, the history is the one of that moment. So the three states are judged as users pass through them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from mlctl.recommenders import Interactions
from mlctl.spec import Project

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]

TEACHES: Final = 0
REHEARSES: Final = 1
JUDGES: Final = 2
MORE: Final = (0, 1, 2, 4, 8)
"""After how many events of the part a user is asked for again."""


@dataclass(frozen=True)
class Cases:
    """Users at moments.

    Attributes:
        user: int array (cases,).
        histories: What each had by then: item positions, oldest first.
        relevant: What came then: different items, none of the history where seen items are hidden.
    """

    user: Array
    histories: tuple[Array, ...]
    relevant: tuple[Array, ...]

    @property
    def had(self) -> Array:
        """Int array (cases,): how many different items were had by then."""
        import numpy as np

        return np.asarray([len(np.unique(history)) for history in self.histories], dtype=np.int64)

    def only(self, chosen: Array) -> Cases:
        """Some of the cases: a mask."""
        import numpy as np

        places = np.flatnonzero(chosen).tolist()
        histories = tuple(self.histories[place] for place in places)
        return Cases(self.user[places], histories, tuple(self.relevant[place] for place in places))

    def table(self) -> pl.DataFrame:
        """Grain: one case: user, had, history, relevant. Time: none."""
        import polars as pl

        lists = [_column("history", self.histories), _column("relevant", self.relevant)]
        return pl.DataFrame({"user": self.user, "had": self.had}).with_columns(lists)

    @classmethod
    def of_table(cls, table: pl.DataFrame) -> Cases:
        """The cases that `table` told."""
        return cls(table["user"].to_numpy(), _arrays(table["history"]), _arrays(table["relevant"]))


def _column(name: str, rows: tuple[Array, ...]) -> pl.Series:
    """Arrays of different lengths as a column of lists."""
    import numpy as np
    import polars as pl
    import pyarrow as pa

    ends = np.cumsum([0, *(len(row) for row in rows)], dtype=np.int64)
    flat = np.concatenate([np.zeros(0, np.int64), *rows]).astype(np.int32)
    return pl.Series(name, pa.LargeListArray.from_arrays(pa.array(ends), pa.array(flat)))


def _arrays(column: pl.Series) -> tuple[Array, ...]:
    import numpy as np

    ends = np.cumsum(column.list.len().to_numpy())
    flat = column.explode(empty_as_null=False).to_numpy().astype(np.int64)
    return tuple(np.split(flat, ends[:-1])) if len(ends) else ()


def parts(project: Project, events: Interactions, kind: str | None = None) -> Array:
    """int8 array (events,): which events teach, rehearse and judge.

    Args:
        project: Its `split:`.
        events: Who had what.
        kind: In place of `split.kind`.
    """
    import numpy as np

    split = project.split
    kind = kind or split.kind
    found = np.full(len(events.user), TEACHES, np.int8)
    if kind == "random":
        drawn = np.random.Generator(np.random.PCG64(split.seed)).random(len(found))
        found[drawn < 2 * split.test_share / (1 + split.test_share)] = REHEARSES
        found[drawn < split.test_share] = JUDGES
        return found
    if kind == "last":
        _, first, count = np.unique(events.user, return_index=True, return_counts=True)
        for back, part, least in ((1, JUDGES, 2), (2, REHEARSES, 3)):
            enough = count >= least
            found[first[enough] + count[enough] - back] = part
        return found
    test = _moment(split.test) or np.quantile(events.time, 1.0 - split.test_share, method="lower")
    before = events.time[events.time < test]
    rehearsal = np.quantile(before, 1.0 - split.test_share, method="lower") if len(before) else test
    found[events.time >= rehearsal] = REHEARSES
    found[events.time >= test] = JUDGES
    return found


def _moment(moments: tuple[datetime, ...] | None) -> int | None:
    """The first moment of the test in microseconds, where it is named."""
    return None if not moments else int(min(moments).timestamp() * 1e6)


def cases(project: Project, events: Interactions, part: Array, which: int, over_time: bool) -> Cases:
    """The cases of a part, of at most `items.judged_users` users, drawn by lot.

    Args:
        project: Its `items:` and `split:`.
        events: Who had what.
        part: As `parts`.
        which: The part that is asked for.
        over_time: Whether a user is asked for again as events of the part go by.
    """
    import numpy as np

    hide = project.items is None or project.items.seen == "hide"
    most = project.items.judged_users if project.items else 0
    asked = np.unique(events.user[part == which])
    if len(asked) > most:
        asked = np.sort(np.random.Generator(np.random.PCG64(project.split.seed)).permutation(asked)[:most])
    begins = np.searchsorted(events.user, asked, side="left")
    ends = np.searchsorted(events.user, asked, side="right")
    users, histories, relevant = [], [], []
    for user, begin, end in zip(asked.tolist(), begins.tolist(), ends.tolist(), strict=True):
        items, of_part = events.item[begin:end].astype(np.int64), part[begin:end]
        before, then = items[of_part < which], items[of_part == which]
        for more in MORE if over_time else (0,):
            if more >= len(then):
                break
            history = np.concatenate([before, then[:more]])
            came = np.unique(then[more:])
            came = came[~np.isin(came, history)] if hide else came
            if len(came):
                users.append(user)
                histories.append(history)
                relevant.append(came)
    return Cases(np.asarray(users, dtype=np.int64), tuple(histories), tuple(relevant))
