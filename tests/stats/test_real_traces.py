"""Known differences between and within real traces, to the last digit that was measured."""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pytest

from countersign.stats import blocks, edges, jensen_shannon, ks, psi

Sample = npt.NDArray[np.int64]
Trace = Callable[[str], tuple[Sample, Sample]]

Known = tuple[str, str, int, tuple[int, int], float, float, float, float, float, float]
INPUT, OUTPUT = 0, 1
KNOWN: list[Known] = [
    # reference, now ("" is the second half), field, medians, octave PSI, JS, E[JS], decile, KS
    ("conv", "", INPUT, (1035, 993), 0.050440, 0.009032, 0.000410, 0.133729, 0.023880, 0.082619),
    ("conv", "", OUTPUT, (141, 123), 0.078223, 0.014051, 0.000223, 0.090227, 0.016174, 0.082206),
    ("code", "", INPUT, (1454, 1477), 0.002874, 0.000523, 0.000818, 0.007670, 0.001385, 0.021648),
    ("code", "", OUTPUT, (13, 13), 0.004189, 0.000761, 0.000654, 0.008998, 0.001625, 0.030984),
    ("conversation", "", INPUT, (7590, 6301), 0.018337, 0.003302, 0.000420, 0.020732, 0.003740,
     0.058277),
    ("conversation", "", OUTPUT, (356, 344), 0.007994, 0.001443, 0.000540, 0.009148, 0.001651,
     0.026632),
    ("synthetic", "", INPUT, (4063, 14888), 0.498767, 0.086499, 0.002529, 0.386495, 0.067567,
     0.279652),
    ("synthetic", "", OUTPUT, (153, 33), 0.348419, 0.061946, 0.001445, 0.344860, 0.061319,
     0.286712),
    ("conv", "code", INPUT, (1020, 1469), 0.689783, 0.115485, 0.000357, 0.925049, 0.149317,
     0.346024),
    ("conv", "code", OUTPUT, (129, 13), 5.229001, 0.619927, 0.000238, 4.083463, 0.552894, 0.809686),
    ("conversation", "conv", INPUT, (6909, 1020), 7.581201, 0.528621, 0.000340, 4.980319, 0.442842,
     0.654458),
    ("conversation", "synthetic", INPUT, (6909, 11587), 2.671772, 0.251062, 0.000842, 0.794852,
     0.135679, 0.299274),
    ("conversation", "synthetic", OUTPUT, (350, 69), 0.905401, 0.149786, 0.000541, 0.941254,
     0.158868, 0.410746),
]  # fmt: skip


def _samples(trace: Trace, reference: str, now: str, field: int) -> tuple[Sample, Sample]:
    rows = trace(reference)[field]
    if now:
        return rows, trace(now)[field]
    return rows[: len(rows) // 2], rows[len(rows) // 2 :]


def _octaves(sample: Sample) -> Sample:
    return np.bincount(edges.last_edge_at_most(sample, edges.octaves()), minlength=62)


def _deciles(reference: Sample, *samples: Sample) -> Iterator[Sample]:
    cut = edges.quantiles(*np.unique(reference, return_counts=True))
    for sample in samples:
        yield np.bincount(edges.edges_below(sample, cut), minlength=len(cut) + 1)


@pytest.mark.parametrize("known", KNOWN, ids=lambda k: f"{k[0]}-{k[1] or 'halves'}-{k[2]}")
def test_real_traces_reproduce(trace: Trace, known: Known) -> None:
    reference, now, field, medians, *expected = known
    a, b = _samples(trace, reference, now, field)
    octave, octave_now = _octaves(a), _octaves(b)
    decile, decile_now = _deciles(a, a, b)
    occupied = int(((octave + octave_now) > 0).sum())
    observed = [
        psi.psi(octave, octave_now),
        jensen_shannon.divergence_bits(octave, octave_now),
        jensen_shannon.expected_bits(occupied, len(a), len(b)),
        psi.psi(decile, decile_now),
        jensen_shannon.divergence_bits(decile, decile_now),
        ks.distance(*np.unique(a, return_counts=True), *np.unique(b, return_counts=True)),
    ]
    assert observed == pytest.approx(expected, abs=1e-6)
    assert [int(np.median(x)) for x in (a, b)] == pytest.approx(medians, abs=1)


@pytest.mark.parametrize(
    ("name", "field", "mean", "p_value"),
    [
        ("conv", INPUT, 0.004505, (0.07, 0.14)),
        ("conv", OUTPUT, 0.003114, (0.004, 0.03)),
        ("code", INPUT, 0.002490, (0.95, 1.0)),
        ("code", OUTPUT, 0.000815, (0.4, 0.66)),
        ("synthetic", INPUT, 0.005919, (0.0, 0.004)),
        ("synthetic", OUTPUT, None, (0.0, 0.004)),
    ],
)
def test_bursts_are_not_drift_by_blocks_of_time(
    trace: Trace, name: str, field: int, mean: float | None, p_value: tuple[float, float]
) -> None:
    a, b = _samples(trace, name, "", field)
    first, second = blocks.split(len(a), len(b))
    tested = blocks.permute(_blocks(a, first), _blocks(b, second), permutations=2_000)
    assert p_value[0] <= tested.p_value <= p_value[1]
    if mean is not None:
        assert float(tested.permuted.mean()) == pytest.approx(mean, rel=0.15)


def test_conversation_to_code_differs_by_blocks_of_time(trace: Trace) -> None:
    for field in (INPUT, OUTPUT):
        a, b = _samples(trace, "conv", "code", field)
        first, second = blocks.split(len(a), len(b))
        assert blocks.permute(_blocks(a, first), _blocks(b, second)).p_value <= 0.01


def _blocks(sample: Sample, count: int) -> Sample:
    slot = np.arange(len(sample)) * blocks.SLOTS // len(sample)
    counts = np.zeros((blocks.SLOTS, 62), dtype=np.int64)
    np.add.at(counts, (slot, edges.last_edge_at_most(sample, edges.octaves())), 1)
    return blocks.block_counts(counts, count)


def test_one_extreme_row_changes_no_distance(trace: Trace) -> None:
    a, b = _samples(trace, "conv", "code", INPUT)
    extreme = b.copy()
    extreme[0] = 2_000_000
    plain = float(jensen_shannon.divergence_bits(_octaves(a), _octaves(b)))
    assert float(jensen_shannon.divergence_bits(_octaves(a), _octaves(extreme))) == pytest.approx(
        plain, abs=2e-4
    )
