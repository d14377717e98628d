"""Every classifier as a module gives the scores that it gives in NumPy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from src.deploy.exporting.classifiers import classifier_module
from src.deploy.exporting.trees import Trees, floor_to_float32
from src.models import CLASSIFIERS, classifier_class
from tests.models.conftest import QUICK, DrawTable, draw_table  # noqa: F401 (a fixture)

CASES = [(name, {}) for name in CLASSIFIERS] + [
    ("svm", {"kernel": "linear", "scaling": "unit"}),
    ("svm", {"kernel": "nystroem", "landmarks": 20}),
    ("lr", {"scaling": "none"}),
    ("knn", {"scaling": "unit", "class_weight": "none"}),
    ("rf", {"max_depth": 1}),
    ("mlp", {"scaling": "unit", "epochs": 1}),
]
pytestmark = pytest.mark.usefixtures("one_thread")


def fitted(name: str, draw: DrawTable, **values: Any) -> tuple[Any, np.ndarray]:
    kind = classifier_class(name)
    model = kind(kind.Config.from_mapping({**QUICK[name], **values}))
    model.fit(draw(120, bonafide=0.3), draw(60, seed=1))
    return model, draw(90, seed=2).vectors


@pytest.mark.parametrize(("name", "values"), CASES)
def test_scores_are_those_of_the_classifier(name: str, values: dict[str, Any], draw_table: DrawTable) -> None:  # noqa: F811
    model, vectors = fitted(name, draw_table, **values)
    module: Callable[..., torch.Tensor] = classifier_module(model)
    scores = module(torch.tensor(vectors)).detach().numpy()
    np.testing.assert_allclose(scores, model.scores(vectors), rtol=1e-4, atol=1e-4)
    alone = torch.cat([module(torch.tensor(vector[None])) for vector in vectors[:5]])
    np.testing.assert_allclose(alone.detach().numpy(), scores[:5], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["rf", "gb"])
def test_rounding_moves_the_score_of_trees_by_no_more_than_their_jump(name: str, draw_table: DrawTable) -> None:  # noqa: F811
    model, vectors = fitted(name, draw_table)
    module, clips = classifier_module(model), torch.tensor(vectors)
    assert isinstance(module, Trees)
    jump, scores = module.jump(clips), module(clips)
    assert (jump >= 0).all() and 0 < (jump > 0).float().mean() < 0.9
    walk = module.walk
    for seed in range(20):
        spans = torch.zeros(clips.shape[1])
        spans[walk.feature] = torch.as_tensor(walk.slack, dtype=torch.float32)
        moved = clips + 0.99 * spans * (2 * torch.rand(clips.shape, generator=torch.Generator().manual_seed(seed)) - 1)
        assert ((module(moved) - scores).abs() <= jump + 1e-6).all()
    walk.slack = 0 * walk.slack
    np.testing.assert_allclose(module.score(walk.bounds(clips)[0]), scores, rtol=0, atol=1e-6)


def test_thresholds_in_float32_decide_as_those_in_float64_do() -> None:
    rng = np.random.default_rng(0)
    numbers = rng.standard_normal(1000).astype(np.float32)
    thresholds = np.concatenate([numbers[:500].astype(np.float64), rng.standard_normal(500)])
    thresholds[::7] = np.nextafter(numbers[::7], 9.0, dtype=np.float32).astype(np.float64) - 1e-12
    np.testing.assert_array_equal(numbers <= floor_to_float32(thresholds), numbers <= thresholds)
