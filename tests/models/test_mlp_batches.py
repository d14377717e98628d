"""The MLP uses every clip once per epoch, in new batches each time, and blends clips and labels alike."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from src.models.mlp import Mlp, MlpConfig, mlp_model
from src.models.mlp.mlp_model import Network
from src.utils.embeddings import EmbeddingTable

DrawTable = Callable[..., EmbeddingTable]


def make(seed: int = 7, **values: Any) -> Mlp:
    small = {"hidden_size": 8, "n_hidden_layers": 1, "learning_rate": 1e-2, "mixup": 0.0}
    return Mlp(MlpConfig(**{**small, **values}), seed=seed)


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """Return the scaled vectors that the network is trained on, batch by batch."""
    seen: list[np.ndarray] = []
    forward = Network.forward

    def watched(network: Network, vectors: torch.Tensor) -> torch.Tensor:
        if network.training:
            seen.append(vectors.cpu().numpy().copy())
        return forward(network, vectors)

    monkeypatch.setattr(Network, "forward", watched)
    return seen


def places(table: EmbeddingTable, batch: np.ndarray) -> list[int]:
    """Return which clips of the table a batch holds."""
    return [int(np.flatnonzero((table.vectors == row).all(axis=1))[0]) for row in batch]


@pytest.mark.parametrize(("batch_size", "sizes"), [(16, [16, 16, 16, 2]), (50, [50]), (1000, [50]), (49, [49, 1])])
def test_batches_have_the_size_asked_for(
    draw_table: DrawTable, batches: list[np.ndarray], batch_size: int, sizes: list[int]
) -> None:
    """Fault 3: batch_size was tuned and never used."""
    make(batch_size=batch_size, epochs=2).fit(draw_table(50), draw_table(seed=1))
    assert [len(batch) for batch in batches] == 2 * sizes


def test_every_epoch_takes_every_clip_once_in_new_batches(draw_table: DrawTable, batches: list[np.ndarray]) -> None:
    """Fault 3: batches were cut once and never reshuffled."""
    train = draw_table(48)
    make(batch_size=16, epochs=3, scaling="none").fit(train, draw_table(seed=1))
    epochs = [[places(train, batch) for batch in batches[start : start + 3]] for start in (0, 3, 6)]
    for epoch in epochs:
        assert sorted(place for batch in epoch for place in batch) == list(range(48))
    cuts = [{frozenset(batch) for batch in epoch} for epoch in epochs]
    assert cuts[0] != cuts[1] != cuts[2] != cuts[0], "not the same batches in another order"


def test_the_seed_decides_the_batches(draw_table: DrawTable, batches: list[np.ndarray]) -> None:
    """Fault 3: batches were cut before the seed was set."""
    for seed in (1, 1, 2):
        make(seed, batch_size=50, epochs=1).fit(draw_table(50), draw_table(seed=1))
    orders = [batch.tobytes() for batch in batches]
    assert orders[0] == orders[1] != orders[2]


@pytest.fixture
def wanted(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """Return the labels that the network is trained to give, batch by batch."""
    seen: list[np.ndarray] = []
    cross_entropy = mlp_model.binary_cross_entropy_with_logits

    def watched(logits: torch.Tensor, labels: torch.Tensor, **options: Any) -> torch.Tensor:
        seen.append(labels.cpu().numpy().copy())
        return cross_entropy(logits, labels, **options)

    monkeypatch.setattr(mlp_model, "binary_cross_entropy_with_logits", watched)
    return seen


def test_clips_and_labels_are_blended_in_the_same_shares(
    draw_table: DrawTable, batches: list[np.ndarray], wanted: list[np.ndarray]
) -> None:
    """Embeddings that hold their label and their number show which two were blended, and how."""
    train = draw_table(64)
    vectors = train.vectors.copy()
    vectors[:, 0] = train.labels
    vectors[:, 1:3] = np.eye(64)[:, :2] * 5
    train = replace(train, vectors=vectors)
    make(mixup=0.4, batch_size=16, epochs=30, scaling="none").fit(train, draw_table(seed=1))
    inputs, labels = np.concatenate(batches), np.concatenate(wanted)
    np.testing.assert_allclose(inputs[:, 0], labels, atol=1e-6)
    assert ((labels > 0.01) & (labels < 0.99)).any()
    shares = inputs[:, 1][inputs[:, 1] > 0] / 5
    assert 50 <= len(shares) <= 60, "in each of 30 epochs the clip is in two blends, or in one with itself"
    assert shares.sum() == pytest.approx(30, rel=0.25)
    both = (inputs[:, 1] > 0) & (inputs[:, 2] > 0)
    assert (inputs[both, 1] + inputs[both, 2] <= 5 + 1e-5).all()


@pytest.mark.parametrize(("mixup", "extreme"), [(0.1, 0.80), (1.0, 0.1), (20.0, 0.0)])
def test_shares_come_from_the_beta_distribution_asked_for(
    draw_table: DrawTable, wanted: list[np.ndarray], mixup: float, extreme: float
) -> None:
    """Of shares below 0.05 or above 0.95, Beta(0.1, 0.1) has 76 %, Beta(1, 1) 10 %."""
    from scipy.stats import beta

    train = draw_table(4_000)
    make(mixup=mixup, batch_size=500, epochs=1).fit(train, draw_table(seed=1))
    labels = np.concatenate(wanted)
    expected = 0.5 + 0.5 * 2 * beta.cdf(0.05, mixup, mixup)  # half of the clips meet one of their own class
    found = ((labels < 0.05) | (labels > 0.95)).mean()
    assert found == pytest.approx(expected, abs=0.03)
    assert 2 * beta.cdf(0.05, mixup, mixup) == pytest.approx(extreme, abs=0.05)
