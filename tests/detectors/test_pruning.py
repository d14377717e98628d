"""Pruning: the weakest go, the matrices get smaller, and a run is trained again, resumed and read back in its shape."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from src.detectors import quantization
from src.detectors.encoder import Encoder
from src.detectors.fine_tuned import BACKBONE, WEIGHTS, FineTuned, FineTunedConfig
from src.detectors.pruning import PRUNABLE, Kept, check_pruning, head_strengths, prune, reshape, unit_strengths
from src.detectors.training import loop
from src.learning import trainer as learning
from src.models.contract import Workspace
from src.utils.waveform_table import WaveformTable
from tests.detectors.small_models import noise, save_small, save_small_whisper, source
from tests.detectors.tiny import write_clips

pytestmark = pytest.mark.usefixtures("one_thread")
Tables = tuple[WaveformTable, WaveformTable]
SHARE = 0.5


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return models as users have them; not to be changed."""
    folder = tmp_path_factory.mktemp("models")
    return {"wav2vec2": save_small(folder / "w"), "whisper": save_small_whisper(folder / "whisper")}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    folder = tmp_path_factory.mktemp("clips")
    return write_clips(folder, 8, seed=1), write_clips(folder, 6, seed=2, start=100)


def detector(model: Path, place: Path, **values: Any) -> FineTuned:
    settings = {"seconds": 0.25, "epochs": 2, "batch_size": 4, "learning_rate": 1e-2, "prune": SHARE, **values}
    given = FineTuned(FineTunedConfig.from_mapping({"model": str(model), **settings}))
    given.workspace = Workspace(place)
    return given


def encoder(family: str = "wav2vec2") -> Encoder:
    return Encoder(source(family)).eval()


@pytest.mark.parametrize("family", sorted(set(PRUNABLE) - {"whisper"}))
def test_what_is_cut_out_is_as_if_it_were_zero(family: str) -> None:
    silenced, pruned = encoder(family), encoder(family)
    for block in silenced.blocks():
        size, n_heads = block.attention.head_dim, block.attention.num_heads
        weak_heads = head_strengths(block).argsort()[: n_heads // 2]
        weak_units = unit_strengths(block).argsort()[: block.up.out_features // 2]
        with torch.no_grad():
            block.attention.out_proj.weight.unflatten(1, (n_heads, size))[:, weak_heads] = 0
            block.down.weight[:, weak_units] = 0
    kept = prune(pruned.blocks(), SHARE)
    windows, lengths = noise(2, 4_000), torch.tensor([4_000, 2_000])
    with torch.no_grad():
        for one, other in zip(silenced(windows, lengths)[0], pruned(windows, lengths)[0], strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    again = encoder(family)
    reshape(again.blocks(), kept)
    assert {name: each.shape for name, each in again.state_dict().items()} == {
        name: each.shape for name, each in pruned.state_dict().items()
    }


def test_a_head_and_a_unit_stay_and_nothing_taken_away_is_told() -> None:
    blocks = encoder().blocks()
    n_heads, n_units = blocks[0].attention.num_heads, blocks[0].up.out_features
    with pytest.raises(ValueError, match=f"`prune=0.001` takes nothing away: a layer has {n_heads} attention heads"):
        check_pruning(blocks, 0.001)
    assert prune(blocks, 0.999) == [Kept(1, max(1, n_units - round(0.999 * n_units)))] * 3


@pytest.mark.parametrize(
    ("backbone", "values"),
    [
        ("whisper", {"freeze": "encoder", "quantize": "int8"}),
        ("wav2vec2", {"freeze": "none", "gradual": 1}),
    ],
)
def test_a_pruned_run_is_the_same_killed_and_resumed_and_read_back(
    backbone: str,
    values: dict[str, Any],
    models: dict[str, Path],
    tables: Tables,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if values.get("quantize") and quantization.find_spec("torchao") is None:
        pytest.skip("needs torchao: pip install -e '.[quantize]'")
    given = {"backbone": backbone, "epochs": 3, **values}
    whole = detector(models[backbone], tmp_path / "whole", **given)
    history = whole.fit(*tables)
    assert len(history.val_eers) == 4  # and one epoch, two fifths of three, after pruning
    assert history.best == 3
    whole.save(tmp_path)

    killed = detector(models[backbone], tmp_path / "killed", **given)
    step, taken = loop.OurTrainer.training_step, []

    def cut_off(self: loop.OurTrainer, *arguments: Any) -> torch.Tensor:
        taken.append(1)
        if len(taken) == 8:  # in the second training, which has two steps
            raise KeyboardInterrupt
        return step(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(learning, "CHECKPOINT_SECONDS", 0.0)
        patch.setattr(loop.OurTrainer, "training_step", cut_off)
        with pytest.raises(KeyboardInterrupt):
            killed.fit(*tables)
        taken.extend([1] * 8)
        resumed = detector(models[backbone], tmp_path / "killed", **given)
        again = resumed.fit(*tables)
    assert np.array_equal(again.val_eers, history.val_eers)
    assert np.array_equal(again.train_losses, history.train_losses)
    ours = whole.trained.state_dict()
    assert all(torch.equal(each, ours[name]) for name, each in resumed.trained.state_dict().items())

    kept = json.loads((tmp_path / BACKBONE).read_text())["pruned"]
    assert kept == [vars(each) for each in whole.trained.network.encoder.kept]
    scores = whole.scores(tables[1].inputs)
    assert np.array_equal(FineTuned.load(tmp_path, whole.config).scores(tables[1].inputs), scores)
    if values.get("quantize"):
        assert torch.int8 in {each.dtype for each in load_file(tmp_path / WEIGHTS).values()}
    told = whole.compression
    assert told.parameters == whole.n_parameters < told.parameters_before
    assert told.bytes < told.bytes_before
    assert "times as fast" in str(told)
    assert f"Pruned at a validation EER of {min(history.val_eers[:3]):.2%}" in str(told)


def test_a_study_that_gives_up_before_pruning_leaves_the_network_whole(
    models: dict[str, Path], tables: Tables, tmp_path: Path
) -> None:
    given = detector(models["wav2vec2"], tmp_path / "checkpoints", epochs=3)
    history = given.fit(*tables, watch=lambda epoch, eer: epoch == 1)
    assert len(history.val_eers) == 2
    given.save(tmp_path)
    assert "pruned" not in json.loads((tmp_path / BACKBONE).read_text())
    scores = FineTuned.load(tmp_path, given.config).scores(tables[1].inputs)
    assert np.array_equal(scores, given.scores(tables[1].inputs))


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"prune": 1.0}, "`prune` must lie between 0 and 1, such as 0.3, not 1"),
        ({"prune": -0.1}, "`prune` must lie between 0 and 1, such as 0.3, not -0.1"),
        (
            {"prune": 0.3, "backbone": "wavlm"},
            "cannot cut heads out of the attention of wavlm; `backbone` may be wav2vec2",
        ),
    ],
)
def test_what_cannot_be_pruned_is_told(values: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=line):
        FineTunedConfig(**values)
