"""Do the made-up voices have the pitch, the tract, the breath, the noise and the level that were drawn?"""

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

from src.audio.voices import VOWELS, _syllable, draw_voice, speak

RATE = 16000


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def _pitches(clip: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F0 and height of the autocorrelation peak of every loud frame of 40 ms, both (frames,)."""
    low = sosfiltfilt(butter(4, 900, fs=RATE, output="sos"), clip)
    frames = np.lib.stride_tricks.sliding_window_view(low, 640)[::160]
    frames = frames[frames.std(axis=1) > 0.3 * low.std()]
    spectra = np.fft.rfft((frames - frames.mean(axis=1, keepdims=True)) * np.hanning(640), 2048)
    correlation = np.fft.irfft(np.abs(spectra) ** 2)[:, :640]
    window = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(640), 2048)) ** 2)[:640]
    correlation /= correlation[:, :1] * (window / window[0])
    lags = slice(RATE // 400, RATE // 65)
    heights, inner = correlation[:, lags], correlation[:, lags][:, 1:-1]
    peaks = (inner >= heights[:, :-2]) & (inner >= heights[:, 2:]) & (inner > 0.9 * heights.max(axis=1, keepdims=True))
    first = peaks.argmax(axis=1)  # two cycles are as much alike as one
    return RATE / (lags.start + 1 + first), heights.max(axis=1)


def _f0(clip: np.ndarray) -> float:
    pitches, heights = _pitches(clip)
    return float(np.median(pitches[heights > 0.8]))


def _centroid(clip: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(clip)) ** 2
    return float(np.sum(np.fft.rfftfreq(len(clip), 1 / RATE) * power) / np.sum(power))


def _frame_levels(clip: np.ndarray) -> np.ndarray:
    frames = clip[: len(clip) // 320 * 320].reshape(-1, 320)
    return 20 * np.log10(frames.std(axis=1) / clip.std())


@pytest.mark.parametrize("gender", ["F", "M"])
@pytest.mark.parametrize("seed", range(4))
def test_the_measured_pitch_is_the_drawn_one(gender: str, seed: int) -> None:
    rng = _rng(seed)
    voice = draw_voice(gender, rng)
    assert _f0(speak(voice, 6.0, rng)) == pytest.approx(voice.pitch, rel=0.1)


def test_women_have_higher_pitch_than_men() -> None:
    rng = _rng(5)
    pitches = {g: [_f0(speak(draw_voice(g, rng), 3.0, rng)) for _ in range(6)] for g in "FM"}
    assert 165 < np.mean(pitches["F"]) < 255
    assert 85 < np.mean(pitches["M"]) < 155


def test_pitch_follows_when_nothing_else_changes() -> None:
    voice = draw_voice("M", _rng(0))
    measured = [_f0(speak(replace(voice, pitch=pitch), 6.0, _rng(1))) for pitch in (90.0, 120.0, 180.0, 240.0)]
    np.testing.assert_allclose(measured, [90.0, 120.0, 180.0, 240.0], rtol=0.1)


def test_breath_makes_cycles_less_alike() -> None:
    voice = replace(draw_voice("M", _rng(0)), noise=0.0)
    likeness = [np.median(_pitches(speak(replace(voice, breath=breath), 4.0, _rng(1)))[1]) for breath in (0.0, 0.3)]
    assert likeness[1] < likeness[0]


@pytest.mark.parametrize("scale", [1.0, 1.2])
def test_a_vowel_is_loudest_at_its_formants(scale: float) -> None:
    """Of breath alone, the spectrum is the filter's."""
    voice = replace(draw_voice("M", _rng(0)), scale=scale, breath=100.0)
    sounds = [_syllable(voice, 64_000, np.random.default_rng(seed), RATE) for seed in range(12)]
    spectra = [np.abs(np.fft.rfft(sound)) ** 2 for sound in sounds]
    bands = [
        np.array([spectrum[4 * hz - 160 : 4 * hz + 160].mean() for hz in range(100, 4000, 20)]) for spectrum in spectra
    ]
    first = {100 + 20 * int(band.argmax()) for band in bands}
    assert len(first) > 2, "several vowels"
    for peak in first:
        assert min(abs(peak - scale * vowel[0]) for vowel in VOWELS) < 60


def test_a_shorter_tract_sounds_higher() -> None:
    voice = draw_voice("F", _rng(0))
    low, high = (_centroid(np.diff(speak(replace(voice, scale=scale), 4.0, _rng(1)))) for scale in (0.95, 1.18))
    assert high > 1.05 * low


@pytest.mark.parametrize("seed", range(4))
def test_it_looks_like_a_recording_of_speech(seed: int) -> None:
    rng = _rng(seed)
    clip = speak(draw_voice("FM"[seed % 2], rng), 6.0, rng)
    levels = _frame_levels(clip)
    assert clip.dtype == np.float32
    assert 0.2 <= np.abs(clip).max() <= 0.8001
    assert 200 < _centroid(clip) < 3500
    assert levels.max() - levels.min() > 20, "no pauses"
    assert np.mean(levels > -15) > 0.3, "hardly any speech"
    assert np.all(np.isfinite(levels)), "digital silence"


@pytest.mark.parametrize("noise", [0.003, 0.03])
def test_the_floor_is_the_drawn_background(noise: float) -> None:
    clip = speak(replace(draw_voice("M", _rng(0)), noise=noise), 6.0, _rng(2))
    floor = np.sort(_frame_levels(clip))[:5].mean()
    assert floor == pytest.approx(20 * np.log10(noise), abs=6.0)


def test_same_seed_same_bytes() -> None:
    first, second = (speak(draw_voice("F", rng), 2.0, rng) for rng in (_rng(3), _rng(3)))
    assert first.tobytes() == second.tobytes()


def test_voices_and_clips_differ() -> None:
    rng = _rng(0)
    voice, other = draw_voice("F", rng), draw_voice("F", rng)
    first, second = speak(voice, 2.0, rng), speak(voice, 2.0, rng)
    assert voice != other
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.2
    assert np.abs(first).max() != np.abs(second).max(), "the level is drawn per clip"


@pytest.mark.parametrize("seconds", [0.0001, 0.025, 0.4, 1.2345])
@pytest.mark.parametrize("rate", [8000, 16000, 22050, 48000])
def test_the_length_is_exact(seconds: float, rate: int) -> None:
    clip = speak(draw_voice("F", _rng(0)), seconds, _rng(1), rate)
    assert clip.shape == (round(seconds * rate),)
    assert np.all(np.isfinite(clip))


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="'X'"):
        draw_voice("X", _rng(0))
    voice = draw_voice("F", _rng(0))
    with pytest.raises(ValueError, match="not 0 s"):
        speak(voice, 0, _rng(0))
    with pytest.raises(ValueError, match="4000 Hz"):
        speak(voice, 1.0, _rng(0), rate=4000)
