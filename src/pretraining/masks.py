"""Which frames are masked: spans of equal length that begin at random frames, as in wav2vec 2.0, HuBERT and MelHuBERT.

Spans may overlap, so that a share is kept about only; starts are drawn without repetition among the frames where a
whole span fits. With share m and span s, (1 - p)^s = 1 - m gives the probability p that
a span begins at a frame: wav2vec 2.0's p = 0.065 and s = 10 mask 49 % of the frames, HuBERT's 0.08 and 10 mask 57 %.

A clip of t frames has at least one span, and at least one frame that is not masked: one with nothing masked has no
loss, and one with everything masked has nothing to tell it by.

A. Baevski et al., "wav2vec 2.0", NeurIPS 2020, section 3.1; T.-Q. Lin et al., "MelHuBERT", ASRU 2023 (0.7, span 5).
"""

import numpy as np


def start_probability(share: float, span: int) -> float:
    """Return the probability that a span begins at a frame, if about this share of all frames is to be masked.

    >>> round(start_probability(0.49, 10), 3)
    0.065
    """
    return float(1 - (1 - share) ** (1 / span))


def draw_mask(rng: np.random.Generator, n_frames: int, share: float, span: int) -> np.ndarray:
    """Draw which frames of a clip are masked.

    Parameters
    ----------
    rng : np.random.Generator
    n_frames : int
        2 or more.
    share : float
        Of the frames, about, between 0 and 1.
    span : int
        Frames in a span; shorter in a clip that would be masked as a whole.

    Returns
    -------
    np.ndarray of bool, shape (n_frames,)

    >>> draw_mask(np.random.default_rng(0), 8, 0.3, 2).astype(int).tolist()
    [0, 0, 0, 1, 1, 0, 0, 0]
    """
    span = min(span, n_frames - 1)
    places = n_frames - span + 1
    # the fraction is rounded at random, so that clips of any length have the same share on average
    wanted = int(start_probability(share, span) * n_frames + rng.random())
    starts = rng.choice(places, size=min(max(1, wanted), places), replace=False)
    mask = np.zeros(n_frames, dtype=bool)
    mask[starts[:, None] + np.arange(span)] = True
    if mask.all():
        mask[rng.integers(n_frames)] = False
    return mask


def draw_masks(seed: tuple[int, ...], shape: tuple[int, int], share: float, span: int) -> np.ndarray:
    """Draw the masks of a batch, each row from the seed and its number.

    Parameters
    ----------
    seed : tuple of int
        Such as seed and step.
    shape : tuple of int
        Clips b and frames t.
    share, span
        See `draw_mask`.

    Returns
    -------
    np.ndarray of bool, shape (b, t)
    """
    n_clips, n_frames = shape
    rows = [draw_mask(np.random.default_rng((*seed, row)), n_frames, share, span) for row in range(n_clips)]
    return np.stack(rows)
