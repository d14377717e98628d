"""A copy is the same speech at the same level, but another waveform."""

import numpy as np
import pytest
from scipy.signal import stft

from src.audio.vocoders import VOCODERS
from src.audio.vocoders.copies import copy_synthesis, require_vocoder
from src.audio.vocoders.pitch import track_pitch
from src.audio.voices import draw_voice, speak


def _speech(seed: int, rate: int = 16000, seconds: float = 1.5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return speak(draw_voice("FM"[seed % 2], rng), seconds, rng, rate)


def _rms(waveform: np.ndarray) -> float:
    return float(np.sqrt(np.mean(waveform.astype(float) ** 2)))


def _magnitudes(waveform: np.ndarray) -> np.ndarray:
    return np.abs(stft(waveform, nperseg=640)[2])


@pytest.mark.slow
@pytest.mark.parametrize("vocoder", VOCODERS)
@pytest.mark.parametrize("rate", [8000, 48000])
def test_a_copy_keeps_length_level_and_form(vocoder: str, rate: int) -> None:
    waveform = 0.25 * _speech(0, rate, seconds=0.5)[:-7]
    copy = copy_synthesis(waveform, rate, vocoder=vocoder)
    assert copy.shape == waveform.shape
    assert copy.dtype == np.float32
    assert _rms(copy) == pytest.approx(_rms(waveform), rel=1e-4)
    assert np.abs(copy).max() <= 1


@pytest.mark.parametrize("seed", range(2))
def test_a_copy_says_the_same_with_other_phases(seed: int) -> None:
    waveform = _speech(seed)
    copy = copy_synthesis(waveform, 16000, seed=seed)
    assert np.corrcoef(_magnitudes(waveform).ravel(), _magnitudes(copy).ravel())[0, 1] > 0.9
    assert abs(np.corrcoef(waveform, copy)[0, 1]) < 0.9


def _levels(waveform: np.ndarray) -> np.ndarray:
    """Return how loud each 5 ms are, over all frequencies alike."""
    return np.log(np.abs(stft(waveform, nperseg=160, noverlap=80)[2]) + 1e-3).sum(axis=0)


@pytest.mark.parametrize("vocoder", VOCODERS)
def test_a_copy_is_not_shifted_in_time(vocoder: str) -> None:
    waveform = _speech(1)
    before, after = map(_levels, (waveform, copy_synthesis(waveform, 16000, vocoder=vocoder)))
    likeness = {
        shift: np.corrcoef(before[9:-9], after[9 + shift : len(after) - 9 + shift])[0, 1] for shift in range(-8, 9)
    }
    assert abs(max(likeness, key=likeness.__getitem__)) <= 1, "more than 5 ms early or late"
    assert likeness[0] > 0.5


@pytest.mark.parametrize("vocoder", VOCODERS)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_copy_keeps_the_pitch_and_what_is_voiced(vocoder: str, seed: int) -> None:
    waveform = _speech(seed)
    before, after = (track_pitch(w, 16000, 80) for w in (waveform, copy_synthesis(waveform, 16000, vocoder=vocoder)))
    both = (before > 0) & (after > 0)
    assert np.mean((before > 0) == (after > 0)) > 0.85
    assert np.median(np.abs(np.log2(after[both] / before[both]))) < 1 / 48, "a quarter of a semitone"


@pytest.mark.parametrize("vocoder", VOCODERS)
def test_a_copy_has_no_offset(vocoder: str) -> None:
    waveform = _speech(1)
    copy = copy_synthesis(waveform - waveform.mean(), 16000, vocoder=vocoder)
    assert abs(copy.mean()) < 0.02 * _rms(copy)


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


@pytest.mark.parametrize("vocoder", VOCODERS)
def test_same_seed_same_bytes(vocoder: str) -> None:
    waveform = _speech(0, seconds=0.5)
    first, second, other = (copy_synthesis(waveform, 16000, vocoder=vocoder, seed=seed) for seed in (1, 1, 2))
    assert first.tobytes() == second.tobytes()
    drawn = vocoder in ("griffinlim", "lpc", "minphase", "harmonic")
    assert np.allclose(first, other) != drawn


def test_vocoders_leave_different_traces() -> None:
    waveform = _speech(0, seconds=0.5)
    copies = [copy_synthesis(waveform, 16000, vocoder=vocoder) for vocoder in VOCODERS]
    alike = np.corrcoef(copies)
    assert np.abs(alike[~np.eye(len(copies), dtype=bool)]).max() < 0.98


@pytest.mark.parametrize("vocoder", VOCODERS)
@pytest.mark.parametrize("n_samples", [2, 511, 513])
def test_short_clips_keep_length_and_level(n_samples: int, vocoder: str) -> None:
    waveform = 0.1 * np.random.default_rng(n_samples).uniform(-1, 1, n_samples).astype(np.float32)
    copy = copy_synthesis(waveform, 16000, vocoder=vocoder)
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


def test_a_vocoder_whose_package_is_missing_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("src.audio.vocoders.copies.find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r'needs the package pyworld: pip install -e "\.\[vocoders\]"$'):
        require_vocoder("world")


def test_a_codec_whose_encoder_is_missing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("src.audio.vocoders.copies.has_encoder", lambda _: False)
    for vocoder in ("opus6k", "amrnb", "g723"):
        with pytest.raises(ValueError, match=f"{vocoder} needs PyAV with the encoder"):
            require_vocoder(vocoder)
