"""FAVOR+: softmax attention in time and memory that grow linearly with the number of frames.

Exact attention gives frame i the mean of all values v_j with weights exp(q_i . k_j), made to add up to one (queries and
keys are scaled by d^(-1/4) each, d numbers a head). Comparing every pair costs t^2. But the weight is a mean over
directions w drawn from the normal distribution, in which queries and keys no longer meet (Lemma 1):

    exp(q . k) = E[phi_w(q) phi_w(k)],   phi_w(x) = exp(w . x - |x|^2 / 2)

With m fixed directions, sum_j phi_w(k_j) v_j is computed once for each and serves all queries: t m d operations. These
features are positive, so no weight is negative and the sums that divide are far from zero. Directions are orthogonal in
groups of d, each as long as a normal vector is at random: every one alone is distributed as before, so the estimate of
the kernel has no bias, and together they cover space more evenly, which lowers its error (Section 3.4). The error falls
as 1 / sqrt(m) where |q + k| is around 1; it grows with exp(|q + k|^2), so attention that is sharp needs many more.

Deviations from the authors' code. They subtract the greatest exponent of all keys and add a small number to each
feature, which biases the estimate and hides underflow. Here a direction's keys are measured against its own greatest
key, the query takes that scale over, and is measured against its greatest direction: both cancel, what divides is at
least 1, and no small number is needed. Directions are drawn once; buffers hold them, so weights that are read back give
the same scores.

K. Choromanski et al., "Rethinking attention with Performers", ICLR 2021.
"""

import math

import torch
from torch import Tensor, nn


class FavorAttention(nn.Module):
    """Self-attention over frames (b, t, dimension) -> (b, t, dimension); every frame attends to all.

    Parameters
    ----------
    dimension, heads : int
        Of a frame; each head takes dimension / heads numbers of it.
    features : int
        Random directions m of each head; the error falls as 1 / sqrt(m).
    generator : torch.Generator, optional
        Where the directions are drawn from; by default PyTorch's own, as the other weights are.

    Raises
    ------
    ValueError
        When `dimension` is no multiple of `heads`.
    """

    directions: Tensor

    def __init__(self, dimension: int, heads: int, features: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        if dimension % heads:
            raise ValueError(f"The dimension must be a multiple of the number of heads, not {dimension} of {heads}.")
        self.heads = heads
        self.into = nn.Linear(dimension, 3 * dimension)
        self.out = nn.Linear(dimension, dimension)
        self.register_buffer("directions", draw_directions(features, dimension // heads, generator))

    def forward(self, frames: Tensor) -> Tensor:
        """Attend; in mixed precision the exponentials and their sums stay in float32."""
        b, t, d = frames.shape
        query, key, value = self.into(frames).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        with torch.autocast(frames.device.type, enabled=False):
            attended = favor_attention(query.float(), key.float(), value.float(), self.directions.float())
        mixed: Tensor = self.out(attended.to(query.dtype).transpose(1, 2).reshape(b, t, d))
        return mixed


def favor_attention(query: Tensor, key: Tensor, value: Tensor, directions: Tensor) -> Tensor:
    """Estimate softmax(query key^T / sqrt(d)) value.

    Parameters
    ----------
    query, key : Tensor, shapes (b, h, t, d) and (b, h, s, d)
    value : Tensor, shape (b, h, s, e)
    directions : Tensor, shape (m, d)
        As `draw_directions` returns them.

    Returns
    -------
    Tensor, shape (b, h, t, e)
        Means of the values: a convex combination for each query.
    """
    of_query, of_key = exponents(query, directions), exponents(key, directions)
    greatest = of_key.detach().amax(dim=-2, keepdim=True)  # (b, h, 1, m); exp(greatest) moves from keys to queries
    phi_key = (of_key - greatest).exp()
    of_query = of_query + greatest
    phi_query = (of_query - of_query.detach().amax(dim=-1, keepdim=True)).exp()
    summed = phi_key.transpose(-1, -2) @ value  # (b, h, m, e)
    weights = phi_query @ phi_key.sum(dim=-2).unsqueeze(-1)  # (b, h, t, 1), the sum of all weights of a query
    return (phi_query @ summed) / weights


def exponents(vectors: Tensor, directions: Tensor) -> Tensor:
    """Return the logarithms of the features, w . x - |x|^2 / 2 with x scaled by d^(-1/4): (..., d) -> (..., m)."""
    scaled = vectors * vectors.shape[-1] ** -0.25
    return scaled @ directions.T - scaled.square().sum(dim=-1, keepdim=True) / 2


def draw_directions(features: int, dimension: int, generator: torch.Generator | None = None) -> Tensor:
    """Draw directions, orthogonal to each other in groups of `dimension`: shape (features, dimension).

    >>> drawn = draw_directions(6, 4, torch.Generator().manual_seed(7))
    >>> drawn.shape, bool((drawn[0] @ drawn[1]).abs() < 1e-5)
    (torch.Size([6, 4]), True)
    """
    groups = []
    for _ in range(math.ceil(features / dimension)):
        square = torch.randn(dimension, dimension, generator=generator)
        rotation, triangle = torch.linalg.qr(square)
        # with the signs of the triangle's diagonal every rotation is equally probable (Mezzadri, 2007)
        groups.append((rotation * triangle.diagonal().sign()).T)
    lengths = torch.randn(features, dimension, generator=generator).norm(dim=1, keepdim=True)
    return torch.cat(groups)[:features] * lengths
