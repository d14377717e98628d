"""Wav2vec 2.0: the loss is that of transformers; negatives, the quantiser, and what a public checkpoint must hold."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from transformers import Wav2Vec2Config, Wav2Vec2ForPreTraining

from src.pretraining.contract import PretrainingConfig
from src.pretraining.encoders import ConvEncoder
from src.pretraining.health import collapse_in
from src.pretraining.masks import draw_masks
from src.pretraining.quantiser import ProductQuantiser, perplexity
from src.pretraining.wav2vec2 import NEGATIVES, Wav2Vec2
from tests.pretraining.smaller import SMALLER

N_SAMPLES = 16_000


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """Return a checkpoint as it is published, and the model in it."""
    folder = tmp_path_factory.mktemp("published")
    dropouts = {"hidden_dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0, "layerdrop": 0.0}
    config = Wav2Vec2Config(**SMALLER["SMALL_CONV"], **dropouts, feat_quantizer_dropout=0.0, feat_proj_dropout=0.0)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        model = Wav2Vec2ForPreTraining(config)
    model.save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder, model


@pytest.fixture(scope="module")
def carried_on(published: tuple[Path, Any]) -> Wav2Vec2:
    folder, model = published
    encoder = ConvEncoder(model.wav2vec2, transformers.Wav2Vec2FeatureExtractor())
    objective = Wav2Vec2(encoder, PretrainingConfig(model=str(folder)))
    objective.carry_on(str(folder))
    return objective


@pytest.fixture(scope="module")
def batch(carried_on: Wav2Vec2) -> dict[str, torch.Tensor]:
    """Return two crops of zero mean and unit variance, as both take them, their masks and negatives."""
    crops = torch.randn(2, N_SAMPLES, generator=torch.Generator().manual_seed(1))
    crops = (crops - crops.mean(dim=1, keepdim=True)) / crops.std(dim=1, keepdim=True, correction=0)
    masks = draw_masks((7,), (2, carried_on.encoder.count_frames(N_SAMPLES)), 0.5, 5)
    drawn = carried_on.draw(np.random.default_rng(3), masks)
    return {"crops": crops, "masks": torch.from_numpy(masks), "negatives": torch.from_numpy(drawn["negatives"])}


def of_transformers(negatives: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Return negatives as transformers has them: numbers among all frames of the batch, for every frame."""
    n_clips, n_frames = masks.shape
    found = torch.zeros(n_clips, n_frames, NEGATIVES, dtype=torch.long)
    found[masks] = negatives + n_frames * masks.nonzero()[:, :1]
    return found


@pytest.mark.parametrize("training", [True, False])
def test_the_loss_is_that_of_transformers(
    published: tuple[Path, Any], carried_on: Wav2Vec2, batch: dict[str, torch.Tensor], training: bool
) -> None:
    _, model = published
    model.train(training), carried_on.train(training)
    model.set_gumbel_temperature(1.3)
    carried_on.quantiser.temperature = 1.3
    crops, masks, negatives = batch.values()
    with torch.random.fork_rng([]):
        torch.manual_seed(5)
        theirs = model(crops, mask_time_indices=masks, sampled_negative_indices=of_transformers(negatives, masks))
        torch.manual_seed(5)
        ours = carried_on(crops, crops, masks, negatives=negatives)
    n_masked = int(masks.sum())
    assert ours["loss"].item() == pytest.approx(theirs.loss.item() / n_masked, rel=1e-5)
    bits = theirs.contrastive_loss.item() / n_masked / np.log(2)
    assert float(ours["signs"]["loss_bits"]) == pytest.approx(bits, rel=1e-5)
    wanted = torch.autograd.grad(theirs.loss / n_masked, model.project_q.weight)[0]
    torch.testing.assert_close(torch.autograd.grad(ours["loss"], carried_on.to_targets.weight)[0], wanted)


def test_negatives_are_other_frames_of_the_same_clip(carried_on: Wav2Vec2) -> None:
    masks = draw_masks((1,), (3, 40), 0.5, 5)
    negatives = carried_on.draw(np.random.default_rng(0), masks)["negatives"]
    places = np.nonzero(masks)[1]
    assert negatives.shape == (masks.sum(), NEGATIVES)
    assert (negatives != places[:, None]).all() and negatives.min() == 0 and negatives.max() == 39


def test_a_negative_of_the_same_units_does_not_count(carried_on: Wav2Vec2, batch: dict[str, torch.Tensor]) -> None:
    crops, masks, negatives = batch.values()
    carried_on.eval()
    own = masks.nonzero()[:, 1:].expand(-1, NEGATIVES)
    signs = carried_on(crops, crops, masks, negatives=own)["signs"]
    assert float(signs["loss_bits"]) == 0 and float(signs["chance"]) == 1
    signs = carried_on(crops, crops, masks, negatives=negatives)["signs"]
    assert 1 / (1 + NEGATIVES) <= float(signs["chance"]) < 0.2


def test_targets_come_from_what_was_recorded(carried_on: Wav2Vec2, batch: dict[str, torch.Tensor]) -> None:
    crops, masks, negatives = batch.values()
    carried_on.eval()
    noisy = crops + torch.randn(crops.shape, generator=torch.Generator().manual_seed(2))
    same, heard = (carried_on(each, crops, masks, negatives=negatives) for each in (crops, noisy))
    assert same["signs"]["perplexity"] == heard["signs"]["perplexity"]
    assert same["loss"] != heard["loss"]


def test_the_noise_of_training_does_not_hide_that_all_frames_are_alike(
    carried_on: Wav2Vec2, batch: dict[str, torch.Tensor]
) -> None:
    silence = torch.zeros_like(batch["crops"])
    was_training = carried_on.training
    found = carried_on.train()(silence, silence, batch["masks"], negatives=batch["negatives"])
    carried_on.train(was_training)
    assert float(found["signs"]["perplexity"]) == pytest.approx(2)  # one unit in each of both groups
    assert float(found["signs"]["codes_used"]) == pytest.approx(1 / 8)


def test_the_collapse_of_one_group_is_told(carried_on: Wav2Vec2, batch: dict[str, torch.Tensor]) -> None:
    crops, masks, negatives = batch.values()
    logits = carried_on.quantiser.logits
    bias = logits.bias.detach().clone()
    with torch.no_grad():
        logits.bias[0] += 1e4  # the first group names its first unit, whatever it hears
        signs = carried_on(crops, crops, masks, negatives=negatives)["signs"]
        logits.bias.copy_(bias)
    assert float(signs["group_perplexity"]) == pytest.approx(1) and float(signs["perplexity"]) > 2.5
    assert "in one of the groups" in collapse_in({name: float(sign) for name, sign in signs.items()})


def test_a_product_quantiser_has_units_of_every_group() -> None:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        quantiser = ProductQuantiser(6, groups=2, units=4, width=10)
        features = torch.randn(3, 7, 6, requires_grad=True)
        found = quantiser(features)
        found.vectors.sum().backward()
    assert found.vectors.shape == (3, 7, 10) and found.units.shape == (3, 7, 2, 4)
    assert torch.equal(found.units.sum(dim=-1), torch.ones(3, 7, 2))
    chosen = found.units.argmax(dim=-1)
    assert torch.equal(found.vectors[..., 5:], quantiser.table[1][chosen[..., 1]])
    assert features.grad is not None and features.grad.abs().sum() > 0  # through choices that are hard
    assert quantiser.codes(found.units).max() < 16
    assert perplexity(found.units[0, :1]).item() == 2


def test_the_temperature_falls_by_equal_factors(carried_on: Wav2Vec2) -> None:
    found = []
    for step in (0, 50, 100):
        carried_on.start_step(step, 100)
        found.append(carried_on.quantiser.temperature)
    assert found == pytest.approx([2.0, 1.0, 0.5])


def test_a_checkpoint_without_a_quantiser_is_refused(published: tuple[Path, Any], tmp_path: Path) -> None:
    _, model = published
    model.wav2vec2.save_pretrained(tmp_path)
    encoder = ConvEncoder(model.wav2vec2, transformers.Wav2Vec2FeatureExtractor())
    with pytest.raises(ValueError, match="holds no quantiser"):
        Wav2Vec2(encoder, PretrainingConfig()).carry_on(str(tmp_path))


def test_only_a_clear_divergence_is_worse_than_the_start(carried_on: Wav2Vec2) -> None:
    by_chance = np.log(1 + NEGATIVES)
    assert carried_on.worst_loss(0.2) == pytest.approx(2 * by_chance)  # few units at the start: little to tell apart
    assert carried_on.worst_loss(5.0) == 10
