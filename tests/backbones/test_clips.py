"""The statistics of one clip are what a store holds for it, whatever its length."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from src.audio.io import UnusableAudio, load_waveform
from src.backbones import load_backbone
from src.backbones.clips import NOT_FINITE, Windows, clip_statistics, pool_windows, recording_statistics, window_edges
from src.backbones.contract import Statistics
from src.backbones.lfcc import Lfcc, lfcc
from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.splits import SplitShares, split_dataset
from src.experiments.extraction.engines import extract_splits
from src.experiments.extraction.requests import Limits, Request
from src.utils.embeddings import load_embeddings

RATE = 16_000
SECONDS = (0.5, 2.3, 0.06, 1.0, 3.0, 1.2)
"""Lengths of the clips, over and over; windows last a second at the most."""


@pytest.fixture
def dataset(make_corpus: Callable[..., Path]) -> Path:
    """Return a split corpus of clips that are shorter and longer than a window."""
    dataset = make_corpus(people=5, clips=2)
    for number, path in enumerate(sorted(dataset.rglob("*.flac"))):
        waveform, rate = soundfile.read(path)
        soundfile.write(path, np.resize(waveform, int(SECONDS[number % len(SECONDS)] * rate)), rate)
    generate_tables(dataset)
    split_dataset(dataset, SplitShares(pretext=0, train=0.6, val=0.2), seed=7)
    return dataset


def noise(seconds: float, seed: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, int(seconds * RATE)).astype(np.float32)


def test_a_clip_has_the_statistics_of_its_row_bit_for_bit(dataset: Path, tmp_path: Path) -> None:
    request = Request(dataset, ["downstream_train"], "lfcc", limits=Limits(window_seconds=1.0))
    (made,) = extract_splits(request, root=tmp_path)
    table = load_embeddings(made.folder, pooling="mean+std")
    assert made.n_clips == len(table) == 8
    for file, vector in zip(table.files, table.vectors, strict=True):
        statistics, _ = clip_statistics(Lfcc(), load_waveform(dataset / file), window_seconds=1.0)
        np.testing.assert_array_equal(statistics.ravel(), vector, err_msg=file)
        from_file, _ = recording_statistics(Lfcc(), dataset / file, window_seconds=1.0)
        np.testing.assert_array_equal(from_file, statistics)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100])
def test_a_recording_of_any_rate_has_the_statistics_of_its_row_bit_for_bit(
    dataset: Path, tmp_path: Path, rate: int
) -> None:
    """Its length at the backbone's rate is no whole number: resampling before cutting would cut one sample off."""
    for number, path in enumerate(sorted(dataset.rglob("*.flac"))):
        sound = np.random.default_rng(number).uniform(-0.9, 0.9, (int(rate * SECONDS[number % len(SECONDS)]) + 7, 2))
        soundfile.write(path, sound, rate)
    request = Request(dataset, ["downstream_train"], "lfcc", limits=Limits(window_seconds=1.0))
    (made,) = extract_splits(request, root=tmp_path)
    table = load_embeddings(made.folder, pooling="mean+std")
    frames = pd.read_csv(made.folder / "index.csv")["frames"]
    for file, vector, expected in zip(table.files, table.vectors, frames, strict=True):
        statistics, n_frames = recording_statistics(Lfcc(), dataset / file, window_seconds=1.0)
        np.testing.assert_array_equal(statistics.ravel(), vector, err_msg=file)
        assert n_frames == expected


def test_a_recording_that_is_a_sample_longer_than_a_window_once_it_is_resampled_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    soundfile.write(path, np.random.default_rng(7).uniform(-0.5, 0.5, 48_002), 48_000)
    statistics, n_frames = recording_statistics(Lfcc(), path, window_seconds=1.0)
    expected, n_expected = clip_statistics(Lfcc(), load_waveform(path), window_seconds=1.0)
    assert n_frames == n_expected == 98  # of one window there would be 99
    np.testing.assert_allclose(statistics, expected, atol=1e-2)


def test_a_file_that_is_no_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        recording_statistics(Lfcc(), tmp_path / "absent.wav")
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(UnusableAudio):
        recording_statistics(Lfcc(), tmp_path / "text.wav")


@pytest.mark.parametrize(("family", "model"), [("wav2vec2", "base"), ("hubert", "large")])
def test_a_clip_has_the_statistics_of_its_row_by_a_speech_model(
    dataset: Path, tmp_path: Path, request: pytest.FixtureRequest, family: str, model: str
) -> None:
    name = str(request.getfixturevalue(model))
    asked = Request(dataset, ["downstream_val"], family, name, precision="fp32", limits=Limits(window_seconds=1.0))
    (made,) = extract_splits(asked, root=tmp_path)
    backbone = load_backbone(family, name, precision="fp32")
    assert made.n_clips
    tables = [load_embeddings(made.folder, layer, "mean+std") for layer in backbone.layers]
    for row, file in enumerate(tables[0].files):
        statistics, _ = clip_statistics(backbone, load_waveform(dataset / file), window_seconds=1.0)
        for found, table in zip(statistics, tables, strict=True):
            assert np.abs(found.ravel() - table.vectors[row]).max() < 1e-5 * max(1, np.abs(found).max())


def test_a_long_clip_is_computed_in_batches_of_a_comfortable_size() -> None:
    class Spy(Lfcc):
        batch_seconds = 2.5
        sizes: list[int] = []  # noqa: RUF012 (one instance)

        def statistics(self, waveforms: list[np.ndarray]) -> Statistics:  # type: ignore[override]
            self.sizes.append(len(waveforms))
            return super().statistics(waveforms)

    spy, waveform = Spy(), noise(5)
    found, n_frames = clip_statistics(spy, waveform, window_seconds=1.0)
    assert spy.sizes == [2, 2, 1]
    windows = [lfcc(waveform[start : start + RATE]) for start in range(0, 5 * RATE, RATE)]
    together = np.concatenate(windows)
    assert n_frames == len(together) == 5 * 99
    np.testing.assert_allclose(found[0], [together.mean(axis=0), together.std(axis=0)], rtol=1e-5, atol=1e-5)


def test_a_clip_within_a_window_is_not_cut() -> None:
    waveform = noise(30)
    frames = lfcc(waveform)
    found, n_frames = clip_statistics(Lfcc(), waveform)
    assert n_frames == len(frames)
    np.testing.assert_array_equal(found[0], np.array([frames.mean(axis=0), frames.std(axis=0)], dtype=np.float32))


class Overflowing(Lfcc):
    def statistics(self, waveforms: list[np.ndarray]) -> Statistics:  # type: ignore[override]
        pooled, n_frames = super().statistics(waveforms)
        return pooled * np.float32(np.nan), n_frames


@pytest.mark.parametrize(
    ("backbone", "waveform", "reason"),
    [
        (Lfcc(), np.zeros(0, np.float32), "too short (0 samples at 16000 Hz; a frame needs 320)"),
        (Lfcc(), noise(0.01), "too short (160 samples at 16000 Hz; a frame needs 320)"),
        (Lfcc(), np.full(RATE, 0.25, np.float32), "silent (no sample above -80 dBFS)"),
        (Overflowing(), noise(1), NOT_FINITE),
    ],
)
def test_what_a_store_leaves_out_is_refused_for_the_same_reason(
    backbone: Lfcc, waveform: np.ndarray, reason: str
) -> None:
    with pytest.raises(UnusableAudio) as caught:
        clip_statistics(backbone, waveform)
    assert str(caught.value) == reason


@settings(deadline=None)
@given(st.integers(1, 10**6), st.integers(1_000, 480_000))
def test_windows_are_the_fewest_that_fit_and_equal_to_within_a_sample(n_samples: int, window: int) -> None:
    edges = window_edges(n_samples, window)
    lengths = np.diff(edges)
    assert (edges[0], edges[-1]) == (0, n_samples)
    assert lengths.max() <= window
    assert lengths.max() - lengths.min() <= 1
    assert (len(lengths) - 1) * window < n_samples


FRAMES = st.lists(st.integers(1, 7), min_size=1, max_size=5).flatmap(
    lambda counts: st.tuples(
        *(arrays(np.float64, (2, count, 3), elements=st.floats(-1, 1, width=32)) for count in counts)
    )
)


def statistics_of(frames: np.ndarray) -> np.ndarray:
    """Return mean and deviation of frames of shape (layers, t, d): shape (layers, 2, d)."""
    return np.stack([frames.mean(axis=1), frames.std(axis=1)], axis=1)


@settings(deadline=None)
@given(FRAMES)
def test_windows_pooled_are_the_statistics_of_all_their_frames(windows: tuple[np.ndarray, ...]) -> None:
    each = np.stack([statistics_of(frames) for frames in windows]).astype(np.float32)
    pooled, n_frames = pool_windows(each, [frames.shape[1] for frames in windows])
    together = np.concatenate(windows, axis=1)
    assert n_frames == together.shape[1]
    assert (pooled.dtype, pooled.shape) == (np.float32, (2, 2, 3))
    np.testing.assert_allclose(pooled, statistics_of(together), rtol=1e-6, atol=1e-6)


def test_windows_of_unlike_length_count_by_their_frames() -> None:
    """Worked out on paper for the frames 0, 0, 0 and 4."""
    pooled, n_frames = pool_windows(np.array([[[[0.0], [0.0]]], [[[4.0], [0.0]]]], dtype=np.float32), [3, 1])
    assert n_frames == 4
    np.testing.assert_allclose(pooled, [[[1.0], [np.sqrt(3)]]], rtol=1e-7)


def test_a_clip_of_one_window_is_left_as_it_is() -> None:
    statistics = np.random.default_rng(0).standard_normal((1, 2, 2, 3)).astype(np.float32)
    pooled, n_frames = pool_windows(statistics, [9])
    np.testing.assert_array_equal(pooled, statistics[0])
    assert n_frames == 9


@pytest.mark.parametrize(("silent", "whole"), [((True, True), True), ((True, False), False), ((False, True), False)])
def test_windows_are_gathered_until_the_last(silent: tuple[bool, bool], whole: bool) -> None:
    """A clip is silent where all of its windows are."""
    statistics = np.arange(8, dtype=np.float32).reshape(2, 1, 2, 2)
    windows = Windows(2)
    assert [windows.add(*each) for each in zip(statistics, (5, 3), silent, strict=True)] == [False, True]
    assert windows.silent == whole
    expected, _ = pool_windows(statistics, [5, 3])
    np.testing.assert_array_equal(windows.pooled()[0], expected)
    assert windows.pooled()[1] == 8
