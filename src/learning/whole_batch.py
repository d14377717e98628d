"""A batch that several processes share: what they learn from it is what one process would learn from all of it.

`batch_size` counts the windows of the whole batch, however many processes there are. Each process reads its own rows,
one after another in the order of the batch, and runs them through its copy of the network. Three things would then
differ from one process that has them all, and are put right here:

loss        The mean of the processes' losses is not the loss of the batch where shares are uneven, classes weigh
            differently, or clips are compared with each other (contrastive). So what the network makes of a window, a
            few numbers, goes to all processes, and each takes the loss of the whole batch.
gradients   DistributedDataParallel takes the mean of the processes' gradients. Each loss depends on the rows of all
            processes, and the gradients of a sum over processes are summed over them as well: the mean is then exactly
            the gradient of the one loss.
statistics  A batch normalisation takes mean and variance of the whole batch, from the processes' own by the formula of
            Chan et al. 1979 (of which `torch.nn.SyncBatchNorm` is the version for GPUs alone).

What remains is rounding: sums in another order. Dropout, and whatever else a network draws, are drawn by each process
for its own rows; two processes then draw other values than one, of the same distribution.

T. Chan, G. Golub, R. LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from src.utils.processes import n_processes, own_number

T = TypeVar("T")


def own_share(batch: Sequence[T], number: int, count: int) -> Sequence[T]:
    """Return the rows of a batch that one of several processes reads; shares differ by one row at most.

    >>> [own_share([1, 2, 3, 4, 5], number, 2) for number in (0, 1)]
    [[1, 2], [3, 4, 5]]
    """
    return batch[len(batch) * number // count : len(batch) * (number + 1) // count]


class WholeBatch:
    """The batch of which this process has some rows."""

    def __init__(self, n_own: int, device: torch.device) -> None:
        self.first, self.count = 0, n_own
        if n_processes() > 1:
            own = torch.tensor([n_own], device=device)
            counts = _in_place(own, own_number(), n_processes()).tolist()
            self.first, self.count = sum(counts[: own_number()]), sum(counts)

    def joined(self, own: torch.Tensor) -> torch.Tensor:
        """Return the rows of all processes: (n_own, ...) -> (count, ...)."""
        return _in_place(own, self.first, self.count)


@contextmanager
def normalised_over_all(network: nn.Module) -> Iterator[None]:
    """Let batch normalisations that are trained take their statistics over all processes, inside the block."""
    norms = [each for each in network.modules() if isinstance(each, _BatchNorm)] if n_processes() > 1 else []
    for norm in norms:
        norm.forward = partial(_normalised, norm)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for norm in norms:
            del norm.forward


def _normalised(norm: _BatchNorm, values: torch.Tensor) -> torch.Tensor:
    """Return (b, c, ...) normalised over all but c, as PyTorch does, with the statistics of all processes' rows."""
    if not norm.training:
        return type(norm).forward(norm, values)
    own = values.to(torch.promote_types(values.dtype, torch.float32))
    variance, mean = torch.var_mean(own, [0, *range(2, own.ndim)], correction=0)
    n_own = torch.full_like(mean, own.numel() // own.shape[1])
    means, variances, counts = _in_place(
        torch.stack([mean, variance, n_own])[None], own_number(), n_processes()
    ).unbind(1)
    count = counts.sum(dim=0)
    mean = (counts * means).sum(dim=0) / count
    variance = (counts * (variances + (means - mean).square())).sum(dim=0) / count
    if norm.track_running_stats:
        _note_statistics(norm, mean.detach(), variance.detach() * count / (count - 1))
    shape = (1, -1) + (1,) * (own.ndim - 2)
    scaled = (own - mean.view(shape)) * (variance + norm.eps).rsqrt().view(shape)
    if norm.affine:
        scaled = scaled * norm.weight.view(shape) + norm.bias.view(shape)
    return scaled.to(values.dtype)


def _note_statistics(norm: _BatchNorm, mean: torch.Tensor, variance: torch.Tensor) -> None:
    """Let the running statistics follow those of a batch, as PyTorch does."""
    if norm.running_mean is None or norm.running_var is None or norm.num_batches_tracked is None:
        return
    norm.num_batches_tracked += 1
    rate = 1.0 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean, rate)
    norm.running_var.lerp_(variance, rate)


def _in_place(own: torch.Tensor, first: int, count: int) -> torch.Tensor:
    """Return the rows of all processes, of which own ones begin at `first`: zeros elsewhere, and the sum of all."""
    if n_processes() == 1:
        return own
    shape = own.shape[1:]
    before, behind = own.new_zeros(first, *shape), own.new_zeros(count - first - len(own), *shape)
    return _sum(torch.cat([before, own, behind]))


def _sum(own: torch.Tensor) -> torch.Tensor:
    """Return the sum of a tensor over all processes."""
    total: torch.Tensor = _Sum.apply(own)
    return total


class _Sum(torch.autograd.Function):
    """The sum over processes; so are its gradients, because the loss of every process depends on it."""

    @staticmethod
    def forward(ctx: Any, own: torch.Tensor) -> torch.Tensor:
        total = own.clone(memory_format=torch.contiguous_format)
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        return _sum(gradients[0])
