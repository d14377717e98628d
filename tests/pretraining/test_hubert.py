"""HuBERT's loss is that of a plain re-implementation; units come from MFCC or from a layer of a teacher."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from src.pretraining.hubert import Hubert
from src.pretraining.teacher import read_teacher
from tests.pretraining.tiny import crops, masks_of, tiny_encoder, tiny_objective


def started(front_end: str = "mel", **settings: object) -> Hubert:
    objective = tiny_objective(front_end, objective="hubert", **{"units": 12, **settings})
    objective.start(crops().numpy())
    assert isinstance(objective, Hubert)
    return objective


@pytest.fixture(scope="module")
def hubert() -> Hubert:
    return started()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a teacher of the family hubert."""
    path = tmp_path_factory.mktemp("teacher")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        tiny_encoder("conv").save(path)
    return path


def test_the_loss_is_that_of_a_plain_loop_over_frames(hubert: Hubert) -> None:
    masks = masks_of(hubert, crops())
    found = hubert(crops(), crops(), masks)
    units = hubert.units(crops(), masks.shape[1])
    hidden = found["hidden"].detach().double().numpy()
    weight, bias = (each.detach().double().numpy() for each in hubert.head.projection.parameters())
    directions = hubert.head.directions.detach().double().numpy()
    losses, right = [], []
    for clip, frame in np.argwhere(masks.numpy()):
        projected = weight @ hidden[clip, frame] + bias
        cosines = [projected @ one / np.linalg.norm(projected) / np.linalg.norm(one) for one in directions]
        exponentials = np.exp(np.array(cosines) / 0.1)
        losses.append(-np.log(exponentials[units[clip, frame]] / exponentials.sum()))
        right.append(exponentials.argmax() == units[clip, frame])
    assert float(found["loss"].detach()) == pytest.approx(np.mean(losses), abs=1e-5)
    assert float(found["signs"]["loss_bits"]) == pytest.approx(np.mean(losses) / math.log(2), abs=1e-5)
    assert float(found["signs"]["accuracy"]) == pytest.approx(np.mean(right))
    counts = np.bincount(units[masks].numpy(), minlength=12) / masks.sum().item()
    commonest = np.bincount(hubert.units(crops(), 100).flatten().numpy()).argmax()
    assert float(found["signs"]["chance"]) == pytest.approx(counts[commonest])
    assert float(found["signs"]["perplexity"]) == pytest.approx(np.prod(counts[counts > 0] ** -counts[counts > 0]))
    assert float(found["signs"]["codes_used"]) == pytest.approx((counts > 0).mean())


def test_units_are_saved_and_the_same_for_the_same_seed(hubert: Hubert) -> None:
    again, other = started(), started(seed=8)
    assert torch.equal(again.centres, hubert.centres) and not torch.equal(other.centres, hubert.centres)
    other.load_state_dict(hubert.state_dict())
    assert torch.equal(other.units(crops(), 100), hubert.units(crops(), 100))


def test_units_follow_from_what_was_recorded_and_not_from_what_is_heard(hubert: Hubert) -> None:
    masks = masks_of(hubert, crops())
    signs = [hubert(heard, crops(), masks)["signs"] for heard in (crops(), 0.5 * crops().flip(0))]
    assert signs[0]["perplexity"] == signs[1]["perplexity"] and signs[0]["loss_bits"] != signs[1]["loss_bits"]


def test_silence_has_no_units() -> None:
    objective = tiny_objective(objective="hubert", units=12)
    with pytest.raises(ValueError, match="12 units need as many different frames"):
        objective.start(np.zeros((3, 16_000), np.float32))


def test_a_teacher_gives_frames_and_is_not_saved(folder: Path) -> None:
    objective = started(teacher=str(folder), teacher_layer=1)
    assert objective.centres.shape == (12, 32) and objective.teacher is not None
    assert not [name for name in objective.state_dict() if "teacher" in name]
    frames = objective.teacher(crops(), 100)  # its convolutions give 99
    with torch.no_grad():
        encoder = objective.teacher._encoder
        states = encoder.model(_normalised(crops()), output_hidden_states=True).hidden_states
    torch.testing.assert_close(frames[:, :99], states[1], atol=1e-4, rtol=1e-4)
    assert torch.equal(frames[:, 99], frames[:, 98])
    loss = objective(crops(), crops(), masks_of(objective, crops()))["loss"]
    loss.backward()
    assert loss.isfinite() and not any(each.requires_grad for each in encoder.parameters())


def test_a_layer_that_a_teacher_lacks_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="`teacher_layer` must be 0 to 1, or -1 for the last, not 2"):
        read_teacher(str(folder), 2)


def test_a_teacher_that_is_no_model_or_of_a_family_without_frames_is_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no model folder"):
        read_teacher(str(tmp_path / "nothing"), 0)
    other = shutil.copytree(folder, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "model_type": "wav2vec2-bert"}))
    with pytest.raises(ValueError, match="of the family wav2vec2-bert: give one of wav2vec2, hubert"):
        read_teacher(str(other), 0)


def _normalised(waveforms: torch.Tensor) -> torch.Tensor:
    return (waveforms - waveforms.mean(dim=1, keepdim=True)) / waveforms.std(dim=1, correction=0, keepdim=True)
