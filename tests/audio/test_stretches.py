"""A stretch of a recording equals that part of the whole, and little more than the stretch is read."""

import tracemalloc
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from src.audio.io import SPEECH_RATE, UnusableAudio, count_samples, load_stretch, load_waveform
from src.experiments.extraction.readers import Length

COMMON_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
STEP_OF_16_BITS = 2**-15


def noise(n: int, level: float = 0.3) -> np.ndarray:
    return np.random.default_rng(n).uniform(-level, level, n)


def forget_length(path: Path) -> Path:
    """Make a FLAC what an encoder writes into a pipe: the 36 bits of STREAMINFO that count the samples are zero."""
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)
    return path


def assert_stretch_of_the_whole(path: Path, start: float, length: float, tolerance: float) -> None:
    """Compare a stretch, given in shares of the whole, with the same part of the whole."""
    whole = load_waveform(path)
    first = int(start * (len(whole) - 1))
    last = first + 1 + int(length * (len(whole) - first))  # the end, and a little beyond it
    stretch = load_stretch(path, first, last)
    assert stretch.dtype == np.float32
    assert stretch.shape == whole[first:last].shape
    np.testing.assert_allclose(stretch, whole[first:last], rtol=0, atol=tolerance)


SHARE = st.floats(0, 1)


@settings(max_examples=40, deadline=None)
@given(rate=st.sampled_from(COMMON_RATES), seconds=st.floats(0.01, 3), start=SHARE, length=SHARE)
@example(rate=44_100, seconds=3.0, start=0.0, length=1.0)
@example(rate=44_100, seconds=3.0, start=1.0, length=1.0)
@example(rate=16_000, seconds=3.0, start=0.5, length=1.0)
def test_a_stretch_is_that_part_of_the_whole(
    rate: int, seconds: float, start: float, length: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Windows of a long clip have to be what they would be if the clip were loaded at once."""
    path = tmp_path_factory.mktemp("stretch") / "clip.wav"
    soundfile.write(path, noise(int(rate * seconds)), rate, subtype="FLOAT")
    assert_stretch_of_the_whole(path, start, length, 1e-6)


@settings(max_examples=40, deadline=None)
@given(rate=st.integers(8_000, 48_000), seconds=st.floats(0.01, 3), start=SHARE, length=SHARE)
@example(rate=44_099, seconds=3.0, start=0.7, length=0.2)
def test_a_stretch_of_an_odd_rate_differs_by_less_than_a_step_of_16_bits(
    rate: int, seconds: float, start: float, length: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """soxr approximates its filter for ratios of large numbers; a stretch out of place would differ by its level."""
    path = tmp_path_factory.mktemp("stretch") / "clip.wav"
    soundfile.write(path, noise(int(rate * seconds)), rate, subtype="FLOAT")
    assert_stretch_of_the_whole(path, start, length, STEP_OF_16_BITS)


@settings(max_examples=15, deadline=None)
@given(rate=st.sampled_from(COMMON_RATES), start=SHARE, length=SHARE)
def test_a_stretch_of_a_flac_that_ffmpeg_reads_is_that_part_of_the_whole(
    rate: int, start: float, length: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("stretch") / "clip.flac"
    soundfile.write(path, np.stack([noise(rate), noise(rate + 1)[1:]], axis=1), rate)
    known = load_waveform(path)
    forget_length(path)
    np.testing.assert_array_equal(load_waveform(path), known)
    assert_stretch_of_the_whole(path, start, length, 1e-6)


def test_stretches_put_together_are_the_whole(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "clip.wav", noise(44_100 * 3), 44_100)
    whole = load_waveform(tmp_path / "clip.wav")
    edges = [0, 1, 9_999, 16_000, 16_001, 40_000, len(whole)]
    parts = [load_stretch(tmp_path / "clip.wav", a, b) for a, b in pairwise(edges)]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=0, atol=1e-6)


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_silence_is_no_error_in_a_stretch(rate: int, tmp_path: Path) -> None:
    """A clip may pause for half a minute."""
    soundfile.write(tmp_path / "clip.wav", np.concatenate([np.zeros(2 * rate), noise(rate)]), rate)
    stretch = load_stretch(tmp_path / "clip.wav", 0, 16_000)
    assert stretch.shape == (16_000,)
    assert np.abs(stretch).max() < 1e-4


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_a_stretch_beyond_full_scale_is_scaled_as_a_whole(rate: int, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "clip.wav", noise(rate, level=3.0), rate, subtype="FLOAT")
    stretch, whole = (
        load_stretch(tmp_path / "clip.wav", 4_000, 8_000),
        load_waveform(tmp_path / "clip.wav")[4_000:8_000],
    )
    assert np.abs(stretch).max() == 1
    np.testing.assert_allclose(stretch, whole / np.abs(whole).max(), atol=1e-5)


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_what_is_not_finite_or_not_there_is_refused(rate: int, tmp_path: Path) -> None:
    samples = noise(3 * rate)
    samples[int(1.5 * rate)] = np.nan
    soundfile.write(tmp_path / "clip.wav", samples, rate, subtype="FLOAT")
    load_stretch(tmp_path / "clip.wav", 0, 8_000)
    with pytest.raises(UnusableAudio, match="not finite"):
        load_stretch(tmp_path / "clip.wav", 16_000, 32_000)
    for start in (48_100, 64_000):  # within reach of the resampler, and beyond
        with pytest.raises(UnusableAudio, match=r"^empty \(no samples\)$"):
            load_stretch(tmp_path / "clip.wav", start, 80_000)
    with pytest.raises(FileNotFoundError, match="There is no recording"):
        load_stretch(tmp_path / "absent.wav", 0, 8_000)


MINUTES = 3
MEGABYTE = 2**20


@pytest.mark.parametrize("kind", ["wav", "wav of another rate", "flac", "flac of unknown length"])
def test_reading_a_stretch_takes_no_more_memory_than_a_few_seconds_do(kind: str, tmp_path: Path) -> None:
    rate = 8_000 if "another" in kind else SPEECH_RATE
    path = tmp_path / f"clip.{kind[:4].strip()}"
    soundfile.write(path, noise(MINUTES * 60 * rate), rate)
    if "unknown" in kind:
        forget_length(path)
    load_stretch(path, 0, 100)  # what is imported on the way does not count
    end = (MINUTES * 60 - 1) * SPEECH_RATE
    tracemalloc.start()
    try:
        assert len(load_stretch(path, end - SPEECH_RATE, end)) == SPEECH_RATE
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    whole = MINUTES * 60 * rate * 4
    assert whole > 5 * MEGABYTE
    assert peak < MEGABYTE


@settings(max_examples=30, deadline=None)
@given(rate=st.sampled_from(COMMON_RATES) | st.integers(8_000, 48_000), n=st.integers(100, 60_000))
@example(rate=48_000, n=1_440_002)  # a sample more than 30 s at 16 kHz
def test_the_header_predicts_the_samples(rate: int, n: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("count") / "clip.wav"
    soundfile.write(path, noise(n), rate)
    assert count_samples(path) == len(load_waveform(path)) == Length(n, rate).samples(SPEECH_RATE)
    assert count_samples(path, rate) == n


def test_samples_of_a_flac_of_unknown_length_are_counted(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "clip.flac", noise(30_000), 24_000)
    assert count_samples(forget_length(tmp_path / "clip.flac")) == 20_000
    assert count_samples(tmp_path / "clip.flac", 24_000) == 30_000


def test_what_cannot_be_read_is_not_counted(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no recording"):
        count_samples(tmp_path / "clip.wav")
    (tmp_path / "clip.wav").write_bytes(b"garbage" * 100)
    with pytest.raises(UnusableAudio, match="unreadable"):
        count_samples(tmp_path / "clip.wav")
