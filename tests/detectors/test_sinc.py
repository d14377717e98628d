"""Sinc filters: edges in Hz, what they let through, and the numbers of the published bank."""

import json

import numpy as np
import pytest
import torch

from src.detectors.sinc import SincFilters, check_taps, mel_edges, sinc_filters
from tests.detectors.networks import SHARED, needs


def test_edges_are_evenly_spaced_in_mel() -> None:
    edges = mel_edges(70)
    assert (edges[0], edges[-1]) == pytest.approx((0, 8000))
    steps = np.diff(2595 * np.log10(1 + edges / 700))
    np.testing.assert_allclose(steps, steps[0])


def test_the_published_bank() -> None:
    golden = json.loads((needs(SHARED / "models" / "aasist") / "golden.json").read_text())["sinc_bank"]
    bank = sinc_filters(70, 129)
    assert list(bank.shape) == golden["shape"]
    np.testing.assert_allclose(mel_edges(70)[:4], golden["edges_hz_first"], atol=1e-4)
    np.testing.assert_allclose(mel_edges(70)[-3:], golden["edges_hz_last"], atol=1e-4)
    assert np.linalg.norm(bank) == pytest.approx(golden["norm"], abs=3e-7)
    for index, norm in golden["filter_norms"].items():
        assert np.linalg.norm(bank[int(index)]) == pytest.approx(norm, abs=3e-7)
    np.testing.assert_allclose(bank[0, 62:67], golden["filter_0_taps_62_to_66"], atol=3e-7)
    np.testing.assert_allclose(bank[69, 62:67], golden["filter_69_taps_62_to_66"], atol=3e-7)


@pytest.mark.parametrize("index", [3, 10, 19])
def test_a_filter_passes_its_band_and_stops_the_others(index: int) -> None:
    edges = mel_edges(20)
    response = np.abs(np.fft.rfft(sinc_filters(20, 1025)[index], 16_000))  # one number per Hz
    middle = round((edges[index] + edges[index + 1]) / 2)
    assert response[middle] == pytest.approx(1, abs=0.02)
    assert response[: max(0, round(edges[index]) - 40)].max() < 0.01
    assert response[round(edges[index + 1]) + 40 :].max(initial=0) < 0.01


def test_the_layer_correlates_and_has_nothing_to_learn() -> None:
    layer = SincFilters(4, 9)
    assert not list(layer.parameters())
    assert not layer.state_dict()  # fixed: not in the weights
    waveform = torch.randn(1, 30, generator=torch.Generator().manual_seed(7))
    expected = [np.correlate(waveform[0].numpy(), taps, mode="valid") for taps in sinc_filters(4, 9)]
    np.testing.assert_allclose(layer(waveform)[0].numpy(), expected, atol=1e-6)


def test_taps_are_odd() -> None:
    check_taps(1025)
    with pytest.raises(ValueError, match="taps must be an odd number, not 1024"):
        check_taps(1024)
