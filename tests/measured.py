"""Shapes, parameters and multiply-adds of networks; of large ones on the device "meta", which computes shapes alone."""

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from src.backbones.pretrained import Pretrained
from src.backbones.random_weights import make_random
from src.backbones.self_supervised import MODEL_INPUTS
from src.detectors import detector_class
from src.detectors.encoder import Encoder, Source
from src.detectors.fine_tuned import FineTunedConfig
from src.detectors.fine_tuned_network import FineTunedNetwork
from src.detectors.heads import HEADS, HeadShape
from src.detectors.training.windows import window_samples
from src.utils.registry import lookup

RATE = 16_000
SHAPES = {"base": HeadShape(768, 13, 128, 32, 0.1), "large": HeadShape(1024, 25, 128, 32, 0.1)}
"""What a head with the default sizes stands on."""


def pretrained(family: str, size: str) -> nn.Module:
    """Return a model of a family without weights, as a backbone uses it."""
    with torch.device("meta"):
        model = make_random(family, size)[0]
    model.adapter = model.intermediate_ffn = None
    return model.eval().requires_grad_(False)


def input_of(family: str) -> torch.Tensor:
    """Return what a model of a family takes, two clips long as its window, or 4 s where it takes any length."""
    shapes = {"whisper": (80, 3000), "ast": (1024, 128), "wav2vec2-bert": (199, 160)}
    return torch.zeros(2, *shapes.get(family, (4 * RATE,)), device="meta")


def seconds_of(family: str) -> float:
    """Return how long these inputs are."""
    return {"whisper": 30.0, "ast": 10.24}.get(family, 4.0)


def frames_of_clip(family: str, size: str, n_samples: int) -> int:
    """Return how many frames a backbone keeps of a clip."""
    with torch.device("meta"):
        model, config, extractor = make_random(family, size)
    known = Pretrained(model, config, extractor, RATE, "")
    window = "30 s" if family == "whisper" else ""
    model_input = lookup(MODEL_INPUTS, family, "family")(known, torch.device("cpu"), window)
    noise = np.random.default_rng(7).uniform(-0.5, 0.5, n_samples).astype(np.float32)
    return model_input.prepare([noise]).n_frames[0]


def head(name: str, size: str) -> tuple[nn.Module, Any]:
    """Return a head and the hidden states that it takes, of two clips of 4 s."""
    shape = SHAPES[size]
    with torch.device("meta"):
        made = lookup(HEADS, name, "head")(shape).eval().requires_grad_(False)
        layers = [torch.zeros(2, 199, shape.dimension)] * shape.n_layers
    return made, layers if made.takes_layers else layers[0]


def detector(name: str, **settings: Any) -> tuple[nn.Module, torch.Tensor]:
    """Return the network of a detector at its default size, and two windows for it."""
    kind = detector_class(name)
    config = kind.Config(**settings)
    if name == "fine-tuned":
        network: nn.Module = fine_tuned(config)
    elif name == "ast":  # the published size is large
        with torch.device("meta"):
            network = kind(config).build().to("meta")
    else:
        network = kind(config).build()
    device = [parameter.device for parameter in network.parameters()][-1]
    windows = torch.zeros(2, window_samples(config.seconds), device=device)
    return network.eval().requires_grad_(False), windows


def fine_tuned(config: FineTunedConfig, size: str = "base") -> FineTunedNetwork:
    """Return an encoder and a head on it."""
    with torch.device("meta"):
        return FineTunedNetwork(Encoder(Source(pretrained(config.backbone, size), True, "")), config)


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def shapes(network: nn.Module, inputs: Any) -> dict[str, tuple[int, ...]]:
    """Return the shapes of what enters a network (""), of what its modules return, and of its output and its fields."""
    found = {"": shape_of(inputs)}

    def note(name: str) -> Any:
        return lambda _, __, output: found.update({name: shape_of(output)})

    hooks = [module.register_forward_hook(note(name)) for name, module in network.named_modules() if name]
    output = network(inputs)
    for hook in hooks:
        hook.remove()
    fields = {} if torch.is_tensor(output) else output._asdict() if hasattr(output, "_asdict") else dict(output)
    found |= {f"output.{name}": shape_of(value) for name, value in fields.items()}
    return {**found, "output": shape_of(output)}


def shape_of(output: Any) -> tuple[int, ...]:
    """Return the shape of a tensor, of the first one of several, or () of something else."""
    first = output[0] if isinstance(output, list | tuple) else output
    return tuple(first.shape) if torch.is_tensor(first) else ()


def multiply_adds(network: nn.Module, inputs: Any) -> float:
    """Return the multiply-adds of one window or clip: products of matrices, convolutions and attention."""
    one = [layer[:1] for layer in inputs] if isinstance(inputs, list) else inputs[:1]
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):  # attention as products, counted
        network(one)
    return counter.get_total_flops() / 2
