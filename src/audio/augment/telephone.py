"""Telephone lines: the band of a telephone, then the coding of its network, at the network's sample rate.

mu-law and A-law (ITU-T G.711) are landlines, G.722 is wideband calls, AMR-NB (3GPP TS 26.071) and GSM full rate
(06.10) are mobile telephones. Narrow-band codings work at 8 kHz, G.722 at 16 kHz; a waveform of another rate is
resampled and back, so its band ends at 4 or 8 kHz afterwards. With `band` = "line" it is first cut to 300 to 3,400 Hz
(ITU-T G.712; for G.722 50 to 7,000 Hz); "open" leaves it.
"""

import numpy as np

from src.audio.augment.coding import Codec, through_codec
from src.audio.augment.contract import Choice, Effect
from src.audio.augment.microphone import limit_band

MU_LAW_CODEC = Codec("pcm_mulaw", "pcm_mulaw", (8_000,))
A_LAW_CODEC = Codec("pcm_alaw", "pcm_alaw", (8_000,))
G722_CODEC = Codec("adpcm_g722", "adpcm_g722", (16_000,))
AMR_CODEC = Codec("libopencore_amrnb", "amrnb", (8_000,), kbps=12.2)
GSM_CODEC = Codec("libgsm", "gsm", (8_000,))
NARROW, WIDE = (300.0, 3_400.0), (50.0, 7_000.0)
"""Bands in hertz."""


def mu_law(waveform: np.ndarray, rate: int, rng: np.random.Generator, *, band: str) -> np.ndarray:
    """Send a waveform through mu-law at 8 kHz, 64 kbit/s.

    >>> mu_law(np.zeros(1600), 16000, np.random.default_rng(0), band="line").shape
    (1600,)
    """
    return through_codec(_on_line(waveform, rate, band, NARROW), rate, MU_LAW_CODEC)


def a_law(waveform: np.ndarray, rate: int, rng: np.random.Generator, *, band: str) -> np.ndarray:
    """Send a waveform through A-law at 8 kHz, 64 kbit/s.

    >>> a_law(np.zeros(1600), 16000, np.random.default_rng(0), band="line").shape
    (1600,)
    """
    return through_codec(_on_line(waveform, rate, band, NARROW), rate, A_LAW_CODEC)


def g722(waveform: np.ndarray, rate: int, rng: np.random.Generator, *, band: str) -> np.ndarray:
    """Send a waveform through G.722 at 16 kHz, 64 kbit/s.

    >>> g722(np.zeros(1600), 16000, np.random.default_rng(0), band="line").shape
    (1600,)
    """
    return through_codec(_on_line(waveform, rate, band, WIDE), rate, G722_CODEC)


def amr(waveform: np.ndarray, rate: int, rng: np.random.Generator, *, kbps: float, band: str) -> np.ndarray:
    """Send a waveform through AMR-NB at 8 kHz.

    >>> amr(np.zeros(1600), 16000, np.random.default_rng(0), kbps=12.2, band="line").shape
    (1600,)
    """
    return through_codec(_on_line(waveform, rate, band, NARROW), rate, AMR_CODEC, kbps)


def gsm(waveform: np.ndarray, rate: int, rng: np.random.Generator, *, band: str) -> np.ndarray:
    """Send a waveform through GSM full rate at 8 kHz, 13 kbit/s; few builds of FFmpeg have its encoder."""
    return through_codec(_on_line(waveform, rate, band, NARROW), rate, GSM_CODEC)


def _on_line(waveform: np.ndarray, rate: int, band: str, line: tuple[float, float]) -> np.ndarray:
    return np.clip(limit_band(waveform, rate, *line), -1, 1) if band == "line" else waveform


BAND = Choice("line", ("line", "open"))
RATES_OF_AMR = Choice(12.2, (4.75, 5.15, 5.9, 6.7, 7.4, 7.95, 10.2, 12.2), "kbit/s")
EITHER: tuple[dict[str, str], ...] = ({"band": "open"}, {"band": "line"})
MU_LAW = Effect(mu_law, "landlines of America and Japan", {"band": BAND}, EITHER, encoder="pcm_mulaw")
A_LAW = Effect(a_law, "landlines of the rest of the world", {"band": BAND}, EITHER, encoder="pcm_alaw")
G722 = Effect(g722, "wideband calls", {"band": BAND}, EITHER, encoder="adpcm_g722")
AMR = Effect(
    amr,
    "mobile telephones",
    {"kbps": RATES_OF_AMR, "band": BAND},
    ({"kbps": 12.2}, {"kbps": 7.4}, {"kbps": 4.75}),
    encoder="libopencore_amrnb",
)
GSM = Effect(gsm, "the first digital mobile telephones", {"band": BAND}, EITHER, encoder="libgsm")
