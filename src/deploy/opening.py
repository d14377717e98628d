"""What a stream is read from: a file, a pipe (`-`) or the microphone; and what is noted of it in a folder of clips."""

import sys
from dataclasses import replace
from datetime import UTC, datetime

from src.audio.arriving import Source, open_file, patiently
from src.audio.pipe import open_pipe
from src.audio.recorder import open_microphone
from src.utils.files import file_digest
from src.utils.paths import absolute, legible

PIPE, MICROPHONE = "-", "microphone"


def open_source(name: str, rate: int | None = None, channels: int | None = None) -> Source:
    """Open what sound is read from.

    Parameters
    ----------
    name : str
        `-`, `microphone`, or the path of a recording.
    rate, channels : int, optional
        Of raw samples in a pipe.

    Raises
    ------
    FileNotFoundError, ValueError
        When there is no such recording, no microphone, or nothing in the pipe that can be read.
    """
    if not name:
        raise ValueError("What to listen to? Give `input` a recording, microphone, or - for a pipe.")
    if name == PIPE:
        if sys.stdin is None or sys.stdin.isatty():
            raise ValueError("`input=-` reads from a pipe, and none leads here: ffmpeg ... | fab Stream `input=-` ...")
        pipe = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)  # which gives what there is, without waiting for more
        samples, chunks = open_pipe(pipe, rate, channels)
        return Source("stdin", samples.rate, samples.channels, patiently(chunks), is_live=True)
    if rate is not None or channels is not None:
        raise ValueError("`rate` and `channels` belong to raw samples from a pipe, `input=-`; all else states its own.")
    if name == MICROPHONE:
        return open_microphone()
    source = open_file(absolute(name))
    return replace(source, name=legible(source.name))


def person_of_source(name: str) -> str:
    """Return what the unknown people of a source are called: by the contents of a file, by the time of a live stream.

    The name of the file says nothing, as it may hold a word such as "fake".
    """
    if name in (PIPE, MICROPHONE):
        return f"stream-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    return f"recording-{file_digest(absolute(name))[:12]}"
