"""Training a network so that its dense layers bear eight bits: quantisation-aware training, by torchao.

In the forward pass of the training, the weights and inputs of every dense layer are rounded to 256 values, as they will
be afterwards; in the backward pass the rounding counts as the identity (the straight-through estimator), and the
float32 weights behind it are trained. What is learnt is used to being rounded. In the end the rounded weights become
codes, `int8.py`, which give the scores that validation chose the weights by, bit for bit.

Which layers: all dense ones that the network calls, but for decisions of one or two outputs, whose few weights are not
worth it. A layer whose weights a network uses without calling it (WavLM's attention does) stays as it is, and so do
convolutions. Where dense layers hold less than half of the weights, quantisation is refused: it would save next to
nothing. A rounded row of weights has one scale, so layers of any width will do.

torchao: github.com/pytorch/ao; B. Jacob et al. 2018; Y. Bengio et al., "Estimating or propagating gradients through
stochastic neurons for conditional computation", 2013.
"""

from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from src.detectors.int8 import Int8Linear
from src.detectors.training.scoring import forward

LEAST_SHARE = 0.5
"""Of a network's weights, that its dense layers must hold."""
DECISION = 2
"""Layers of so many outputs or inputs at most stay as they are."""


def check_torchao() -> None:
    """Raise ValueError where torchao is not installed, which only trainings need."""
    if find_spec("torchao") is None:
        raise ValueError(
            "`quantize` trains with torchao, which is not installed: pip install -e '.[quantize]', or leave it out."
        )


@torch.inference_mode()
def dense_layers(network: nn.Module, n_samples: int) -> dict[str, nn.Linear]:
    """Return the layers to quantise, by name: found by running a silent window (1, n) through the network."""
    called: dict[str, nn.Linear] = {}
    names = {module: name for name, module in network.named_modules() if _is_of_use(module)}
    hooks = [each.register_forward_hook(lambda layer, *_: called.update({names[layer]: layer})) for each in names]
    training, device = network.training, next(network.parameters()).device
    forward(network.eval(), torch.zeros(1, n_samples, device=device), torch.tensor([n_samples], device=device))
    network.train(training)
    for hook in hooks:
        hook.remove()
    return called


def check_dense(network: nn.Module, n_samples: int) -> None:
    """Raise ValueError when the layers to quantise hold less than half of a network's weights."""
    n_weights = sum(layer.weight.numel() for layer in dense_layers(network, n_samples).values())
    share = n_weights / sum(each.numel() for each in network.parameters())
    if share < LEAST_SHARE:
        raise ValueError(
            f"`quantize` is for networks of dense layers, and those of this one hold {share:.0%} of its weights: "
            "choose a transformer or conformer (fine-tuned, conformer, performer, ast), or leave it out."
        )


def prepare(network: nn.Module, n_samples: int) -> None:
    """Let the dense layers of a network train as if they had eight bits; their weights keep their names and values."""
    from torchao.quantization import quantize_

    names = dense_layers(network, n_samples)
    quantize_(network, _config("prepare"), filter_fn=lambda module, name: name in names)


def convert(network: nn.Module) -> None:
    """Give a network that was prepared, and trained, the layers in eight bits that it will be used with."""
    from torchao.quantization import quantize_
    from torchao.quantization.qat.linear import FakeQuantizedLinear

    names = [name for name, module in network.named_modules() if isinstance(module, FakeQuantizedLinear)]
    quantize_(network, _config("convert"), filter_fn=lambda module, name: name in names)
    for name in names:
        layer: Any = network.get_submodule(name)
        network.set_submodule(name, Int8Linear(layer.weight.qdata, layer.weight.scale, layer.bias))


def _is_of_use(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) and min(module.in_features, module.out_features) > DECISION


def _config(step: str) -> Any:
    """Return torchao's words for: weights in int8, one scale for each row; inputs in int8, vector by vector."""
    from torchao.quantization import Int8DynamicActivationIntxWeightConfig
    from torchao.quantization.granularity import PerAxis
    from torchao.quantization.qat import QATConfig

    base = Int8DynamicActivationIntxWeightConfig(weight_dtype=torch.int8, weight_granularity=PerAxis(0))
    return QATConfig(base, step=step)
