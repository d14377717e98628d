"""Every cue of a sound that is made so that the answer is known."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from scipy.signal import firwin, oaconvolve

from src.audio.cues import CUES, LOWEST_DB, background_level, cues_of, cues_of_sound

RATE = 16_000


def noise(seconds: float = 2.0, level: float = 0.1, seed: int = 0) -> np.ndarray:
    return level * np.random.default_rng(seed).standard_normal(int(seconds * RATE))


def tone(seconds: float = 1.0, frequency: float = 1000.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * RATE)) / RATE)


def test_levels_are_those_of_a_sine() -> None:
    found = cues_of_sound(tone())
    assert found["peak level"] == pytest.approx(20 * np.log10(0.5), abs=1e-6)
    assert found["RMS level"] == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=1e-6)


@pytest.mark.parametrize(("before", "after"), [(0.0, 0.0), (0.26, 0.0), (0.0, 0.4), (0.1, 0.3)])
def test_silence_before_and_after_is_measured_to_a_frame(before: float, after: float) -> None:
    around = (np.zeros(int(before * RATE)), tone(), np.zeros(int(after * RATE)))
    found = cues_of_sound(np.concatenate(around))
    assert (found["leading silence"], found["trailing silence"]) == pytest.approx((before, after), abs=0.011)


@pytest.mark.parametrize("cutoff", [2000, 3400, 5000, 7000])
def test_the_bandwidth_is_where_a_filter_ends(cutoff: int) -> None:
    found = cues_of_sound(oaconvolve(noise(), firwin(1023, cutoff, fs=RATE, window="blackman"), mode="same"))
    assert found["bandwidth"] == pytest.approx(cutoff, abs=200)


def test_noise_fills_the_band() -> None:
    assert cues_of_sound(noise())["bandwidth"] == 8000


@pytest.mark.parametrize("floor", [-20.0, -40.0, -60.0])
def test_the_noise_floor_is_the_level_of_the_pauses_over_that_of_the_clip(floor: float) -> None:
    speech = np.where(np.arange(2 * RATE) % 8000 < 6000, tone(2.0), 0.0)  # pauses of 125 ms
    level = np.sqrt(np.mean(speech**2))
    found = cues_of_sound(speech + noise(2.0, level * 10 ** (floor / 20)))
    assert found["noise floor"] == pytest.approx(floor, abs=0.6)


@pytest.mark.parametrize("offset", [0.05, -0.05, 0.005])
def test_the_offset_is_the_mean_over_the_level(offset: float) -> None:
    found = cues_of_sound(tone() + offset)
    assert found["DC offset"] == pytest.approx(20 * np.log10(abs(offset) / (0.5 / np.sqrt(2))), abs=0.01)


def test_what_is_not_there_is_the_lowest_value() -> None:
    found = cues_of_sound(np.concatenate([np.zeros(RATE), tone()]))
    assert (found["noise floor"], found["DC offset"]) == (LOWEST_DB, LOWEST_DB)


def test_loudness_changes_the_level_and_nothing_else() -> None:
    speech = np.where(np.arange(2 * RATE) % 8000 < 6000, noise(), noise(level=1e-3, seed=1)) + 0.01
    loud, quiet = cues_of_sound(speech), cues_of_sound(0.1 * speech)
    changed = {name for name in loud if loud[name] != pytest.approx(quiet[name], abs=1e-6)}
    assert changed == {"peak level", "RMS level"}
    assert loud["RMS level"] - quiet["RMS level"] == pytest.approx(20, abs=1e-6)


def test_noise_has_as_many_holes_as_exponential_powers_have() -> None:
    assert cues_of_sound(noise(20.0))["codec traces"] == pytest.approx(8 / 899, abs=0.002)


def test_the_background_is_that_of_the_quietest_frames() -> None:
    half = np.concatenate([noise(1.0), noise(1.0, level=1e-3, seed=1)])
    assert background_level(half) == pytest.approx(1e-3, rel=0.1)


@pytest.fixture
def voiced() -> np.ndarray:
    """Return a voice of 150 Hz with overtones that fall by 1 over their number, over a noise."""
    time = np.arange(3 * RATE) / RATE
    pitch = 2 * np.pi * np.cumsum(150 + 20 * np.sin(2 * np.pi * 2 * time)) / RATE
    voice = sum(np.sin(number * pitch) / number for number in range(1, 50))
    return 0.05 * voice * (1 + np.sin(2 * np.pi * 3 * time)) + noise(3.0, 1e-2)


def test_a_lossy_codec_leaves_holes_that_stay_in_another_format(voiced: np.ndarray, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "lossy.mp3", voiced, RATE, format="MP3", compression_level=0.9)
    decoded, rate = soundfile.read(tmp_path / "lossy.mp3")
    soundfile.write(tmp_path / "again.flac", decoded, rate)
    soundfile.write(tmp_path / "clean.flac", voiced, RATE)
    clean, again = (cues_of(tmp_path / f"{name}.flac") for name in ("clean", "again"))
    assert again["file format"] == clean["file format"] == "FLAC PCM_16"
    assert again["codec traces"] > 2 * clean["codec traces"]


def test_a_recording_has_every_cue_in_order_and_those_of_its_file(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", soxr.resample(tone(), RATE, 24_000), 24_000)
    found = cues_of(tmp_path / "a.wav")
    assert tuple(found) == CUES
    assert (found["duration"], found["sample rate"], found["file format"]) == (1.0, 24_000, "WAV PCM_16")
