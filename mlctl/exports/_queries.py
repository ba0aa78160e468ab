"""What Prometheus is asked about a server of a release: rules and dashboard ask the same.

Every series has the label `job`, which Prometheus sets from its own configuration; it is the project's name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mlctl.decide import BY_MODEL, COLD_MODEL, FORETOLD
from mlctl.exports import Parcel

WINDOW: Final = "5m"
_DECIDED: Final = "|".join((BY_MODEL, COLD_MODEL, FORETOLD))
"""Reasons of answers that a model gave; every other answer is a fallback."""


@dataclass(frozen=True)
class Queries:
    """PromQL by what it tells; rates are over `window`, shares are 0 to 1."""

    job: str
    window: str = WINDOW

    def rate(self, metric: str, labels: str = "") -> str:
        """How often a counter went up in a second, summed over everything.

        >>> Queries("shop").rate("mlctl_requests_total", 'code=~"5.."')
        'sum(rate(mlctl_requests_total{job="shop",code=~"5.."}[5m]))'
        """
        return f"sum(rate({metric}{self.where(labels)}[{self.window}]))"

    def where(self, labels: str = "") -> str:
        """The selector of the project's servers."""
        return f'{{job="{self.job}"{"," + labels if labels else ""}}}'

    def by(self, label: str, metric: str) -> str:
        """How often a counter went up in a second, by one of its labels."""
        return f"sum by ({label}) (rate({metric}{self.where()}[{self.window}]))"

    def share(self, labels: str, metric: str = "mlctl_requests_total") -> str:
        """The share of a counter that has some labels; nothing while there is no traffic."""
        return f"{self.rate(metric, labels)} / ({self.rate(metric)} > 0)"

    def fallback_share(self) -> str:
        """The share of answers that no model gave."""
        return self.share(f'reason!~"{_DECIDED}"', "mlctl_predictions_total")

    def latency(self, quantile: float) -> str:
        """Seconds within which a share of the predictions is answered."""
        routes = 'route=~"/predict|/v2/models/.*/infer|/recommend"'
        series = f"mlctl_request_duration_seconds_bucket{self.where(routes)}[{self.window}]"
        return f"histogram_quantile({quantile:g}, sum by (le) (rate({series})))"


def queries(parcel: Parcel) -> Queries:
    """The queries of a project's servers."""
    return Queries(parcel.dns_name)
