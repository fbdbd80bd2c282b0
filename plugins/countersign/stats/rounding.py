"""From a statistic's float to the integer that is sealed: half-even, of a stated scale."""

from decimal import ROUND_HALF_EVEN, Decimal

from countersign.errors import EvidenceError


def scaled(value: float, scale: int) -> int:
    """The value times the scale, rounded half-even from its exact binary value.

    >>> scaled(0.125231, 1_000_000)
    125231
    >>> scaled(0.5, 1), scaled(1.5, 1), scaled(2.5, 1)
    (0, 2, 2)

    Raises:
        EvidenceError: the value is not finite; a statistic that does not exist is None, not a
            number.
    """
    exact = Decimal(float(value))
    if not exact.is_finite():
        raise EvidenceError(
            "statistic to be sealed",
            expected="a finite number",
            observed=str(exact),
            remedy="Say None where a statistic is not defined.",
        )
    return int((exact * scale).to_integral_value(ROUND_HALF_EVEN))


def share_ppm(part: int, whole: int) -> int:
    """A share of integers in ppm, half-even, exactly; an empty whole has share 0.

    >>> share_ppm(1, 3), share_ppm(0, 0)
    (333333, 0)
    """
    if whole == 0:
        return 0
    quotient, rest = divmod(part * 1_000_000, whole)
    above = 2 * rest - whole
    return quotient + (above > 0 or (above == 0 and quotient % 2 == 1))
