"""How the features of embeddings are brought to one scale before a classifier is given them.

- "standard": every feature has mean 0 and variance 1 over the training clips.
- "unit": the same, and then every vector has length sqrt(d), so that its features keep a variance near 1; only the
  direction remains, which loudness and duration change least.
- "none": as they are; vectors put together from several stores are standardised nevertheless, because the numbers of
  one backbone may be a thousand times those of another, which would then count for nothing.

The fitted parameters are two vectors, which a classifier saves beside its weights.
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
    """A scaling fitted to training clips."""

    how: str
    mean: np.ndarray
    """Shape (d,), subtracted."""
    deviation: np.ndarray
    """Shape (d,), divided by; 1 for a constant feature."""

    @classmethod
    def learn(cls, vectors: np.ndarray, how: str, *, always: bool = False) -> Self:
        """Fit mean and deviation to training vectors, shape (n, d); with `always` even where `how` is "none".

        >>> Scaling.learn(np.array([[1.0, 5.0], [3.0, 5.0]]), "standard").apply(np.array([[4.0, 5.0]]))
        array([[2., 0.]])
        """
        check_scaling(how)
        if how == "none" and not always:
            return cls(how, np.zeros(vectors.shape[1]), np.ones(vectors.shape[1]))
        deviation = vectors.std(axis=0, dtype=np.float64)
        varies = vectors.min(axis=0) < vectors.max(axis=0)  # by rounding, the deviation of a constant need not be 0
        return cls(how, vectors.mean(axis=0, dtype=np.float64), np.where(varies, deviation, 1.0))

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        """Return vectors (n, d) scaled, in float64."""
        scaled = np.subtract(vectors, self.mean, order="C")
        scaled /= self.deviation
        if self.how == "unit":
            lengths = np.sqrt(np.einsum("ij,ij->i", scaled, scaled))
            scaled *= (np.sqrt(scaled.shape[1]) / np.where(lengths > 0, lengths, 1.0))[:, None]
        return scaled
