"""Windows of a stream are those of the same windows of the file, whatever chunks the sound comes in."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from src.audio.io import load_stretch, load_waveform
from src.audio.sliding import Ring, SlidingWindows, Window

LENGTH, HOP = 4000, 1000


def windows_of(sound: np.ndarray, rate: int, chunk: int) -> list[Window]:
    sliding = SlidingWindows(rate, sound.shape[1], LENGTH, HOP)
    found = [window for at in range(0, len(sound), chunk) for window in sliding.add(sound[at : at + chunk])]
    return [*found, *sliding.finish()]


def assert_alike(found: list[Window], expected: list[Window]) -> None:
    assert [(one.start, one.end, one.reason) for one in found] == [(two.start, two.end, two.reason) for two in expected]
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.waveform, two.waveform)


def noise(seconds: float, rate: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(7).normal(0, 0.4, (int(seconds * rate), channels)).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [16_000, 8_000, 44_100])
def test_chunks_of_any_size_give_the_same_windows(rate: int, channels: int) -> None:
    sound = noise(0.61, rate, channels)
    whole = windows_of(sound, rate, len(sound))
    assert [window.start for window in whole] == [0, 1000, 2000, 3000, 4000, 5000, 5760]
    for chunk in (1, 7, 999, 4000):
        assert_alike(windows_of(sound, rate, chunk), whole)


@pytest.mark.parametrize("channels", [1, 2])
def test_windows_are_those_cut_from_the_file(tmp_path: Path, channels: int) -> None:
    path = tmp_path / "noise.wav"
    soundfile.write(path, noise(1, 16_000, channels), 16_000, subtype="FLOAT")
    for window in windows_of(noise(1, 16_000, channels), 16_000, 640):
        np.testing.assert_array_equal(window.waveform, load_stretch(path, window.start, window.end))
        assert np.abs(window.waveform).max() <= 1


@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_resampled_windows_are_those_of_the_whole_resampled(tmp_path: Path, rate: int) -> None:
    path, sound = tmp_path / "noise.wav", noise(1, rate) / 4
    soundfile.write(path, sound, rate, subtype="FLOAT")
    whole = load_waveform(path)
    for window in windows_of(sound, rate, 640):
        np.testing.assert_array_equal(window.waveform, whole[window.start : window.end])


@pytest.mark.parametrize(
    ("n_samples", "places"),
    [(0, []), (1, [(0, 1)]), (3999, [(0, 3999)]), (4000, [(0, 4000)]), (4001, [(0, 4000), (1, 4001)])],
)
def test_the_last_window_ends_with_the_stream(n_samples: int, places: list[tuple[int, int]]) -> None:
    sound = np.resize([[0.5], [-0.5]], (n_samples, 1))
    assert [(window.start, window.end) for window in windows_of(sound, 16_000, 512)] == places


def test_channels_that_cancel_each_other_are_not_averaged() -> None:
    sound = noise(0.5, 16_000) / 4
    for window in windows_of(np.hstack([sound, -0.9 * sound]), 16_000, 512):
        np.testing.assert_array_equal(window.waveform, sound[window.start : window.end, 0])


@pytest.mark.parametrize(("rate", "at"), [(16_000, 5_000), (8_000, 2_500)])
def test_samples_that_are_not_finite_spoil_their_windows_alone(rate: int, at: int) -> None:
    sound = noise(1, rate) / 4
    clean = windows_of(sound, rate, 512)
    sound[at : at + 2], sound[at + 2] = np.nan, np.inf
    spoilt = windows_of(sound, rate, 512)
    for chunk in (1, len(sound)):
        assert_alike(windows_of(sound, rate, chunk), spoilt)
    for before, after in zip(clean, spoilt, strict=True):
        is_hit = before.start <= 5_000 < before.end
        assert (after.reason == "not finite (3 samples are NaN or infinite)") == is_hit
        if not before.start - 900 < 5_000 < before.end + 900:  # the resampler reaches a little further
            np.testing.assert_allclose(after.waveform, before.waveform, atol=1e-6)


def test_no_window_spans_a_gap() -> None:
    sliding = SlidingWindows(8_000, 1, LENGTH, HOP)
    first = [*sliding.add(noise(0.3, 8_000)), *sliding.finish()]
    second = [*sliding.add(noise(0.3, 8_000)), *sliding.finish()]
    assert sliding.end == 9_600
    assert [window.start for window in first] == [0, 800]
    assert [(window.start, window.end) for window in second] == [(4_800, 8_800), (5_600, 9_600)]
    for one, two in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.waveform, two.waveform)


def test_silence_is_a_reason_and_sound_beyond_full_scale_is_scaled() -> None:
    assert windows_of(np.zeros((8_000, 1)), 16_000, 512)[0].reason.startswith("silent")
    loud = windows_of(np.resize([[3.0], [-1.5]], (8_000, 1)), 16_000, 512)[0].waveform
    np.testing.assert_array_equal(loud[:2], np.array([1.0, -0.5], np.float32))


def test_the_latest_samples_are_kept_and_no_more() -> None:
    ring = Ring(10, channels=1)
    for start in range(0, 1000, 7):
        ring.append(np.arange(start, start + 7)[:, None])
        kept = max(0, ring.end - 10)
        np.testing.assert_array_equal(ring.stretch(kept, ring.end)[:, 0], np.arange(kept, ring.end))
    with pytest.raises(IndexError):
        ring.stretch(ring.end - 11, ring.end)
    assert ring._samples.shape == (20, 1)
