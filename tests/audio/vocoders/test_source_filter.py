"""What an LPC vocoder finds of a filter that was put in; the pitch of sounds whose pitch is known."""

import numpy as np
import pytest
from scipy.signal import lfilter

from src.audio.vocoders.pitch import track_pitch
from src.audio.vocoders.source_filter import linear_prediction, lpc


def test_linear_prediction_finds_the_filter_that_coloured_noise() -> None:
    poles = np.array([0.95 * np.exp(0.3j), 0.9 * np.exp(1.2j)])
    polynomial = np.poly(np.concatenate([poles, poles.conj()])).real
    sound = lfilter([1.0], polynomial, np.random.default_rng(0).standard_normal(200_000))
    lags = [np.dot(sound[: len(sound) - lag], sound[lag:]) for lag in range(5)]
    found, error = linear_prediction(np.array(lags)[None])
    np.testing.assert_allclose(found[0], polynomial, atol=0.02)
    assert error[0] / len(sound) == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize("silent", [0.0, 1e-30])
def test_silent_frames_have_a_filter_too(silent: float) -> None:
    found, error = linear_prediction(np.full((1, 4), silent))
    assert np.isfinite(found).all()
    assert np.isfinite(error).all()


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("pitch", [80.0, 123.4, 240.0, 400.0])
def test_the_pitch_of_pulses_is_found(pitch: float, rate: int) -> None:
    cycles = np.arange(rate // 2) * pitch / rate
    sound = lfilter([1.0], [1.0, -0.9], np.diff(np.floor(cycles), prepend=0))
    found = track_pitch(sound, rate, rate // 200)
    assert (found > 0).mean() > 0.9
    assert np.median(found[found > 0]) == pytest.approx(pitch, rel=0.01)


def test_noise_and_silence_have_no_pitch() -> None:
    noise = np.random.default_rng(0).standard_normal(8000)
    assert (track_pitch(noise, 16000, 80) > 0).mean() < 0.05
    assert not track_pitch(np.zeros(8000), 16000, 80).any()


def test_a_voice_keeps_its_resonance() -> None:
    pulses = np.diff(np.floor(np.arange(16000) * 120 / 16000), prepend=0)
    voice = lfilter([1.0], [1.0, -2 * 0.97 * np.cos(2 * np.pi * 1000 / 16000), 0.97**2], pulses)
    spectrum = np.abs(np.fft.rfft(lpc(voice, 16000, seed=0))) ** 2
    band = np.convolve(spectrum, np.ones(240), "same")
    assert np.argmax(band) == pytest.approx(1000, abs=100)
