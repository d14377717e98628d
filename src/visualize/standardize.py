"""Standardisation before every projection: all columns of the embeddings get the same weight.

Some dimensions of a self-supervised model are tens of times larger than the rest; unscaled, distances between clips
would be distances along those few. Each column therefore gets mean 0 and standard deviation 1. A constant column holds
no information and becomes 0: its computed deviation may be rounding error, and dividing by that would turn noise into
signal, so constant columns are found by comparing values, not deviations.
"""

import numpy as np

# The smallest perplexity and neighbourhood need as many.
MIN_POINTS = 4


def standardize(vectors: np.ndarray) -> np.ndarray:
    """Scale every column to mean 0 and standard deviation 1.

    Parameters
    ----------
    vectors : np.ndarray, shape (n, d)
        One embedding a row; n >= 4 and d >= 2.

    Returns
    -------
    np.ndarray, shape (n, d), float64
        The scaled copy; constant columns are 0.

    Raises
    ------
    ValueError
        When there are too few rows or columns to project, a value is NaN or infinite, or all rows are equal.

    Examples
    --------
    >>> standardize(np.array([[1, 5], [1, 5], [3, 5], [3, 5]]))
    array([[-1.,  0.],
           [-1.,  0.],
           [ 1.,  0.],
           [ 1.,  0.]])
    """
    vectors = np.asarray(vectors, dtype=np.float64)
    if vectors.ndim != 2 or vectors.shape[0] < MIN_POINTS or vectors.shape[1] < 2:
        raise ValueError(
            f"A projection needs at least {MIN_POINTS} vectors of at least 2 dimensions, shape (n, d); "
            f"got {vectors.shape}: take more clips."
        )
    n_bad = int(np.count_nonzero(~np.isfinite(vectors).all(axis=1)))
    if n_bad:
        raise ValueError(f"{n_bad} of {len(vectors)} vectors hold NaN or infinite values: generate them again.")
    constant = vectors.max(axis=0) == vectors.min(axis=0)
    if constant.all():
        raise ValueError(f"All {len(vectors)} vectors are equal: there is nothing to project.")
    centered = np.where(constant, 0.0, vectors - vectors.mean(axis=0))
    return centered / np.where(constant, 1.0, centered.std(axis=0))
