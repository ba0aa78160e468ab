"""Do servers answer in time, and without errors? Seconds by quantile, and the share of requests that a server failed.

Servers write down, with the sketches of their answers, how many requests they answered with which status and in how
many seconds. Use it for projects that are served over HTTP; of a day without requests there is nothing to say. Not for
how fast the model alone is, which the gate asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.findings import Finding
from mlctl.monitors import Measured, MonitorOptions, Window

if TYPE_CHECKING:
    from mlctl.sketches import Baseline


class Options(MonitorOptions):
    """Options of latency and errors."""

    kind: Literal["latency"] = Field(default="latency", description="latency")
    max_p99_ms: float = Field(default=250.0, gt=0, description="milliseconds in which 99 of 100 requests are answered")
    max_error_share: float = Field(
        default=0.001, ge=0, le=1, description="share of answers with a status of 500 or more"
    )
    min_requests: int = Field(default=100, ge=1, description="a day of fewer requests is not judged")


EXAMPLE: Final[dict[str, object]] = {"kind": "latency", "max_p99_ms": 100}


def measure(options: Options, window: Window, baseline: Baseline | None) -> list[Measured]:
    """Milliseconds at the half and at 99 %, and the share of errors."""
    told: Mapping[str, Any] | None = window.facts.get("requests")
    if not told or not _count(told):
        return []
    return [
        Measured("p50_ms", "requests", _quantile_ms(told, 0.5)),
        Measured("p99_ms", "requests", _quantile_ms(told, 0.99), high=options.max_p99_ms),
        Measured("error_share", "requests", _error_share(told), high=options.max_error_share),
    ]


def observe(options: Options, window: Window, baseline: Baseline | None) -> list[Finding]:
    """Requests that took too long, or failed."""
    told: Mapping[str, Any] | None = window.facts.get("requests")
    if not told:
        return []
    count, causes = _count(told), "; ".join(window.causes)
    if count < options.min_requests:
        return [
            Finding("note", "requests", f"{window.day}", f"{count:,} requests", f"at least {options.min_requests:,}")
        ]
    found = []
    share, slow = _error_share(told), _quantile_ms(told, 0.99)
    if share > options.max_error_share:
        value = f"{share:.3%} of {count:,} requests failed"
        found.append(
            Finding(options.severity, "errors", "requests", value, f"{options.max_error_share:.3%}", cause=causes)
        )
    if slow > options.max_p99_ms:
        value, limit = f"{slow:,.0f} ms for 99 of 100", f"{options.max_p99_ms:,.0f} ms"
        found.append(Finding(options.severity, "p99_ms", "requests", value, limit, cause=causes))
    return found


def _count(told: Mapping[str, Any]) -> int:
    return int(sum(told["codes"].values()))


def _error_share(told: Mapping[str, Any]) -> float:
    failed = sum(count for code, count in told["codes"].items() if int(code) >= 500)
    return float(failed) / max(_count(told), 1)


def _quantile_ms(told: Mapping[str, Any], share: float) -> float:
    """The upper end of the bucket in which a share of the requests is reached; of the last one, its lower end."""
    bounds, seconds = told["bounds"], told["seconds"]
    reached = [sum(seconds[: place + 1]) >= share * sum(seconds) for place in range(len(seconds))]
    return 1000.0 * float(bounds[min(reached.index(True), len(bounds) - 1)])
