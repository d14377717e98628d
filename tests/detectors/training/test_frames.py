"""Frames: labels out of those of a crop, scores out of those of windows, and a detector that finds spoofs by them."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from src.detectors.contract import DetectorConfig, Output
from src.detectors.detector import Detector
from src.detectors.training.clips import TrainingClips
from src.detectors.training.objectives import IGNORED, frame_labels, frame_loss, make_objective
from src.detectors.training.progress import Progress
from src.detectors.training.scoring import Scored, WholeClips, _joined, score_clips
from src.experiments.training.localization import localize
from src.models.contract import Workspace
from src.utils.segments import format_segments
from src.utils.waveform_table import WaveformTable
from tests.detectors.tiny import RATE, write_clips

pytestmark = pytest.mark.usefixtures("one_thread")


def test_labels_of_frames_are_spoof_where_one_of_their_cells_is() -> None:
    cells = torch.tensor([[1, 1, 1, 0, 1, 1, 1, IGNORED], [0, 0, IGNORED, IGNORED, IGNORED, IGNORED, IGNORED, IGNORED]])
    assert frame_labels(cells, 0.02, 4).tolist() == [[1, 0, 1, 1], [0, IGNORED, IGNORED, IGNORED]]
    assert frame_labels(cells, 0.02, 3).tolist() == [[1, 0, 1], [0, IGNORED, IGNORED]]
    assert frame_labels(cells, 0.04, 2).tolist() == [[0, 1], [0, IGNORED]]
    assert frame_loss(torch.zeros(1, 2, 2), torch.full((1, 2), IGNORED), torch.ones(2)).item() == 0


def test_cells_of_a_crop_follow_the_clip(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "0.flac", 0.1 * np.sin(np.arange(RATE) / 7), RATE)
    table = replace(write_clips(tmp_path / "other", 1, seed=1), labels=np.array([0]), segments=np.array(["0.3-0.5"]))
    table = replace(table, paths=np.array([str(tmp_path / "0.flac")]))
    whole = TrainingClips(table, FrameConfig(seconds=1.5), seed=7)[0, 0]["cell_labels"]
    expected = [1] * 30 + [0] * 20 + [1] * 50 + [IGNORED] * 50
    assert whole.tolist() == expected
    repeated = TrainingClips(table, FrameConfig(seconds=1.5, padding="repeat"), seed=7)[0, 0]["cell_labels"]
    assert repeated.tolist() == expected[:100] + expected[:50]
    short = TrainingClips(table, FrameConfig(seconds=4.0, padding="repeat"), seed=7)
    n_own = round(0.5095 * RATE)  # no whole number of cells: after seven rounds labels would be 60 ms early
    cells = short._cell_labels(0, 0, n_own)
    moments = np.arange(400) * 160 % n_own / RATE
    assert (cells[(moments > 0.31) & (moments < 0.49)] == 0).all()
    assert (cells[moments < 0.28] == 1).all()
    crops = TrainingClips(table, FrameConfig(seconds=0.4), seed=7)
    for start, spoofed in ((0.25, (5, 25)), (0.4, (0, 10)), (0.255, (4, 25)), (0.6, (0, 0))):
        crop = crops._cell_labels(0, round(start * RATE), round(0.4 * RATE))
        assert np.flatnonzero(crop == 0).tolist() == list(range(*spoofed))


def test_a_frame_that_two_windows_leave_out_between_them_has_the_score_of_its_neighbours() -> None:
    scores = np.array([np.full(199, 6.0), np.full(199, 4.0)])  # two windows of 4 s: 199 frames each, not 200
    joined = _joined(scores, [0.0, 4.0], 0.02, 8.0)
    assert joined.shape == (399,)
    assert joined[[198, 199, 200]].tolist() == [6.0, 5.0, 4.0]
    overlapping = _joined(scores, [0.0, 2.0], 0.02, 6.0)
    assert overlapping[[99, 100, 198, 199]].tolist() == [6.0, 5.0, 5.0, 4.0]


@dataclass(frozen=True)
class FrameConfig(DetectorConfig):
    """Hyperparameters of the detector of frames."""

    seconds: float = 0.5
    epochs: int = 12
    batch_size: int = 4
    learning_rate: float = 1e-2
    padding: str = "zeros"


class FrameNetwork(nn.Module):
    """The level of what a convolution gives in every 20 ms, and a decision on it."""

    frame_seconds = 0.02

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(1, 8, 16, stride=4, padding=6)
        self.decision = nn.Linear(8, 2)

    def forward(self, waveforms: torch.Tensor) -> Output:
        power = self.convolution(waveforms[:, None]).square()
        levels = (nn.functional.avg_pool1d(power, 80) + 1e-5).log().transpose(1, 2)
        logits = self.decision(levels)
        return Output(logits.mean(dim=1), levels.mean(dim=1), logits)


class Frames(Detector):
    """A detector of frames."""

    Config = FrameConfig
    decides_frames = True

    def build(self) -> nn.Module:
        return FrameNetwork()


def write_spliced(folder: Path, count: int, *, seed: int) -> WaveformTable:
    """Write clips of 1.3 s in noise; in every second one a stretch has less noise, which makes it a spoof."""
    rng = np.random.default_rng(seed)
    table = write_clips(folder, count, seed=seed)
    cells = []
    for number in range(count):
        level = np.full(int(1.3 * RATE), 0.05)
        start = rng.uniform(0.1, 0.6)
        if number % 2:
            level[int(start * RATE) : int((start + 0.5) * RATE)] = 0.01
        cells.append(format_segments([(start, start + 0.5)]) if number % 2 else "")
        noise = level * rng.standard_normal(len(level))
        soundfile.write(folder / f"{number}.flac", noise.clip(-1, 1).astype(np.float32), RATE)
    return replace(table, segments=np.array(cells))


def test_a_detector_of_frames_finds_where_clips_are_spoofed(tmp_path: Path) -> None:
    train, val = write_spliced(tmp_path / "a", 16, seed=1), write_spliced(tmp_path / "b", 8, seed=2)
    detector = Frames(FrameConfig())
    detector.workspace = Workspace(tmp_path / "run")
    detector.fit(train, val)
    found = localize(detector, val)
    assert found is not None
    errors = found.errors()
    assert errors["segment_eer_20"] < 0.1
    assert errors["range_eer"] < 0.1
    metrics = found.errors_with_intervals()
    assert metrics["segment_eer_160"]["value"] == errors["segment_eer_160"]
    spans = found.spans(found.threshold())
    for file, clip in zip(val.files, found.clips, strict=True):
        assert len(clip.frame_scores) == 65
        if len(clip.spans):
            longest = spans[file][np.argmax(np.diff(spans[file], axis=1))]
            assert np.abs(longest - clip.spans[0]).max() < 0.08


def test_the_epoch_that_is_kept_is_the_one_whose_frames_err_least() -> None:
    progress = Progress.nothing()
    for eer, of_frames in ((0.0, 0.4), (0.2, 0.1), (0.1, 0.3)):
        progress.end_epoch(val_loss=1.0, val_eer=eer, range_eer=of_frames)
    assert progress.best == 1
    assert progress.best_until(0) == 0
    assert progress.told() == "range EER 30.00%, best 10.00%"
    assert not progress.has_ended(epochs=9, patience=2)
    assert progress.has_ended(epochs=9, patience=1)


def test_scores_of_two_processes_are_joined_in_the_order_of_the_clips(tmp_path: Path) -> None:
    table = write_spliced(tmp_path, 5, seed=1)
    network = FrameNetwork()
    objective = make_objective("cross-entropy", torch.ones(2), 8)
    clips = WholeClips(table.paths.tolist(), FrameConfig())
    whole = score_clips(network, objective, clips)
    joined = Scored.joined([score_clips(network, objective, clips.part(number, 2)) for number in range(2)])
    np.testing.assert_allclose(joined.scores, whole.scores, rtol=1e-5)
    assert whole.frames is not None and joined.frames is not None
    for one, other in zip(joined.frames, whole.frames, strict=True):
        np.testing.assert_allclose(one.scores, other.scores, rtol=1e-4, atol=1e-6)


def test_a_detector_of_windows_finds_no_spans(tmp_path: Path) -> None:
    from tests.detectors.tiny import make

    table = write_clips(tmp_path, 2, seed=1)
    detector = make(tmp_path / "run")
    assert localize(detector, table) is None
