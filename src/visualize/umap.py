"""UMAP: a map of the embeddings in which near clips stay near, and large groups roughly keep their positions.

McInnes, Healy and Melville (2018), "UMAP: Uniform Manifold Approximation and Projection". It links every point to its
nearest neighbours and lays that graph out in the plane. Distances across the map, sizes of clusters and the axes
themselves mean nothing; that two classes separate is a hint, and only the EER measures it.

It starts from the first two principal components rather than a random or spectral layout: that keeps the large-scale
order (Kobak and Linderman, 2021, "Initialization is critical ...") and works for any number of points. With a seed UMAP
runs on one core; that is the price of reproducible pictures.
"""

import warnings

import numpy as np

from src.visualize.places import give_numba_a_place
from src.visualize.standardize import standardize

N_NEIGHBORS = 15


def umap_projection(vectors: np.ndarray, *, seed: int) -> np.ndarray:
    """Project embeddings to the plane with UMAP.

    Parameters
    ----------
    vectors : np.ndarray, shape (n, d)
        One embedding per row; n >= 4. Columns are standardised first. With fewer than 16 rows all points are
        neighbours.
    seed : int
        The same vectors and seed give the same bytes on the same machine.

    Returns
    -------
    np.ndarray, shape (n, 2), float32
        Position of each clip in the plane.

    Raises
    ------
    ValueError
        When there are fewer than 4 vectors or 2 dimensions, a value is NaN or infinite, or all vectors are equal.
    """
    scaled = standardize(vectors).astype(np.float32)
    give_numba_a_place("umap", "pynndescent")
    with warnings.catch_warnings():
        # The package warns at import that TensorFlow, of which we use nothing, is absent.
        warnings.simplefilter("ignore", ImportWarning)
        from umap import UMAP
    # A seed implies n_jobs=1 anyway; stating it avoids a warning.
    model = UMAP(n_neighbors=min(N_NEIGHBORS, len(scaled) - 1), init="pca", random_state=seed, n_jobs=1)
    return np.asarray(model.fit_transform(scaled), dtype=np.float32)
