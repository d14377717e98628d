"""Copy synthesis: a vocoder turns a recording into machine-made speech of the same content.

A text-to-speech system ends in a vocoder, which makes a waveform from a mel spectrogram. Taking that spectrogram from a
bona fide recording instead of a model gives a spoof with the same words, speaker, length and level: what remains to be
detected is the vocoder alone (Wang and Yamagishi, "Spoofed training data for speech spoofing countermeasure can be
efficiently created using neural vocoders", ICASSP 2023).

Conventions: the copy has exactly the length of its original, and the same root mean square, so that neither gives the
class away. Only where that would raise the peak above 1, the whole copy is scaled down: scaling leaves no trace,
clipping would. `VOCODERS` names the vocoders; a new one is a function (waveform, rate, seed) -> waveform
of the same length and any level, and one row.
"""

from collections.abc import Callable

import numpy as np

N_MELS = 80
WINDOW = 0.032  # seconds, at least; the transform's length is the next power of two
N_ITERATIONS = 32


def copy_synthesis(waveform: np.ndarray, rate: int, *, vocoder: str = "griffinlim", seed: int = 0) -> np.ndarray:
    """Make a spoof of a recording: analyse it and resynthesise it with a vocoder.

    Parameters
    ----------
    waveform : np.ndarray, shape (n,)
        Mono, within [-1, 1].
    rate : int
        Sample rate in Hz.
    vocoder : str
        A name of `VOCODERS`.
    seed : int
        Of the vocoder's random phases; give every clip its own, or all copies start from the same phases.

    Returns
    -------
    np.ndarray, shape (n,)
        float32 within [-1, 1], at the level of the original; silence stays silence.

    Raises
    ------
    ValueError
        If no vocoder has that name, or the waveform is not mono.

    Examples
    --------
    >>> tone = 0.5 * np.sin(2 * np.pi * 220 * np.arange(8000) / 16000)
    >>> copy = copy_synthesis(tone, 16000)
    >>> copy.shape, copy.dtype, round(float(np.sqrt(np.mean(copy**2))), 3)
    ((8000,), dtype('float32'), 0.354)
    """
    if vocoder not in VOCODERS:
        raise ValueError(f"Unknown vocoder '{vocoder}'; allowed: {', '.join(sorted(VOCODERS))}.")
    if waveform.ndim != 1:
        raise ValueError(f"`waveform` must be one channel of shape (n,), not {waveform.shape}.")
    if not np.any(waveform):
        return np.zeros(len(waveform), dtype=np.float32)
    copy = VOCODERS[vocoder](waveform, rate, seed).astype(np.float64)
    copy *= _rms(waveform) / max(_rms(copy), 1e-12)
    copy /= max(1.0, float(np.max(np.abs(copy))))
    return copy.astype(np.float32)


def griffinlim(waveform: np.ndarray, rate: int, seed: int) -> np.ndarray:
    """Resynthesise a recording from its mel spectrogram, with phases by the fast Griffin-Lim algorithm.

    Parameters
    ----------
    waveform : np.ndarray, shape (n,)
        Mono.
    rate : int
        Sample rate in Hz.
    seed : int
        Of the random phases that the iteration starts from.

    Returns
    -------
    np.ndarray, shape (n,)
        float32 at about the level of the original.

    Notes
    -----
    Griffin and Lim (1984), with the momentum of Perraudin, Balazs and Sondergaard (2013). The mel filters are undone by
    their pseudo-inverse, with negative values set to 0: magnitudes that are smooth between the bands, as a vocoder sees
    them. BLAS is held to one thread: more would add in another order, and equal seeds would not give equal bytes.
    librosa's compiled code is cached by numba, which needs a folder to write to before librosa is first imported.

    Examples
    --------
    >>> griffinlim(np.sin(np.arange(400, dtype=np.float32)), 16000, seed=0).shape
    (400,)
    """
    import librosa
    from threadpoolctl import threadpool_limits

    n_fft = 2 ** int(np.ceil(np.log2(WINDOW * rate)))
    hop = n_fft // 4
    padded = np.pad(waveform.astype(np.float32), (0, max(0, n_fft - len(waveform))))
    mel = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=N_MELS)
    with threadpool_limits(1, "blas"):
        bands = mel @ np.abs(librosa.stft(padded, n_fft=n_fft, hop_length=hop))
        magnitudes = np.maximum(np.linalg.pinv(mel) @ bands, 0.0)
    copy: np.ndarray = librosa.griffinlim(
        magnitudes, n_iter=N_ITERATIONS, n_fft=n_fft, hop_length=hop, random_state=seed, length=len(padded)
    )
    return copy[: len(waveform)]


VOCODERS: dict[str, Callable[[np.ndarray, int, int], np.ndarray]] = {"griffinlim": griffinlim}


def _rms(waveform: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64))))
