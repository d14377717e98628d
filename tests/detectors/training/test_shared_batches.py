"""Several processes learn from a batch what one process learns from all of it: rows, gradients, losses, scores.

Without dropout, which every process draws for its own rows, nothing differs but the order of sums. In float64 that
leaves nothing to see. In float32 it is a rounding of 1e-5 of a gradient, which grows from step to step, because Adam
divides small gradients by their own size.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from src.detectors.detector import Detector
from src.detectors.fine_tuned import FineTuned, FineTunedConfig
from src.detectors.lcnn import Lcnn, LcnnConfig
from src.detectors.training import clips, loop
from src.learning.whole_batch import own_share
from src.models.contract import Workspace
from src.utils.processes import own_number
from src.utils.waveform_table import WaveformTable
from tests.detectors.small_models import save_small
from tests.detectors.tiny import Tiny, TinyConfig, make, write_clips
from tests.launched import launch

pytestmark = pytest.mark.usefixtures("one_thread")
Tables = tuple[WaveformTable, WaveformTable]
Noted = dict[str, np.ndarray]
SIZE, SECONDS, EPOCHS = 5, 0.3, 2
WITHOUT_DRAWS = {
    **dict.fromkeys(("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout"), 0.0),
    "layerdrop": 0.0,
    "apply_spec_augment": False,
}
SHORT = {"seconds": SECONDS, "dropout": 0.0, "batch_size": SIZE, "epochs": EPOCHS}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small(tmp_path_factory.mktemp("models") / "small", **WITHOUT_DRAWS)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """Return clips of which two thirds are spoofs, so that classes weigh differently."""
    place = tmp_path_factory.mktemp("clips")
    train, val = write_clips(place, 17, seed=1), write_clips(place, 9, seed=2, start=100)
    return replace(train, labels=(np.arange(17) % 3 == 0).astype(int)), val


def lcnn() -> Lcnn:
    return Lcnn(LcnnConfig(channels=4, embedding_size=6, **SHORT))


def fine_tuned(folder: Path, head: str = "linear") -> FineTuned:
    small = {"head": head, "head_size": 8, "learning_rate": 1e-3}
    return FineTuned(FineTunedConfig.from_mapping({"model": str(folder), **small, **SHORT}))


def in_float64(detector: Detector) -> Detector:
    """Let a detector compute in float64, whatever its windows are."""
    build, untrained = detector.build, detector._untrained

    def built() -> torch.nn.Module:
        network = build().double()
        network.register_forward_pre_hook(lambda _, given: (given[0].double(), *given[1:]))
        return network

    detector.build = built  # type: ignore[method-assign]
    detector._untrained = lambda *arguments: untrained(*arguments).double()  # type: ignore[method-assign]
    return detector


def train(place: Path, detector: Detector, tables: Tables) -> None:
    """Train, and note which windows were read, the gradients of every step, and all scores."""
    noted: dict[str, list[np.ndarray]] = {"keys": [], "windows": [], "gradients": []}
    read, step = clips.TrainingClips.__getitem__, loop.OurTrainer.training_step

    def noting_windows(self: clips.TrainingClips, key: clips.Key) -> dict[str, Any]:
        item = read(self, key)
        noted["keys"].append(np.array(key))
        noted["windows"].append(item["waveforms"].numpy())
        return item

    def noting_gradients(self: loop.OurTrainer, model: torch.nn.Module, *arguments: Any) -> torch.Tensor:
        loss = step(self, model, *arguments)
        if self.accelerator.sync_gradients:
            gradients = [each.grad.flatten() for each in model.parameters() if each.grad is not None]
            noted["gradients"].append(torch.cat(gradients).numpy())
        return loss

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clips.TrainingClips, "__getitem__", noting_windows)
        patch.setattr(loop.OurTrainer, "training_step", noting_gradients)
        detector.workspace = Workspace(place / "checkpoints")
        history = detector.fit(*tables)
    values = {name: np.stack(values) for name, values in noted.items()}
    losses = {"losses": history.train_losses, "val_losses": history.val_losses}
    np.savez(place / f"{own_number()}.npz", **values, **losses, scores=detector.scores(tables[1].inputs))


def compared(place: Path, make: Callable[[], Detector], tables: Tables, count: int) -> tuple[Noted, list[Noted]]:
    """Train in one process and in several; return what each has noted."""
    for name in ("alone", "together"):
        (place / name).mkdir()
    train(place / "alone", make(), tables)
    codes, told = launch(place / "together", train, make(), tables, count=count)
    assert codes == [0] * count, told[-3000:]
    together = [dict(np.load(place / "together" / f"{number}.npz")) for number in range(count)]
    return dict(np.load(place / "alone" / "0.npz")), together


def assert_equal(one: Noted, several: list[Noted], first: float, later: float) -> None:
    """Compare all that was noted: the gradients of the first step, and all that follows from it."""
    for name in ("keys", "windows"):
        for number, own in enumerate(several):
            batches = [one[name][start : start + SIZE] for start in range(0, len(one[name]), SIZE)]
            shares = [own_share(batch, number, len(several)) for batch in batches]
            assert np.array_equal(own[name], np.concatenate(shares))
    largest = np.abs(one["gradients"]).max(axis=1, keepdims=True)
    for own in several:
        away = (np.abs(own["gradients"] - one["gradients"]) / largest).max(axis=1)
        assert away[0] < first
        assert away.max() < later
        for name in ("losses", "val_losses", "scores"):
            assert np.allclose(own[name], one[name], rtol=later, atol=later), name


def test_two_processes_train_an_lcnn_as_one_does(tables: Tables, tmp_path: Path) -> None:
    assert_equal(*compared(tmp_path, lambda: in_float64(lcnn()), tables, 2), first=1e-12, later=1e-8)


def test_two_processes_fine_tune_as_one_does(folder: Path, tables: Tables, tmp_path: Path) -> None:
    assert_equal(*compared(tmp_path, lambda: in_float64(fine_tuned(folder)), tables, 2), first=1e-12, later=1e-8)


@pytest.mark.slow
def test_float32_leaves_rounding_alone(folder: Path, tables: Tables, tmp_path: Path) -> None:
    """The head decides frames, in float32, after a batch normalisation."""
    assert_equal(*compared(tmp_path, lambda: fine_tuned(folder, "frame"), tables, 3), first=1e-4, later=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"loss": "contrastive", "accumulate": 2}, {"loss": "focal", "sharpness": 0.05}])
def test_three_processes_share_any_loss(tables: Tables, tmp_path: Path, options: dict[str, Any]) -> None:
    def tiny() -> Detector:
        return in_float64(Tiny(TinyConfig(**SHORT, **options)))

    assert_equal(*compared(tmp_path, tiny, tables, 3), first=1e-12, later=1e-8)


def test_a_batch_that_leaves_a_process_without_a_window_is_refused(
    tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("src.detectors.detector.n_processes", lambda: 3)
    monkeypatch.setattr("src.detectors.detector.join_others", lambda: None)
    with pytest.raises(ValueError, match=r"A batch of 2 windows is shared by 3 processes.*`batch_size`"):
        make(tmp_path, batch_size=2).fit(*tables)
