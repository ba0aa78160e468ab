"""What is counted, for Prometheus: requests, answers by reason, seconds, batches, the release that answers."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter as Counts
from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)

from mlctl.rollout import Traffic

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Measures:
    """The counters of one server; of several workers they are added up."""

    bounds = _SECONDS
    """Upper ends of the buckets of seconds."""

    def __init__(self, project: str, several: bool = False) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._several = several
        registry = self._registry
        self._requests = Counter(
            "mlctl_requests_total", "Requests by route and status.", ["route", "code"], registry=registry
        )
        self._seconds = Histogram(
            "mlctl_request_duration_seconds",
            "From the request to its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._answers = Counter(
            "mlctl_predictions_total",
            "Answers by release, variant and reason.",
            ["release", "variant", "reason"],
            registry=registry,
        )
        self._batch = Histogram("mlctl_batch_rows", "Rows that were scored together.", buckets=_ROWS, registry=registry)
        self._waiting = Gauge("mlctl_queue_rows", "Rows that wait.", multiprocess_mode="livesum", registry=registry)
        self._info = Gauge(
            "mlctl_release_info",
            "The release that answers.",
            ["project", "release"],
            multiprocess_mode="livemax",
            registry=registry,
        )
        self._refused = Counter("mlctl_releases_refused_total", "New releases that were not taken.", registry=registry)
        self._lost = Counter("mlctl_log_lines_lost_total", "Answers that could not be written down.", registry=registry)
        self._percent = Gauge(
            "mlctl_challenger_percent",
            "The challenger's share of the entities.",
            multiprocess_mode="livemax",
            registry=registry,
        )
        self._variant_seconds = Counter(
            "mlctl_variant_seconds_total",
            "Seconds of computing of mlctl_pairs_total, by variant.",
            ["variant"],
            registry=registry,
        )
        self._pairs = Counter("mlctl_pairs_total", "Rows that both releases answered.", registry=registry)
        self._dropped = Counter(
            "mlctl_pairs_dropped_total",
            "Rows that the other release was not asked, for want of time.",
            registry=registry,
        )
        self._rollbacks = Counter(
            "mlctl_challengers_sent_away_total", "Challengers that this server has sent away.", registry=registry
        )
        self.answered = 0
        self._project, self._release = project, ""
        self._of_route: dict[str, Histogram] = {}
        self._of_answer: dict[tuple[str, str, str], Counter] = {}
        self._of_request: dict[tuple[str, int], Counter] = {}
        self._codes: dict[int, int] = {}
        self._counted = [0] * (len(self.bounds) + 1)

    def request(self, route: str, code: int, seconds: float) -> None:
        """A request was answered."""
        self._count(route, code)
        timed = self._of_route.get(route)
        if timed is None:
            timed = self._of_route[route] = self._seconds.labels(route)
        timed.observe(seconds)
        self._counted[bisect_left(self.bounds, seconds)] += 1

    def turned_away(self, route: str) -> None:
        """A request was refused before it was read; its seconds say nothing about answers."""
        self._count(route, 503)

    def _count(self, route: str, code: int) -> None:
        found = self._of_request.get((route, code))
        if found is None:
            found = self._of_request[route, code] = self._requests.labels(route, str(code))
        found.inc()
        self._codes[code] = self._codes.get(code, 0) + 1

    def taken(self) -> tuple[dict[int, int], list[int]]:
        """Requests since the last call, by status, and by the bucket of their seconds (`bounds`, and one beyond)."""
        taken = self._codes, self._counted
        self._codes, self._counted = {}, [0] * (len(self.bounds) + 1)
        return taken

    def answers(self, answers: Iterable[dict[str, str]]) -> None:
        """Rows were answered."""
        counted = Counts((answer["release"], answer["variant"], answer["reason"]) for answer in answers)
        self.answered += counted.total()
        for whose, count in counted.items():
            found = self._of_answer.get(whose)
            if found is None:
                found = self._of_answer[whose] = self._answers.labels(*whose)
            found.inc(count)

    def counter(self, name: str, about: str, labels: list[str]) -> Counter:
        """Another counter, told with the others."""
        return Counter(name, about, labels, registry=self._registry)

    def batch(self, rows: int, waiting: int) -> None:
        """Rows were scored together while others wait."""
        self._batch.observe(rows)
        self._waiting.set(waiting)

    def release(self, identity: str) -> None:
        """Another release answers from now on."""
        if self._release:
            self._info.labels(self._project, self._release).set(0)
        self._release = identity
        self._info.labels(self._project, identity).set(1)

    def refused_release(self) -> None:
        """A new release was not taken."""
        self._refused.inc()

    def traffic(self, traffic: Traffic) -> None:
        """A challenger has another share."""
        self._percent.set(traffic.percent)

    def seconds(self, variant: str, seconds: float) -> None:
        """A variant has computed."""
        self._variant_seconds.labels(variant).inc(seconds)

    def paired(self, rows: int) -> None:
        """Rows were answered by both releases."""
        self._pairs.inc(rows)

    def dropped(self, rows: int) -> None:
        """Rows were not asked of the other release."""
        self._dropped.inc(rows)

    def rolled_back(self) -> None:
        """A challenger was sent away."""
        self._rollbacks.inc()

    def lost(self, lines: int) -> None:
        """Lines of the prediction log could not be written."""
        self._lost.inc(lines)

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        if not self._several:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        multiprocess.MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)
