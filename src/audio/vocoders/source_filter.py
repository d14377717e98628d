"""Vocoders of our own: speech as a source through a filter, both taken from a recording frame by frame.

The source is a train of pulses at the pitch of the recording where it is voiced, and noise elsewhere, of power 1: the
two-state model of the classical vocoders, with their buzz. The filter of a frame is

- `lpc`: all poles, by linear prediction (Atal and Hanauer 1971), as in LPC-10 and the speech toys after it;
- `minphase`: the envelope of an 80-band mel spectrogram, smoothed by its cepstrum, with the one phase that makes it
  causal and shortest (Oppenheim and Schafer, "Discrete-Time Signal Processing", on cepstra and minimum phase);
- `harmonic`: the same envelope without any phase, at the frequencies of harmonics only, which are summed as sinusoids
  with noise above 4 kHz (after McAulay and Quatieri 1986, and Stylianou 2001 for the noise).

Frames lie 5 ms apart. The source is cut by windows that add up to 1, each piece is filtered in the frequency domain,
and the pieces are added: no filter ever changes within a piece, so nothing clicks.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from src.audio.vocoders.griffinlim import through_mel_bands, transform_length
from src.audio.vocoders.pitch import track_pitch

HOP = 0.005  # seconds from one frame to the next
PIECE = 4  # hops that a piece of the source lasts: 20 ms
LONGEST = 4  # lengths of the analysis window that a filtered piece may last
LIFTER = 0.0025  # seconds: what the cepstrum of the envelope keeps, less than the period of most voices
NOISY_ABOVE = 4000.0  # hertz: where the harmonics of `harmonic` end
RUMBLE = 80.0  # hertz: below it lies no speech
FLOOR = 1e-5  # of the loudest power of a frame: -50 dB


def lpc(waveform: np.ndarray, rate: int, seed: int) -> np.ndarray:
    """Resynthesise a recording (n,) from pulses and noise through all-pole filters; `seed` is of the noise."""
    hop = round(HOP * rate)
    frames = _frames(waveform, hop, transform_length(rate))
    spectra = np.fft.rfft(frames, axis=1)
    order = 2 + rate // 1000
    correlation = np.fft.irfft(np.abs(spectra) ** 2, axis=1)[:, : order + 1]
    polynomials, errors = linear_prediction(correlation)
    gains = np.sqrt(errors / frames.shape[1])
    n_fft = LONGEST * transform_length(rate)
    filters = gains[:, None] / np.fft.rfft(polynomials, n_fft, axis=1)
    return _filtered(_source(track_pitch(waveform, rate, hop), rate, hop, seed), filters, hop)[: len(waveform)]


def minphase(waveform: np.ndarray, rate: int, seed: int) -> np.ndarray:
    """Resynthesise a recording (n,) from pulses and noise through the minimum-phase filters of a mel spectrogram."""
    hop = round(HOP * rate)
    filters = np.exp(np.fft.rfft(_cepstra(waveform, rate, hop), axis=1))
    return _filtered(_source(track_pitch(waveform, rate, hop), rate, hop, seed), filters, hop)[: len(waveform)]


def harmonic(waveform: np.ndarray, rate: int, seed: int) -> np.ndarray:
    """Resynthesise a recording (n,) as a sum of harmonics up to 4 kHz and noise above them, or noise alone."""
    hop = round(HOP * rate)
    envelope = np.exp(np.fft.rfft(_cepstra(waveform, rate, hop), axis=1).real)
    pitch = track_pitch(waveform, rate, hop)
    bins = np.arange(envelope.shape[1]) * rate / (2 * (envelope.shape[1] - 1))
    is_noise = (pitch[:, None] == 0) | (bins > NOISY_ABOVE)
    noise = np.random.default_rng(seed).standard_normal(len(pitch) * hop)
    copy = _filtered(noise, envelope * is_noise, hop)
    pitches, voiced = _by_sample(pitch, hop)
    phase = 2 * np.pi * np.cumsum(pitches / rate)
    frame = np.arange(len(copy)) / hop
    top = min(NOISY_ABOVE, rate / 2)
    for number in range(1, int(top / pitch[pitch > 0].min()) + 1 if voiced.any() else 1):
        place = number * pitch / bins[1]
        column = np.minimum(place.astype(int), len(bins) - 1)
        heights = envelope[np.arange(len(pitch)), column] * (number * pitch <= top) * np.sqrt(2 * pitch / rate)
        copy += np.sqrt(2) * np.interp(frame, np.arange(len(pitch)), heights) * voiced * np.cos(number * phase)
    return copy[: len(waveform)]


def linear_prediction(correlation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Solve the normal equations of linear prediction for many frames at once (Levinson 1947, Durbin 1960).

    Parameters
    ----------
    correlation : np.ndarray, shape (t, order + 1)
        Autocorrelation of each frame, from lag 0 on.

    Returns
    -------
    polynomials : np.ndarray, shape (t, order + 1)
        1 first: the prediction error is sum_k polynomial[k] * x[n - k]. All zeros lie within the unit circle.
    errors : np.ndarray, shape (t,)
        Energy of the prediction error.

    Examples
    --------
    >>> linear_prediction(0.9 ** np.arange(3)[None])[0].round(3) + 0.0
    array([[ 1. , -0.9,  0. ]])
    """
    lags = correlation.astype(np.float64).copy()
    lags[:, 0] = lags[:, 0] * (1 + FLOOR) + np.finfo(float).tiny
    polynomials = np.zeros_like(lags)
    polynomials[:, 0] = 1.0
    errors = lags[:, 0].copy()
    for order in range(1, lags.shape[1]):
        reflection = -np.einsum("tk,tk->t", polynomials[:, :order], lags[:, order:0:-1]) / errors
        polynomials[:, 1 : order + 1] += reflection[:, None] * polynomials[:, order - 1 :: -1][:, :order]
        errors *= 1 - reflection**2
    return polynomials, errors


def _frames(waveform: np.ndarray, hop: int, length: int) -> np.ndarray:
    """Return Hann-windowed frames of energy as without a window, centred at multiples of `hop`: shape (t, length)."""
    padded = np.pad(waveform.astype(np.float64), length // 2)
    window = np.hanning(length + 1)[:-1]
    frames: np.ndarray = sliding_window_view(padded, length)[::hop] * window / np.sqrt(np.mean(window**2))
    return frames


def _cepstra(waveform: np.ndarray, rate: int, hop: int) -> np.ndarray:
    """Return the causal cepstra of smooth mel envelopes: shape (t, n), n a power of two.

    The transform of one is the logarithm of the filter, in nepers and radians. Smoothing the logarithm lowers voiced
    frames, whose harmonics it flattens, more than noise; so each gets its power above the rumble back.
    """
    length = transform_length(rate)
    magnitudes = through_mel_bands(np.abs(np.fft.rfft(_frames(waveform, hop, length), axis=1)).T, rate).T
    power = magnitudes**2 / length
    floor = FLOOR * power.max(axis=1, keepdims=True) + np.finfo(float).tiny
    cepstra = np.fft.irfft(np.log(np.maximum(power, floor)) / 2, axis=1)
    kept = round(LIFTER * rate)
    causal = np.zeros((len(cepstra), LONGEST * length))
    causal[:, 0], causal[:, 1:kept] = cepstra[:, 0], 2 * cepstra[:, 1:kept]
    audible = slice(round(RUMBLE * length / rate), None)
    envelope = np.exp(2 * np.fft.rfft(causal[:, :length], axis=1).real)
    wanted = power[:, audible].mean(axis=1) + np.finfo(float).tiny
    causal[:, 0] += np.log(wanted / envelope[:, audible].mean(axis=1)) / 2
    return causal


def _source(pitch: np.ndarray, rate: int, hop: int, seed: int) -> np.ndarray:
    """Return pulses where the pitch (t,) is above 0 and noise elsewhere, of power 1: shape (t * hop,).

    Pulses of one sign have a mean, sqrt(pitch / rate); it is taken off, or the copy had an offset.
    """
    pitches, voiced = _by_sample(pitch, hop)
    is_pulse = np.diff(np.floor(np.cumsum(pitches / rate)), prepend=0.0) > 0
    pulses = is_pulse * np.sqrt(rate / np.maximum(pitches, 1.0)) - np.sqrt(pitches / rate)
    noise = np.random.default_rng(seed).standard_normal(len(pulses))
    return np.where(voiced, pulses, noise)


def _by_sample(pitch: np.ndarray, hop: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the pitch of every sample, without gaps, and whether it is voiced: both of shape (t * hop,)."""
    samples = np.arange(len(pitch) * hop)
    voiced = pitch > 0
    if not voiced.any():
        return np.zeros(len(samples)), np.zeros(len(samples), dtype=bool)
    known = np.flatnonzero(voiced)
    nearest = np.minimum((samples + hop // 2) // hop, len(pitch) - 1)
    return np.interp(samples, known * hop, pitch[known]), voiced[nearest]


def _filtered(source: np.ndarray, filters: np.ndarray, hop: int) -> np.ndarray:
    """Filter a source (t * hop,) with the filter of each frame, a row of `filters` (t, n_fft / 2 + 1)."""
    size, n_fft = PIECE * hop, 2 * (filters.shape[1] - 1)
    padded = np.pad(source, (size // 2, size + n_fft))
    window = np.hanning(size + 1)[:-1] * 2 / PIECE
    copy = np.zeros(len(source) + 2 * n_fft + size)
    for number, response in enumerate(filters):
        start = number * hop
        piece = np.fft.irfft(np.fft.rfft(padded[start : start + size] * window, n_fft) * response, n_fft)
        if np.isrealobj(response):  # without phase the response lies half before its piece
            piece = np.roll(piece, n_fft // 2)
            start -= n_fft // 2
        copy[start + n_fft : start + 2 * n_fft] += piece
    return copy[n_fft + size // 2 :][: len(source)]
