"""What a sampler wrote down, as a probability."""

import pytest

from countersign.connectors.wire.span_row import inclusion_ppm


@pytest.mark.parametrize(
    ("state", "ppm"),
    [
        ("ot=th:0", 1_000_000),
        ("ot=th:c", 250_000),
        ("ot=th:8;rv:d2b3c4d5e6f708,other=1", 500_000),
        ("vendor=x,ot=rv:d2b3c4d5e6f708;th:fd70a3d70a3d71", 10_000),
        ("ot=rv:d2b3c4d5e6f708", None),
        ("vendor=th:c", None),
        ("ot=th:", None),
        ("ot=th:123456789abcdef", None),
        ("", None),
        (None, None),
    ],
)
def test_sampling_threshold_is_a_probability(state: str | None, ppm: int | None) -> None:
    assert inclusion_ppm(state) == ppm
