"""A band that is taken out is gone, and nothing else is."""

import numpy as np
import pytest

from src.audio.bands import without_band


def _power(waveform: np.ndarray, low: float, high: float) -> float:
    spectrum = np.abs(np.fft.rfft(waveform.astype(float))) ** 2
    frequencies = np.fft.rfftfreq(len(waveform), 1 / 16000)
    return float(spectrum[(frequencies > low) & (frequencies < high)].sum())


@pytest.mark.parametrize(("low", "high"), [(0, 1000), (1000, 2000), (7000, 8000), (0, 8000)])
def test_only_the_band_is_lost(low: float, high: float) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(16001).astype(np.float32)
    left = without_band(noise, 16000, low, high)
    assert left.shape == noise.shape
    assert left.dtype == np.float32
    inside = _power(left, low + 100 * (low > 0), high - 100 * (high < 8000))
    assert inside < 1e-6 * _power(noise, low, high)
    for start, end in ((0, low - 100), (high + 100, 8000)):
        if end > start:
            assert _power(left, start, end) == pytest.approx(_power(noise, start, end), rel=1e-3)


def test_bands_add_up_to_the_whole() -> None:
    noise = 0.01 * np.random.default_rng(0).standard_normal(8000)
    lost = sum(noise - without_band(noise, 16000, low, low + 1000) for low in range(0, 8000, 1000))
    np.testing.assert_allclose(lost, noise, atol=1e-3)


@pytest.mark.parametrize(("low", "high"), [(-1, 100), (200, 100), (100, 9000)])
def test_an_impossible_band_is_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="A band lies between 0 and 8000 Hz"):
        without_band(np.zeros(100), 16000, low, high)
