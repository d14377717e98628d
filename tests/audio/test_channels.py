"""Channels are averaged, unless that would cancel the sound."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from src.audio.channels import cancelling_channel, to_mono
from src.audio.io import SPEECH_RATE, UnusableAudio, load_stretch, load_waveform
from tests.audio.made_files import buzz


def load(samples: np.ndarray, path: Path) -> np.ndarray:
    soundfile.write(path, samples, SPEECH_RATE, subtype="FLOAT")
    return load_waveform(path)


@pytest.mark.parametrize("share", [1.0, 0.9, 1.2])
def test_of_opposite_phases_the_louder_channel_is_taken(share: float, tmp_path: Path) -> None:
    sound = buzz(1)
    samples = np.stack([sound, -share * sound], axis=1)
    np.testing.assert_allclose(load(samples, tmp_path / "clip.wav"), samples[:, int(share > 1)], atol=1e-6)


def test_what_cancels_but_for_a_little_noise_is_taken_from_one_channel(tmp_path: Path) -> None:
    samples = np.stack([buzz(1), -buzz(1)], axis=1) + np.random.default_rng(1).normal(0, 0.003, (SPEECH_RATE, 2))
    waveform = load(samples, tmp_path / "clip.wav")
    assert min(np.abs(waveform - samples[:, channel]).max() for channel in (0, 1)) < 1e-6


def test_an_offset_does_not_hide_that_channels_cancel(tmp_path: Path) -> None:
    samples = np.stack([buzz(1) + 0.2, 0.2 - 0.9 * buzz(1)], axis=1)
    np.testing.assert_allclose(load(samples, tmp_path / "clip.wav"), samples[:, 0], atol=1e-6)


ALIKE = {
    "the same": lambda x, _: (x, x),
    "unlike sounds": lambda x, y: (x, y),
    "one is mute": lambda x, _: (x, 0 * x),
    "six of which one speaks": lambda x, _: (x, *[0 * x] * 5),
    "sixteen unlike sounds": lambda _, __: tuple(buzz(1, seed=seed) for seed in range(16)),
    "half against": lambda x, y: (x, y - 0.5 * x),
}


@pytest.mark.parametrize("kind", ALIKE)
def test_all_others_are_averaged(kind: str, tmp_path: Path) -> None:
    samples = np.stack(ALIKE[kind](buzz(1), buzz(1, seed=1)), axis=1)
    np.testing.assert_allclose(load(samples, tmp_path / "clip.wav"), samples.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.4])
def test_constants_that_cancel_are_silence(value: float, tmp_path: Path) -> None:
    with pytest.raises(UnusableAudio, match="silent"):
        load(np.tile([value, -value], (1600, 1)), tmp_path / "clip.wav")


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_stretches_are_mixed_as_the_whole_is(rate: int, tmp_path: Path) -> None:
    """The first second cancels and the others do not; taken alone, it would be mixed another way."""
    samples = np.stack([buzz(4, rate=rate), buzz(4, rate=rate)], axis=1)
    samples[: 3 * rate, 1] *= -1
    soundfile.write(tmp_path / "clip.wav", samples, rate, subtype="FLOAT")
    whole = load_waveform(tmp_path / "clip.wav")
    for start in range(0, 60_000, 7_000):
        stretch = load_stretch(tmp_path / "clip.wav", start, start + 7_000)
        np.testing.assert_allclose(stretch, whole[start : start + 7_000], atol=1e-5)


@settings(deadline=None)
@given(st.integers(1, 4), st.lists(st.integers(0, 2000), max_size=4), st.floats(-1, 1))
def test_the_blocks_do_not_matter(n_channels: int, cuts: list[int], share: float) -> None:
    rng = np.random.default_rng(n_channels)
    samples = rng.normal(0, 1, (2000, n_channels)) + 10 * share * rng.normal(0, 1, (2000, 1)) * (-1) ** np.arange(
        n_channels
    )
    assert cancelling_channel(np.split(samples, sorted(cuts))) == cancelling_channel([samples])


def test_one_channel_cancels_nothing() -> None:
    assert cancelling_channel([np.ones((10, 1)), np.zeros((10, 1))]) is None
    assert cancelling_channel([]) is None
    assert to_mono(np.array([[0.2], [0.4]])).tolist() == [0.2, 0.4]
