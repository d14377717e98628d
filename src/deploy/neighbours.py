"""The nearest training clips of a clip, among references that stand for all of them.

Vectors are scaled first, as the classifier sees them: each feature by mean and deviation of the training clips, and
with its scaling "unit" to one length. The distance of a clip is the mean Euclidean distance to its k = 10 nearest
references, divided by the root of the number of features. A training set of up to 2,000 clips is its own references; a
larger one is represented by 2,000 centres of k-means, found within each group (bona fide, each spoof system) in
proportion to its clips, so that every centre stands for about as many clips and belongs to one group. (Neighbours that
are centres lie elsewhere than clips would, by about the same for all who ask.)

Source of k-means in small batches: D. Sculley, "Web-scale k-means clustering", WWW 2010. Distance to the k nearest
training vectors as a sign of the unknown: Sun, Ming, Zhu and Li, "Out-of-distribution detection with deep nearest
neighbors", ICML 2022.
"""

from dataclasses import dataclass

import numpy as np

from src.models.svm.kernels import chunks, squared_lengths

MOST_REFERENCES = 2000
N_NEIGHBOURS = 10
SEED = 7
DISTANCES_AT_ONCE = 2**21


@dataclass(frozen=True)
class References:
    """Vectors that stand for the training clips."""

    vectors: np.ndarray
    """Shape (r, d), scaled, float32."""
    groups: np.ndarray
    """Shape (r,): the number of the group that each stands for."""

    def only(self, wanted: np.ndarray) -> "References":
        """Return those that a mask of shape (r,) selects."""
        return References(self.vectors[wanted], self.groups[wanted])

    def nearest(self, scaled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find the nearest references.

        Parameters
        ----------
        scaled : np.ndarray, shape (n, d)

        Returns
        -------
        distances : np.ndarray, shape (n,)
            Mean distance to the k nearest, k = 10 or as many as there are; about 1.4 for strangers of the same spread.
        groups : np.ndarray, shape (n, k)
            The groups of these, in no order.

        Examples
        --------
        >>> references = References(np.array([[0.0], [1.0]]), np.array([0, 1]))
        >>> references.nearest(np.array([[3.0]]))[0]
        array([2.5])
        """
        k = min(N_NEIGHBOURS, len(self.vectors))
        lengths = squared_lengths(self.vectors.astype(np.float64))
        distances, groups = np.empty(len(scaled)), np.empty((len(scaled), k), dtype=np.int64)
        for rows in chunks(len(scaled), max(1, DISTANCES_AT_ONCE // len(self.vectors))):
            part = np.asarray(scaled[rows], np.float64)
            squares = squared_lengths(part)[:, None] + lengths - 2 * part @ self.vectors.T.astype(np.float64)
            places = np.argpartition(squares, k - 1, axis=1)[:, :k]
            found = np.maximum(np.take_along_axis(squares, places, axis=1), 0.0)
            distances[rows] = np.sqrt(found / scaled.shape[1]).mean(axis=1)
            groups[rows] = self.groups[places]
        return distances, groups


def choose_references(scaled: np.ndarray, groups: np.ndarray, most: int = MOST_REFERENCES) -> References:
    """Return references that stand for training clips.

    Parameters
    ----------
    scaled : np.ndarray, shape (n, d)
    groups : np.ndarray, shape (n,)
        The number of each clip's group.
    most : int
        About how many references there are at most; each group has one at least.
    """
    if len(scaled) <= most:
        return References(scaled.astype(np.float32), groups)
    from sklearn.cluster import MiniBatchKMeans

    centres, of_group = [], []
    for group in np.unique(groups):
        members = scaled[groups == group].astype(np.float32)
        n_centres = min(len(members), max(1, round(most * len(members) / len(scaled))))
        found = MiniBatchKMeans(n_centres, random_state=SEED, n_init=1).fit(members).cluster_centers_
        centres.append(found.astype(np.float32))
        of_group.append(np.full(n_centres, group))
    return References(np.concatenate(centres), np.concatenate(of_group))


def percentiles(known: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Return the percentile of each distance among known ones, such as those of validation clips.

    It is 100 (1 - p) with the conformal p-value p = (1 + #{known >= distance}) / (n + 1): of clips like the known ones
    at most 5 % lie at the 95th percentile or above, whatever the distribution.

    Parameters
    ----------
    known : np.ndarray, shape (n,)
    distances : np.ndarray, shape (m,)

    Returns
    -------
    np.ndarray, shape (m,)
        In [0, 100 n / (n + 1)].

    Examples
    --------
    >>> percentiles(np.array([1.0, 2.0, 3.0]), np.array([0.5, 2.5, 9.0]))
    array([ 0., 50., 75.])
    """
    below = np.searchsorted(np.sort(known), distances, side="left")
    return np.asarray(100.0 * below / (len(known) + 1))
