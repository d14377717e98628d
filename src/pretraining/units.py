"""Units: what k-means makes of frames, so that sounds have numbers that a network can be asked for.

Minibatch k-means (D. Sculley, "Web-scale k-means clustering", WWW 2010) as scikit-learn has it, with HuBERT's settings
(W.-N. Hsu et al., TASLP 2021, section IV-B): k-means++, batches of 10,000 frames, centres that stay where they are
however few frames they have. The start is one in place of the best of 20, and ten batches without progress end it in
place of a hundred: on 22 minutes of speech the frames lie as near to their centres, to 1 %, for a tenth of the time.
"""

import numpy as np
import torch
from torch import Tensor

from src.utils.threads import limited_threads

BATCH_FRAMES = 10_000


def learn_units(frames: Tensor, n_units: int, seed: int) -> Tensor:
    """Return the centres of units.

    Parameters
    ----------
    frames : torch.Tensor, shape (n, c)
    n_units : int
    seed : int
        The same frames and seed give the same centres.

    Returns
    -------
    torch.Tensor, shape (n_units, c)

    Raises
    ------
    ValueError
        When fewer frames than units differ from each other: too little speech, or silence.
    """
    from sklearn.cluster import MiniBatchKMeans

    points = frames.numpy()
    n_different = len(np.unique(points, axis=0))
    if n_different < n_units:
        raise ValueError(
            f"{n_units} units need as many different frames, not {n_different} (of {len(points)}): is the speech "
            "silent? Otherwise give more of it, or set `units` lower."
        )
    if not np.isfinite(points).all():
        raise ValueError("Frames to learn units from are not finite: look for broken recordings (fab DatasetInfo).")
    clusters = MiniBatchKMeans(n_units, batch_size=BATCH_FRAMES, n_init=1, reassignment_ratio=0.0, random_state=seed)
    with limited_threads(1):  # sums of several threads differ in their last digits
        clusters.fit(points)
    return torch.from_numpy(clusters.cluster_centers_).to(frames.dtype)


def nearest_units(frames: Tensor, centres: Tensor) -> Tensor:
    """Return the number of the centre that is nearest to each frame: (..., c) and (units, c) -> (...).

    |x - c|^2 = |x|^2 - 2 x c + |c|^2, whose first term is the same for all centres.

    >>> nearest_units(torch.tensor([[0.9, 0.0], [0.0, 0.2]]), torch.tensor([[0.0, 0.0], [1.0, 0.0]])).tolist()
    [1, 0]
    """
    return (centres.square().sum(dim=1) - 2 * frames @ centres.T).argmin(dim=-1)
