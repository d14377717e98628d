"""Logarithms of the energies in triangular filters, and their cepstra: what lfcc, mfcc and logmel are made of.

    waveform (n,) -> pre-emphasis -> frames (t, k), windowed -> spectrum (t, 257) -> powers -> filters -> log (bands, t)

An hour of sound is 360,000 frames, and every step makes more numbers than it was given: the spectra of a clip of 10 s
take 4 MB. So a clip is computed in blocks of 128 frames, in arrays that are used again: what a step writes is still in
the cache of its core when the next one reads it. Of the filters only the bins below each triangle are multiplied, one
in twenty of the whole matrix.

Everything is float64, and no step is a product of dense matrices: those start threads of their own, and may sum in
another order with another number of threads. Here the threads have a clip each (`clip_by_clip.py`), and the numbers
of a clip depend on nothing but the clip. `front_ends.py` computes the same with gradients and on any device.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.fft import dct
from scipy.sparse import csr_array

from src.audio.framing import frame_signal

HOP, FFT = 160, 512
POWER_FLOOR = 1e-10
BLOCK = 128
"""Frames of a block, whose arrays take 1.5 MB."""


@dataclass(frozen=True)
class LogEnergies:
    """Waveforms (n,) at 16 kHz -> logarithms of energies (bands, t), t = 1 + (n - k) // 160, at least 1."""

    window: np.ndarray
    """Shape (k,)."""
    filters: csr_array
    """Shape (bands, 257)."""
    pre_emphasis: float = 0.0
    """How much of the sample before is taken away from a sample."""

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """Return the logarithms, float64; a waveform shorter than a frame is filled up with zeros."""
        if waveform.size < self.window.size:
            waveform = np.pad(waveform, (0, self.window.size - waveform.size))
        n_frames = 1 + (waveform.size - self.window.size) // HOP
        energies = np.empty((self.filters.shape[0], n_frames))
        windowed = np.zeros((min(BLOCK, n_frames), FFT))
        spectrum = np.empty((len(windowed), FFT // 2 + 1), dtype=np.complex128)
        start = 0
        for frames in self._blocks(waveform, n_frames):
            stop = start + len(frames)
            filled, bins = windowed[: len(frames)], spectrum[: len(frames)]
            np.multiply(frames, self.window, out=filled[:, : self.window.size])
            parts = np.fft.rfft(filled, out=bins).view(np.float64)  # real and imaginary parts, in turn
            np.square(parts, out=parts)
            energies[:, start:stop] = self.filters @ (parts[:, ::2] + parts[:, 1::2]).T
            start = stop
        energies += POWER_FLOOR
        return np.log(energies, out=energies)

    def _blocks(self, waveform: np.ndarray, n_frames: int) -> Iterator[np.ndarray]:
        """Yield the frames after pre-emphasis, block by block: views (at most 128, k) of an array that is used again.

        Before the first sample lies a zero.
        """
        length = (min(BLOCK, n_frames) - 1) * HOP + self.window.size
        samples, emphasised = np.empty(1 + length), np.empty(length)
        for start in range(0, n_frames * HOP, BLOCK * HOP):
            stop = min(start + length, waveform.size)
            sound, found = samples[: 1 + stop - start], emphasised[: stop - start]
            sound[0] = waveform[start - 1] if start else 0.0
            sound[1:] = waveform[start:stop]
            np.multiply(sound[:-1], -self.pre_emphasis, out=found)
            found += sound[1:]
            yield frame_signal(found, self.window.size, HOP)


def with_slopes(energies: np.ndarray) -> np.ndarray:
    """Return cepstra, deltas and double deltas of logarithms of energies, (c, t) -> (3 c, t).

    Cepstra are their orthonormal cosine transform; a delta is the slope of a coefficient from frame to frame, a double
    delta the slope of that slope.

    >>> with_slopes(np.ones((40, 99))).shape
    (120, 99)
    """
    features = np.empty((3, *energies.shape))
    features[0] = dct(energies, norm="ortho", axis=0)
    for slopes, values in zip(features[1:], features[:-1], strict=True):
        slopes[:] = delta(values)
    return features.reshape(-1, energies.shape[1])


def delta(features: np.ndarray) -> np.ndarray:
    """Return half the difference between the next frame and the one before, (d, t) -> (d, t); edges are repeated.

    >>> delta(np.array([[0.0, 2.0, 4.0]]))
    array([[1., 2., 1.]])
    """
    slopes = np.empty_like(features)
    np.subtract(features[:, 2:], features[:, :-2], out=slopes[:, 1:-1])
    slopes[:, 0] = features[:, :2][:, -1] - features[:, 0]
    slopes[:, -1] = features[:, -1] - features[:, -2:][:, 0]
    slopes /= 2
    return slopes
