"""The learnt mix of layers: it finds the layer that separates the classes, and is what it says it is."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from src.models import CLASSIFIERS, classifier_class, mixing_classifiers
from src.models.mlp import Mlp, MlpConfig, mlp_model
from src.models.mlp.network import Network
from src.models.scaling import Scaling
from src.utils.embeddings import EmbeddingTable

DrawTable = Callable[..., EmbeddingTable]
CONFIG = MlpConfig(hidden_size=16, n_hidden_layers=1, epochs=20, batch_size=32, learning_rate=1e-2)


@pytest.fixture
def draw_layers(draw_table: DrawTable) -> DrawTable:
    """Return a function that draws clips of four layers, of which only the third knows the classes."""

    def draw(n: int = 200, *, seed: int = 0, good: int = 2, size: float = 100.0) -> EmbeddingTable:
        table = draw_table(n, seed=seed, distance=4)
        rng = np.random.default_rng(seed + 100)
        vectors = rng.standard_normal((n, 4, table.vectors.shape[1])).astype(np.float32)
        vectors[:, good] = table.vectors
        vectors[:, 3] *= size  # as upper layers of some backbones are
        return replace(table, vectors=vectors)

    return draw


def trained(table: EmbeddingTable, val: EmbeddingTable, **values: Any) -> Mlp:
    classifier = Mlp(replace(CONFIG, **values))
    classifier.fit(table, val)
    return classifier


def weights_of(classifier: Mlp) -> np.ndarray:
    weights = classifier.layer_weights
    assert weights is not None
    return weights


@pytest.mark.parametrize("good", [0, 2])
def test_the_layer_that_separates_gets_the_largest_weight(draw_layers: DrawTable, good: int) -> None:
    classifier = trained(draw_layers(good=good), draw_layers(good=good, seed=1))
    weights = weights_of(classifier)
    assert weights.shape == (4,)
    assert weights.sum() == pytest.approx(1)
    assert weights.argmax() == good
    assert weights[good] > 0.5
    test = draw_layers(good=good, seed=2)
    assert ((classifier.scores(test.vectors) > 0) == test.labels).mean() > 0.9


def test_it_starts_with_equal_weights_and_the_weights_are_saved(draw_layers: DrawTable, tmp_path: Path) -> None:
    np.testing.assert_allclose(Network((4, 6), CONFIG).layer_weights(), np.full(4, 0.25))
    classifier, test = trained(draw_layers(), draw_layers(seed=1)), draw_layers(seed=2)
    classifier.save(tmp_path)
    loaded = Mlp.load(tmp_path, CONFIG)
    assert weights_of(loaded).tobytes() == weights_of(classifier).tobytes()
    assert loaded.scores(test.vectors).tobytes() == classifier.scores(test.vectors).tobytes()


def test_the_mix_is_the_weighted_sum_of_scaled_layers(draw_layers: DrawTable) -> None:
    train, test = draw_layers(), draw_layers(seed=2)
    classifier = trained(train, draw_layers(seed=1))
    scaled = [Scaling.learn(train.vectors[:, layer], "standard").apply(test.vectors[:, layer]) for layer in range(4)]
    mixed = np.einsum("l,lnd->nd", weights_of(classifier), np.stack(scaled))
    classifier.network.eval()
    with torch.inference_mode():
        logits = classifier.network.layers(torch.as_tensor(mixed, dtype=torch.float32))[:, 0]
    np.testing.assert_allclose(classifier.scores(test.vectors), logits, atol=1e-4)


def test_the_size_of_a_layer_does_not_matter(draw_layers: DrawTable) -> None:
    weights = [weights_of(trained(draw_layers(size=size), draw_layers(seed=1, size=size))) for size in (1.0, 1024.0)]
    np.testing.assert_allclose(*weights, atol=1e-3)


@pytest.mark.parametrize("scaling", ["standard", "unit", "none"])
def test_same_seed_same_bytes_in_parts_as_well(
    draw_layers: DrawTable, monkeypatch: pytest.MonkeyPatch, scaling: str
) -> None:
    train, val = draw_layers(size=1.0), draw_layers(seed=1, size=1.0)
    whole = trained(train, val, scaling=scaling).scores(val.vectors)
    assert trained(train, val, scaling=scaling).scores(val.vectors).tobytes() == whole.tobytes()
    monkeypatch.setattr(mlp_model, "SCORING_BATCH", 28)  # seven clips at a time
    np.testing.assert_allclose(trained(train, val, scaling=scaling).scores(val.vectors), whole, rtol=1e-3, atol=1e-4)


def test_one_layer_has_no_weights(draw_table: DrawTable) -> None:
    classifier = trained(draw_table(), draw_table(seed=1))
    assert classifier.layer_weights is None
    assert "layer_logits" not in classifier.network.state_dict()


def test_classifiers_say_themselves_that_they_mix_layers() -> None:
    assert mixing_classifiers() == ["mlp"]
    assert [name for name in CLASSIFIERS if hasattr(classifier_class(name), "mixes_layers")] == ["mlp"]
