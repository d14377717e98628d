import numpy as np
import pytest
import torch
from scipy.fft import dct
from scipy.interpolate import CubicSpline

from src.audio.vocoders.compiled import load_librosa
from src.backbones.constant_q import ConstantQ, bin_frequencies, half_band, uniform_cosines
from src.backbones.front_ends import front_end

FLOOR = 1e-12


def noise(n: int, seed: int = 0) -> np.ndarray:
    """Return noise of a tenth of full scale."""
    return 0.1 * np.random.default_rng(seed).standard_normal(n)


def log_powers(waveform: np.ndarray) -> np.ndarray:
    powers: np.ndarray = ConstantQ().double()(torch.from_numpy(waveform)[None])[0].numpy()
    return powers


def magnitudes(waveform: np.ndarray) -> np.ndarray:
    magnitudes: np.ndarray = np.exp(log_powers(waveform) / 2)
    return magnitudes


def test_powers_are_those_of_the_definition_at_the_full_rate() -> None:
    """Two routes: octave by octave at falling rates, or every filter as long as it is, on the samples themselves."""
    waveform = noise(12_000)
    frequencies = 15.625 * 2 ** (np.arange(864)[:, None] / 96)
    ratio = 2 ** (1 / 96)
    lengths = (ratio**2 + 1) / (ratio**2 - 1) * 16_000 / (frequencies + 228.7)
    times = np.arange(-4600, 4601)
    windows = np.where(np.abs(times) < lengths / 2, np.cos(np.pi * times / lengths) ** 2, 0)
    filters = windows / windows.sum(axis=1, keepdims=True) * np.exp(-2j * np.pi * frequencies / 16_000 * times)
    padded = np.pad(waveform, 4600)
    frames = [padded[160 * i + 160 : 160 * i + 160 + 9201] for i in range(1 + (12_000 - 320) // 160)]
    expected = np.abs(filters @ np.array(frames).T)
    error = np.abs(magnitudes(waveform) - np.sqrt(expected**2 + FLOOR))
    loudest = expected.reshape(9, 96, -1).max(axis=(1, 2)).repeat(96)[:, None]
    assert (error < 2e-4 * loudest).all()


def test_magnitudes_are_those_of_librosa_where_its_halvings_keep_them() -> None:
    """librosa computes an octave up to half its rate, and loses the highest bins of most octaves to its resampling."""
    librosa = load_librosa()
    waveform = noise(24_000)
    options = {"sr": 16_000, "hop_length": 160, "fmin": 15.625, "bins_per_octave": 96, "n_bins": 864}
    transform = librosa.vqt(waveform, **options, gamma=None, sparsity=0, scale=False, pad_mode="constant")
    lengths = (2 ** (1 / 48) + 1) / (2 ** (1 / 48) - 1) * 16_000 / (bin_frequencies() + 228.7)
    ours = magnitudes(waveform)[:, 20:-20]  # away from the ends, which librosa's resampling treats otherwise
    theirs = (np.abs(transform) / lengths[:, None])[:, 21 : 21 + ours.shape[1]]
    errors = np.sqrt(((theirs - ours) ** 2).mean(axis=1) / (ours**2).mean(axis=1))
    assert errors[np.arange(864) % 96 <= 80].max() < 0.02


@pytest.mark.parametrize("bin_", [100, 300, 431, 432, 500, 671, 800])
def test_a_sine_rings_in_its_own_bin_with_half_its_amplitude(bin_: int) -> None:
    sine = 0.5 * np.cos(2 * np.pi * bin_frequencies()[bin_] * np.arange(16_000) / 16_000)
    middle = magnitudes(sine)[:, 48]
    assert middle.argmax() == bin_
    np.testing.assert_allclose(middle[bin_], 0.25, rtol=0.01)


def test_a_click_is_heard_in_the_frames_around_it_at_the_same_time_in_all_octaves() -> None:
    click = np.zeros(16_000)
    click[160 * 50 + 160] = 1
    powers = log_powers(click)
    assert (powers[:192].argmax(axis=1) == 50).all()
    assert (powers.argmax(axis=1) == 50).all()


def test_the_half_band_filter_keeps_the_octaves_below_and_stops_what_would_fold_into_them() -> None:
    taps = half_band()
    assert len(taps) % 2 == 1
    response = np.abs(np.fft.rfft(taps, 4096))
    np.testing.assert_allclose(response[: 4096 // 8], 1, atol=2e-5)
    assert (response[4096 * 3 // 8 :] < 2e-5).all()


def test_coefficients_are_the_cosine_transform_of_log_powers_at_even_frequencies() -> None:
    powers = log_powers(noise(4000))
    even = np.arange(15.625, bin_frequencies()[-1], 15.625 / 16)
    resampled = np.array([CubicSpline(bin_frequencies(), frame)(even) for frame in powers.T])
    expected = dct(resampled, norm="ortho", axis=1)[:, :30]
    np.testing.assert_allclose(powers.T @ uniform_cosines(30).T, expected, rtol=1e-9, atol=1e-9)
    cepstra = front_end("cqcc", torch.float64)(torch.from_numpy(noise(4000))[None])[0, :30]
    np.testing.assert_allclose(cepstra.T, expected, rtol=1e-9, atol=1e-9)


def test_loudness_moves_the_first_coefficient_alone() -> None:
    cepstra = [front_end("cqcc", torch.float64)(torch.from_numpy(gain * noise(8000))[None])[0] for gain in (1, 2)]
    difference = (cepstra[1] - cepstra[0]).numpy()
    np.testing.assert_allclose(difference[0], np.log(4) * np.sqrt(8117), rtol=1e-2)
    np.testing.assert_allclose(difference[1:], 0, atol=0.1)
