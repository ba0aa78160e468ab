"""The same entity, or the same content, on both sides of the split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mlctl.findings import Finding
from mlctl.plan import AS_OF
from mlctl.probes._scene import LABEL, Looked, Scene

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]

_SURE: Final = 5.0
"""Standard errors beyond chance."""
_ALIKE_SHARE: Final = 0.001
"""Keys that are alike but for case and zeros: this share of the test is no accident."""
_USUAL: Final = 8
"""Contents that so many rows share are usual (nobody ordered anything) and prove nothing."""
_FEWEST: Final = 3


def entities(scene: Scene) -> Looked:
    """An entity on both sides of a split that is not in time; also under a key that differs in case or zeros only."""
    if scene.in_time:
        return Looked.not_run("the split is in time: an entity may stand on both sides, at different moments")
    key = scene.rows[scene.project.entity.key]
    findings, limit, severity = [], "each entity on one side of the split", scene.severity("entities")
    rows = _across(key.rank("dense"), scene)
    if len(rows):
        value = f"{_on_both(scene, rows)} with the same key on both sides, such as {scene.keys(_spread(key, rows))}"
        findings.append(
            Finding(severity, "probes.entities", "the split", value, limit, tuple(int(row) for row in rows))
        )
    plain = _plain(key)
    if plain is None:
        return Looked(len(key), findings)
    alike = _across(plain.rank("dense"), scene)
    if len(alike) - len(rows) > max(_FEWEST, _ALIKE_SHARE * len(key)):
        only = sorted(set(alike.tolist()) - set(rows.tolist()), key=lambda row: (plain[row], row))
        value = f"{len(only):,} rows whose keys differ in case, spaces or zeros only, such as {scene.keys(only)}"
        findings.append(Finding(severity, "probes.entities", "the split", value, limit, tuple(sorted(only))))
    return Looked(len(key), findings)


def copies(scene: Scene) -> Looked:
    """Test rows whose features and label stand in training too, more often than training rows have twins themselves.

    Rows of one population have twins inside training as often as across the split; a surplus was copied. Contents that
    many rows share (nobody ordered anything) are left out, and so are twins of the entity itself at another moment.
    """
    import numpy as np
    import polars as pl

    judges = (scene.part > 0) if not scene.folds else np.ones(len(scene.part), dtype=bool)
    if min(judges.sum(), scene.teaches.sum()) == 0:
        return Looked.not_run("one side of the split has no rows")
    if scene.folds:
        return Looked.not_run("with folds every row teaches and judges: probes.resampled looks for copies")
    content = contents(scene.rows, scene.whole)
    table = pl.DataFrame({"content": content, "part": scene.part, "key": scene.rows[scene.project.entity.key]})
    by_content = table.group_by("content").agg(
        pl.len().alias("rows"), pl.col("key").n_unique().alias("keys"), (pl.col("part") == 0).sum().alias("train")
    )
    seen = table.join(by_content, on="content", how="left", maintain_order="left")
    rare = (seen["rows"] <= _USUAL).to_numpy()
    others = (seen["keys"] > 1).to_numpy()
    same = _same_keys(scene)
    in_train = seen["train"].to_numpy()
    twin = rare & np.where(judges, in_train > 0, in_train > 1) & (others | (same & judges))
    share, usual = float(twin[judges].mean()), float(twin[scene.teaches].mean())
    error = (max(usual, 1 / len(twin)) * (1 - usual) / int(judges.sum())) ** 0.5
    if share - usual <= max(scene.project.probes.copies_limit, _SURE * error):
        return Looked(len(twin), [])
    rows = np.flatnonzero(twin & judges)
    pairs = _pairs(scene, content, rows)
    value = f"{share:.1%} of its rows in training too, label and all, such as {pairs}"
    limit = f"{usual:.1%} (the share of training rows with a twin in training) plus "
    limit += f"{scene.project.probes.copies_limit:.1%}"
    found = tuple(int(row) for row in rows)
    return Looked(len(twin), [Finding(scene.severity("copies"), "probes.copies", "the test", value, limit, found)])


def contents(rows: pl.DataFrame, columns: tuple[str, ...]) -> pl.Series:
    """A number for each row that is the same where all features and the label are the same."""
    import polars as pl

    # as floats, because -0.0 and 0.0, 1 and 1.0 are one content
    plain = [pl.col(name) + 0.0 if rows.schema[name].is_float() else pl.col(name) for name in columns]
    return rows.select(*plain, pl.col(LABEL)).hash_rows(seed=7)


def _across(groups: pl.Series, scene: Scene) -> Array:
    """Positions of the rows whose group stands in more than one part."""
    import numpy as np

    codes = np.asarray(groups.fill_null(0).to_numpy(), dtype=np.int64)
    size = int(codes.max(initial=0)) + 1
    low, high = np.full(size, np.iinfo(np.int64).max), np.full(size, -1)
    np.minimum.at(low, codes, scene.part)
    np.maximum.at(high, codes, scene.part)
    return np.flatnonzero((low != high)[codes])


def _on_both(scene: Scene, rows: Array) -> str:
    key = scene.rows[scene.project.entity.key]
    return f"{key[rows.tolist()].n_unique():,} entities ({len(rows):,} rows)"


def _spread(key: pl.Series, rows: Array) -> list[int]:
    """One row of each entity."""
    first: dict[Any, int] = {}
    for row in rows[:1000].tolist():
        first.setdefault(key[row], row)
    return list(first.values())


def _plain(key: pl.Series) -> pl.Series | None:
    """Keys without case, spaces and leading zeros; None where they are no texts."""
    import polars as pl

    if key.dtype != pl.String:
        return None
    return key.str.strip_chars().str.to_lowercase().str.strip_chars_start("0").str.strip_suffix(".0")


def _same_keys(scene: Scene) -> Array:
    """Bool array (rows,): whether the very row, key and moment, stands more than once."""
    import numpy as np

    who = scene.rows.select(scene.project.entity.key, AS_OF)
    return np.asarray(who.is_duplicated().to_numpy())


def _pairs(scene: Scene, content: pl.Series, rows: Array) -> str:
    """Up to three test rows and the training row that each repeats."""
    import numpy as np

    numbers, key = content.to_numpy(), scene.rows[scene.project.entity.key]
    told = []
    for row in rows[:3].tolist():
        twin = int(np.flatnonzero((numbers == numbers[row]) & scene.teaches)[0])
        told.append(f"{key[row]} (as {key[twin]})")
    return ", ".join(told)
