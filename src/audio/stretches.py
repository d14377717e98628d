"""Stretches of long recordings, each as it would be cut out of the whole, so that memory does not grow with length.

Where a decoder can seek (WAV, FLAC, Ogg and related formats), a stretch costs what it is long. Where it cannot (MP3,
M4A, videos), `load_stretch` decodes from the beginning every time, so that k windows cost what k^2 / 2 of them are
long; `load_stretches` and `Stretches` decode once for all of them.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from functools import lru_cache
from math import gcd
from pathlib import Path

import numpy as np
import soxr

from src.audio.channels import cancelling_channel, to_mono
from src.audio.decoders import open_recording, seeks
from src.audio.recording import Recording
from src.audio.storage.places import locate
from src.audio.usable import check_no_outliers, finite

SPEECH_RATE = 16_000
"""In hertz: what speech models take."""
MARGIN_SECONDS = 0.25
"""Resampled on either side of a stretch and then dropped; the resampler's filter is far shorter."""


def load_stretch(path: Path, start: int, stop: int, rate: int = SPEECH_RATE) -> np.ndarray:
    """Decode a stretch of a long recording as `load_waveform` does, reading little more than the stretch.

    A stretch may be silent where the recording is not, so silence is no error here; and each stretch is brought within
    full scale separately. Where exact seeking is impossible (GSM, MP3, M4A, videos), the recording is decoded from its
    beginning up to the end of the stretch. The first stretch of a recording of several channels takes one pass over the
    whole recording, to find whether the channels cancel each other.

    Parameters
    ----------
    path : Path
    start, stop : int
        Samples at `rate`.
    rate : int
        In hertz.

    Returns
    -------
    np.ndarray, shape (stop - start,)
        float32; shorter where the recording ends before.

    Raises
    ------
    FileNotFoundError, UnusableAudio
        As `load_waveform`.
    """
    check_exists(path)
    recording = open_recording(path)
    return _stretch(recording, _channel_of(path, recording), start, stop, rate)


def load_stretches(path: Path, spans: Iterable[tuple[int, int]], rate: int = SPEECH_RATE) -> Iterator[np.ndarray]:
    """Yield stretches of a recording, as `load_stretch` gives each of them; the recording is decoded once at most.

    Parameters
    ----------
    path : Path
    spans : iterable of (int, int)
        Where stretches begin and end, in samples at `rate`; beginnings ascend, and stretches may overlap.
    rate : int
        In hertz.

    Raises
    ------
    FileNotFoundError, UnusableAudio
        As `load_stretch`.
    """
    stretches = Stretches(path, rate)
    for start, stop in spans:
        yield stretches.read(start, stop)


class Stretches:
    """The stretches of one recording, each as `load_stretch` gives it.

    While beginnings ascend, the recording is decoded once at most; to go back costs another time.

    Raises
    ------
    FileNotFoundError, UnusableAudio
        As `load_stretch`, here and when a stretch is read.
    """

    def __init__(self, path: Path, rate: int = SPEECH_RATE) -> None:
        check_exists(path)
        recording = open_recording(path)
        self._rate, self._channel = rate, _channel_of(path, recording)
        self._readable = recording if seeks(recording) else _Forward(recording)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return samples `start` to `stop` at the rate wanted: float32, shape (n,), shorter at the end."""
        return _stretch(self._readable, self._channel, start, stop, self._rate)


def _stretch(recording: "Recording | _Forward", channel: int | None, start: int, stop: int, rate: int) -> np.ndarray:
    own_rate = recording.rate
    if own_rate == rate:
        return within_full_scale(_sound(to_mono(recording.read(start, stop), channel)))
    # A period holds a whole number of samples at either rate, so that both grids meet where the margins begin and end.
    period = rate // gcd(rate, own_rate)
    own_period = own_rate // gcd(rate, own_rate)
    margin = int(MARGIN_SECONDS * rate) // period + 1
    first, last = max(0, start // period - margin), -(-stop // period) + margin
    waveform = _sound(to_mono(recording.read(first * own_period, last * own_period), channel))
    resampled = soxr.resample(waveform, own_rate, rate)
    return within_full_scale(finite(resampled[start - first * period : stop - first * period]))


class _Forward:
    """A recording that cannot seek, decoded forward: what lies before the latest beginning is forgotten."""

    def __init__(self, recording: Recording) -> None:
        self.rate = recording.rate
        self._recording, self._blocks = recording, recording.blocks()
        self._kept: deque[np.ndarray] = deque()
        self._begin = self._end = 0

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return frames `start` to `stop`, float32 of shape (n, channels); fewer where the recording ends before."""
        if start == 0:  # a decoder may read the beginning on another way, and round otherwise there
            return self._recording.read(start, stop)
        if start < self._begin:
            self._blocks, self._begin, self._end = self._recording.blocks(), 0, 0
            self._kept.clear()
        while self._end < stop and (block := next(self._blocks, None)) is not None:
            self._kept.append(block)
            self._end += len(block)
            self._forget(start)
        self._forget(start)
        whole = np.concatenate([np.empty((0, self._recording.channels), np.float32), *self._kept], dtype=np.float32)
        return whole[start - self._begin : stop - self._begin]

    def _forget(self, start: int) -> None:
        while self._kept and self._begin + len(self._kept[0]) <= start:
            self._begin += len(self._kept.popleft())


def check_exists(path: Path) -> None:
    """Raise FileNotFoundError unless there is such a recording."""
    locate(path)


def _sound(stretch: np.ndarray) -> np.ndarray:
    """Check a stretch before it is resampled or scaled."""
    check_no_outliers(finite(stretch), is_stretch=True)
    return stretch


def _channel_of(path: Path, recording: Recording) -> int | None:
    """Return the `cancelling_channel` of a whole recording, so that all its stretches are mixed alike."""
    if recording.channels == 1:
        return None
    place = locate(path)
    return _channel_of_state(path, place.changed, place.size)


@lru_cache(maxsize=64)
def _channel_of_state(path: Path, _changed: int, _size: int) -> int | None:
    return cancelling_channel(open_recording(path).blocks())


def within_full_scale(waveform: np.ndarray) -> np.ndarray:
    """Scale a waveform that exceeds full scale down as a whole."""
    return (waveform / max(np.abs(waveform).max(), 1.0)).astype(np.float32)
