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
sounding = waveforms.filter(lambda waveform: np.ptp(waveform) > max(1e-6, 0.1 * np.abs(waveform).max()))
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
    sound = waveform - waveform.mean(dtype=float)
    assert loud.dtype == np.float32
    assert np.abs(loud).max() == 1
    np.testing.assert_allclose(loud * np.abs(sound).max(), sound, atol=1e-7)


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
    crest = np.abs(waveform - waveform.mean(dtype=float)).max() / rms(waveform)
    if target * crest <= 1:
        assert rms(made) == pytest.approx(target, rel=1e-5)
    else:
        assert np.abs(made).max() == pytest.approx(1, rel=1e-6)
        assert rms(made) == pytest.approx(1 / crest, rel=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.4, -1 / 128])
@pytest.mark.parametrize("method", METHODS)
def test_silence_stays_silence(method: str, value: float) -> None:
    made = METHODS[method](np.full(1000, value, np.float32), 0.1)
    assert made.dtype == np.float32
    assert not made.any()


OFFSETS = (0.02, -0.3, -1 / 128)  # a cheap sound card, a broken one, 8 bits whose zero lies at 127


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("method", METHODS)
def test_normalising_is_deaf_to_an_offset_and_takes_it_away(method: str, offset: float) -> None:  # fault 08
    clean = 0.5 * normalize_peak(speech_like())
    made = METHODS[method](clean + offset, 0.1)
    np.testing.assert_allclose(made, METHODS[method](clean, 0.1), atol=1e-5)
    assert abs(made.mean(dtype=float)) < 1e-6


@pytest.mark.parametrize("offset", OFFSETS)
def test_an_offset_is_no_level(offset: float) -> None:
    clean = speech_like().astype(float)
    assert rms(clean + offset) == pytest.approx(rms(clean))
    assert rms(clean.astype(np.float32) + np.float32(offset)) == pytest.approx(rms(clean), rel=1e-4)


@pytest.mark.parametrize("offset", OFFSETS)
def test_an_offset_makes_no_noise_louder(offset: float) -> None:
    clean = speech_like().astype(float) / 4
    noise = add_noise(clean, 10, np.random.default_rng(1)).astype(float) - clean
    beside_offset = add_noise(clean + offset, 10, np.random.default_rng(1)).astype(float) - clean - offset
    np.testing.assert_allclose(beside_offset, noise, atol=1e-6)


@pytest.mark.parametrize("target", [0, -0.1, 1.01, float("nan")])
def test_a_target_beyond_full_scale_is_refused(target: float) -> None:
    with pytest.raises(ValueError, match=rf"`target_rms` must lie in \(0, 1\], not {target:g}"):
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
    with pytest.raises(ValueError, match=f"`snr` .* not {snr}"):
        add_noise(np.ones(4), snr, np.random.default_rng(0))
