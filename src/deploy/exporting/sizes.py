"""Arithmetic on sizes that holds in a graph: the smaller and the larger of two, whatever they are while it is recorded.

An exporter follows a module with sizes that are symbols, the tracer of TorchScript with sizes that are tensors. The
`min` of Python would decide for one of both and leave the decision out of the graph.
"""

from typing import Any

import torch


def smaller(size: Any, other: Any) -> Any:
    """Return the smaller of two sizes.

    >>> smaller(3, 5)
    3
    """
    return torch.minimum(*_tensors(size, other)) if torch.jit.is_tracing() else torch.sym_min(size, other)


def larger(size: Any, other: Any) -> Any:
    """Return the larger of two sizes.

    >>> larger(3, 5)
    5
    """
    return torch.maximum(*_tensors(size, other)) if torch.jit.is_tracing() else torch.sym_max(size, other)


def _tensors(*sizes: Any) -> list[torch.Tensor]:
    return [torch.as_tensor(size, dtype=torch.int64) for size in sizes]
