"""Where a recording was made: the room around a voice and the noise behind it.

A room is its impulse response: the direct sound, a few early reflections from walls and table, then a tail of
exponentially decaying noise, after Moorer, "About this reverberation business" (1979). The tail falls by 60 dB in
`reverb_time` seconds, the definition of the reverberation time. Levels are in decibels against the direct sound (room)
or the speech (noise).
"""

import numpy as np
from scipy.signal import lfilter

Seconds = float
Hertz = float
Decibels = float

N_REFLECTIONS = 8
EARLIEST: Seconds = 0.002  # a wall 35 cm further away than the mouth
EARLY: Seconds = 0.040  # reflections up to here are heard as part of the direct sound


def impulse_response(
    reverb_time: Seconds, reverb_level: Decibels, rng: np.random.Generator, rate: int = 16000
) -> np.ndarray:
    """Draw the impulse response of a room.

    Parameters
    ----------
    reverb_time : float
        Seconds in which the tail falls by 60 dB.
    reverb_level : float
        Energy of everything after the direct sound, in dB against the direct sound.
    rng : np.random.Generator
        Source of the reflections and the tail.
    rate : int
        Sample rate in Hz.

    Returns
    -------
    np.ndarray, shape (n,)
        float64; the first sample, the direct sound, is 1.

    Examples
    --------
    >>> response = impulse_response(0.3, -12.0, np.random.default_rng(0))
    >>> len(response), float(response[0])
    (4800, 1.0)
    >>> round(float(10 * np.log10(np.sum(response[1:] ** 2))), 6)
    -12.0
    """
    first = round(EARLIEST * rate)
    n = max(round(reverb_time * rate), first + 1)
    # 60 dB are a factor of 1000 in amplitude: ln(1000) = 6.908.
    envelope = np.exp(-np.log(1000.0) * np.arange(n) / (reverb_time * rate))
    late = rng.standard_normal(n) * envelope * (np.arange(n) >= first)
    arrivals = rng.integers(first, max(first + 1, min(n, round(EARLY * rate))), N_REFLECTIONS)
    late[arrivals] += 3.0 * envelope[arrivals] * rng.choice([-1.0, 1.0], N_REFLECTIONS)
    response = late * 10 ** (reverb_level / 20) / np.sqrt(np.sum(late**2))
    response[0] = 1.0
    return response


def background_noise(n: int, rng: np.random.Generator, rate: int = 16000) -> np.ndarray:
    """Draw the hum and hiss of a quiet room: noise that falls with frequency, then flattens.

    Parameters
    ----------
    n : int
        Samples.
    rng : np.random.Generator
        Source of the noise.
    rate : int
        Sample rate in Hz.

    Returns
    -------
    np.ndarray, shape (n,)
        float64 of unit power in expectation.

    Examples
    --------
    >>> noise = background_noise(160000, np.random.default_rng(0))
    >>> bool(0.9 < noise.std() < 1.1)
    True
    """
    pole = float(np.exp(-2 * np.pi * 200.0 / rate))  # ventilation and traffic lie below about 200 Hz
    # A one-pole low-pass lets the share (1 - pole) / (1 + pole) of white noise's power through.
    rumble = lfilter([np.sqrt(1 - pole**2)], [1.0, -pole], rng.standard_normal(n))
    return 0.8 * rumble + 0.6 * rng.standard_normal(n)
