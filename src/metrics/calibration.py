"""Calibration: do the scores mean what they say, when they are read as log-likelihood ratios?

The EER asks only whether bona fide trials score above spoofs. Cllr asks how much information a user of the scores
loses who believes them: a bona fide trial with a score of -5 costs log2(1 + e^5) = 7.2 bits. Scores that are always 0,
which commit to nothing, have a Cllr of exactly 1; a good, well calibrated detector is near 0; above 1 the scores
mislead.

Source: Brümmer and du Preez, "Application-independent evaluation of speaker detection", 2006.
"""

import numpy as np
import numpy.typing as npt

from src.metrics.checks import split_classes


def compute_cllr(y_true: npt.ArrayLike, y_scores: npt.ArrayLike) -> float:
    """Compute the cost of log-likelihood ratios, in bits.

        Cllr = (mean over bona fide of log2(1 + e^-s) + mean over spoofs of log2(1 + e^s)) / 2

    Parameters
    ----------
    y_true : array-like, shape (n,)
        Labels: 1 bona fide, 0 spoof.
    y_scores : array-like, shape (n,)
        Natural log-likelihood ratios, higher = more bona fide.

    Returns
    -------
    float
        At least 0; 1 for scores that say nothing.

    Raises
    ------
    ValueError
        When labels or scores break the conventions, see `checks.check_scores`.

    Examples
    --------
    >>> compute_cllr([1, 1, 0], [0.0, 0.0, 0.0])
    1.0
    """
    bonafide, spoof = split_classes(y_true, y_scores)
    # ln(1 + e^x) = logaddexp(0, x), which does not overflow where e^x would, above x = 709.
    bits_bonafide = np.mean(np.logaddexp(0.0, -bonafide)) / np.log(2)
    bits_spoof = np.mean(np.logaddexp(0.0, spoof)) / np.log(2)
    return float((bits_bonafide + bits_spoof) / 2)
