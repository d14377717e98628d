"""A copy is the same speech at the same level, but another waveform."""

import numpy as np
import pytest
from scipy.signal import stft

from src.audio.vocoders import VOCODERS, copy_synthesis
from src.audio.voices import draw_voice, speak


def _speech(seed: int, rate: int = 16000, seconds: float = 1.5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return speak(draw_voice("FM"[seed % 2], rng), seconds, rng, rate)


def _rms(waveform: np.ndarray) -> float:
    return float(np.sqrt(np.mean(waveform.astype(float) ** 2)))


def _magnitudes(waveform: np.ndarray) -> np.ndarray:
    return np.abs(stft(waveform, nperseg=640)[2])


@pytest.mark.parametrize("vocoder", VOCODERS)
@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
def test_a_copy_keeps_length_level_and_form(vocoder: str, rate: int) -> None:
    waveform = _speech(0, rate)[:-7]
    copy = copy_synthesis(waveform, rate, vocoder=vocoder)
    assert copy.shape == waveform.shape
    assert copy.dtype == np.float32
    assert _rms(copy) == pytest.approx(_rms(waveform), rel=1e-4)
    assert np.abs(copy).max() <= 1


@pytest.mark.parametrize("seed", range(4))
def test_a_copy_says_the_same_with_other_phases(seed: int) -> None:
    waveform = _speech(seed)
    copy = copy_synthesis(waveform, 16000, seed=seed)
    assert np.corrcoef(_magnitudes(waveform).ravel(), _magnitudes(copy).ravel())[0, 1] > 0.9
    assert abs(np.corrcoef(waveform, copy)[0, 1]) < 0.9


def test_a_copy_is_not_shifted_in_time() -> None:
    waveform = _speech(1)
    envelopes = [
        np.convolve(w.astype(float) ** 2, np.ones(320), "same") for w in (waveform, copy_synthesis(waveform, 16000))
    ]
    envelopes = [e - e.mean() for e in envelopes]
    delay = np.argmax(np.correlate(envelopes[0], envelopes[1], "full")) - (len(waveform) - 1)
    assert abs(delay) < 80, "more than 5 ms early or late"


def test_a_copy_follows_the_level_of_its_original() -> None:
    waveform = _speech(2)
    np.testing.assert_allclose(
        copy_synthesis(0.125 * waveform, 16000), 0.125 * copy_synthesis(waveform, 16000), atol=1e-3
    )


def test_a_copy_is_never_clipped() -> None:
    loud = np.sign(_speech(0))
    copy = copy_synthesis(loud, 16000)
    assert np.abs(copy).max() == pytest.approx(1.0)
    assert np.sum(np.abs(copy) > 0.999) < 5
    assert _rms(copy) < _rms(loud)


def test_same_seed_same_bytes() -> None:
    waveform = _speech(0)
    first, second, other = (copy_synthesis(waveform, 16000, seed=seed) for seed in (1, 1, 2))
    assert first.tobytes() == second.tobytes()
    assert not np.allclose(first, other)


@pytest.mark.parametrize("n_samples", [1, 2, 100, 400, 511, 512, 513, 1025])
def test_short_clips_keep_length_and_level(n_samples: int) -> None:
    waveform = 0.3 * np.random.default_rng(n_samples).uniform(-1, 1, n_samples).astype(np.float32)
    copy = copy_synthesis(waveform, 16000)
    assert copy.shape == (n_samples,)
    assert _rms(copy) == pytest.approx(_rms(waveform), rel=1e-3)


@pytest.mark.parametrize("n_samples", [0, 1, 400, 16000])
def test_silence_stays_silence(n_samples: int) -> None:
    copy = copy_synthesis(np.zeros(n_samples, dtype=np.float32), 16000)
    assert copy.dtype == np.float32
    np.testing.assert_array_equal(copy, np.zeros(n_samples))


def test_the_original_is_left_alone() -> None:
    waveform = _speech(0)
    before = waveform.copy()
    copy_synthesis(waveform, 16000)
    np.testing.assert_array_equal(waveform, before)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="'hifigan'; allowed: griffinlim"):
        copy_synthesis(np.zeros(16), 16000, vocoder="hifigan")
    with pytest.raises(ValueError, match=r"not \(16, 2\)"):
        copy_synthesis(np.zeros((16, 2)), 16000)
