"""How alike two representations of the same sound are: linear CKA, and the cosine between vectors.

Centred kernel alignment compares what two layers tell apart, not their numbers: it does not change when one of them is
turned, mirrored, moved or scaled as a whole. With frames x_i of one layer and y_i of the other, both centred,

    CKA = |sum_i x_i y_i'|^2 / (|sum_i x_i x_i'| |sum_i y_i y_i'|)            (Frobenius norms)

which lies between 0 and 1. Only three matrices of sums are needed, so frames can be added clip by clip. It needs many
more frames than a frame has numbers; with few, any two layers look alike.

S. Kornblith et al., "Similarity of neural network representations revisited", ICML 2019, equation 5 and section 3.
"""

import numpy as np

from src.metrics.checks import FloatArray


class LinearCka:
    """Sums over frames from which the linear CKA of two layers follows.

    >>> frames = np.random.default_rng(7).standard_normal((100, 3))
    >>> cka = LinearCka()
    >>> cka.add(frames[:50], 2 * frames[:50, ::-1] + 1)
    >>> cka.add(frames[50:], 2 * frames[50:, ::-1] + 1)
    >>> round(cka.value(), 6)
    1.0
    """

    def __init__(self) -> None:
        self._n = 0
        self._moments: FloatArray = np.zeros((0, 0))
        self._sums: FloatArray = np.zeros(0)
        self._width = 0

    def add(self, first: np.ndarray, second: np.ndarray) -> None:
        """Add frames (t, d) of the first layer and (t, e) of the second: the same t moments of sound.

        Raises
        ------
        ValueError
            When they are not equally many.
        """
        if len(first) != len(second):
            raise ValueError(f"Both layers need a frame for each moment; got {len(first)} and {len(second)}.")
        both = np.concatenate([first, second], axis=1).astype(np.float64)
        if not self._n:
            self._width = first.shape[1]
            self._moments, self._sums = np.zeros((both.shape[1],) * 2), np.zeros(both.shape[1])
        self._n += len(both)
        self._moments += both.T @ both
        self._sums += both.sum(axis=0)

    def value(self) -> float:
        """Return the CKA, in [0, 1]; NaN where one of the layers is constant."""
        centred = self._moments - np.outer(self._sums, self._sums) / max(self._n, 1)
        d = self._width
        own = np.linalg.norm(centred[:d, :d]) * np.linalg.norm(centred[d:, d:])
        return float(np.linalg.norm(centred[:d, d:]) ** 2 / own) if own > 0 else float("nan")


def cosine(first: np.ndarray, second: np.ndarray) -> FloatArray:
    """Return the cosines between the vectors of two arrays (..., d), shape (...); NaN where one of them is zero.

    >>> cosine(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([[2.0, 0.0], [0.0, 3.0]])).tolist()
    [1.0, 0.0]
    """
    lengths = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosines: FloatArray = (first * second).sum(axis=-1) / lengths
    return cosines
