"""What users had after a list was shown to them: the late label of a recommender's answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from mlctl.comparing.pairs import SHOWN
from mlctl.outcomes import KNOWN_AT, LABEL
from mlctl.plan import AS_OF
from mlctl.recommend.events import TIME, USER, events_of
from mlctl.rollout.flag_file import CHALLENGER, CHAMPION
from mlctl.spec import Project
from mlctl.times import duration

if TYPE_CHECKING:
    import polars as pl


def balanced(pairs: pl.DataFrame) -> pl.DataFrame:
    """The first answers of each release, as many of one as of the other.

    Nobody can follow a list that was not shown, so what follows favours the release whose list it was. With as many of
    both the favour is the same for both; in the shadow nothing is left to compare.

    Args:
        pairs: As `read_pairs` gives them.
    """
    import polars as pl

    ordered = pairs.sort(AS_OF, pairs.columns[0])
    counts = [ordered.filter(pl.col(SHOWN) == variant).height for variant in (CHAMPION, CHALLENGER)]
    return pl.concat([ordered.filter(pl.col(SHOWN) == variant).head(min(counts)) for variant in (CHAMPION, CHALLENGER)])


def joined(
    project: Project, pairs: pl.DataFrame, tables: Mapping[str, pl.DataFrame], known_until: datetime
) -> pl.DataFrame:
    """Pairs with `label`, the different items that the user had within `rollout.within` of the answer, and `known_at`.

    Both are null where that time was not over at `known_until`. Who had nothing has an empty list.

    Args:
        project: Whose events count.
        pairs: Grain: one row an answer: the entity's key and `as_of`, and any others, which stay as they are.
        tables: The checked tables by source.
        known_until: The end of what the tables know.

    Raises:
        DataError: The events lack a column, or `label.where` cannot be computed.
    """
    import polars as pl

    key, within = project.entity.key, duration(project.rollout.within)
    item = project.items.key if project.items else ""
    events = events_of(project, item, tables[project.label.source])
    asked = pairs.drop(LABEL, KNOWN_AT, strict=False).with_row_index("/row")
    came = (
        asked.select("/row", key, AS_OF)
        .join(events.rename({item: "/item", TIME: "/time"}), left_on=key, right_on=USER, how="inner")
        .filter((pl.col("/time") >= pl.col(AS_OF)) & (pl.col("/time") < pl.col(AS_OF) + within))
        .group_by("/row")
        .agg(pl.col("/item").unique().sort().alias(LABEL))
    )
    told = asked.join(came, on="/row", how="left", maintain_order="left")
    over = pl.col(AS_OF) + within <= known_until
    return told.with_columns(
        pl.when(over).then(pl.col(LABEL).fill_null([])).alias(LABEL),
        pl.when(over).then(pl.col(AS_OF) + within).alias(KNOWN_AT),
    ).drop("/row")
