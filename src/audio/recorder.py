"""Sound from the computer's default microphone, by sounddevice, which needs the library PortAudio.

The device is opened at its own rate, because many offer no other. It never waits: what is not fetched in time is lost,
and that is told as a gap.
"""

import queue
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np

from src.audio.arriving import PATIENCE, Chunk, Remark, Source, next_of

BLOCK_SECONDS = 0.1
WAITING_SECONDS = 30
"""Sound that may wait to be fetched; more is lost."""
LOST = Remark("sound was lost: the computer does not keep up (a larger `hop` takes less of it)", is_gap=True)


def open_microphone() -> Source:
    """Start recording from the default microphone, one channel.

    Raises
    ------
    ValueError
        When sounddevice, PortAudio or a microphone is missing.
    """
    try:
        sounddevice: Any = import_module("sounddevice")
    except ImportError:
        raise ValueError("`input=microphone` needs the package sounddevice: pip install -e '.[microphone]'.") from None
    except OSError as error:
        raise ValueError(
            f"`input=microphone` needs the library PortAudio ({error}): apt-get install libportaudio2, or pipe the "
            "sound in, `input=-`."
        ) from None
    try:
        device = sounddevice.query_devices(kind="input")
        rate = round(device["default_samplerate"])
        return Source(str(device["name"]), rate, 1, _recorded(sounddevice, rate), is_live=True)
    except (sounddevice.PortAudioError, ValueError) as error:
        raise ValueError(f"No microphone can be opened ({' '.join(str(error).split())}): plug one in.") from None


def _recorded(sounddevice: Any, rate: int) -> Iterator[Chunk]:
    """Open the device, then yield what it records until nobody asks any more."""
    arrived: queue.Queue[Chunk | Exception | None] = queue.Queue(round(WAITING_SECONDS / BLOCK_SECONDS))
    lost = False

    def keep(samples: np.ndarray, _frames: int, _time: Any, status: Any) -> None:
        nonlocal lost
        lost |= bool(status.input_overflow)
        if arrived.qsize() > arrived.maxsize - 2:  # room for a remark and a chunk
            lost = True
            return
        if lost:
            arrived.put(LOST)
            lost = False
        arrived.put(samples.copy())

    recorder = sounddevice.InputStream(
        samplerate=rate, channels=1, dtype="float32", blocksize=round(rate * BLOCK_SECONDS), callback=keep
    )

    def chunks() -> Iterator[Chunk]:
        with recorder:
            while (chunk := (yield from next_of(arrived, PATIENCE))) is not None:
                yield chunk

    return chunks()
