"""Splice stretches of one recording into another: partly spoofed speech, made on purpose.

A stretch of a donor replaces as long a stretch of the host, so the host keeps its length. At each border one fades out
while the other fades in, along a quarter of a sine and a cosine: the squares add up to 1, and so do the powers of two
sounds that know nothing of each other. The donor is brought to the host's level before, its offset to the host's.
Stretches lie where both speak, between their first and last sound.

Both are heard in a fade, so a fade counts as spoofed, whichever of the two is the spoof.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from src.audio.framing import speech_span
from src.audio.normalize import rms
from src.audio.unusable import UnusableAudio

FADE = 0.015
"""Seconds."""
SHARES = (0.3, 0.6)
"""Between these lies the share of the host that is replaced, before it is cut down to what the donor says."""
MOST_STRETCHES = 2
LEAST_FADES = 4
"""A stretch lasts at least this many fades, so that half of it is the donor alone."""


@dataclass(frozen=True)
class Stretch:
    """Where a stretch of the donor goes; all in samples."""

    start: int
    """In the host."""
    source: int
    """Where it starts in the donor."""
    length: int
    """Fades included."""


def draw_stretches(host: np.ndarray, donor: np.ndarray, rate: int, rng: np.random.Generator) -> list[Stretch]:
    """Draw which stretches of the donor replace which of the host: one or two, sorted, without overlap.

    Parameters
    ----------
    host, donor : np.ndarray, shape (n,), (m,)
    rate : int
        In hertz.
    rng : np.random.Generator

    Raises
    ------
    UnusableAudio
        When one of them is too short.

    >>> rng = np.random.default_rng(7)
    >>> host, donor = rng.normal(size=(2, 16000))
    >>> stretches = draw_stretches(host, donor, 16000, rng)
    >>> 0.3 <= sum(stretch.length for stretch in stretches) / 16000 <= 0.6
    True
    """
    n_stretches, share = int(rng.integers(1, MOST_STRETCHES + 1)), rng.uniform(*SHARES)
    (first, last), (first_source, last_source) = speech_span(host, rate), speech_span(donor, rate)
    slot, source_slot = (last - first) // n_stretches, (last_source - first_source) // n_stretches
    length = min(int(share * host.size / n_stretches), slot, source_slot)
    if length < LEAST_FADES * round(FADE * rate):
        raise UnusableAudio(f"too short to splice (less than {LEAST_FADES * FADE:g} s of speech for each stretch)")
    return [
        Stretch(
            first + number * slot + int(rng.integers(slot - length + 1)),
            first_source + number * source_slot + int(rng.integers(source_slot - length + 1)),
            length,
        )
        for number in range(n_stretches)
    ]


def splice(host: np.ndarray, donor: np.ndarray, stretches: Sequence[Stretch], rate: int) -> np.ndarray:
    """Replace stretches of a host by stretches of a donor, at the host's level, with crossfades of 15 ms.

    Parameters
    ----------
    host, donor : np.ndarray, shape (n,), (m,)
    stretches : sequence of Stretch
    rate : int
        In hertz.

    Returns
    -------
    np.ndarray, shape (n,)
        float32 within [-1, 1]; where it would exceed full scale, all of it is scaled down.

    >>> host, donor = np.tile([0.1, -0.1], 4000), np.tile([0.5, 0.5, -0.5, -0.5], 2000)
    >>> spliced = splice(host, donor, [Stretch(2000, 0, 4000)], 16000)
    >>> bool((spliced[:2000] == host[:2000].astype(np.float32)).all()), round(rms(spliced[3000:5000]), 3)
    (True, 0.1)
    """
    offset, level = host.mean(dtype=np.float64), rms(donor)
    gain = rms(host) / level if level else 0.0
    matched = (donor - donor.mean(dtype=np.float64)) * gain + offset
    mixed = host.astype(np.float64)
    n_fade = round(FADE * rate)
    rise = np.sin(np.pi / 2 * (np.arange(n_fade) + 0.5) / n_fade)
    for stretch in stretches:
        window = np.ones(stretch.length)
        window[:n_fade], window[stretch.length - n_fade :] = rise, rise[::-1]
        here = slice(stretch.start, stretch.start + stretch.length)
        there = matched[stretch.source : stretch.source + stretch.length]
        # The offset both share is no sound: only what differs from it is faded.
        mixed[here] = offset + np.sqrt(1 - window**2) * (mixed[here] - offset) + window * (there - offset)
    return (mixed / max(1.0, float(np.abs(mixed).max(initial=0.0)))).astype(np.float32)


def spoofed_stretches(stretches: Sequence[Stretch], n_samples: int, rate: int, *, of_donor: bool) -> np.ndarray:
    """Return which stretches of a spliced clip are spoofed, shape (k, 2), in s, fades included.

    Parameters
    ----------
    stretches : sequence of Stretch
        Sorted and without overlap.
    n_samples : int
        Length of the clip.
    rate : int
        In hertz.
    of_donor : bool
        Whether the donor is the spoof; else the host is, and all but the donor's stretches is spoofed.

    >>> spoofed_stretches([Stretch(1600, 0, 3200)], 8000, 16000, of_donor=True)
    array([[0.1, 0.3]])
    >>> spoofed_stretches([Stretch(1600, 0, 3200)], 8000, 16000, of_donor=False)
    array([[0.   , 0.115],
           [0.285, 0.5  ]])
    """
    if of_donor:
        spans = [(stretch.start, stretch.start + stretch.length) for stretch in stretches]
    else:
        n_fade = round(FADE * rate)
        ends = [stretch.start + n_fade for stretch in stretches]
        starts = [stretch.start + stretch.length - n_fade for stretch in stretches]
        spans = list(zip([0, *starts], [*ends, n_samples], strict=True))
    joined: list[tuple[int, int]] = []
    for start, end in spans:  # two that touch are one
        if joined and start <= joined[-1][1]:
            start, end = joined.pop()[0], end
        joined.append((start, end))
    return np.array(joined, dtype=np.float64).reshape(-1, 2) / rate
