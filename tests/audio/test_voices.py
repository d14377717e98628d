"""Do the synthetic voices say what was drawn: pitch, tract, room, noise, level?"""

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

from src.audio.rooms import background_noise, impulse_response
from src.audio.voices import Voice, _through_tract, draw_voice, speak

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
    return RATE / (lags.start + correlation[:, lags].argmax(axis=1)), correlation[:, lags].max(axis=1)


def _f0(clip: np.ndarray) -> float:
    pitches, heights = _pitches(clip)
    return float(np.median(pitches[heights > 0.8]))


def _centroid(clip: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(clip)) ** 2
    return float(np.sum(np.fft.rfftfreq(len(clip), 1 / RATE) * power) / np.sum(power))


def _frame_levels(clip: np.ndarray) -> np.ndarray:
    frames = clip[: len(clip) // 320 * 320].reshape(-1, 320)
    return 20 * np.log10(frames.std(axis=1) / clip.std())


def _dry(voice: Voice) -> Voice:
    return replace(voice, reverb_level=-80.0, noise_level=-80.0)


@pytest.mark.parametrize("gender", ["F", "M"])
@pytest.mark.parametrize("seed", range(4))
def test_the_measured_pitch_is_the_drawn_one(gender: str, seed: int) -> None:
    rng = _rng(seed)
    voice = draw_voice(gender, rng)
    assert _f0(speak(voice, 6.0, rng)) == pytest.approx(voice.f0, rel=0.1)


def test_pitch_follows_f0_when_nothing_else_changes() -> None:
    voice = draw_voice("M", _rng(0))
    measured = [_f0(speak(replace(voice, f0=f0), 6.0, _rng(1))) for f0 in (90.0, 120.0, 180.0, 240.0)]
    np.testing.assert_allclose(measured, [90.0, 120.0, 180.0, 240.0], rtol=0.1)


def test_women_lie_above_men() -> None:
    rng = _rng(5)
    pitches = {g: [_f0(speak(draw_voice(g, rng), 3.0, rng)) for _ in range(6)] for g in "FM"}
    assert 165 < np.mean(pitches["F"]) < 255
    assert 85 < np.mean(pitches["M"]) < 155


def test_the_melody_moves_with_the_range() -> None:
    voice = _dry(draw_voice("F", _rng(0)))

    def spread(semitones: float) -> float:
        pitches, heights = _pitches(speak(replace(voice, f0_range=semitones), 6.0, _rng(1)))
        return float(np.std(12 * np.log2(pitches[heights > 0.9])))

    assert spread(1.0) < spread(6.0)


def test_jitter_and_breath_make_cycles_less_alike() -> None:
    voice = replace(_dry(draw_voice("M", _rng(0))), jitter=0.0, shimmer=0.0, breathiness=0.0, f0_range=0.0)

    def likeness(voice: Voice) -> float:
        return float(np.median(_pitches(speak(voice, 4.0, _rng(1)))[1]))

    assert likeness(replace(voice, jitter=0.05)) < likeness(voice)
    assert likeness(replace(voice, breathiness=0.3)) < likeness(voice)


def test_a_shorter_tract_sounds_higher() -> None:
    voice = draw_voice("F", _rng(0))
    low, high = (_centroid(np.diff(speak(replace(voice, formant_scale=s), 4.0, _rng(1)))) for s in (0.95, 1.18))
    assert high > 1.05 * low


def test_the_tract_resonates_at_its_formants_with_their_bandwidths() -> None:
    voice = replace(draw_voice("M", _rng(0)), formant_scale=1.0)
    tracks = {name: np.full(101, hz) for name, hz in (("f1", 500.0), ("f2", 1500.0), ("f3", 2500.0))}
    click = np.zeros(6400)
    click[1000] = 1.0
    answer = _through_tract(click, voice, tracks, RATE)
    gain = np.abs(np.fft.rfft(answer, RATE))  # one bin per Hz
    assert gain[0] == pytest.approx(1.0)
    assert np.abs(answer[:1000]).max() < 1e-3 * np.abs(answer).max(), "heard before it sounds"
    for formant in (500, 1500, 2500, 3500):
        half = 25 + formant / 40  # at half the bandwidth the power has halved
        peak = formant - 50 + gain[formant - 50 : formant + 50].argmax()
        assert peak == pytest.approx(formant, abs=10)
        assert gain[round(peak + half)] ** 2 == pytest.approx(gain[peak] ** 2 / 2, rel=0.15)


def test_gliding_formants_do_not_click() -> None:
    voice = draw_voice("M", _rng(0))
    tracks = {name: np.full(101, hz) for name, hz in (("f1", 500.0), ("f2", 1500.0), ("f3", 2500.0))}
    tracks["f1"] += 250 * np.sin(0.4 * np.arange(101))
    hum = np.sin(2 * np.pi * 200 * np.arange(6400) / RATE) * np.hanning(6400)
    power = np.abs(np.fft.rfft(_through_tract(hum, voice, tracks, RATE) * np.hanning(6400))) ** 2
    assert power[6400 * 2000 // RATE :].sum() < 1e-7 * power.sum()


@pytest.mark.parametrize("seed", range(4))
def test_it_looks_like_a_recording_of_speech(seed: int) -> None:
    rng = _rng(seed)
    clip = speak(draw_voice("FM"[seed % 2], rng), 6.0, rng)
    levels = _frame_levels(clip)
    assert clip.dtype == np.float32
    assert 0.2 <= np.abs(clip).max() <= 0.8001
    assert abs(clip.mean()) < 1e-4
    assert 300 < _centroid(clip) < 3500
    assert levels.max() - levels.min() > 20, "no pauses"
    assert np.mean(levels > -15) > 0.3, "hardly any speech"
    assert np.all(np.isfinite(levels)), "digital silence"


def test_voiced_sounds_are_low_and_fricatives_high() -> None:
    clip = speak(_dry(draw_voice("M", _rng(0))), 8.0, _rng(1))
    centroids = np.array([_centroid(frame) for frame in clip[: len(clip) // 320 * 320].reshape(-1, 320)])
    loud = centroids[_frame_levels(clip) > -25]
    assert np.mean(loud < 1500) > 0.4
    assert np.mean(loud > 2500) > 0.03


@pytest.mark.parametrize("noise_level", [-50.0, -30.0])
def test_the_floor_is_the_drawn_background(noise_level: float) -> None:
    voice = replace(draw_voice("M", _rng(0)), reverb_level=-80.0, noise_level=noise_level)
    floor = np.sort(_frame_levels(speak(voice, 6.0, _rng(2))))[:5].mean()
    assert floor == pytest.approx(noise_level, abs=4.0)


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
    with pytest.raises(ValueError, match="gender 'X' is not known; give 'F' or 'M'"):
        draw_voice("X", _rng(0))
    voice = draw_voice("F", _rng(0))
    with pytest.raises(ValueError, match="cannot speak 0 s"):
        speak(voice, 0, _rng(0))
    with pytest.raises(ValueError, match="at 4000 Hz"):
        speak(voice, 1.0, _rng(0), rate=4000)


@pytest.mark.parametrize("reverb_time", [0.2, 0.6])
def test_a_room_decays_by_60_db_in_its_reverberation_time(reverb_time: float) -> None:
    tail = impulse_response(reverb_time, -10.0, _rng(0))[RATE // 20 :]
    decay = 10 * np.log10(np.cumsum(tail[::-1] ** 2)[::-1])  # Schroeder 1965
    at = np.flatnonzero(decay > decay[0] - 20)[-1]
    assert 3 * at / RATE == pytest.approx(reverb_time, rel=0.15)


def test_background_noise_falls_with_frequency() -> None:
    power = np.abs(np.fft.rfft(background_noise(10 * RATE, _rng(0)))) ** 2
    bands = [power[10 * low : 10 * high].mean() for low, high in ((20, 200), (200, 1000), (1000, 8000))]
    assert bands[0] > 2 * bands[1] > 4 * bands[2]
