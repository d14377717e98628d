"""RawBoost: three disturbances of a telephone line, made from the waveform itself without any recording.

H. Tak, M. Kamble, J. Patino, M. Todisco and N. Evans, "RawBoost: a raw data boosting and augmentation method applied
to automatic speaker verification anti-spoofing", ICASSP 2022. Equations below are the paper's; random filters are
products of band-stop filters, one for each of a few bands whose centre, width and number of coefficients are drawn
(Table 1).

Where we deviate: bands lie up to half the rate where that is below the paper's 8 kHz; non-linear terms are made of the
waveform at a peak of 1, so that their strength does not depend on how loud a clip is (the paper takes it as it comes);
the result is brought back to the waveform's own peak or level rather than to a peak of 1, as its level is another
effect; the gain of the non-linear terms, which the paper draws between -20 and -5 dB, is a parameter, as is the ratio
of each noise.
"""

import numpy as np
from scipy.signal import firwin, freqz, oaconvolve

from src.audio.augment.contract import Effect, Number
from src.audio.augment.noise import mix

CENTRES, WIDTHS = (20.0, 8_000.0), (100.0, 1_000.0)
"""Of a band, in hertz."""
COEFFICIENTS = (10, 100)
"""Of a band's filter."""


def convolve_nonlinearly(
    waveform: np.ndarray, rate: int, rng: np.random.Generator, *, orders: int, bands: int, gain: float
) -> np.ndarray:
    """Add linear and non-linear convolutive noise (equation 1): the sum over j of g_j * filter_j(x^j).

    Parameters
    ----------
    waveform : np.ndarray, shape (n,)
    rate : int
    rng : np.random.Generator
    orders : int
        Highest power j; 1 = the linear filter alone.
    bands : int
        Of each filter.
    gain : float
        Of the filters from the second power on, in dB; the first has 0.

    Returns
    -------
    np.ndarray, shape (n,)
        Without offset, with the peak of the waveform.

    >>> convolve_nonlinearly(np.zeros(160), 16000, np.random.default_rng(0), orders=5, bands=5, gain=-10).any()
    np.False_
    """
    peak = np.abs(waveform).max()
    if peak == 0:
        return waveform
    scaled = waveform.astype(np.float64) / peak
    power, summed = np.ones(waveform.size), np.zeros(waveform.size)
    for order in range(1, orders + 1):
        power = power * scaled
        summed += _filtered(power, draw_filter(rate, bands, rng, gain if order > 1 else 0.0))
    summed -= summed.mean()
    return summed * (peak / (np.abs(summed).max() or 1.0))


def add_impulses(waveform: np.ndarray, rate: int, rng: np.random.Generator, *, share: float, gain: float) -> np.ndarray:
    """Add impulsive signal-dependent noise (equation 2) to `share` percent of the samples, drawn at random.

    Each gets gain * f * its own value, where f is the product of two numbers drawn uniformly from -1 to 1.

    >>> disturbed = add_impulses(np.ones(1000), 16000, np.random.default_rng(0), share=10, gain=2)
    >>> int((disturbed != 1).sum())
    100
    """
    places = rng.permutation(waveform.size)[: round(share / 100 * waveform.size)]
    factors = rng.uniform(-1, 1, places.size) * rng.uniform(-1, 1, places.size)
    disturbed = waveform.astype(np.float64)
    disturbed[places] *= 1 + gain * factors
    return disturbed


def add_coloured_noise(
    waveform: np.ndarray, rate: int, rng: np.random.Generator, *, snr: float, bands: int
) -> np.ndarray:
    """Add stationary signal-independent noise (equation 3): white noise through a random filter, at `snr` dB.

    >>> add_coloured_noise(np.zeros(160), 16000, np.random.default_rng(0), snr=20, bands=5).any()
    np.False_
    """
    return mix(waveform, _filtered(rng.standard_normal(waveform.size), draw_filter(rate, bands, rng)), snr)


def draw_filter(rate: int, bands: int, rng: np.random.Generator, gain: float = 0.0) -> np.ndarray:
    """Return the coefficients of a filter that stops random bands, symmetric, with a greatest gain of `gain` dB.

    >>> coefficients = draw_filter(16000, 5, np.random.default_rng(0))
    >>> np.allclose(coefficients, coefficients[::-1]), coefficients.size % 2
    (True, 1)
    """
    coefficients = np.ones(1)
    for _ in range(bands):
        centre, width = rng.uniform(CENTRES[0], min(CENTRES[1], rate / 2)), rng.uniform(*WIDTHS)
        count = int(rng.integers(*COEFFICIENTS, endpoint=True)) | 1  # odd, or it could not stop half the rate
        edges = [max(centre - width / 2, 1e-3), min(centre + width / 2, rate / 2 - 1e-3)]
        coefficients = np.convolve(coefficients, firwin(count, edges, window="hamming", fs=rate))
    response = np.abs(freqz(coefficients, fs=rate)[1])
    scaled: np.ndarray = coefficients * (10 ** (gain / 20) / response.max())
    return scaled


def _filtered(waveform: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Filter a waveform without delay: the coefficients are symmetric, so their middle is time 0."""
    middle = coefficients.size // 2
    filtered: np.ndarray = oaconvolve(waveform, coefficients)[middle : middle + waveform.size]
    return filtered


BANDS = Number(5, 1, 10, "bands", whole=True)
CONVOLUTIVE = Effect(
    convolve_nonlinearly,
    "filters and distortion of a line",
    {"orders": Number(5, 1, 10, whole=True), "bands": BANDS, "gain": Number(-10, -40, 0, "dB")},
    ({"orders": 1}, {"gain": -20}, {"gain": -5}),
)
IMPULSIVE = Effect(
    add_impulses,
    "clicks, overload, errors of quantisation",
    {"share": Number(5, 0, 50, "%"), "gain": Number(2, 0, 10)},
    ({"share": 1}, {"share": 5}, {"share": 20}),
)
STATIONARY = Effect(
    add_coloured_noise,
    "noise of devices and lines",
    {"snr": Number(20, -20, 60, "dB"), "bands": BANDS},
    ({"snr": 30}, {"snr": 20}, {"snr": 10}),
)
