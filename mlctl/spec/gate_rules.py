"""One condition of a gate, as YAML writes it: what is judged, of whom, and what it must clear."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, model_validator

from mlctl.kinds import Record

CHAMPION: Final = "champion"
"""The release that is live, as one more model of the evaluation."""
EACH: Final = "each"
"""The word for every cohort, declared or found."""
SHOWN: Final = ("cold_start", "low_confidence", "fallback")
"""Groups that the evaluation makes by itself; a rule may name one of them, `each` leaves them out."""
SHARES: Final = ("selection_share", "positive_share")
"""What groups are compared by besides metrics: who is decided `above`, and whose label is 1."""
POPULARITY: Final = "popularity"
"""The recommender that every other one must not lose to."""
REPLAY: Final = "replay"
"""The measure that needs requests that were asked before."""
TIMED: Final = ("latency_ms", "seconds")
"""Measures that a clock gives; they differ from machine to machine and from run to run."""


class Rule(Record):
    """One condition of the gate; a value that was not measured never passes."""

    metric: str | None = Field(
        default=None,
        description="a metric of this project; with between or across also selection_share, positive_share",
    )
    measure: Literal["latency_ms", "seconds", "size_bytes", "parity", "replay", "rows"] | None = Field(
        default=None,
        description="instead of a metric: latency_ms (p99 of one row by the ONNX graph), seconds (100,000 rows by the "
        "graph), size_bytes (the graph), parity (ONNX against native), replay (how many of the last 5,000 logged "
        "requests it answers otherwise one by one than as a table), rows (judged)",
    )
    min: float | None = Field(default=None, description="the value may not be below")
    max: float | None = Field(default=None, description="the value may not be above")
    better_than: str | None = Field(
        default=None,
        description="a simpler model, or champion (the live release), to be beaten by a paired 95 % interval",
    )
    margin: float | None = Field(
        default=None,
        ge=0,
        description="with better_than: not worse by more than this; the paired interval may reach so far",
    )
    first: Literal["pass", "refuse"] = Field(
        default="pass",
        description="with better_than champion: what holds while there is no champion yet; with measure replay: while "
        "no request was logged with its inputs",
    )
    cohort: str | None = Field(
        default=None, description="only the rows of this cohort; each: every declared cohort and found slice"
    )
    between: tuple[str, str] | None = Field(default=None, description="two cohorts that may not differ by more")
    across: str | None = Field(default=None, description="a feature whose groups may not differ by more")
    max_difference: float | None = Field(
        default=None, ge=0, description="with between or across: the largest difference"
    )
    min_rows: int = Field(
        default=50, ge=2, description="with each, between and across: smaller groups are told and not judged"
    )
    by: Literal["interval", "value"] = Field(
        default="interval",
        description="whether the worse end of the 95 % interval must pass, or the value itself; "
        "better_than always asks the interval",
    )

    @model_validator(mode="after")
    def _one_subject(self) -> Rule:
        if (self.metric is None) == (self.measure is None):
            raise ValueError("give either `metric` or `measure`")
        grouped = [self.cohort, self.between, self.across]
        if self.measure is not None and (any(grouped) or self.better_than is not None):
            raise ValueError("a `measure` is of the whole model: only `min` and `max` go with it")
        if sum(choice is not None for choice in grouped) > 1:
            raise ValueError("give one of `cohort`, `between` and `across`")
        return self

    @model_validator(mode="after")
    def _says_something(self) -> Rule:
        fair = self.between is not None or self.across is not None
        if fair != (self.max_difference is not None):
            raise ValueError("`between` and `across` go with `max_difference`")
        limits = [self.min, self.max, self.better_than]
        if fair and any(limit is not None for limit in limits):
            raise ValueError("a rule about a difference has only `max_difference`; write a second rule")
        if not fair and all(limit is None for limit in limits):
            raise ValueError("give at least one of `min`, `max` and `better_than`")
        if self.margin is not None and self.better_than is None:
            raise ValueError("`margin` goes with `better_than`")
        return self

    def is_timed(self) -> bool:
        """Whether a clock gives the value."""
        return self.measure in TIMED

    def wanted(self) -> str:
        """The limit, for people."""
        if self.max_difference is not None:
            return f"difference <= {self.max_difference:.10g} by {self.by}"
        if self.cohort == EACH and self.by == "interval":
            return f"not shown to be {self._wanted_of_each()}"
        parts = [f">= {self.min:,.10g}"] if self.min is not None else []
        parts += [f"<= {self.max:,.10g}"] if self.max is not None else []
        text = " and ".join(parts) + (f" by {self.by}" if parts and self.metric else "")
        return " and ".join(part for part in (text, self._wanted_against()) if part)

    def _wanted_of_each(self) -> str:
        parts = [f"below {self.min:,.10g}"] if self.min is not None else []
        parts += [f"above {self.max:,.10g}"] if self.max is not None else []
        if self.better_than is not None:
            parts.append(
                f"worse than {self.better_than}" + (f" by more than {self.margin:.10g}" if self.margin else "")
            )
        return " or ".join(parts)

    def _wanted_against(self) -> str:
        if self.better_than is None:
            return ""
        if self.margin is None:
            return f"better than {self.better_than}"
        return f"not worse than {self.better_than} by more than {self.margin:.10g}"


def always(metric: str) -> dict[str, Rule]:
    """What every gate of a recommender asks, whatever its YAML says: not to lose to popularity, in no state of users.

    A person may waive a refusal (`waivers.yaml`); nobody can leave the rules out.

    Args:
        metric: The project's first metric.
    """
    return {
        "not_below_popularity": Rule(metric=metric, better_than=POPULARITY, margin=0.0),
        "not_below_popularity_in_any_state": Rule(metric=metric, better_than=POPULARITY, cohort=EACH, min_rows=2),
    }
