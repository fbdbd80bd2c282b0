"""The people who ask: they persist over all weeks, and each has own habits.

Activity is gamma(2), intents are a Dirichlet draw of concentration 3 around the tenant's mix,
so that rows cluster by person as real ones do.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from countersign.world.installation import INTENTS, LANGUAGES, Tenant

_CONCENTRATION = 3.0
_LENGTH_DEVIATION = 0.25


@dataclass(frozen=True, slots=True)
class People:
    """The users of one tenant, a row each."""

    tenant: Tenant
    ids: tuple[str, ...]
    activity: npt.NDArray[np.float64]
    mixes: npt.NDArray[np.float64]
    languages: tuple[str, ...]
    log_length: npt.NDArray[np.float64]


def settle(tenant: Tenant, rng: np.random.Generator) -> People:
    """Draw a tenant's users."""
    weights = np.array([tenant.intents[i] for i in INTENTS])
    speech = np.array([tenant.languages[code] for code in LANGUAGES])
    drawn = rng.choice(len(LANGUAGES), size=tenant.users, p=speech / speech.sum())
    return People(
        tenant,
        tuple(f"{tenant.short}-u{number:04d}" for number in range(tenant.users)),
        _shares(rng.gamma(2.0, size=tenant.users)),
        rng.dirichlet(_CONCENTRATION * weights / weights.sum(), size=tenant.users),
        tuple(LANGUAGES[code] for code in drawn),
        rng.normal(0.0, _LENGTH_DEVIATION, size=tenant.users),
    )


def _shares(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    shares: npt.NDArray[np.float64] = values / values.sum()
    return shares
