"""Cards for people who know the business: groups that the model scores far from everybody else, in plain words.

Groups are found as weak slices are (every condition on one or two features, corrected for all that was tried), by the
score in place of the loss. A card says who they are, what the model says of them, and what became of them. What an
expert answers is kept in `projects/NAME/reviews.yaml`, with name, reason and what the score should be instead; from
then on it is a test of every release: `mlctl review` holds the group's mean score against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError

from mlctl import slices
from mlctl.errors import ConfigError, IntegrityError, first_line
from mlctl.features import fulfils
from mlctl.files import sha256_of, write_text
from mlctl.judging.curves import wilson
from mlctl.kinds import Record
from mlctl.report import disk
from mlctl.spec import Project
from mlctl.strict_yaml import read_yaml
from mlctl.workspace import Places

if TYPE_CHECKING:
    import polars as pl

MOST: Final = 5
"""Cards of each side: those scored far above everybody else, and far below."""
_LEAST_SHARE: Final = 0.01
_FEWEST: Final = 50
_HEAD: Final = "# What people who know the business said of groups; mlctl review holds every release against it.\n"


class Answer(Record):
    """What an expert said of a group."""

    card: str = Field(pattern="^[0-9a-f]{8}$", description="the card")
    condition: str = Field(min_length=1, description="who belongs to the group: SQL over features")
    verdict: Literal["right", "wrong"] = Field(description="whether the score makes sense")
    because: str = Field(min_length=10, description="why")
    at_least: float | None = Field(default=None, description="the mean score should not be below")
    at_most: float | None = Field(default=None, description="the mean score should not be above")
    by: str = Field(min_length=1, description="who said it")
    at: str = Field(description="when, UTC")
    release: str = Field(description="the release that was reviewed")

    def holds(self, score: float) -> bool:
        """Whether a mean score is as the expert says."""
        return (self.at_least is None or score >= self.at_least) and (self.at_most is None or score <= self.at_most)

    def wanted(self) -> str:
        """What the score should be, for people."""
        ends = [f"at least {self.at_least:g}"] if self.at_least is not None else []
        return " and ".join([*ends, *([f"at most {self.at_most:g}"] if self.at_most is not None else [])])


@dataclass(frozen=True)
class Card:
    """A group of rows that judged the release.

    Attributes:
        id: Hash of the condition.
        condition: SQL over features.
        rows: How many rows.
        share: Their share of all rows that judged.
        score: Their mean score.
        rest: The mean score of all others.
        spread: The deviation of scores inside: small means that all are scored alike.
        label: The mean label; of a binary one the share with label 1.
        interval: Its 95 % interval where the label is binary.
        answer: What an expert said.
        holds: Whether the score is as the expert says; None where nobody said anything of it.
    """

    id: str
    condition: str
    rows: int
    share: float
    score: float
    rest: float
    spread: float
    label: float
    interval: tuple[float, float] | None
    answer: Answer | None = None
    holds: bool | None = None

    def sentence(self) -> str:
        """The card in plain words."""
        became = f"{self.label:.3g}"
        if self.interval is not None:
            became = f"{self.label:.0%} had label 1 ({self.interval[0]:.0%} to {self.interval[1]:.0%})"
        return (
            f"score {self.score:.2f} for {self.rows:,} rows ({self.share:.1%}) where {self.condition}; "
            f"all others {self.rest:.2f}; {became}"
        )

    def record(self) -> dict[str, Any]:
        """The card as JSON-ready data."""
        answer = None if self.answer is None else self.answer.model_dump(mode="json")
        return {**vars(self), "answer": answer, "sentence": self.sentence()}


@dataclass(frozen=True)
class Review:
    """The cards of a release: what was answered before comes first, then what is new, the farthest off first."""

    project: str
    release: str
    cards: tuple[Card, ...]

    @property
    def passed(self) -> bool:
        """Whether every group that was answered is scored as was said."""
        return all(card.holds is not False for card in self.cards)

    def record(self) -> dict[str, Any]:
        """The review as JSON-ready data."""
        cards = [card.record() for card in self.cards]
        told = {"project": self.project, "release": self.release, "passed": self.passed}
        return {"format_version": "1.0", **told, "cards": cards}


def review(places: Places, project: Project) -> Review:
    """The cards of what was evaluated last.

    Raises:
        ConfigError: Scores are no single number, or `reviews.yaml` cannot be read.
        IntegrityError: Nothing was evaluated, or it is damaged.
    """
    if project.label.task not in ("binary", "regression"):
        raise ConfigError.bad_argument("review", f"a score of a {project.label.task} label is no single number")
    found = disk.read(places, project)
    rows, own = found.scored(), found.own()
    if rows is None or own is None or found.features is None:
        raise IntegrityError.missing(str(places.evaluation / "scores.parquet"), f"mlctl run projects/{places.name}")
    columns = [name for name in found.features["columns"] if name in rows.columns]
    rows = rows.with_columns(rows[own].cast(float).alias("/score"), rows["label"].cast(float).alias("/label"))
    answers = {answer.card: answer for answer in read(places)}
    conditions = dict.fromkeys([answer.condition for answer in answers.values()] + _extreme(rows, columns))
    is_binary = project.label.task == "binary"
    cards = [card for text in conditions if (card := _card(rows, text, answers, is_binary)) is not None]
    release = (found.manifest or {}).get("id", "none")
    return Review(places.name, str(release), tuple(cards))


def _extreme(rows: pl.DataFrame, columns: list[str]) -> list[str]:
    """Conditions whose rows are scored far above or far below all others, the surest first."""
    fewest = max(_FEWEST, int(rows.height * _LEAST_SHARE))
    score = rows["/score"].to_numpy()
    high = slices.find(rows, columns, score, fewest, MOST)
    return [one.condition for one in (*high, *slices.find(rows, columns, -score, fewest, MOST))]


def _card(rows: pl.DataFrame, condition: str, answers: Mapping[str, Answer], is_binary: bool) -> Card | None:
    inside = fulfils(rows, condition, "reviews")
    own, others = rows.filter(inside), rows.filter(~inside)
    if not own.height:
        return None
    identity = sha256_of(condition)[:8]
    answer, score, label = answers.get(identity), _mean(own["/score"]), _mean(own["/label"])
    return Card(
        id=identity,
        condition=condition,
        rows=own.height,
        share=own.height / rows.height,
        score=score,
        rest=_mean(others["/score"]) if others.height else score,
        spread=float(own["/score"].std() or 0.0),  # type: ignore[arg-type]
        label=label,
        interval=wilson(label, own.height) if is_binary else None,
        answer=answer,
        holds=None if answer is None else answer.holds(score),
    )


def _mean(values: pl.Series) -> float:
    return float(values.mean() or 0.0)  # type: ignore[arg-type]


def read(places: Places) -> list[Answer]:
    """What was answered so far; nothing without the file.

    Raises:
        ConfigError: It cannot be read.
    """
    if not places.reviews.is_file():
        return []
    body, _ = read_yaml(places.reviews)
    try:
        return TypeAdapter(list[Answer]).validate_python(body.get("reviews") or [])
    except ValidationError as error:
        raise ConfigError.unreadable_yaml(str(places.reviews), first_line(error)) from error


def keep(places: Places, found: Review, said: Mapping[str, Any], by: str, at: datetime) -> Answer:
    """Writes an answer down; another answer to the same card takes the place of the one before.

    Args:
        places: The project's paths.
        found: The cards.
        said: `card` (an id, or its beginning), `verdict`, `because`, `at_least`, `at_most`.
        by: Who says it.
        at: When.

    Raises:
        ConfigError: There is no such card, or no reason, or nothing is said that a test could hold.
        ExternalError: The disk.
    """
    import yaml

    named = [card for card in found.cards if said["card"] and card.id.startswith(said["card"])]
    if len(named) != 1:
        raise ConfigError.bad_argument(said["card"], f"cards: {', '.join(card.id for card in found.cards) or 'none'}")
    (card,) = named
    given = {"card": card.id, "condition": card.condition, "by": by, "at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
    try:
        answer = Answer.model_validate({**said, **given, "release": found.release})
    except ValidationError as error:
        raise ConfigError.bad_argument("--because", "say why, in ten letters or more") from error
    if answer.verdict == "wrong" and answer.holds(card.score):
        why = "say what the mean score should be instead: --at-most or --at-least, which it is not now"
        raise ConfigError.bad_argument("--wrong", why)
    kept = [*(one for one in read(places) if one.card != card.id), answer]
    body = {"reviews": [one.model_dump(mode="json", exclude_none=True) for one in kept]}
    write_text(places.reviews, _HEAD + yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=120))
    return answer
