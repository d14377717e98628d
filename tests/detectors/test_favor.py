"""FAVOR+ estimates exact attention: without bias, better with more directions, in linear memory."""

import itertools

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from src.detectors.favor import FavorAttention, draw_directions, exponents, favor_attention

D = 16


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=generator(seed))


def inputs(scale: float = 0.3, t: int = 48) -> tuple[Tensor, Tensor, Tensor]:
    """Return queries and keys of a deviation like that at the start of a training, and values of unit deviation."""
    return scale * drawn(1, 2, t, D, seed=1), scale * drawn(1, 2, t, D, seed=2), drawn(1, 2, t, D, seed=3)


def error(features: int, seeds: int, *, orthogonal: bool = True) -> float:
    """Return the root mean squared error against exact attention over several draws."""
    query, key, value = inputs()
    exact = scaled_dot_product_attention(query, key, value)
    squared = []
    for seed in range(seeds):
        source = generator(seed)
        directions = draw_directions(features, D, source) if orthogonal else torch.randn(features, D, generator=source)
        squared.append((favor_attention(query, key, value, directions) - exact).square().mean())
    return float(torch.stack(squared).mean().sqrt())


def test_the_estimate_of_the_kernel_has_no_bias() -> None:
    """Over 2,000 draws the mean of phi(q) phi(k) lies within four standard errors of exp(q . k / sqrt(d))."""
    query, key = 0.7 * drawn(8, D, seed=1), 0.7 * drawn(8, D, seed=2)
    source = generator()
    draws = torch.stack(
        [
            (exponents(query, directions) + exponents(key, directions)).exp().mean(dim=-1)
            for directions in (draw_directions(D, D, source) for _ in range(2_000))
        ]
    )
    exact = ((query * key).sum(dim=-1) / D**0.5).exp()
    deviation = (draws.mean(dim=0) - exact) / (draws.std(dim=0) / len(draws) ** 0.5)
    assert deviation.abs().max() < 4


def test_the_error_falls_with_the_root_of_the_number_of_features() -> None:
    errors = [error(features, seeds=12) for features in (16, 64, 256, 1024)]
    assert errors == sorted(errors, reverse=True)
    for less, more in itertools.pairwise(errors):
        assert 1.4 < less / more < 2.8, "four times the features, half of the error"


def test_orthogonal_directions_err_less_than_independent_ones() -> None:
    for features in (D, 4 * D):
        assert error(features, seeds=40) < error(features, seeds=40, orthogonal=False)


def test_directions_are_orthogonal_in_groups_and_as_long_as_normal_vectors() -> None:
    directions = draw_directions(40 * D + 3, D, generator())
    assert directions.shape == (40 * D + 3, D)
    group = torch.nn.functional.normalize(directions[D : 2 * D])
    torch.testing.assert_close(group @ group.T, torch.eye(D), atol=1e-5, rtol=0)
    assert float(directions.square().sum(dim=1).mean()) == pytest.approx(D, rel=0.1)
    covariance = directions.T @ directions / len(directions)
    torch.testing.assert_close(covariance, torch.eye(D), atol=0.25, rtol=0)


@pytest.mark.parametrize("scale", [0.3, 30.0])
def test_the_weights_of_a_query_add_up_to_one(scale: float) -> None:
    """Also where plain exponentials would overflow and underflow."""
    query, key, _ = inputs(scale)
    directions = draw_directions(32, D, generator())
    ones = favor_attention(query, key, torch.ones_like(key), directions)
    torch.testing.assert_close(ones, torch.ones_like(ones), atol=1e-5, rtol=0)


def test_stabilising_changes_nothing() -> None:
    """The same in float64 by the formula itself."""
    query, key, value = inputs()
    directions = draw_directions(32, D, generator())
    phi_query, phi_key = (exponents(x.double(), directions.double()).exp() for x in (query, key))
    weights = phi_query @ phi_key.transpose(-1, -2)
    expected = weights / weights.sum(dim=-1, keepdim=True) @ value.double()
    torch.testing.assert_close(favor_attention(query, key, value, directions).double(), expected, atol=1e-5, rtol=1e-5)


def test_gradients_are_finite_at_extreme_inputs() -> None:
    query, key, value = ((50 * x).requires_grad_() for x in inputs())
    favor_attention(query, key, value, draw_directions(32, D, generator())).sum().backward()
    for given in (query, key, value):
        assert given.grad is not None
        assert given.grad.isfinite().all()


def test_the_order_of_keys_does_not_matter() -> None:
    query, key, value = inputs()
    directions = draw_directions(32, D, generator())
    order = torch.randperm(key.shape[2], generator=generator())
    shuffled = favor_attention(query, key[:, :, order], value[:, :, order], directions)
    torch.testing.assert_close(shuffled, favor_attention(query, key, value, directions), atol=1e-5, rtol=1e-5)


def test_the_layer_approaches_exact_attention_with_the_same_weights() -> None:
    """With the directions of 4,096 features, against PyTorch's own multi-head attention."""
    layer = FavorAttention(32, 2, 4_096, generator())
    exact = torch.nn.MultiheadAttention(32, 2, batch_first=True)
    exact.load_state_dict(
        {
            "in_proj_weight": layer.into.weight,
            "in_proj_bias": layer.into.bias,
            "out_proj.weight": layer.out.weight,
            "out_proj.bias": layer.out.bias,
        }
    )
    frames = 0.5 * drawn(2, 20, 32)
    torch.testing.assert_close(layer(frames), exact(frames, frames, frames)[0], atol=0.01, rtol=0)


def test_directions_travel_with_the_weights() -> None:
    first, second = FavorAttention(32, 2, 24, generator(1)), FavorAttention(32, 2, 24, generator(2))
    frames = drawn(1, 9, 32)
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(frames), second(frames))
    assert torch.equal(FavorAttention(32, 2, 24, generator(1)).directions, first.directions)


def bytes_kept(t: int) -> int:
    """Return how many bytes the forward pass keeps for the backward pass."""
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    layer = FavorAttention(32, 2, 24, generator())
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = layer(drawn(1, t, 32))
    return sum(kept.values()) if output.requires_grad else 0


def test_memory_grows_linearly() -> None:
    short, middle, long = (bytes_kept(t) for t in (500, 1_000, 2_000))
    assert long - middle == pytest.approx(2 * (middle - short), rel=0.01)


def test_heads_must_divide_the_dimension() -> None:
    with pytest.raises(ValueError, match="multiple of the number of heads, not 30 of 4"):
        FavorAttention(30, 4, 16)
