"""How the numbers of embeddings are brought to one scale before a classifier sees them.

- "standard": every number has mean 0 and variance 1 over the training clips.
- "unit": the same, and then every vector has length sqrt(d), so that its numbers keep a variance near 1; what is left
  is the direction, which loudness and duration change least.
- "none": as they are.

What is learned of the training clips is two vectors, which a classifier saves beside its weights.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

SCALINGS = ("standard", "unit", "none")


def check_scaling(how: str) -> None:
    """Raise ValueError when there is no such scaling.

    >>> check_scaling("whitened")
    Traceback (most recent call last):
    ValueError: Unknown scaling 'whitened'; allowed: standard, unit, none.
    """
    if how not in SCALINGS:
        raise ValueError(f"Unknown scaling '{how}'; allowed: {', '.join(SCALINGS)}.")


@dataclass(frozen=True)
class Scaling:
    """A scaling that has seen its training clips."""

    how: str
    mean: np.ndarray
    """Shape (d,), subtracted."""
    deviation: np.ndarray
    """Shape (d,), divided by; 1 for a number that never varies."""

    @classmethod
    def learn(cls, vectors: np.ndarray, how: str) -> Self:
        """Take mean and deviation from training vectors, shape (n, d).

        >>> Scaling.learn(np.array([[1.0, 5.0], [3.0, 5.0]]), "standard").apply(np.array([[4.0, 5.0]]))
        array([[2., 0.]])
        """
        check_scaling(how)
        if how == "none":
            return cls(how, np.zeros(vectors.shape[1]), np.ones(vectors.shape[1]))
        deviation = vectors.std(axis=0, dtype=np.float64)
        varies = vectors.min(axis=0) < vectors.max(axis=0)  # rounding gives a constant a deviation as well
        return cls(how, vectors.mean(axis=0, dtype=np.float64), np.where(varies, deviation, 1.0))

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        """Return vectors (n, d) scaled, in float64."""
        if self.how == "none":
            return vectors.astype(np.float64, order="C")
        scaled = np.subtract(vectors, self.mean, order="C")
        scaled /= self.deviation
        if self.how == "unit":
            lengths = np.sqrt(np.einsum("ij,ij->i", scaled, scaled))
            scaled *= (np.sqrt(scaled.shape[1]) / np.where(lengths > 0, lengths, 1.0))[:, None]
        return scaled
