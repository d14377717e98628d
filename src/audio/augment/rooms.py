"""Rooms: reverberation by image sources, or by a recorded response of a room.

A made-up room is a box whose walls absorb as much as Sabine's formula asks for; its response is the sum of the image
sources (Allen and Berkley, "Image method for efficiently simulating small-room acoustics", JASA 1979; by
pyroomacoustics, in one thread, as its sums depend on their number). Such a response decays up to a third faster or
slower than asked, so an exponential puts its decay right: its reverberation time (`decay_time`) is within 5 % of
`rt60`.

A response takes tens to hundreds of milliseconds to compute and is kept: give recipes a few reverberation times and
rooms to choose from rather than ranges. The time that sound needs to reach the microphone is cut away, so that speech
keeps its place and the clip its length; what rings beyond its end is lost. The level stays.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.signal import oaconvolve

from src.audio.augment.contract import Effect, Number
from src.audio.normalize import rms

N_ROOMS = 32
SMALLEST, LARGEST = (3.0, 3.0, 2.4), (10.0, 8.0, 4.0)
"""Metres: length, width, height."""
HIGHEST_ORDER = 60
"""Of an image source; beyond, the sound has decayed by 20 dB in every room here."""
MARGIN = 0.2
"""Share of a room's side that a person or a microphone keeps from its walls."""
FILTER_DELAY = 40
"""Samples by which pyroomacoustics delays every image, half of its filter for fractions of a sample."""
DIRECT = 0.005
"""Seconds from the direct sound on that are no decay yet."""
SOUND = 343.0
"""Metres a second."""


def place_in_room(waveform: np.ndarray, rate: int, rng: np.random.Generator, *, rt60: float, room: int) -> np.ndarray:
    """Let a waveform sound in a made-up room.

    Parameters
    ----------
    waveform : np.ndarray, shape (n,)
    rate : int
    rng : np.random.Generator
        Not used: the room's number decides everything.
    rt60 : float
        Reverberation time, in seconds.
    room : int
        Which of 32 rooms: its size, and where speaker and microphone stand.

    Returns
    -------
    np.ndarray, shape (n,)

    >>> place_in_room(np.zeros(160), 16000, np.random.default_rng(0), rt60=0.2, room=0).shape
    (160,)
    """
    return _convolved(waveform, room_response(rt60, room, rate))


def sound_as_recorded(
    waveform: np.ndarray, rate: int, rng: np.random.Generator, *, recordings: Sequence[np.ndarray]
) -> np.ndarray:
    """Let a waveform sound in a room whose response was recorded; its loudest sample is the direct sound.

    >>> echo = np.array([0, 1, 0, 0.5])
    >>> heard = sound_as_recorded(np.array([1.0, 0, 0, 0]), 16000, np.random.default_rng(0), recordings=[echo])
    >>> (heard / heard[0]).round(6)
    array([1. , 0. , 0.5, 0. ])
    """
    response = recordings[0]
    return _convolved(waveform, response[np.abs(response).argmax() :])


@lru_cache(maxsize=256)
def room_response(rt60: float, room: int, rate: int) -> np.ndarray:
    """Return the response of a made-up room from the direct sound on, shape (m,), m about `rt60` seconds.

    >>> room_response(0.2, 0, 16000).size
    3200
    """
    import pyroomacoustics

    rng = np.random.default_rng(room)
    sides = rng.uniform(SMALLEST, LARGEST)
    # Sabine: rt60 = 0.161 V / (a S), and walls absorb less than all (a < 1): for a short time the room must be small.
    volume, surface = sides.prod(), 2 * (sides[[0, 0, 1]] * sides[[1, 2, 2]]).sum()
    sides *= min(1.0, 5 * rt60 * surface / volume)
    speaker, microphone = rng.uniform(MARGIN * sides, (1 - MARGIN) * sides, (2, 3))
    absorption, order = pyroomacoustics.inverse_sabine(rt60, sides, c=SOUND)
    box: Any = pyroomacoustics.ShoeBox(
        sides, fs=rate, materials=pyroomacoustics.Material(absorption), max_order=min(order, HIGHEST_ORDER)
    )
    pyroomacoustics.constants.set("num_threads", 1)
    box.add_source(speaker)
    box.add_microphone(microphone)
    box.compute_rir()
    arrival = round(np.linalg.norm(speaker - microphone) / box.c * rate) + FILTER_DELAY
    response = np.zeros(round(rt60 * rate))
    heard = box.rir[0][0][arrival : arrival + response.size]
    response[: heard.size] = heard
    response = _with_decay(response, rt60, rate)
    response.flags.writeable = False
    return response


def decay_time(response: np.ndarray, rate: int) -> float:
    """Return the reverberation time of a response in seconds, from the decay between -5 and -25 dB (ISO 3382's T20).

    The line is fitted to Schroeder's backward sum from 5 ms after the direct sound on, which would else count as decay.

    >>> rng = np.random.default_rng(0)
    >>> fading = rng.standard_normal(16000) * 10 ** (-3 * np.arange(16000) / 8000)
    >>> round(decay_time(fading, 16000), 1)
    0.5
    """
    left = np.cumsum(np.square(response[: round(DIRECT * rate) : -1]))[::-1]
    left = left[left > 0]  # images of the highest order may end before the response does
    decibels = 10 * np.log10(left / left[0])
    begin, end = np.searchsorted(-decibels, (5, 25))
    slope = np.polyfit(np.arange(begin, end) / rate, decibels[begin:end], 1)[0]
    return float(-60 / slope)


def _with_decay(response: np.ndarray, rt60: float, rate: int) -> np.ndarray:
    seconds = np.arange(response.size) / rate
    for _ in range(3):  # each changes where the 20 dB lie
        response = response * np.exp(np.log(1e-3) * seconds * (1 / rt60 - 1 / decay_time(response, rate)))
    return response


def _convolved(waveform: np.ndarray, response: np.ndarray) -> np.ndarray:
    heard: np.ndarray = oaconvolve(waveform.astype(np.float64), response)[: waveform.size]
    level = rms(heard)
    return heard * (rms(waveform) / level) if level else heard


ROOM = Effect(
    place_in_room,
    "reverberation of a room",
    {"rt60": Number(0.4, 0.1, 1, "s"), "room": Number(0, 0, N_ROOMS - 1, whole=True)},
    ({"rt60": 0.2}, {"rt60": 0.5}, {"rt60": 0.9}),
    package="pyroomacoustics",
)
ROOM_RESPONSE = Effect(sound_as_recorded, "reverberation of a recorded room", {}, ({},), draws="rooms")
