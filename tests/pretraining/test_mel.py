"""Reconstruction alone and beside other objectives: its loss, and what chance is."""

import numpy as np
import pytest
import torch

from src.pretraining import OBJECTIVES
from src.pretraining.contract import PretrainingConfig
from src.pretraining.mel import Mel
from src.pretraining.spectra import LogMel
from tests.pretraining.tiny import crops, masks_of, tiny_objective


def test_the_loss_is_the_mean_difference_of_standardised_bands() -> None:
    objective = tiny_objective(objective="mel")
    assert isinstance(objective, Mel)
    objective.start(crops().numpy())
    masks = masks_of(objective, crops())
    found = objective(crops(), crops(), masks)
    spectra = LogMel()(crops(), 100).double().numpy()
    standardised = (spectra - spectra.mean(axis=(0, 1))) / spectra.std(axis=(0, 1))
    answers = objective.reconstruction.head(found["hidden"]).detach().numpy()
    expected = np.abs(answers - standardised)[masks.numpy()].mean()
    assert float(found["loss"].detach()) == pytest.approx(expected, rel=1e-4)
    assert float(found["signs"]["loss_of_mean"]) == pytest.approx(np.abs(standardised[masks.numpy()]).mean(), rel=1e-4)


def test_answering_with_the_mean_has_the_loss_of_the_mean() -> None:
    objective = tiny_objective(objective="mel")
    objective.start(crops().numpy())
    torch.nn.init.zeros_(objective.reconstruction.head.weight)  # type: ignore[attr-defined]
    torch.nn.init.zeros_(objective.reconstruction.head.bias)  # type: ignore[attr-defined]
    signs = objective(crops(), crops(), masks_of(objective, crops()))["signs"]
    assert signs["mel_loss"] == signs["loss_of_mean"] and 0.5 < signs["loss_of_mean"] < 1.1


def test_it_stands_beside_other_objectives_with_its_weight() -> None:
    alone, both = (tiny_objective(objective="best-rq", units=32, mel_weight=weight) for weight in (0.0, 0.5))
    for objective in (alone, both):
        objective.start(iter(crops().numpy()))
    masks = masks_of(both, crops())
    codes, sums = alone(crops(), crops(), masks), both(crops(), crops(), masks)
    torch.testing.assert_close(sums["loss"], codes["loss"] + 0.5 * sums["signs"]["mel_loss"])
    assert sums["signs"].keys() == codes["signs"].keys() | {"mel_loss", "loss_of_mean"}
    extra = {name for name in both.state_dict() if name not in alone.state_dict()}
    assert extra and all(name.startswith("reconstruction.") for name in extra)
    assert both.mask_span == alone.mask_span and both.mask_share == alone.mask_share


@pytest.mark.parametrize("name", OBJECTIVES)
def test_mel_has_no_weight_beside_itself(name: str) -> None:
    if name != "mel":
        PretrainingConfig(objective=name, mel_weight=0.5)
        return
    with pytest.raises(ValueError, match="`mel_weight` goes with other objectives"):
        PretrainingConfig(objective=name, mel_weight=0.5)
