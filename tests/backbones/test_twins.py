"""Backbones of the same weights, side by side in threads, and products in place of the library's layers."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from src.backbones import load_backbone
from src.backbones.products import Product, is_gelu, product_now, use_products
from src.utils.threads import limit_this_thread, limited_threads

Published = tuple[str, Path]
LENGTHS = [(4000, 9000), (7000,), (900, 5000, 5500)] * 4


def assert_twins_give_the_same(family: str, folder: Path) -> None:
    backbone: Any = load_backbone(family, str(folder), device="cpu", precision="fp32")
    batches = [[np.random.default_rng(n).standard_normal(n).astype(np.float32) for n in batch] for batch in LENGTHS]
    with limited_threads(1):
        alone = [backbone.statistics(batch) for batch in batches]
    first, *others = twins = backbone.twins(3, 16.0)
    assert first is backbone
    for twin in others:
        assert [id(weight) for weight in twin.model.parameters()] == [id(weight) for weight in first.model.parameters()]

    def compute(number: int) -> list[Any]:
        return [twins[number].statistics(batch) for batch in batches[number::3]]

    with ThreadPoolExecutor(3, initializer=limit_this_thread, initargs=(1,)) as pool:
        made = list(pool.map(compute, range(3)))
    for number in range(3):
        for (found, n_frames), (expected, expected_frames) in zip(made[number], alone[number::3], strict=True):
            np.testing.assert_array_equal(found, expected)
            assert n_frames == expected_frames


def test_twins_of_models_of_waveforms_share_weights_and_give_the_same_numbers(published: Published) -> None:
    assert_twins_give_the_same(*published)


@pytest.mark.filterwarnings("ignore:.*holds a WhisperForAudioClassification")
def test_twins_of_models_of_spectrograms_share_weights_and_give_the_same_numbers(spectral: Published) -> None:
    assert_twins_give_the_same(*spectral)


def test_there_are_no_more_twins_than_fit_into_memory(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone: Any = load_backbone("wav2vec2", str(base), device="cpu", precision="fp32")
    for seconds in (16.0, 128.0):
        for fitting, count in ((0.4, 1), (1.2, 1), (3.5, 3), (99.0, 8)):
            free = 2 * fitting * seconds * backbone._bytes_of_second()
            monkeypatch.setattr("src.backbones.self_supervised.free_memory", lambda _, free=free: free)
            assert len(backbone.twins(8, seconds)) == count
    assert len(backbone.twins(8, 0.0)) == 8, "there is nothing to compute"


@pytest.mark.parametrize("packs", [True, False])
@pytest.mark.parametrize("gelu", [True, False])
def test_a_product_is_a_linear_layer_and_perhaps_its_activation(
    packs: bool, gelu: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not packs:
        monkeypatch.setattr("src.backbones.products.can_pack", lambda _: False)
    layer, activation = torch.nn.Linear(24, 40), torch.nn.GELU() if gelu else torch.nn.ReLU()
    rows = torch.randn(3, 50, 24)
    with torch.inference_mode():
        product = Product(layer.weight, layer.bias)
        after = product.absorb(activation)
        assert isinstance(after, torch.nn.Identity) == gelu
        torch.testing.assert_close(after(product(rows)), activation(layer(rows)), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(after(product(rows[:, ::2])), activation(layer(rows[:, ::2])), rtol=1e-5, atol=1e-5)
        now = product_now(rows, layer.weight, layer.bias, gelu=gelu)
        torch.testing.assert_close(now, activation(layer(rows)) if gelu else layer(rows), rtol=1e-5, atol=1e-5)
    assert [kept.shape for kept in product.weights] == [(40, 24), (40,)]


def test_only_the_exact_gelu_is_taken_for_it() -> None:
    from transformers.activations import ACT2FN

    assert is_gelu(ACT2FN["gelu"])
    for name in ("gelu_new", "gelu_fast", "quick_gelu", "relu", "silu"):
        assert not is_gelu(ACT2FN[name])


def test_linear_layers_are_replaced_unless_their_weights_are_read() -> None:
    class WavLMAttention(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.q_proj = torch.nn.Linear(4, 4)

    class FeedForward(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.intermediate_dense, self.output_dense = torch.nn.Linear(4, 8), torch.nn.Linear(8, 4)
            self.intermediate_act_fn: torch.nn.Module = torch.nn.GELU()

    model = torch.nn.ModuleList([WavLMAttention(), FeedForward()])
    use_products(model)
    attention, forward = model
    assert isinstance(attention.q_proj, torch.nn.Linear)
    assert isinstance(forward.intermediate_dense, Product) and isinstance(forward.output_dense, Product)
    assert isinstance(forward.intermediate_act_fn, torch.nn.Identity)
