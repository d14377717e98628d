"""A fusion of scores: known weights, invariances, and what it does where clips are few."""

from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from src.metrics.calibration import compute_cllr
from src.metrics.eer import eer_of
from src.models import FUSIONS
from src.models.fusion import Fusion, FusionConfig
from src.models.fusion.fusion_model import fit_weights
from src.utils.registry import lookup


def draw_ratios(n: int, separations: tuple[float, ...], *, common: float = 0.0, seed: int = 0) -> Any:
    """Return a table of n clips whose parts give true log-likelihood ratios of Gaussians `separations` apart.

    Of N(+d/2, 1) against N(-d/2, 1) the ratio of x is d * x. With `common` > 0 the parts share that share of variance.
    """
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    shared = rng.standard_normal((n, 1))
    noise = np.sqrt(common) * shared + np.sqrt(1 - common) * rng.standard_normal((n, len(separations)))
    d = np.array(separations)
    return SimpleNamespace(labels=labels, inputs=d * ((labels[:, None] - 0.5) * d + noise))


def fit(table: Any, **options: Any) -> Fusion:
    fusion = Fusion(FusionConfig(**options))
    fusion.fit(table, table)
    return fusion


def test_independent_parts_fuse_to_their_sum_and_err_less_than_either() -> None:
    table = draw_ratios(40_000, (1.5, 2.0))
    fusion = fit(table)
    np.testing.assert_allclose(fusion.arrays["weights"], [1.0, 1.0], atol=0.04)
    assert abs(fusion.arrays["intercept"][0]) < 0.04
    fused, parts = fusion.scores(table.inputs), table.inputs.T
    assert eer_of(table.labels, fused) < min(eer_of(table.labels, part) for part in parts) - 0.04
    assert compute_cllr(table.labels, fused) < min(compute_cllr(table.labels, part) for part in parts)
    # Phi(-d / 2) with d^2 = 1.5^2 + 2^2, the separation of both together
    assert eer_of(table.labels, fused) == pytest.approx(0.1056, abs=0.006)


def test_parts_with_common_errors_get_the_weights_of_the_linear_discriminant() -> None:
    d, common = np.array([1.0, 2.0]), 0.8
    table = draw_ratios(40_000, tuple(d), common=common)
    covariance = np.full((2, 2), common) + (1 - common) * np.eye(2)
    ideal = np.linalg.solve(covariance, d) / d  # of x; the scores are d * x
    assert ideal[0] < 0  # it takes the common error out of the other
    np.testing.assert_allclose(fit(table).arrays["weights"], ideal, atol=0.06)


def test_the_slope_is_zero_at_what_is_found() -> None:
    table = draw_ratios(300, (1.0, 1.5, 0.5))
    weights, intercept = fit_weights(table.labels, table.inputs, C=0.3)
    own = 0.3 * len(table.labels) / (2 * np.bincount(table.labels)[table.labels])

    def loss(parameters: np.ndarray) -> float:
        fused = table.inputs @ parameters[:3] + parameters[3]
        away = parameters[:3] - 1 / 3
        return float(own @ np.log1p(np.exp(np.where(table.labels == 1, -fused, fused))) + away @ away / 2)

    found = np.append(weights, intercept)
    for step in 1e-3 * np.eye(4):
        assert loss(found + step) > loss(found)
        assert abs(loss(found + step) - loss(found - step)) < 1e-5


def test_little_trust_in_the_clips_leaves_the_mean() -> None:
    table = draw_ratios(400, (1.5, 2.0))
    mean = fit(table, method="mean")
    assert mean.arrays["weights"].tolist() == [0.5, 0.5]
    np.testing.assert_allclose(mean.scores(table.inputs), table.inputs.mean(axis=1))
    np.testing.assert_allclose(fit(table, C=1e-8).arrays["weights"], [0.5, 0.5], atol=1e-4)


def test_the_mean_of_copies_is_the_part_itself() -> None:
    one = draw_ratios(200, (1.5,))
    copies = SimpleNamespace(labels=one.labels, inputs=np.repeat(one.inputs, 3, axis=1))
    np.testing.assert_allclose(fit(copies, method="mean").scores(copies.inputs), one.inputs[:, 0])
    weights = fit(copies).arrays["weights"]
    np.testing.assert_allclose(weights, weights[0], rtol=1e-6)


def test_clips_that_the_parts_separate_give_finite_weights() -> None:
    table = SimpleNamespace(labels=np.array([1, 1, 0, 0]), inputs=np.array([[9.0, 5], [7, 6], [-8, -5], [-6, -7]]))
    weights = fit(table).arrays["weights"]
    assert np.isfinite(weights).all()
    assert (np.abs(weights) < 3).all()


def test_a_part_that_says_nothing_leaves_the_others_alone() -> None:
    table = draw_ratios(2000, (1.5, 2.0))
    dull = SimpleNamespace(labels=table.labels, inputs=np.column_stack([table.inputs, np.zeros(2000)]))
    np.testing.assert_allclose(fit(dull).arrays["weights"][:2], fit(table).arrays["weights"], rtol=0.01)


def test_the_order_of_clips_and_the_share_of_classes_do_not_matter() -> None:
    table = draw_ratios(600, (1.5, 2.0))
    weights, intercept = fit_weights(table.labels, table.inputs, 1e4)
    order = np.random.default_rng(1).permutation(600)
    again, _ = fit_weights(table.labels[order], table.inputs[order], 1e4)
    np.testing.assert_allclose(again, weights, rtol=1e-5)
    rows = np.concatenate([np.arange(600), np.flatnonzero(table.labels == 1)])  # every bona fide clip twice
    twice = fit_weights(table.labels[rows], table.inputs[rows], 1e4)
    np.testing.assert_allclose([*twice[0], twice[1]], [*weights, intercept], atol=2e-3)


def test_weights_are_saved_and_read_back_to_the_last_bit(tmp_path: Path) -> None:
    table = draw_ratios(100, (1.5, 2.0))
    fusion = fit(table)
    fusion.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == list(Fusion.files)
    again = Fusion.load(tmp_path, fusion.config)
    assert (again.scores(table.inputs) == fusion.scores(table.inputs)).all()
    (tmp_path / Fusion.files[0]).write_bytes(b"nothing")
    with pytest.raises(ValueError, match="cannot be read"):
        Fusion.load(tmp_path, fusion.config)


def test_the_history_is_that_of_the_weights() -> None:
    table, other = draw_ratios(200, (1.5, 2.0)), draw_ratios(200, (1.5, 2.0), seed=5)
    fusion = Fusion(FusionConfig())
    history = fusion.fit(table, other)
    assert history.best_eer == eer_of(other.labels, fusion.scores(other.inputs))
    assert history.train_losses[0] != history.val_losses[0]


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"method": "vote"}, "Unknown method 'vote'; allowed: logistic, mean"),
        ({"method": ""}, r"No method given \(`method`\)"),
        ({"method": 3}, "Hyperparameter method must be a word"),
        ({"C": 0.0}, "Hyperparameter C must lie in"),
        ({"prior": 0.5}, "Unknown hyperparameter 'prior'; allowed, with their defaults: method=logistic, C="),
    ],
)
def test_bad_hyperparameters_are_refused(values: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=line):
        FusionConfig.from_mapping(values)


def test_it_is_found_by_name_and_goes_through_json_but_is_not_searched() -> None:
    assert lookup(FUSIONS, "fusion", "fusion") is Fusion
    config = FusionConfig("mean", 3.0)
    assert FusionConfig.from_mapping(asdict(config)) == config
    with pytest.raises(ValueError, match="not searched"):
        FusionConfig.search_space(None)  # type: ignore[arg-type]
