"""A dense layer in eight bits: whole numbers from -128 to 127, and how much one of them stands for.

A row of the weights has one scale, its largest magnitude / 127.5, and zero is code 0: W[i, j] = s[i] Q[i, j]. What goes
in is rounded on the fly, every vector (a frame, a clip) by itself: its range, widened to hold zero, is cut into 255
steps, so neither the batch nor the zeros behind a clip change it. The products are then summed in float32, which holds
the sums of whole numbers nearly exactly: scores are those of integer arithmetic, to rounding.

A quantised layer takes a quarter of the memory and of the disk. It is not faster: PyTorch has no integer product for
every device. The formulas are those of torchao's `Int8DynamicActivationIntxWeightConfig`, and this layer is equal to
its fake-quantised layers of the training bit for bit; but it needs no torchao, so that a run outlives the library.

B. Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference", 2018.
"""

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn.functional import linear

LOWEST, HIGHEST = -128, 127
WEIGHT, SCALE = ".weight", ".scale"
"""How the names of codes and scales end in a file of weights."""


class Int8Linear(nn.Module):
    """A dense layer (..., k) -> (..., n) of int8 weights, on inputs rounded to eight bits.

    Parameters
    ----------
    codes : torch.Tensor, shape (n, k), int8
    scale : torch.Tensor, shape (n, 1)
        What a code of each row stands for.
    bias : torch.Tensor, shape (n,), or None
    """

    scale: torch.Tensor

    def __init__(self, codes: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None) -> None:
        super().__init__()
        self.out_features, self.in_features = codes.shape
        self.weight = nn.Parameter(codes, requires_grad=False)
        self.register_buffer("scale", scale)
        self.bias = None if bias is None else nn.Parameter(bias.detach().clone(), requires_grad=False)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the layer's output."""
        return linear(rounded(inputs), self.weight.to(self.scale.dtype) * self.scale, self.bias)

    def extra_repr(self) -> str:
        """Return what a printed network says of the layer."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


def rounded(inputs: torch.Tensor) -> torch.Tensor:
    """Return vectors (..., k) on the grid of 256 values that spans each of them.

    Zero stays zero; a value is moved by half a step at most, (highest - lowest) / 510.

    >>> rounded(torch.tensor([-1.0, 0.0, 0.3, 127 / 128])).tolist()
    [-1.0, 0.0, 0.296875, 0.9921875]
    """
    lowest = inputs.amin(dim=-1, keepdim=True).clamp(max=0)
    highest = inputs.amax(dim=-1, keepdim=True).clamp(min=0)
    step = ((highest - lowest) / float(HIGHEST - LOWEST)).clamp(min=torch.finfo(inputs.dtype).smallest_normal)
    zero = (LOWEST - torch.round(lowest / step)).clamp(LOWEST, HIGHEST)
    codes = (torch.round(inputs * (1.0 / step)) + zero).clamp(LOWEST, HIGHEST)
    return (codes - zero) * step


def put_int8_layers(module: nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """Put an `Int8Linear` in the place of every dense layer whose weights are codes in what is about to be read."""
    for name, codes in state.items():
        if codes.dtype != torch.int8 or not name.endswith(WEIGHT):
            continue
        layer = name.removesuffix(WEIGHT)
        before = module.get_submodule(layer)
        device = next(before.parameters()).device
        bias = None if before.bias is None else state[f"{layer}.bias"].to(device)
        module.set_submodule(layer, Int8Linear(codes.to(device), state[layer + SCALE].to(device), bias))
