"""Codecs of telephones at their lowest rates, as vocoders: they send parameters of a model of speech, not its samples.

All three are CELP codecs: a filter of the vocal tract, a pitch and an entry of a codebook for each frame. What comes
out is resynthesised speech, as from an LPC vocoder, though closer to the original. They are no text-to-speech, so
whether such a copy counts as a spoof is for the user to say. AMR narrow-band and G.723.1 know 8 kHz only, and Opus at
6 kbit/s keeps no more; the delay of each is taken out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

FULL_SCALE = 32767


@dataclass(frozen=True)
class SpeechCodec:
    """One codec of FFmpeg at one rate."""

    encoder: str
    decoder: str
    rate: int
    """Sample rate in Hz that it is given."""
    bit_rate: int
    """Bits a second."""
    delay: int = 0
    """Samples at `rate` by which the decoded sound is late (look-ahead of the encoder), measured; Opus says its own."""
    options: tuple[tuple[str, str], ...] = ()


OPUS_6K = SpeechCodec("libopus", "libopus", 16_000, 6_000, options=(("application", "voip"), ("vbr", "off")))
AMR_NB = SpeechCodec("libopencore_amrnb", "libopencore_amrnb", 8_000, 4_750, delay=40)
G723 = SpeechCodec("g723_1", "g723_1", 8_000, 6_300, delay=60)


def opus6k(waveform: np.ndarray, rate: int, seed: int) -> np.ndarray:
    """Send a recording (n,) through Opus (RFC 6716) at 6 kbit/s, in its mode for speech; `seed` is not used."""
    return coded(waveform, rate, OPUS_6K)


def amrnb(waveform: np.ndarray, rate: int, seed: int) -> np.ndarray:
    """Send a recording (n,) through AMR narrow-band (3GPP TS 26.090) at 4.75 kbit/s; `seed` is not used."""
    return coded(waveform, rate, AMR_NB)


def g723(waveform: np.ndarray, rate: int, seed: int) -> np.ndarray:
    """Send a recording (n,) through ITU-T G.723.1 at 6.3 kbit/s; `seed` is not used."""
    return coded(waveform, rate, G723)


def has_encoder(name: str) -> bool:
    """Tell whether PyAV has an encoder of this name; not every build of FFmpeg has all.

    >>> has_encoder("flac"), has_encoder("no such codec")
    (True, False)
    """
    import av

    try:
        av.Codec(name, "w")
    except ValueError:
        return False
    return True


def coded(waveform: np.ndarray, rate: int, codec: SpeechCodec) -> np.ndarray:
    """Encode and decode a recording.

    Parameters
    ----------
    waveform : np.ndarray, shape (n,)
        Mono, within [-1, 1].
    rate : int
        Sample rate in Hz; it is resampled to that of the codec and back.
    codec : SpeechCodec

    Returns
    -------
    np.ndarray, shape (n,)
        float64, not shifted in time.
    """
    import soxr

    sound = soxr.resample(waveform.astype(np.float64), rate, codec.rate)
    samples = np.round(np.clip(sound, -1, 1) * FULL_SCALE).astype(np.int16)
    pieces, decoded_rate = [], codec.rate
    for frame in _decoded(samples, codec):
        block = frame.to_ndarray().reshape(-1)
        pieces.append(block / FULL_SCALE if block.dtype == np.int16 else block)
        decoded_rate = frame.sample_rate
    late = codec.delay * decoded_rate // codec.rate
    copy = soxr.resample(np.concatenate(pieces).astype(np.float64)[late:], decoded_rate, rate)
    return np.pad(copy, (0, max(0, len(waveform) - len(copy))))[: len(waveform)]


def _decoded(samples: np.ndarray, codec: SpeechCodec) -> Iterator[Any]:
    """Yield the decoded frames of 16-bit samples (n,), with as much silence behind them as flushes the delay."""
    import av

    encoder: Any = av.CodecContext.create(codec.encoder, "w")
    encoder.sample_rate, encoder.layout, encoder.format = codec.rate, "mono", "s16"
    encoder.bit_rate, encoder.time_base, encoder.options = codec.bit_rate, Fraction(1, codec.rate), dict(codec.options)
    encoder.open()
    decoder: Any = av.CodecContext.create(codec.decoder, "r")
    decoder.sample_rate, decoder.layout = codec.rate, "mono"
    if encoder.extradata:
        decoder.extradata = encoder.extradata
    size = encoder.frame_size
    n_frames = -(-len(samples) // size) + 2
    padded = np.pad(samples, (0, n_frames * size - len(samples)))
    for start in range(0, len(padded), size):
        frame = av.AudioFrame.from_ndarray(padded[None, start : start + size], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = codec.rate, start, encoder.time_base
        for packet in encoder.encode(frame):
            yield from decoder.decode(packet)
