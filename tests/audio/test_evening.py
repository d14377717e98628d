"""Whatever offset, band, silence, level or background a clip comes with, it leaves with the common ones."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import firwin, oaconvolve

from src.audio.cues import cues_of_sound
from src.audio.evening import LEVEL, CommonSound, even_out
from src.audio.normalize import rms

RATE = 16_000
COMMON = CommonSound(band=7000, floor=-35)


def speech(seed: int = 0, seconds: float = 2.0, pause: float = 1e-5) -> np.ndarray:
    """Return bursts of noise of 0.4 s, with pauses of 0.1 s at a level of their own."""
    rng = np.random.default_rng(seed)
    n = int(seconds * RATE)
    return rng.standard_normal(n) * np.where(np.arange(n) % 8000 < 6400, 0.1, pause)


def evened(waveform: np.ndarray, common: CommonSound = COMMON, seed: int = 7) -> np.ndarray:
    return even_out(waveform.astype(np.float32), common, np.random.default_rng(seed))


def louder(waveform: np.ndarray) -> np.ndarray:
    return 3 * waveform


def later(waveform: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros(4000), waveform])


def earlier(waveform: np.ndarray) -> np.ndarray:
    return np.concatenate([waveform, np.zeros(4000)])


def with_offset(waveform: np.ndarray) -> np.ndarray:
    return waveform + 0.02


def with_hum(waveform: np.ndarray) -> np.ndarray:
    return waveform + 0.02 * np.sin(2 * np.pi * 20 / RATE * np.arange(len(waveform)))


def narrower(waveform: np.ndarray) -> np.ndarray:
    return oaconvolve(waveform, firwin(511, 7300, fs=RATE, window="blackman"), mode="same")


def noisier(waveform: np.ndarray) -> np.ndarray:
    return waveform + 5e-4 * np.random.default_rng(9).standard_normal(len(waveform))


@pytest.mark.parametrize("change", [louder, later, earlier, with_offset, with_hum, narrower, noisier])
def test_what_differs_before_is_the_same_afterwards(change: Callable[[np.ndarray], np.ndarray]) -> None:
    plain, changed = (cues_of_sound(evened(sound)) for sound in (speech(), change(speech())))
    assert changed["RMS level"] == pytest.approx(20 * np.log10(LEVEL), abs=0.01)
    assert changed["noise floor"] == pytest.approx(COMMON.floor, abs=1.0)
    assert changed["bandwidth"] == pytest.approx(COMMON.band, abs=200)
    assert changed["leading silence"] == changed["trailing silence"] == 0
    assert changed["DC offset"] < -60
    for name in ("peak level", "codec traces"):
        assert changed[name] == pytest.approx(plain[name], abs=0.6)


def test_a_clip_with_more_background_than_the_common_floor_is_left_with_it() -> None:
    found = cues_of_sound(evened(speech(pause=0.01)))
    assert found["noise floor"] == pytest.approx(-20, abs=1.5)


def test_speech_keeps_its_place_and_shape() -> None:
    """No filter shifts it: the sound that comes out lines up with what went in."""
    tone = 0.2 * np.sin(2 * np.pi * 1000 / RATE * np.arange(RATE))
    found = evened(tone, CommonSound(floor=-60))
    inside = slice(1000, -1000)
    gain = LEVEL / rms(tone)
    assert np.abs(found[inside] - gain * tone[inside]).max() < 0.01 * gain * 0.2


def test_the_same_seed_gives_the_same_samples_and_another_seed_another_background() -> None:
    assert np.array_equal(evened(speech()), evened(speech()))
    assert not np.array_equal(evened(speech()), evened(speech(), seed=8))


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(200, 20_000),
    level=st.floats(1e-3, 1.0),
    band=st.floats(1000, 7800),
    floor=st.floats(-100, -10),
    seed=st.integers(0, 9),
)
def test_any_clip_stays_within_full_scale_and_finite(
    n: int, level: float, band: float, floor: float, seed: int
) -> None:
    waveform = np.clip(level * np.random.default_rng(seed).standard_normal(n), -1, 1)
    found = evened(waveform, CommonSound(band, floor), seed)
    assert found.dtype == np.float32
    assert 0 < found.size <= n
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= 1


@pytest.mark.parametrize(
    ("band", "floor", "said"), [(900, -30, "`band` must lie"), (7900, -30, "`band`"), (7000, 3, "`floor` must lie")]
)
def test_what_is_impossible_is_refused(band: float, floor: float, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        CommonSound(band, floor)
