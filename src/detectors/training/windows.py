"""From clips of any length to windows of one length, which networks take.

In training a window is cropped at random out of a longer clip. In tests the whole clip is used: it is cut into the
fewest windows that cover it, spread evenly (they overlap where its length is no multiple of theirs), and the scores of
the windows are averaged. A clip shorter than a window fills it by being repeated end to end, or with zeros behind it.
"""

import math
from pathlib import Path

import numpy as np

from src.audio.io import SPEECH_RATE, count_samples, load_stretch, load_waveform
from src.detectors.contract import DetectorConfig

LEVEL = 0.1
"""Root mean square, full scale = 1, of windows whose level is evened out."""


def window_samples(seconds: float) -> int:
    """Return the length of a window in samples.

    >>> window_samples(4.0375)
    64600
    """
    return round(seconds * SPEECH_RATE)


def fill(waveform: np.ndarray, length: int, padding: str) -> np.ndarray:
    """Fill a window with a clip that is not longer: repeated end to end, or with zeros behind it.

    >>> fill(np.array([1, 2, 3]), 5, "repeat").tolist(), fill(np.array([1, 2, 3]), 5, "zeros").tolist()
    ([1, 2, 3, 1, 2], [1, 2, 3, 0, 0])
    """
    if padding == "repeat":
        return np.resize(waveform, length)
    return np.pad(waveform, (0, length - len(waveform)))


def own_samples(n_samples: int, length: int, padding: str) -> int:
    """Return how many samples of a window are those of a clip of `n_samples`: all of them where it is repeated.

    >>> own_samples(3, 5, "repeat"), own_samples(3, 5, "zeros"), own_samples(9, 5, "zeros")
    (5, 3, 5)
    """
    return min(n_samples, length) if padding == "zeros" else length


def conditioned(window: np.ndarray, n_own: int, config: DetectorConfig) -> np.ndarray:
    """Return a window as the network sees it: pre-emphasised, and brought to one level, where the config asks for it.

    Parameters
    ----------
    window : np.ndarray, shape (n,)
    n_own : int
        How many of its samples are its clip's; zeros follow.
    config : DetectorConfig
    """
    if config.pre_emphasis:
        window = np.append(window[:1], window[1:] - np.float32(config.pre_emphasis) * window[:-1])
    return at_level(window, n_own) if config.even_level else window


def at_level(window: np.ndarray, n_own: int) -> np.ndarray:
    """Bring a window, of which the first `n_own` samples are its clip's, to the root mean square LEVEL.

    Digital silence stays as it is.

    >>> at_level(np.array([3.0, -3.0, 0.0]), 2).round(6)
    array([ 0.1, -0.1,  0. ])
    """
    level = float(np.sqrt(np.mean(np.square(window[:n_own], dtype=np.float64))))
    return window * np.float32(LEVEL / level) if level > 0 else window


def window_starts(n_samples: int, length: int) -> list[int]:
    """Return where the windows begin that cover a clip: the fewest, spread evenly from its beginning to its end.

    >>> window_starts(10, 4), window_starts(4, 4), window_starts(3, 4)
    ([0, 3, 6], [0], [0])
    """
    count = max(1, math.ceil(n_samples / length))
    last = max(0, n_samples - length)
    return [round(number * last / max(1, count - 1)) for number in range(count)]


def windows_of(waveform: np.ndarray, length: int, padding: str) -> np.ndarray:
    """Return the windows of a whole clip, shape (k, length).

    >>> windows_of(np.arange(6), 4, "repeat").tolist()
    [[0, 1, 2, 3], [2, 3, 4, 5]]
    """
    if len(waveform) <= length:
        return fill(waveform, length, padding)[None]
    return np.stack([waveform[start : start + length] for start in window_starts(len(waveform), length)])


def read_window(path: Path, length: int, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Read a random stretch of at most `length` samples of a recording.

    Returns
    -------
    np.ndarray, shape (n,)
        The stretch; shorter than `length` where the recording is.
    int
        The sample at which it begins.
    """
    n_samples = count_samples(path)
    start = int(rng.integers(0, n_samples - length + 1)) if n_samples > length else 0
    waveform = load_stretch(path, start, start + length) if n_samples > length else load_waveform(path)
    return waveform[:length], start
