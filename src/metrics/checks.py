"""What every metric demands of its input, checked in one place.

Conventions of the room: label 1 is bona fide, 0 is spoof, and a higher score is more bona fide. Labels and scores are
arrays of one dimension and the same length, both classes are present, and every score is a finite number. A NaN is
refused: sorted to one end, it would count as the most bona fide trial of all, and the error rate would look sound.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def check_scores(
    y_true: npt.ArrayLike, y_scores: npt.ArrayLike, files: Sequence[str] | npt.NDArray | None = None
) -> tuple[IntArray, FloatArray]:
    """Return labels and scores as int64 and float64 arrays, after checking them.

    Parameters
    ----------
    y_true : array-like, shape (n,)
        Labels: 1 bona fide, 0 spoof.
    y_scores : array-like, shape (n,)
        Scores, higher = more bona fide.
    files : sequence of str, shape (n,), optional
        Names of the trials, so that an error can name the first bad one instead of its index.

    Raises
    ------
    ValueError
        When an array is empty, not of one dimension or of another length, when a label is neither 0 nor 1, when a
        class is missing, or when a score is not a finite number.

    Examples
    --------
    >>> check_scores([True, False], ["0.5", -1])
    (array([1, 0]), array([ 0.5, -1. ]))
    >>> check_scores([1, 0], [0.5, float("nan")], files=["a.wav", "b.wav"])
    Traceback (most recent call last):
    ...
    ValueError: 1 of 2 scores is NaN or infinite, the first for b.wav: every trial needs a finite score.
    """
    labels = np.asarray(y_true)
    scores = _as_vector(y_scores, "`y_scores`")
    if labels.ndim != 1:
        raise ValueError(f"`y_true` must have one dimension, not the shape {labels.shape}.")
    if len(labels) != len(scores):
        raise ValueError(f"{len(labels)} labels but {len(scores)} scores: give one score for each label.")
    if files is not None and len(files) != len(scores):
        raise ValueError(f"{len(files)} file names but {len(scores)} scores: give one name for each score.")
    if len(labels) == 0:
        raise ValueError("`y_true` and `y_scores` are empty: give bona fide and spoof trials.")
    _check_labels(labels)
    _check_finite(scores, files)
    return labels.astype(np.int64), scores


def split_classes(y_true: npt.ArrayLike, y_scores: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Check the input and return the scores of the bona fide trials and those of the spoofs, each in its order.

    >>> split_classes([1, 0, 1], [3.0, 2.0, 1.0])
    (array([3., 1.]), array([2.]))
    """
    labels, scores = check_scores(y_true, y_scores)
    return scores[labels == 1], scores[labels == 0]


def check_positive(**values: float) -> None:
    """Refuse a cost or a prior that is not a positive finite number, by its name.

    >>> check_positive(c_miss=1.0, c_fa=-10.0)
    Traceback (most recent call last):
    ...
    ValueError: `c_fa` must be a positive number, not -10.0.
    """
    for name, value in values.items():
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"`{name}` must be a positive number, not {value}.")


def check_class_scores(scores: npt.ArrayLike, name: str) -> FloatArray:
    """Return the scores of one class of trials as a float64 vector, not empty and finite.

    >>> check_class_scores([1, 2], "target")
    array([1., 2.])
    """
    vector = _as_vector(scores, f"the {name} scores")
    if len(vector) == 0:
        raise ValueError(f"There are no {name} scores: give at least one.")
    _check_finite(vector, None, name)
    return vector


def _as_vector(values: npt.ArrayLike, name: str) -> FloatArray:
    try:
        vector = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers, one for each trial ({error}).") from error
    if vector.ndim != 1:
        raise ValueError(f"{name} must have one dimension, not the shape {vector.shape}.")
    return vector


def _check_labels(labels: npt.NDArray) -> None:
    is_bonafide = labels == 1
    wrong = np.flatnonzero(~(is_bonafide | (labels == 0)))
    if len(wrong):
        raise ValueError(
            f"Labels must be 1 (bona fide) or 0 (spoof): {len(wrong)} of {len(labels)} are not, "
            f"the first is {labels[wrong[0]].item()!r} at index {wrong[0]}."
        )
    if is_bonafide.all() or not is_bonafide.any():
        only = "bona fide" if is_bonafide[0] else "spoof"
        raise ValueError(f"All {len(labels)} trials are {only}: a metric needs bona fide (1) and spoof (0) trials.")


def _check_finite(scores: FloatArray, files: Sequence[str] | npt.NDArray | None, name: str = "") -> None:
    wrong = np.flatnonzero(~np.isfinite(scores))
    if len(wrong) == 0:
        return
    where = f"at index {wrong[0]}" if files is None else f"for {files[wrong[0]]}"
    kind = f"{name} scores" if name else "scores"
    verb = "is" if len(wrong) == 1 else "are"
    raise ValueError(
        f"{len(wrong)} of {len(scores)} {kind} {verb} NaN or infinite, the first {where}: "
        "every trial needs a finite score."
    )
