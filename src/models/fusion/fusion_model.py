"""Fusion of detectors at the level of their scores: a weighted sum of calibrated log-likelihood ratios.

    fused = weights @ (s_1, ..., s_k) + intercept,   s_i the natural log-likelihood ratio of part i

- "mean": every weight is 1/k, the intercept 0; nothing is fitted. Of k copies of one detector it is that detector.
- "logistic": weights and intercept minimise the cross entropy of the labels, both classes weighing the same, as linear
  logistic regression does. Of detectors whose errors are independent the ideal fusion is the sum, every weight 1; of
  detectors with common errors the weights are smaller, and one may be negative, to take an error out of another.

A fusion has k + 1 parameters and is fitted on a few hundred clips, which the parts may separate without an error: the
weights would grow without end. So a quadratic penalty pulls them to those of the mean: with C near 0 both methods are
the same, with C = 1 the prior of a weight is Gaussian around 1/k with a standard deviation of 1, whatever the number
of clips. The scores of a logistic fusion come out calibrated; those of a mean seldom do, and as after every other
training a line fitted on the validation clips calibrates them (`metrics/calibration.py`).

Sources: Brümmer et al., "Fusion of heterogeneous speaker recognition systems in the STBU submission for the NIST
speaker recognition evaluation 2006", IEEE TASLP 15(7), 2007; Brümmer and de Villiers, "The BOSARIS Toolkit: theory,
algorithms and code for surviving the new DCF", 2011. They fit without a penalty, at the prior of the application; here
the prior is one half, as in all calibrations of this project.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from src.metrics.eer import eer_of
from src.models.arrays import WEIGHTS, load_arrays, save_arrays
from src.models.contract import Config, History, Watch, check_range, cross_entropy, keep_going
from src.utils.registry import require_known

if TYPE_CHECKING:
    import optuna

METHODS = ("logistic", "mean")
ARRAYS = ("weights", "intercept")


@dataclass(frozen=True)
class FusionConfig(Config):
    """Hyperparameters of a fusion."""

    method: str = "logistic"
    C: float = 1.0
    """Inverse strength of the quadratic penalty that pulls the weights to those of the mean; "mean" has none."""

    def __post_init__(self) -> None:
        require_known(dict.fromkeys(METHODS), self.method, "method")
        check_range("C", self.C, 1e-8, 1e6)

    @classmethod
    def search_space(cls, trial: "optuna.Trial", n_clips: int = 0) -> Self:
        """Raise ValueError: validation clips fit a fusion, so they cannot choose between fusions as well."""
        raise ValueError("A fusion is not searched: it is fitted on the clips that a study would judge it by.")


class Fusion:
    """A weighted sum of the scores of k runs and an intercept."""

    Config = FusionConfig
    takes = "scores"
    files = (WEIGHTS,)

    def __init__(self, config: FusionConfig, *, seed: int = 7) -> None:
        self.config = config  # nothing is drawn: the seed is that of the contract
        self.arrays: dict[str, np.ndarray]

    def fit(self, train: Any, val: Any, watch: Watch = keep_going) -> History:
        """Fit to the scores of `train`; there are no epochs, so `watch` is not called.

        Both tables are usually the validation clips (`inputs/scores.py` says why).
        """
        n_parts = train.inputs.shape[1]
        weights, intercept = np.full(n_parts, 1 / n_parts), 0.0
        if self.config.method == "logistic":
            weights, intercept = fit_weights(train.labels, train.inputs, self.config.C)
        self.arrays = {"weights": weights, "intercept": np.array([intercept])}
        train_scores, val_scores = self.scores(train.inputs), self.scores(val.inputs)
        return History.of_one(
            cross_entropy(train.labels, train_scores),
            cross_entropy(val.labels, val_scores),
            eer_of(val.labels, val_scores),
        )

    def scores(self, inputs: np.ndarray) -> np.ndarray:
        """Return the fused score, shape (n,), of the scores of the parts, shape (n, k)."""
        return inputs @ self.arrays["weights"] + self.arrays["intercept"]

    def formula(self, parts: Sequence[str]) -> str:
        """Return the sum in words, for the names of its parts.

        >>> fusion = Fusion(FusionConfig())
        >>> fusion.arrays = {"weights": np.array([0.5, -0.25]), "intercept": np.array([1.0])}
        >>> fusion.formula(["run0", "run3"])
        '0.500 x run0 - 0.250 x run3 + 1.000'
        """
        weighted = zip([*self.arrays["weights"], *self.arrays["intercept"]], [*parts, ""], strict=True)
        terms = [f"{'-' if w < 0 else '+'} {abs(w):.3f}" + (f" x {part}" if part else "") for w, part in weighted]
        return " ".join(terms).removeprefix("+ ")

    def save(self, folder: Path) -> None:
        """Write `model.safetensors`."""
        save_arrays(folder, self.arrays)

    @classmethod
    def load(cls, folder: Path, config: FusionConfig) -> Self:
        """Read `model.safetensors`."""
        fusion = cls(config)
        fusion.arrays = load_arrays(folder, ARRAYS)
        return fusion


def fit_weights(labels: np.ndarray, scores: np.ndarray, C: float) -> tuple[np.ndarray, float]:
    """Fit the weights and the intercept of a logistic fusion.

    With p_j = 1 / (1 + exp(-fused_j)) and clip weights c_j = n / (2 n_class), so that both classes weigh the same,

        minimise  C * sum_j c_j * -(y_j log p_j + (1 - y_j) log(1 - p_j)) + |weights - 1/k|^2 / 2

    which is convex and, with both classes there, has one minimum.

    Parameters
    ----------
    labels : np.ndarray, shape (n,)
        1 bona fide, 0 spoof.
    scores : np.ndarray, shape (n, k)
    C : float

    Returns
    -------
    weights : np.ndarray, shape (k,)
    intercept : float
    """
    n_clips, n_parts = scores.shape
    mean = np.full(n_parts, 1 / n_parts)
    own = C * n_clips / (2 * np.bincount(labels, minlength=2)[labels])
    sum_of_own = C * n_clips

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        fused = scores @ parameters[:-1] + parameters[-1]
        away = parameters[:-1] - mean
        errors = own * (expit(fused) - labels)
        value = own @ np.logaddexp(0.0, np.where(labels == 1, -fused, fused)) + away @ away / 2
        slopes = np.append(errors @ scores + away, errors.sum())
        return float(value) / sum_of_own, slopes / sum_of_own

    found = minimize(loss, np.append(mean, 0.0), jac=True, method="BFGS", options={"gtol": 1e-9})
    return found.x[:-1], float(found.x[-1])
