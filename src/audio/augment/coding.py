"""A waveform through a real encoder and decoder, in memory: FFmpeg through PyAV, and libsndfile for Ogg Vorbis.

FFmpeg's own Vorbis encoder is experimental and takes stereo only; libsndfile has the reference encoder, libvorbis.

A codec delays: its filters look ahead, its frames are padded. How long FFmpeg's delay is depends on its version, so it
is measured, once for each codec and rate, on noise that comes and goes, and cut away; what comes out is as long as
what went in, each sample in its place (AMR within a sample or two, as its phases are its own). A rate that an encoder
does not take is resampled to the next higher one that it takes, and back.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import soundfile
import soxr

BLOCK = 2**13
"""Samples that are handed over at a time to encoders that take any number."""
TAIL = 0.2
"""Seconds of silence after the waveform, longer than any codec's delay, so that its end comes out."""


@dataclass(frozen=True)
class Codec:
    """An encoder and a decoder of FFmpeg."""

    encoder: str
    decoder: str
    rates: tuple[int, ...] = ()
    """Rates that it takes, in hertz, in ascending order; () = those that FFmpeg says."""
    kbps: float = 0.0
    """The bit rate at which its delay is measured."""
    options: tuple[tuple[str, str], ...] = ()


@lru_cache
def has_encoder(name: str) -> bool:
    """Tell whether this build of FFmpeg has an encoder.

    >>> has_encoder("pcm_mulaw"), has_encoder("wax_cylinder")
    (True, False)
    """
    import av

    try:
        return bool(av.codec.Codec(name, "w").name)
    except ValueError:
        return False


def through_codec(waveform: np.ndarray, rate: int, codec: Codec, kbps: float = 0.0) -> np.ndarray:
    """Encode and decode a waveform.

    Parameters
    ----------
    waveform : np.ndarray, shape (n,)
        Within [-1, 1].
    rate : int
        In hertz.
    codec : Codec
    kbps : float
        Bit rate in thousands of bits a second, or the nearest that the encoder offers; 0 = its only one.

    Returns
    -------
    np.ndarray, shape (n,)

    Examples
    --------
    >>> tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(1600) / 16000)
    >>> heard = through_codec(tone, 16000, Codec("pcm_mulaw", "pcm_mulaw", (8000,)))
    >>> heard.shape, bool(abs(heard[100:-100] - tone[100:-100]).max() < 0.02)
    ((1600,), True)
    """
    inner = _rate_of(codec, rate)
    coded = _resampled(waveform.astype(np.float32), rate, inner)
    decoded = _decoded(coded, inner, codec, kbps)[_delay(codec, inner) :]
    return _of_length(_resampled(decoded[: coded.size], inner, rate), waveform.size)


def through_vorbis(waveform: np.ndarray, rate: int, quality: float) -> np.ndarray:
    """Encode and decode a waveform of shape (n,) as Ogg Vorbis of a quality from 0 to 10, as oggenc counts.

    >>> through_vorbis(np.zeros(1600), 16000, quality=5).shape
    (1600,)
    """
    file = io.BytesIO()
    with soundfile.SoundFile(
        file, "w", rate, 1, subtype="VORBIS", format="OGG", compression_level=1 - quality / 10
    ) as encoder:
        for start in range(0, waveform.size, BLOCK):
            encoder.write(waveform[start : start + BLOCK])
    file.seek(0)
    decoded: np.ndarray = soundfile.read(file, dtype="float32")[0]
    return _of_length(decoded, waveform.size)


def _rate_of(codec: Codec, rate: int) -> int:
    """Return the rate at which a codec works: the next that is not lower, or its highest."""
    rates = codec.rates or _rates(codec.encoder)
    return next((allowed for allowed in rates if allowed >= rate), rates[-1])


@lru_cache
def _rates(encoder: str) -> tuple[int, ...]:
    import av

    return tuple(sorted(av.codec.Codec(encoder, "w").audio_rates or ()))


@lru_cache
def _delay(codec: Codec, rate: int) -> int:
    """Return by how many samples at `rate` a codec delays: where input and output are most alike."""
    n_samples = rate // 2
    swell = np.sin(np.pi * 6 * np.arange(n_samples) / n_samples) ** 2
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(n_samples) * swell)
    heard = np.abs(np.fft.rfftfreq(n_samples, 1 / rate) - 1200) < 800  # every codec keeps 400 to 2,000 Hz
    known = np.fft.irfft(spectrum * heard, n_samples)
    known *= 0.5 / np.abs(known).max()
    decoded = _decoded(known.astype(np.float32), rate, codec, codec.kbps)
    size = n_samples + decoded.size
    likeness = np.fft.irfft(np.fft.rfft(decoded, size) * np.conj(np.fft.rfft(known, size)), size)
    return int(np.argmax(likeness[: round(TAIL * rate)]))


def _decoded(waveform: np.ndarray, rate: int, codec: Codec, kbps: float) -> np.ndarray:
    """Return what comes out of a codec at its own rate, with its delay, and at least as long as what went in."""
    import av

    encoder: Any = av.CodecContext.create(codec.encoder, "w")
    formats = [known.name for known in encoder.codec.audio_formats or ()]
    kind = next(name for name in ("fltp", "flt", "s16") if name in formats)
    encoder.sample_rate, encoder.layout, encoder.format = rate, "mono", kind
    encoder.options = dict(codec.options)
    if kbps:
        encoder.bit_rate = round(1000 * kbps)
    encoder.open()
    decoder: Any = av.CodecContext.create(codec.decoder, "r")
    decoder.extradata, decoder.sample_rate, decoder.layout = encoder.extradata, rate, "mono"
    packets = (
        packet for frame in _frames(waveform, rate, kind, encoder.frame_size) for packet in encoder.encode(frame)
    )
    decoded = [frame for packet in packets for frame in decoder.decode(packet)]
    decoded += [frame for packet in encoder.encode(None) for frame in decoder.decode(packet)] + decoder.decode(None)
    samples = np.concatenate([frame.to_ndarray().ravel() for frame in decoded])
    if samples.dtype == np.int16:
        samples = samples / np.float32(2**15)
    return _resampled(samples, decoded[0].sample_rate, rate)


def _frames(waveform: np.ndarray, rate: int, kind: str, size: int) -> Iterator[Any]:
    """Cut a waveform, and silence after it, into whole frames."""
    import av

    size = size or BLOCK
    filled = np.pad(waveform, (0, -(waveform.size + round(TAIL * rate)) % size + round(TAIL * rate)))
    if kind == "s16":
        filled = np.rint(filled * (2**15 - 1)).astype(np.int16)
    for start in range(0, filled.size, size):
        frame = av.AudioFrame.from_ndarray(filled[None, start : start + size], format=kind, layout="mono")
        frame.sample_rate, frame.pts = rate, start
        yield frame


def _resampled(waveform: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    resampled: np.ndarray = waveform if rate == wanted else soxr.resample(waveform, rate, wanted)
    return resampled


def _of_length(waveform: np.ndarray, n_samples: int) -> np.ndarray:
    """Cut or fill what rounding to frames or rates has made a little longer or shorter."""
    return np.pad(waveform[:n_samples], (0, max(0, n_samples - waveform.size)))
