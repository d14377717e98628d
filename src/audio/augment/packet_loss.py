"""Packet loss of a call over the internet: stretches of some milliseconds that never arrive.

Losses come in bursts (Gilbert, "Capacity of a burst-noise channel", Bell System Technical Journal 1960). How many
packets are lost is exact; where, is drawn: bursts of geometric length, at random places. The receiver plays silence
instead, or repeats the last packet that arrived, fading it out within 60 ms, as the concealment of G.711 (Appendix I)
does in essence.
"""

import numpy as np

from src.audio.augment.contract import Choice, Effect, Number

FADE = 0.06
"""Seconds after which a repeated packet is silent."""


def lose_packets(
    waveform: np.ndarray, rate: int, rng: np.random.Generator, *, loss: float, burst: float, ms: int, conceal: str
) -> np.ndarray:
    """Lose `loss` percent of the packets of `ms` milliseconds, in bursts of `burst` packets on average.

    >>> sent = np.ones(1600)
    >>> heard = lose_packets(sent, 16000, np.random.default_rng(0), loss=20, burst=1, ms=20, conceal="zeros")
    >>> int((heard == 0).sum())
    320
    """
    size = rate * ms // 1000
    packets = np.pad(waveform, (0, -waveform.size % size)).reshape(-1, size)
    lost = draw_losses(len(packets), loss, burst, rng)
    numbers = np.arange(len(packets))
    last = np.maximum.accumulate(np.where(lost, -1, numbers))  # the last packet that arrived; -1 before the first
    if conceal == "zeros":
        heard = np.where(lost[:, None], 0, packets)
    else:
        since = ((numbers - last - 1) * size)[:, None] + np.arange(size)
        faded = packets[last] * np.maximum(1 - since / (FADE * rate), 0) * (last >= 0)[:, None]
        heard = np.where(lost[:, None], faded, packets)
    return heard.ravel()[: waveform.size]


def draw_losses(n_packets: int, loss: float, burst: float, rng: np.random.Generator) -> np.ndarray:
    """Return which packets are lost, shape (n_packets,): `loss` percent of them, to the nearest packet.

    >>> draw_losses(10, 30, 3, np.random.default_rng(2)).sum()
    np.int64(3)
    """
    n_lost = round(loss / 100 * n_packets)
    lengths: list[int] = []
    while sum(lengths) < n_lost:
        lengths.append(min(int(rng.geometric(1 / burst)), n_lost - sum(lengths)))
    # Bursts lie between the packets that arrive, at most one in each of the gaps; where they are too few, bursts touch.
    gaps = rng.permutation(n_packets - n_lost + 1)
    places = np.sort(np.resize(gaps, len(lengths)))
    lost = np.zeros(n_packets, dtype=bool)
    start = 0
    for place, length in zip(places, lengths, strict=True):
        lost[place + start : place + start + length] = True
        start += length
    return lost


PACKET_LOSS = Effect(
    lose_packets,
    "calls over the internet",
    {
        "loss": Number(5, 0, 50, "%"),
        "burst": Number(2, 1, 10, "packets"),
        "ms": Number(20, 10, 60, "ms", whole=True),
        "conceal": Choice("repeat", ("repeat", "zeros")),
    },
    ({"loss": 2}, {"loss": 5}, {"loss": 15}),
)
