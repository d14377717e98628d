"""Three ways to train a support vector machine, both classes weighted the same.

`solve_exactly` finds the RBF machine that scikit-learn's SVC finds, from a kernel matrix computed beforehand: memory
grows with the square of the clips. `solve_by_landmarks` is the Nystroem method (Williams and Seeger, 2001): the kernel
between all clips and m landmarks among them gives every clip m features whose inner products approximate the kernel,
and a linear machine is trained on those; memory and time grow with the clips. `solve_linearly` trains such a machine on
the vectors themselves. Linear machines have squared hinge loss: with SVC's own loss, where classes overlap, the solver
needs millions of steps (a minute for 6,000 clips).

The machines of kernels are weighted sums of them: score(x) = sum_i coefficient_i k(vector_i, x) + intercept.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from src.models.svm.kernels import Products, rbf_kernel, squared_lengths

if TYPE_CHECKING:
    from sklearn.svm import LinearSVC

SMALLEST_EIGENVALUE = 1e-8
"""Directions of the landmarks that vary less than this share of the strongest are rounding errors."""


@dataclass(frozen=True)
class Machine:
    """What a machine is trained with."""

    price: float
    """C, the penalty of an error."""
    gamma: float
    """Inverse width of the kernel."""
    class_weight: str | None = "balanced"
    """As scikit-learn spells it: None where every clip weighs the same."""


@dataclass(frozen=True)
class Solution:
    """A fitted machine."""

    support: np.ndarray
    """Shape (m,): which of the training clips the sum runs over; none for a linear machine."""
    coefficients: np.ndarray
    """Shape (m,); of a linear machine the weights of the features, shape (d,)."""
    intercept: float
    train_scores: np.ndarray
    """Shape (n,)."""


def solve_exactly(vectors: np.ndarray, labels: np.ndarray, machine: Machine, *, products: Products) -> Solution:
    """Train scikit-learn's SVC on the RBF kernel of scaled vectors (n, d).

    Parameters
    ----------
    vectors, labels : np.ndarray, shapes (n, d) and (n,)
    machine : Machine
    products : Products
        Keeps inner products for other trainings on the same vectors.
    """
    from sklearn.svm import SVC

    lengths = squared_lengths(vectors)
    kernel = rbf_kernel(products.of(vectors), lengths, lengths, machine.gamma)
    # The seed changes nothing, but without one numpy's global generator is used.
    svc = SVC(C=machine.price, kernel="precomputed", class_weight=machine.class_weight, random_state=0)
    svc.fit(kernel, labels)
    weights = np.zeros(len(labels))
    weights[svc.support_] = svc.dual_coef_[0]
    intercept = float(svc.intercept_[0])
    return Solution(svc.support_, svc.dual_coef_[0], intercept, kernel @ weights + intercept)


def solve_linearly(vectors: np.ndarray, labels: np.ndarray, machine: Machine) -> Solution:
    """Train a linear machine on scaled vectors (n, d), whose kernel is gamma x.y."""
    features = np.sqrt(machine.gamma) * vectors
    svc = _linear(machine).fit(features, labels)
    weights, no_support = np.sqrt(machine.gamma) * svc.coef_[0], np.empty(0, np.intp)
    return Solution(no_support, weights, float(svc.intercept_[0]), np.asarray(svc.decision_function(features)))


def solve_by_landmarks(vectors: np.ndarray, labels: np.ndarray, machine: Machine, *, landmarks: np.ndarray) -> Solution:
    """Train a linear machine on Nystroem features of scaled vectors (n, d); `landmarks` (m,) says which clips."""
    gamma = machine.gamma
    chosen = vectors[landmarks]
    lengths = squared_lengths(chosen)
    strengths, directions = np.linalg.eigh(rbf_kernel(chosen @ chosen.T, lengths, lengths, gamma))
    real = strengths > SMALLEST_EIGENVALUE * strengths[-1]
    to_features = directions[:, real] / np.sqrt(strengths[real])
    features = rbf_kernel(vectors @ chosen.T, squared_lengths(vectors), lengths, gamma) @ to_features
    svc = _linear(machine).fit(features, labels)
    return Solution(
        landmarks, to_features @ svc.coef_[0], float(svc.intercept_[0]), np.asarray(svc.decision_function(features))
    )


def _linear(machine: Machine) -> "LinearSVC":
    from sklearn.svm import LinearSVC

    return LinearSVC(C=machine.price, class_weight=machine.class_weight, dual=False, random_state=0)
