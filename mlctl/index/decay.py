"""What has become of an index since it was made: facts, findings, and when it should be made anew.

Vectors do not rust; the world moves away from them. Items come and go and change their texts, what is new lies
elsewhere, neighbours are no longer those of last week, and the search may find less. Each is a number with a limit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from mlctl.findings import Finding
from mlctl.index.vectors import Catalogue
from mlctl.spec import Decay
from mlctl.times import duration, moment

if TYPE_CHECKING:
    import numpy as np

    from mlctl.database.views import Connection

    Array = np.ndarray[Any, Any]

AGES_DAYS: Final = (1, 7, 30, 90, 365)
"""Ends of the bins of ages; the last bin is open."""
_DRAWS: Final = 999
_FEWEST_NEW: Final = 20
_FEWEST_ANSWERS: Final = 100
_SEED: Final = 7


def held(connection: Connection, table: str) -> dict[str, tuple[str, datetime]]:
    """By item of a generation, the hash of what its vector was made from, and when that was."""
    from psycopg import sql

    asked = sql.SQL("SELECT item, content, embedded_at FROM {}").format(sql.Identifier("mlctl", table))
    return {item: (content, made) for item, content, made in connection.execute(asked)}


def strays(catalogue: Catalogue, items: Mapping[str, tuple[str, datetime]]) -> dict[str, int]:
    """How many items of today have no vector here or one of another text, and how many vectors have no item any more.

    `silent` are those of which the model knows nothing, so that they can have no vector; they are not astray.
    """
    ids = catalogue.items[catalogue.key].to_list()
    wanted = dict(zip(ids, catalogue.contents, strict=True))
    lacking = [place for place, item in enumerate(ids) if item not in items]
    missing = int((catalogue.embed(lacking) != 0).any(axis=1).sum()) if lacking else 0
    return {
        "items": len(wanted),
        "missing": missing,
        "silent": len(lacking) - missing,
        "changed": sum(item in items and items[item][0] != content for item, content in wanted.items()),
        "gone": sum(item not in wanted for item in items),
    }


def ages(made: Iterable[datetime], now: datetime) -> dict[str, Any]:
    """How old vectors are: the counts by age, and the oldest.

    >>> ages([datetime(2026, 1, 1), datetime(2026, 1, 9)], datetime(2026, 1, 10))["counts"]
    {'1d': 1, '7d': 0, '30d': 1, '90d': 0, '365d': 0, 'older': 0}
    """
    days = [(now - one) / timedelta(days=1) for one in made]
    counts = {f"{end}d": 0 for end in AGES_DAYS} | {"older": 0}
    for day in days:
        counts[next((f"{end}d" for end in AGES_DAYS if day <= end), "older")] += 1
    return {"counts": counts, "oldest_days": max(days, default=0.0)}


def overlap(before: Mapping[str, Sequence[str]], after: Mapping[str, Sequence[str]]) -> float | None:
    """The mean share of neighbours that an item has kept; None where no item is in both.

    >>> overlap({"a": ["b", "c"], "x": ["y"]}, {"a": ["c", "d"]})
    0.5
    """
    shares = [len(set(old) & set(after[item])) / len(old) for item, old in before.items() if old and item in after]
    return sum(shares) / len(shares) if shares else None


def moved(new: Array, old: Array) -> float | None:
    """The p-value of "new items lie where the others do": a permutation test of the distance between their means.

    Args:
        new: float (items, dimension), vectors of items that came since.
        old: The others.

    Returns:
        0..1; None where fewer than 20 are new or old.
    """
    import numpy as np

    if min(len(new), len(old)) < _FEWEST_NEW:
        return None
    every = np.concatenate([new, old]).astype(np.float64)
    generator = np.random.Generator(np.random.PCG64(_SEED))
    total, count = every.sum(axis=0), len(new)

    def apart(chosen: Array) -> float:
        of_new = every[chosen].sum(axis=0)
        return float(np.linalg.norm(of_new / count - (total - of_new) / (len(every) - count)))

    found = apart(np.arange(count))
    as_far = sum(apart(generator.choice(len(every), count, replace=False)) >= found for _ in range(_DRAWS))
    return (as_far + 1) / (_DRAWS + 1)


def traffic(lines: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """The share of answers by the user's state; nothing below 100 answers.

    Args:
        lines: Of the prediction log.
    """
    counts = Counter(str(line["state"]) for line in lines if "state" in line)
    total = sum(counts.values())
    return {state: count / total for state, count in sorted(counts.items())} if total >= _FEWEST_ANSWERS else {}


def findings(facts: Mapping[str, Any], limits: Decay, severity: Literal["alarm", "warn"] = "alarm") -> list[Finding]:
    """What is beyond its limit.

    Args:
        facts: As `mlctl.indexing.decaying` measures them.
        limits: The limits.
        severity: Of every finding.
    """
    where, found = str(facts["table"]), []

    def limit(rule: str, passed: bool, value: str, allowed: str) -> None:
        if not passed:
            found.append(Finding(severity, f"index.{rule}", where, value, allowed))

    recall, objective = facts["recall"], facts["objective"]
    for one in recall:
        value = f"recall {one['recall']:.3f} [{one['low']:.3f}, {one['high']:.3f}] of {one['filter']}"
        limit("recall", one["high"] >= objective, value, f"{objective:.3f}")
    share = stray_share(facts["strays"])
    told = ", ".join(f"{facts['strays'][name]:,} {name}" for name in ("missing", "changed", "gone"))
    limit("strays", share <= limits.orphans, f"{share:.1%} stray items ({told})", f"at most {limits.orphans:.1%}")
    oldest = facts["ages"]["oldest_days"]
    most = duration(limits.max_age) / timedelta(days=1)
    limit("age", oldest <= most, f"a vector {oldest:.1f} days old", f"at most {most:.0f}")
    if (kept := facts["overlap"]) is not None:
        value = f"{kept:.1%} of the neighbours of {facts['overlap_with']}"
        limit("overlap", kept >= limits.overlap, value, f"at least {limits.overlap:.0%}")
    for name, kept in facts.get("overlaps", {}).items():
        value = f"{kept:.1%} of the neighbours among {name} of {facts['overlap_with']}"
        limit("overlap", kept >= limits.overlap, value, f"at least {limits.overlap:.0%}")
    if (chance := facts["new_items"]) is not None:
        value = f"new items whose vectors lie elsewhere (p = {chance:.3f})"
        limit("new_items", chance >= limits.new_items, value, f"p at least {limits.new_items}")
    cold = facts["traffic"].get("cold", 0.0)
    most_cold = limits.cold_traffic
    limit("cold_traffic", cold <= most_cold, f"{cold:.1%} answers to cold users", f"at most {most_cold:.0%}")
    return found


def stray_share(counts: Mapping[str, int]) -> float:
    """Items without a vector of their own, and vectors without an item, as a share of the items.

    >>> stray_share({"items": 100, "missing": 1, "changed": 0, "gone": 1})
    0.02
    """
    return (counts["missing"] + counts["changed"] + counts["gone"]) / max(counts["items"], 1)


def due(history: Sequence[Mapping[str, Any]], limits: Decay, now: datetime) -> tuple[datetime | None, str]:
    """When the index should be made anew, by what was measured of it, and why then.

    The share of stray items grows by the measured rate until it reaches its limit; the oldest vector reaches its age
    whatever happens. Who measures often knows sooner.

    Args:
        history: The facts of one generation, as they were measured, oldest first.
        limits: The limits.
        now: The present.

    Returns:
        The moment, None where nothing moves; and the reason.
    """
    if not history:
        return None, "nothing was measured yet: mlctl decay"
    last = history[-1]
    at = moment(last["at"])
    oldest = timedelta(days=float(last["ages"]["oldest_days"]))
    ends = [(at - oldest + duration(limits.max_age), f"the oldest vector is {limits.max_age} old then")]
    began, share = moment(last["live_at"]), stray_share(last["strays"])
    days = (at - began) / timedelta(days=1)
    if share > limits.orphans:
        ends.append((now, f"{share:.1%} of the items are stray already"))
    elif share > 0 and days > 0:
        rate = share / days
        when = at + timedelta(days=(limits.orphans - share) / rate)
        ends.append((when, f"{rate:.2%} of the items go astray a day, {limits.orphans:.1%} may"))
    return min(ends, key=lambda end: end[0])
