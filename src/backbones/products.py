"""Matrix products of a frozen model on a CPU: weights laid out once as the library wants them, GELU on the way out.

A general product of matrices is told nothing of what comes next, and lays out its weights anew in every call. oneDNN,
which PyTorch brings along, takes weights that were laid out before, and applies GELU to each block of results while it
is in the processor's cache, so that a pass over an array of 3,072 numbers a frame is saved. PyTorch itself does this
only in compiled models, by the two functions used here, which are no part of its promised interface: where they are
missing, or the processor has no AVX, plain products take their place.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

Activation = Callable[[torch.Tensor], torch.Tensor]
READ_THEIR_WEIGHTS = ("WavLMAttention",)
"""Modules that read the weights of their products in place of calling them."""


class Product(torch.nn.Module):
    """A product with a frozen weight (out, in) and a bias (out,), perhaps followed by GELU: (..., in) -> (..., out)."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        super().__init__()
        weight = weight.detach().contiguous()
        self._packs = can_pack(weight)
        self._weight: torch.Tensor = torch.ops.mkldnn._reorder_linear_weight(weight) if self._packs else weight
        self._bias = None if bias is None else bias.detach()
        self._gelu = False

    @property
    def weights(self) -> list[torch.Tensor]:
        """The arrays that it keeps."""
        return [self._weight] if self._bias is None else [self._weight, self._bias]

    def absorb(self, activation: Activation) -> Activation:
        """Take over an activation if it is GELU; return what is left to do after the product."""
        self._gelu = is_gelu(activation)
        return torch.nn.Identity() if self._gelu else activation

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the products."""
        return (_fused if self._packs else _plain)(rows, self._weight, self._bias, self._gelu)


def product_now(rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, *, gelu: bool) -> torch.Tensor:
    """Return the product of rows (..., in) and a weight (out, in) that is used once, plus a bias (out,)."""
    return (_fused if can_pack(weight) else _plain)(rows, weight, bias, gelu)


def use_products(model: torch.nn.Module) -> None:
    """Let `Product` take the place of every linear layer of a frozen model, and take over GELU between two of them."""
    owner: Any
    for owner in list(model.modules()):
        if type(owner).__name__ in READ_THEIR_WEIGHTS:
            continue
        for name, layer in list(owner.named_children()):
            if type(layer) is torch.nn.Linear:
                setattr(owner, name, Product(layer.weight, layer.bias))
        first = getattr(owner, "intermediate_dense", None)  # of the feed-forward part of a transformer layer
        if isinstance(first, Product):
            owner.intermediate_act_fn = first.absorb(owner.intermediate_act_fn)


def weights_of_products(model: torch.nn.Module) -> list[torch.Tensor]:
    """Return the arrays of all products of a model, which are no parameters of it."""
    return [weight for module in model.modules() if isinstance(module, Product) for weight in module.weights]


def can_pack(weight: torch.Tensor) -> bool:
    """Return whether products with a weight can be laid out for this machine."""
    return (
        weight.device.type == "cpu"
        and torch.backends.mkldnn.is_available()
        and torch.backends.cpu.get_cpu_capability().startswith("AVX")
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        and hasattr(torch.ops.mkldnn, "_reorder_linear_weight")
    )


def is_gelu(activation: Activation) -> bool:
    """Return whether an activation is the exact GELU, by what it does."""
    numbers = torch.linspace(-3, 3, 61)
    return torch.equal(activation(numbers), functional.gelu(numbers))


def _fused(rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, gelu: bool) -> torch.Tensor:
    activation, variant = ("gelu", "none") if gelu else ("none", "")
    made: torch.Tensor = torch.ops.mkldnn._linear_pointwise(rows.contiguous(), weight, bias, activation, [], variant)
    return made


def _plain(rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, gelu: bool) -> torch.Tensor:
    made = functional.linear(rows, weight, bias)
    return functional.gelu(made) if gelu else made
