"""Sound from a pipe: raw PCM, 16 bits, little-endian, at a rate that the user states; or WAV, whose header states it.

    ffmpeg -i rtsp://... -f s16le -ar 16000 -ac 1 -  |  fab Stream --run=run0 --input=- --rate=16000

The header of a WAV that is written into a pipe cannot know the length: 0, or more than a pipe will ever carry, means
that the sound extends to the end. Bytes arrive in pieces of any size, so a piece may end within a sample; the rest is
kept for the next one.

Sources: Microsoft, Multimedia Programming Interface 1.0 (RIFF), and Multiple Channel Audio Data (extensible formats).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from src.audio.arriving import Chunk, Remark
from src.audio.chunks import NO_SIZE_FROM

PIECE = 2**13
"""Bytes read at a time, at most: a quarter of a second at 16 kHz; a pipe gives what it has."""
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
SAMPLES = {(PCM, 8): "u1", (PCM, 16): "<i2", (PCM, 24): "", (PCM, 32): "<i4", (FLOAT, 32): "<f4", (FLOAT, 64): "<f8"}
"""Coding and bits of a sample -> its type in numpy, which has none of 24 bits."""
RATES = (1_000, 768_000)
OTHER_FORMATS = (
    b"fLaC", b"OggS", b"ID3\2", b"ID3\3", b"ID3\4", b"FORM", b"caff", b".snd", b"RIFF", b"RIFX", b"riff", b"#!AM",
    b"\x1a\x45\xdf\xa3", b"\x30\x26\xb2\x75",
)  # fmt: skip
"""How files begin that are no raw samples; the sign of MP4 follows four bytes. Of MP3 without a tag the sign is too
short: samples may have it."""
DECODE_BEFORE = "Other formats must be decoded before: ffmpeg -i ... -f s16le -ar 16000 -ac 1 -"


class Pipe(Protocol):
    """Bytes that arrive."""

    def read(self, size: int = -1, /) -> bytes | None:
        """Return at least one byte and at most `size`; none at the end."""


@dataclass(frozen=True)
class Samples:
    """How samples are written as bytes."""

    rate: int
    """In hertz."""
    channels: int = 1
    coding: int = PCM
    bits: int = 16
    n_bytes: int | None = None
    """Of all the sound; None = to the end."""

    def __post_init__(self) -> None:
        if not RATES[0] <= self.rate <= RATES[1]:
            raise ValueError(f"`rate` must lie in {RATES[0]} to {RATES[1]} Hz, not {self.rate}.")
        if not 1 <= self.channels <= 64:
            raise ValueError(f"`channels` must lie in 1 to 64, not {self.channels}.")

    def decode(self, content: bytes) -> np.ndarray:
        """Return whole frames, float32 of shape (n, channels); integers become -1 to 1.

        >>> Samples(16_000, channels=2).decode(bytes([0, 64, 0, 192])).tolist()
        [[0.5, -0.5]]
        """
        if self.bits == 24:  # the three bytes become the upper ones of four
            padded = np.zeros((len(content) // 3, 4), np.uint8)
            padded[:, 1:] = np.frombuffer(content, np.uint8).reshape(-1, 3)
            values = padded.view("<i4")[:, 0] / 2.0**31
        else:
            values = np.frombuffer(content, SAMPLES[self.coding, self.bits])
            if self.coding == PCM:
                values = (values - 128.0) / 128 if self.bits == 8 else values / 2.0 ** (self.bits - 1)
        return values.astype(np.float32).reshape(-1, self.channels)


def open_pipe(pipe: Pipe, rate: int | None, channels: int | None) -> tuple[Samples, Iterator[Chunk]]:
    """Find out how the samples of a pipe are written; return that and the chunks to come.

    Parameters
    ----------
    pipe : Pipe
    rate, channels : int or None
        Of raw samples, one channel where none is stated; a WAV states its own.

    Raises
    ------
    ValueError
        When the pipe is empty or of another format, neither is stated nor found, or the two differ.
    """
    start = _exactly(pipe, 12)
    if not start:
        raise ValueError("`input` carries no sound at all: nothing was written into the pipe.")
    if start[:4] in (b"RIFF", b"RF64") and start[8:] == b"WAVE":
        samples = _read_header(pipe)
        for name, stated, found in (("rate", rate, samples.rate), ("channels", channels, samples.channels)):
            if stated is not None and stated != found:
                raise ValueError(f"`{name}` is {stated}, but the WAV from the pipe states {found}: leave it out.")
        return samples, _chunks(pipe, b"", samples)
    if start.startswith(OTHER_FORMATS) or start[4:8] == b"ftyp":
        raise ValueError(f"`input` is neither a WAV nor raw samples: it begins with {start[:8]!r}. {DECODE_BEFORE}")
    if rate is None:
        raise ValueError(
            "`input` is no WAV: of raw samples (16 bits, little-endian) state the `rate`, in Hz, and `channels`. "
            + DECODE_BEFORE
        )
    samples = Samples(rate, channels or 1)
    return samples, _chunks(pipe, start, samples)


def _read_header(pipe: Pipe) -> Samples:
    """Read the chunks of a WAV up to where its samples begin."""
    written: tuple[int, int, int, int] | None = None
    while len(head := _exactly(pipe, 8)) == 8:
        name, size = head[:4], int.from_bytes(head[4:], "little")
        if name == b"data" and written:
            coding, channels, rate, bits = written
            is_known = 0 < size < NO_SIZE_FROM[4]
            return Samples(rate, channels, coding, bits, size if is_known else None)
        content, left = b"", size + size % 2
        while left and (piece := _exactly(pipe, min(left, 2**20))):
            content, left = content or piece, left - len(piece)
        if name == b"fmt " and len(content) >= 16:
            coding, channels, rate, bits = (int.from_bytes(content[a:b], "little") for a, b in _FIELDS)
            coding = int.from_bytes(content[24:26], "little") if coding == EXTENSIBLE else coding
            if (coding, bits) not in SAMPLES:
                raise ValueError(
                    f"`input` is a WAV of coding {coding} with {bits} bits, where PCM or floats are read: decode it "
                    "before, by ffmpeg -i ... -f s16le -ar 16000 -ac 1 -"
                )
            written = coding, channels, rate, bits
    raise ValueError("`input` is a WAV that ends before its samples begin.")


_FIELDS = ((0, 2), (2, 4), (4, 8), (14, 16))
"""Where `fmt ` states coding, channels, rate and bits."""


def _chunks(pipe: Pipe, rest: bytes, samples: Samples) -> Iterator[Chunk]:
    """Yield what arrives, in whole frames."""
    frame, left, ended = samples.channels * samples.bits // 8, samples.n_bytes, False
    while not ended and (left is None or left > len(rest)):
        piece = pipe.read(PIECE if left is None else min(PIECE, left - len(rest)))
        content, ended = rest + (piece or b""), not piece
        whole = len(content) // frame * frame
        if whole:
            yield samples.decode(content[:whole])
        rest, left = content[whole:], None if left is None else left - whole
    is_early = left is not None and left > len(rest)
    if rest:
        yield Remark(f"the input ends within a sample ({len(rest)} of its {frame} bytes)", is_early_end=is_early)
    elif left:
        text = f"the input ends {left / (frame * samples.rate):.2f} s before the end that its header states"
        yield Remark(text, is_early_end=is_early)


def _exactly(pipe: Pipe, size: int) -> bytes:
    """Return `size` bytes, or fewer where the pipe ends before."""
    content = b""
    while len(content) < size and (piece := pipe.read(size - len(content))):
        content += piece
    return content
