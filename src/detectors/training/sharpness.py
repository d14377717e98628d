"""Sharpness-aware minimisation: the gradients of the worst point nearby lead to flat minima, which generalise better.

P. Foret et al., "Sharpness-aware minimization for efficiently improving generalization", 2021.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def at_the_worst_point_nearby(model: nn.Module, radius: float) -> Iterator[None]:
    """Move weights to where the loss is highest nearby, without their gradients, and back at the end.

    Gradients that are computed inside the block are those of sharpness-aware minimisation (equation 2). Batch
    normalisations do not count what they see there: it is not what the weights that are kept give.
    """
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    counting = [module for module in norms if module.track_running_stats]
    moved = [parameter for parameter in model.parameters() if parameter.grad is not None]
    norm = torch.stack([parameter.grad.norm() for parameter in moved if parameter.grad is not None]).norm()
    before = [parameter.detach().clone() for parameter in moved]
    with torch.no_grad():
        for parameter in moved:
            parameter.add_(parameter.grad, alpha=radius / (float(norm) + 1e-12))  # type: ignore[arg-type]
            parameter.grad = None
    for module in counting:
        module.track_running_stats = False
    yield
    for module in counting:
        module.track_running_stats = True
    with torch.no_grad():
        for parameter, value in zip(moved, before, strict=True):
            parameter.copy_(value)
