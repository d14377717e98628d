"""t-SNE: a map of the embeddings that shows local groups sharply, but says little about where groups lie.

Van der Maaten and Hinton (2008), "Visualizing Data using t-SNE". The perplexity is roughly the number of neighbours of
each point. As the authors advise, vectors of more than 50 dimensions are first reduced to 50 principal components,
which removes noise and saves most of the time. The layout starts from the first two components (Kobak and Berens, 2019,
"The art of using t-SNE ..."), which keeps the large-scale order. Distances between clusters and their sizes mean
nothing here, even less than in UMAP.
"""

import numpy as np

from src.visualize.standardize import standardize

PERPLEXITY = 30.0
N_COMPONENTS = 50


def tsne_projection(vectors: np.ndarray, *, seed: int) -> np.ndarray:
    """Project embeddings to the plane with t-SNE.

    Parameters
    ----------
    vectors : np.ndarray, shape (n, d)
        One embedding per row, with n >= 4 and d >= 2; `standardize` scales the columns and checks them.
    seed : int
        The same vectors and seed give the same bytes on the same machine.

    Returns
    -------
    np.ndarray, shape (n, 2), float32
        Where each clip lies in the plane.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> tsne_projection(rng.normal(size=(6, 3)), seed=0).shape
    (6, 2)
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    scaled = standardize(vectors)
    n, d = scaled.shape
    if d > N_COMPONENTS:
        scaled = PCA(min(N_COMPONENTS, n), random_state=seed).fit_transform(scaled)
    # A perplexity near n would make all points neighbours; a third of the others is customary.
    perplexity = min(PERPLEXITY, (n - 1) / 3)
    model = TSNE(perplexity=perplexity, init="pca", learning_rate="auto", random_state=seed)
    return np.asarray(model.fit_transform(scaled.astype(np.float32)), dtype=np.float32)
