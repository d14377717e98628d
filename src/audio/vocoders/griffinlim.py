"""The mel spectrogram of a recording, and a waveform from it by the phases that the Griffin-Lim algorithm finds.

The spectrogram has 80 bands, as that of most text-to-speech systems. The mel filters are undone by their
pseudo-inverse, with negative values set to 0: magnitudes that are smooth between the bands, as a vocoder sees them.
"""

import numpy as np

from src.audio.vocoders.compiled import load_librosa

N_MELS = 80
WINDOW = 0.032  # seconds, at least; the transform's length is the next power of two
N_ITERATIONS = 32


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
    Griffin and Lim (1984), with the momentum of Perraudin, Balazs and Sondergaard (2013). librosa's compiled code is
    cached by numba, which needs a folder to write to before `load_librosa` is first called.

    Examples
    --------
    >>> griffinlim(np.sin(np.arange(400, dtype=np.float32)), 16000, seed=0).shape
    (400,)
    """
    librosa = load_librosa()
    n_fft = transform_length(rate)
    hop = n_fft // 4
    padded = np.pad(waveform.astype(np.float32), (0, max(0, n_fft - len(waveform))))
    magnitudes = through_mel_bands(np.abs(librosa.stft(padded, n_fft=n_fft, hop_length=hop)), rate)
    copy: np.ndarray = librosa.griffinlim(
        magnitudes, n_iter=N_ITERATIONS, n_fft=n_fft, hop_length=hop, random_state=seed, length=len(padded)
    )
    return copy[: len(waveform)]


def transform_length(rate: int) -> int:
    """Return the length of the Fourier transform in samples, a power of two.

    >>> transform_length(16000)
    512
    """
    return int(2 ** np.ceil(np.log2(WINDOW * rate)))


def through_mel_bands(magnitudes: np.ndarray, rate: int) -> np.ndarray:
    """Return what is left of the magnitudes of a spectrogram (n_fft / 2 + 1, t) after 80 mel bands and back.

    BLAS is held to one thread: more would add in another order, and equal seeds would not give equal bytes.
    """
    from threadpoolctl import threadpool_limits

    mel = load_librosa().filters.mel(sr=rate, n_fft=2 * (len(magnitudes) - 1), n_mels=N_MELS)
    with threadpool_limits(1, "blas"):
        found: np.ndarray = np.maximum(np.linalg.pinv(mel) @ (mel @ magnitudes), 0.0)
    return found
