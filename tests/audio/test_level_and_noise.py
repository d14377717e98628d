"""Levels are brought where they were asked to be, and noise is as loud as was asked, whatever the waveform."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from src.audio.augment import add_noise
from src.audio.normalize import METHODS, normalize_peak, normalize_rms, rms

samples = st.floats(-1, 1, width=32, allow_subnormal=False)
waveforms = arrays(np.float32, st.integers(1, 200), elements=samples)
sounding = waveforms.filter(lambda waveform: np.abs(waveform).max() > 1e-6)
gains = st.floats(1e-3, 1)


def speech_like(seed: int = 0, seconds: float = 2.0) -> np.ndarray:
    """Return noise that comes and goes four times a second: peaks well above its root mean square."""
    n = int(16_000 * seconds)
    envelope = 0.02 + np.sin(np.pi * 4 * np.arange(n) / 16_000) ** 2
    return (0.1 * envelope * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


@settings(deadline=None)
@given(sounding)
def test_peak_normalisation_brings_the_largest_sample_to_full_scale_and_only_scales(waveform: np.ndarray) -> None:
    loud = normalize_peak(waveform)
    assert loud.dtype == np.float32
    assert np.abs(loud).max() == 1
    np.testing.assert_allclose(loud * np.abs(waveform).max(), waveform, atol=1e-7)


@settings(deadline=None)
@given(sounding, gains)
def test_the_result_does_not_depend_on_the_level_before(waveform: np.ndarray, gain: float) -> None:
    for method in METHODS.values():
        np.testing.assert_allclose(method(gain * waveform, 0.1), method(waveform, 0.1), atol=1e-5)


@settings(deadline=None)
@given(sounding, st.floats(1e-3, 1))
def test_rms_normalisation_reaches_its_target_or_full_scale_first(waveform: np.ndarray, target: float) -> None:
    made = normalize_rms(waveform, target)
    assert made.dtype == np.float32
    assert np.abs(made).max() <= 1
    crest = np.abs(waveform).max() / rms(waveform)
    if target * crest <= 1:
        assert rms(made) == pytest.approx(target, rel=1e-5)
    else:
        assert np.abs(made).max() == pytest.approx(1, rel=1e-6)
        assert rms(made) == pytest.approx(1 / crest, rel=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_silence_stays_silence(method: str) -> None:
    made = METHODS[method](np.zeros(100), 0.1)
    assert made.dtype == np.float32
    assert not made.any()


@pytest.mark.parametrize("target", [0, -0.1, 1.01, float("nan")])
def test_a_target_beyond_full_scale_is_refused(target: float) -> None:
    with pytest.raises(ValueError, match=r"--target-rms must lie in \(0, 1\], not"):
        normalize_rms(np.ones(4), target)


def test_rms_of_a_full_scale_sine_is_the_root_of_one_half() -> None:
    assert rms(np.sin(2 * np.pi * np.arange(1600) / 16)) == pytest.approx(np.sqrt(0.5))


@pytest.mark.parametrize("level", [1.0, 1e-3])
@pytest.mark.parametrize("snr", [-10.0, 0.0, 10.0, 40.0])
def test_the_measured_ratio_is_the_one_asked_for(snr: float, level: float) -> None:
    clean = level * speech_like().astype(float)
    noisy = add_noise(clean, snr, np.random.default_rng(1)).astype(float)
    gain = noisy @ clean / (clean @ clean)  # 1, unless the sum was scaled down; the noise is not correlated
    noise = noisy - gain * clean
    assert 20 * np.log10(gain * rms(clean) / rms(noise)) == pytest.approx(snr, abs=0.1)
    assert np.abs(noisy).max() <= 1


def test_noise_that_passes_full_scale_scales_the_sum_and_clips_nothing() -> None:
    clean = normalize_peak(speech_like())
    noisy = add_noise(clean, -10, np.random.default_rng(1))
    assert np.count_nonzero(np.abs(noisy) == np.abs(noisy).max()) == 1
    assert np.abs(noisy).max() == 1


def test_the_noise_is_white_and_gaussian() -> None:
    clean = speech_like(seconds=4).astype(float)
    noise = add_noise(clean, 20, np.random.default_rng(1)) - clean
    power = np.abs(np.fft.rfft(noise)) ** 2
    bands = [band.mean() for band in np.array_split(power, 8)]
    np.testing.assert_allclose(bands, power.mean(), rtol=0.1)
    assert np.mean((noise / noise.std()) ** 4) == pytest.approx(3, abs=0.15)


def test_the_generator_alone_decides_the_noise() -> None:
    clean = speech_like(seconds=0.1)
    first, again, other = (add_noise(clean, 20, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("snr", [np.nan, np.inf, -np.inf])
def test_a_ratio_that_is_no_number_is_refused(snr: float) -> None:
    with pytest.raises(ValueError, match="--snr must be a finite number of decibels, not"):
        add_noise(np.ones(4), snr, np.random.default_rng(0))
