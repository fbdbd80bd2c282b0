"""The failover: for some minutes, all calls of one tenant are answered elsewhere."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np

from countersign.model import US_PER_SECOND, moment
from countersign.world.call import Request
from countersign.world.installation import DEPLOYMENTS

_MINUTE_US = 60 * US_PER_SECOND


@dataclass(frozen=True, slots=True)
class Incident:
    """From `start_us` to `end_us` the tenant's calls go to another group's deployment."""

    tenant: str
    to_group: str
    start_us: int
    end_us: int
    at_least: int

    def concerns(self, tenant: str, day: date) -> bool:
        """Whether a tenant's day holds the incident."""
        return tenant == self.tenant and moment(self.start_us).date() == day

    def covers(self, request: Request) -> bool:
        """Whether a request falls into it."""
        return request.tenant.name == self.tenant and self.start_us <= request.at_us < self.end_us

    def extra_times(self, times: Any, rng: np.random.Generator) -> Any:
        """Times of the requests that are missing to the wanted volume."""
        inside = int(((times >= self.start_us) & (times < self.end_us)).sum())
        missing = max(0, self.at_least - inside)
        return rng.integers(self.start_us + _MINUTE_US, self.end_us - _MINUTE_US, size=missing)

    def reroute(self, request: Request) -> Request:
        """The request as the gateway routed it."""
        if not self.covers(request):
            return request
        asked = request.deployment.group
        return replace(request, deployment=DEPLOYMENTS[self.to_group], failed_over_from=asked)
