"""Frames are what a loop would cut, and silence ends where it was made to end."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.audio.framing import frame_signal, leading_silence, speech_span, trim_silence

RATE = 16_000
frames_of_silence = st.integers(0, 30)


def tone(seconds: float, rate: int = RATE, level: float = 0.5) -> np.ndarray:
    """Return 500 Hz: whole periods in every frame of 10 ms, so that all frames have one energy."""
    return level * np.sin(2 * np.pi * 500 * np.arange(round(seconds * rate)) / rate)


def between_silences(before: int, after: int, rate: int = RATE) -> np.ndarray:
    """Return 0.2 s of sound between so many frames of 10 ms of silence."""
    frame = rate // 100
    return np.concatenate([np.zeros(before * frame), tone(0.2, rate), np.zeros(after * frame)])


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(1, 20), st.integers(1, 25))
def test_frames_are_those_that_a_loop_cuts(n: int, length: int, hop: int) -> None:
    waveform = np.arange(1, n + 1)
    frames = frame_signal(waveform, length, hop)
    if n < length:
        expected = [[*range(1, n + 1), *[0] * (length - n)]]
    else:
        expected = [list(range(start + 1, start + length + 1)) for start in range(0, n - length + 1, hop)]
    assert frames.tolist() == expected


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
@settings(deadline=None)
@given(frames_of_silence, frames_of_silence)
def test_the_span_is_where_the_sound_was_put(rate: int, before: int, after: int) -> None:
    waveform = between_silences(before, after, rate)
    frame = rate // 100
    start, end = speech_span(waveform, rate)
    assert start == before * frame
    assert 0 <= end - (start + round(0.2 * rate)) < frame, "the last frame of the sound may be a part of one"
    assert leading_silence(waveform, rate) == before * frame / rate


@settings(deadline=None)
@given(frames_of_silence, frames_of_silence, st.floats(1e-4, 1))
def test_the_level_changes_no_span(before: int, after: int, gain: float) -> None:
    waveform = between_silences(before, after)
    assert speech_span(gain * waveform, RATE) == speech_span(waveform, RATE)


@settings(deadline=None)
@given(frames_of_silence, frames_of_silence, st.integers(0, 159))
def test_trimming_cuts_the_ends_and_nothing_else(before: int, after: int, odd: int) -> None:
    waveform = np.concatenate([between_silences(before, after), np.zeros(odd)])
    waveform[before * 160 + 800 : before * 160 + 1600] = 0  # a pause in the speech stays
    trimmed = trim_silence(waveform, RATE)
    np.testing.assert_array_equal(trimmed, waveform[before * 160 : before * 160 + 3200])
    np.testing.assert_array_equal(trim_silence(trimmed, RATE), trimmed)


@pytest.mark.parametrize(("decibels", "silent"), [(-39, False), (-41, True)])
def test_silence_is_40_db_below_the_loudest_frame(decibels: float, silent: bool) -> None:
    waveform = np.concatenate([tone(0.1, level=0.5 * 10 ** (decibels / 20)), tone(0.1)])
    assert leading_silence(waveform, RATE) == (0.1 if silent else 0)


@pytest.mark.parametrize("n", [1, 159, 160, 161, 1000])
def test_a_waveform_of_zeros_or_of_one_frame_is_kept_whole(n: int) -> None:
    assert speech_span(np.zeros(n), RATE) == (0, n)
    assert trim_silence(np.ones(n), RATE).size == n


def test_speech_that_begins_late_gives_itself_away() -> None:
    assert leading_silence(between_silences(7, 0), RATE) == 0.07
    assert leading_silence(trim_silence(between_silences(7, 3), RATE), RATE) == 0


@settings(deadline=None)
@given(frames_of_silence, frames_of_silence, st.integers(0, 159), st.floats(-0.5, 0.5))
def test_an_offset_hides_no_silence(before: int, after: int, odd: int, offset: float) -> None:  # fault 08
    waveform = np.concatenate([between_silences(before, after), np.zeros(odd)])
    for moved in (waveform + offset, (waveform + offset).astype(np.float32)):
        assert speech_span(moved, RATE) == speech_span(waveform, RATE)
        assert leading_silence(moved, RATE) == before / 100
        assert trim_silence(moved, RATE).size == 3200


def test_zeros_beside_an_offset_are_silence_as_well() -> None:
    sound = between_silences(3, 3) + 0.1
    padded = np.concatenate([np.zeros(1600), sound, np.zeros(1600)])
    assert speech_span(padded, RATE) == (1600 + 480, 1600 + 480 + 3200)


def test_silence_in_8_bits_whose_zero_lies_at_127_is_found() -> None:
    codes = np.round(between_silences(50, 10) * 128) + 127
    assert leading_silence((codes - 128) / 128, RATE) == 0.5


@pytest.mark.parametrize("value", [0.4, -1 / 128, 1.0])
def test_a_constant_is_kept_whole_as_silence_is(value: float) -> None:
    assert speech_span(np.full(1000, value, np.float32), RATE) == (0, 1000)
