"""BEST-RQ's codes follow from the seed and the sound alone, and nothing of its quantiser is trained."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from src.pretraining.best_rq import BestRq, RandomQuantiser
from tests.pretraining.tiny import crops, masks_of, tiny_objective


def started(seed: int = 7, front_end: str = "mel") -> BestRq:
    objective = tiny_objective(front_end, seed, objective="best-rq", units=64)
    objective.start(crops().numpy())
    assert isinstance(objective, BestRq)
    return objective


def test_codes_are_the_same_for_the_same_seed_and_others_for_another() -> None:
    one, same, other = started(), started(), started(seed=8)
    assert torch.equal(one.codes(crops(), 100), same.codes(crops(), 100))
    assert not torch.equal(one.codes(crops(), 100), other.codes(crops(), 100))
    other.load_state_dict(one.state_dict())
    assert torch.equal(one.codes(crops(), 100), other.codes(crops(), 100))


def test_a_code_is_the_nearest_of_normalised_projections() -> None:
    quantiser = RandomQuantiser(10, 32)
    vectors = torch.randn(50, 10)
    projected = vectors @ quantiser.projection.T
    distances = torch.cdist(projected / projected.norm(dim=1, keepdim=True), quantiser.codebook)
    assert quantiser(vectors).tolist() == distances.argmin(dim=1).tolist()
    torch.testing.assert_close(quantiser.codebook.norm(dim=1), torch.ones(32))


@pytest.mark.parametrize("front_end", ["mel", "conv"])
def test_a_step_trains_the_encoder_and_never_the_codes(front_end: str) -> None:
    objective = started(front_end=front_end)
    before = {name: tensor.clone() for name, tensor in objective.state_dict().items()}
    optimizer = torch.optim.AdamW(objective.parameters(), lr=1e-2)
    objective(crops(), crops(), masks_of(objective, crops()))["loss"].backward()
    optimizer.step()
    changed = {name for name, tensor in objective.state_dict().items() if not torch.equal(tensor, before[name])}
    kept = {"quantiser.projection", "quantiser.codebook", "standardised.mean", "standardised.deviation"}
    assert kept <= set(before) - changed and "head.weight" in changed
    assert any(name.startswith("encoder.model.") for name in changed)


def test_the_loss_is_the_cross_entropy_of_masked_frames_alone() -> None:
    objective = started()
    masks = masks_of(objective, crops())
    found = objective(crops(), crops(), masks)
    everywhere = cross_entropy(
        objective.head(found["hidden"]).transpose(1, 2), objective.codes(crops(), 100), reduction="none"
    )
    torch.testing.assert_close(found["loss"], everywhere[masks].mean())


def test_codes_collapse_where_bands_are_not_standardised() -> None:
    objective = started()
    masks = masks_of(objective, crops())
    healthy = objective(crops(), crops(), masks)["signs"]
    objective.standardised.load_state_dict({"mean": torch.zeros(160), "deviation": torch.ones(160)})
    collapsed = objective(crops(), crops(), masks)["signs"]
    assert healthy["perplexity"] > 1.5 * collapsed["perplexity"]
    assert healthy["codes_used"] > 1.5 * collapsed["codes_used"]


def test_silence_has_one_code() -> None:
    objective = started()
    silence = torch.zeros(2, 32_000)
    objective.start(silence.numpy())
    signs = objective(silence, silence, masks_of(objective, silence))["signs"]
    assert np.isclose(float(signs["perplexity"]), 1) and float(signs["chance"]) == 1
