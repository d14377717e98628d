"""Kernels of many vectors at once, from matrix products.

The squared distance of two vectors is |x|^2 + |y|^2 - 2 x.y, so the distances of n vectors are one product of matrices,
which a BLAS computes many times faster than n^2 / 2 separate sums. Everything is in float64: in float32 decisions
differ from scikit-learn's by as much as its own tolerance (1e-3), in float64 by rounding (1e-9).

The trials of a study on the same layer need the same products: those used last are kept.
"""

from collections import OrderedDict
from collections.abc import Iterator
from hashlib import blake2b

import numpy as np
import psutil

KEPT_SHARE = 0.25
"""Share of the free memory that products may occupy between two trainings."""
USED_SHARE = 0.6
"""Share of the free memory that one kernel may need."""
SCORING_NUMBERS = 2**21
"""Kernel values computed at a time when scoring."""
CHUNK_NUMBERS = 2**16
"""Kernel values worked on at a time, few enough to stay in a core's cache."""


class Products:
    """Inner products of the rows of a matrix with each other, cached for later calls with the same rows."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[tuple[int, ...], bytes], np.ndarray] = OrderedDict()

    def of(self, vectors: np.ndarray) -> np.ndarray:
        """Return the products of all pairs of rows of vectors (n, d), shape (n, n); read-only where they are kept.

        Raises
        ------
        ValueError
            When they do not fit into memory.
        """
        key = vectors.shape, blake2b(vectors.data.cast("B")).digest()
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        free, needed = self._free(), 8 * len(vectors) ** 2
        if needed > USED_SHARE * free:
            raise ValueError(
                f"The exact kernel of {len(vectors)} training clips needs {needed / 1e9:.1f} GB and {free / 1e9:.1f} "
                "are free: use the hyperparameter kernel=nystroem, which needs little."
            )
        while self._kept and self._bytes() + needed > KEPT_SHARE * free:
            self._kept.popitem(last=False)
        products = vectors @ vectors.T
        if needed <= KEPT_SHARE * free:
            products.setflags(write=False)
            self._kept[key] = products
        return products

    def _bytes(self) -> int:
        return sum(products.nbytes for products in self._kept.values())

    def _free(self) -> int:
        return psutil.virtual_memory().available + self._bytes()


def squared_lengths(vectors: np.ndarray) -> np.ndarray:
    """Return |x|^2 of every row of vectors (n, d), shape (n,)."""
    return np.einsum("ij,ij->i", vectors, vectors)


def rbf_kernel(products: np.ndarray, lengths: np.ndarray, other_lengths: np.ndarray, gamma: float) -> np.ndarray:
    """Return exp(-gamma |x - y|^2).

    Parameters
    ----------
    products : np.ndarray, shape (n, m)
        Inner products x.y; overwritten with the kernel where they may be written to.
    lengths, other_lengths : np.ndarray, shapes (n,) and (m,)
        |x|^2 and |y|^2.
    gamma : float

    Returns
    -------
    np.ndarray, shape (n, m)

    Examples
    --------
    >>> x = np.array([[0.0, 1.0], [0.0, 3.0]])
    >>> rbf_kernel(x @ x.T, squared_lengths(x), squared_lengths(x), 0.5).round(3)
    array([[1.   , 0.135],
           [0.135, 1.   ]])
    """
    kernel = products if products.flags.writeable else np.empty_like(products)
    for rows in chunks(len(products), max(1, CHUNK_NUMBERS // max(1, products.shape[1]))):
        part = np.multiply(products[rows], 2 * gamma, out=kernel[rows])
        part -= gamma * lengths[rows, None]
        part -= gamma * other_lengths
        np.exp(np.minimum(part, 0.0, out=part), out=part)
    return kernel


def chunks(n: int, size: int) -> Iterator[slice]:
    """Cut n rows into slices.

    >>> list(chunks(5, 3))
    [slice(0, 3, None), slice(3, 5, None)]
    """
    return (slice(start, min(start + size, n)) for start in range(0, n, size))
