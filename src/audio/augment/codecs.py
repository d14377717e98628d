"""Codecs of music, messengers and the web: MP3, AAC, Opus, Vorbis, each by a real encoder (`coding.py`)."""

import numpy as np

from src.audio.augment.coding import Codec, through_codec, through_vorbis
from src.audio.augment.contract import Effect, Number

MP3_CODEC = Codec("libmp3lame", "mp3float", kbps=64)
AAC_CODEC = Codec("aac", "aac", kbps=64)
OPUS_CODEC = Codec("libopus", "opus", kbps=64, options=(("application", "voip"), ("compression_level", "5")))


def mp3(waveform: np.ndarray, rate: int, rng: np.random.Generator, *, kbps: float) -> np.ndarray:
    """Encode a waveform as MP3 by LAME; up to 24 kHz MP3 knows 8 to 160 kbit/s, above 32 to 320.

    >>> mp3(np.zeros(1600), 16000, np.random.default_rng(0), kbps=32).shape
    (1600,)
    """
    return through_codec(waveform, rate, MP3_CODEC, kbps)


def aac(waveform: np.ndarray, rate: int, rng: np.random.Generator, *, kbps: float) -> np.ndarray:
    """Encode a waveform as AAC-LC by FFmpeg's encoder.

    >>> aac(np.zeros(1600), 16000, np.random.default_rng(0), kbps=32).shape
    (1600,)
    """
    return through_codec(waveform, rate, AAC_CODEC, kbps)


def opus(waveform: np.ndarray, rate: int, rng: np.random.Generator, *, kbps: float) -> np.ndarray:
    """Encode a waveform as Opus by libopus, tuned for speech; what it keeps of the band falls with the bit rate.

    Its complexity is 5 of 10, as on telephones, which takes a third less time than 10.

    >>> opus(np.zeros(1600), 16000, np.random.default_rng(0), kbps=16).shape
    (1600,)
    """
    return through_codec(waveform, rate, OPUS_CODEC, kbps)


def vorbis(waveform: np.ndarray, rate: int, rng: np.random.Generator, *, quality: float) -> np.ndarray:
    """Encode a waveform as Ogg Vorbis by libvorbis; quality 0 is about 33 kbit/s at 16 kHz, 10 about 70.

    >>> vorbis(np.zeros(1600), 16000, np.random.default_rng(0), quality=2).shape
    (1600,)
    """
    return through_vorbis(waveform, rate, quality)


MP3 = Effect(
    mp3,
    "music files, podcasts, the web",
    {"kbps": Number(64, 8, 320, "kbit/s")},
    ({"kbps": 128}, {"kbps": 32}, {"kbps": 16}),
    encoder="libmp3lame",
)
AAC = Effect(
    aac,
    "videos, telephones' recorders",
    {"kbps": Number(48, 8, 256, "kbit/s")},
    ({"kbps": 96}, {"kbps": 32}, {"kbps": 16}),
    encoder="aac",
)
OPUS = Effect(
    opus,
    "messengers, video calls",
    {"kbps": Number(24, 6, 256, "kbit/s")},
    ({"kbps": 32}, {"kbps": 12}, {"kbps": 6}),
    encoder="libopus",
)
VORBIS = Effect(
    vorbis, "games, the open web", {"quality": Number(5, 0, 10)}, ({"quality": 8}, {"quality": 4}, {"quality": 0})
)
