"""MPEG audio (MP3 and its layers I and II) from frame to frame: how long it really is, and whether it is all there.

An MP3 has no table of contents that can be trusted. Its first frame may be a "Xing" frame, which plays nothing and says
how many frames follow; without one, decoders guess the length from the size of the file, which is wrong where the bit
rate varies; and where servers put whole files behind one another it tells of the first file alone. So the frames are
counted here. A frame says how long it is, so that one frame leads to the next; where it does not, bytes are missing.

Lengths are as players have them. A LAME tag says how many samples the encoder put in front and behind; they are cut
off, with the 529 samples by which a decoder is late. Without a LAME tag every sample of every frame counts.

Source: the LAME tag, revision 1 (gabriel.mp3-tech.org/mp3infotag.html).
"""

import re
from array import array
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from src.audio.mpeg_header import Kind, read_header
from src.audio.slices import Content, mapped
from src.audio.unusable import UnusableAudio, cut_off

DECODER_DELAY = 529
"""Samples by which every decoder of layer III is late: half its filter and one."""
LONGEST_FRAME = 2881
"""In bytes. Less than two frames of anything may lie before the first frame: the rest of one that was cut in two."""
ENOUGH = 4
"""Frames in a row that are no chance, as two are in one FLAC of some thousand."""
FILLING = 8192
"""Bytes that are 0 and may lie behind the last frame: a block of the disk, or of a tag, that was not filled."""


@dataclass
class Chunk:
    """Frames that were encoded together: a whole MP3, or one of several that were joined."""

    frames: array = field(default_factory=lambda: array("Q"))
    """Where each frame begins that plays something."""
    promised: int = 0
    """Frames that the Xing frame promises; 0 = it promises nothing."""
    delay: int = 0
    """Samples at the beginning that are no sound."""
    padding: int = 0
    """Samples at the end that are no sound."""


@dataclass(frozen=True)
class Mpeg:
    """All frames of a file."""

    kind: Kind
    chunks: list[Chunk]

    def n_samples(self, chunk: Chunk) -> int:
        """Return the samples of each channel that a chunk plays."""
        return max(0, len(chunk.frames) * self.kind.samples - chunk.delay - chunk.padding)

    @property
    def n_frames(self) -> int:
        """Samples of each channel in all."""
        return sum(self.n_samples(chunk) for chunk in self.chunks)


def scan(path: Path) -> Mpeg | None:
    """Follow the frames of a file from the first to the last; return None when it does not begin with any.

    All of the file is read, but nothing is decoded: some 3 ms for a minute of sound. The last files are remembered, for
    those who read one stretch after another.

    Raises
    ------
    UnusableAudio
        When bytes between two frames are no frame, the last one is not all there, fewer frames are there than a Xing
        frame promises, or files of unlike rates were joined.
    """
    state = path.stat()
    return _scan(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=8)
def _scan(path: Path, _changed: int, _size: int) -> Mpeg | None:
    with mapped(path) as content:
        begin = _behind_tags(content, 0)
        place = _first_frame(content, begin, LONGEST_FRAME) if content[begin : begin + 4] != b"fLaC" else -1
        header = read_header(content, place) if place >= 0 else None
        if header is None:
            return None
        return Mpeg(header[1], [_checked(c) for c in _chunks(content, place, header[1]) if c.frames or c.promised])


def _chunks(content: Content, place: int, kind: Kind) -> list[Chunk]:
    """Follow the frames from the first one."""
    chunks = [Chunk()]
    while place < len(content):
        header = read_header(content, place)
        if header is None or place + header[0] > len(content):
            behind = _behind_tags(content, place)
            if behind == place:
                _check_end(content, place, chunks[-1])
                break
            place = behind
            continue
        if header[1] is not kind:
            raise UnusableAudio(f"joined of unlike parts or damaged (byte {place} of {len(content)})")
        if kind.layer == 3 and (new := _xing_chunk(content, place, kind)):
            chunks.append(new)
        else:
            _add(chunks, place)
        place += header[0]
    return chunks


def _add(chunks: list[Chunk], place: int) -> None:
    """Add a frame; those that come after all that were promised were joined on, with no Xing frame of their own."""
    if chunks[-1].promised and len(chunks[-1].frames) == chunks[-1].promised:
        chunks.append(Chunk())
    chunks[-1].frames.append(place)


def _checked(chunk: Chunk) -> Chunk:
    if len(chunk.frames) < chunk.promised - 1:  # some encoders count the Xing frame as well
        raise cut_off(len(chunk.frames), chunk.promised, "frames are there")
    return chunk


def _check_end(content: Content, place: int, last: Chunk) -> None:
    """Refuse a file whose frames break off before its end, unless all that was promised is there."""
    rest = len(content) - place
    is_complete = last.promised and len(last.frames) >= last.promised - 1
    if rest < 4 or (rest <= FILLING and not content[place:].strip(b"\0")):
        return
    if not is_complete or _first_frame(content, place + 1, rest) >= 0:
        raise UnusableAudio(f"cut off or damaged (no whole frame of MPEG audio at byte {place} of {len(content)})")


def _first_frame(content: Content, start: int, within: int) -> int:
    """Return where the first frame lies that leads to others of its kind, or to the end; -1 where none does."""
    for match in re.compile(b"\xff[\xe0-\xff]").finditer(content, start, min(len(content), start + within + 2)):
        if _leads_on(content, match.start()):
            return match.start()
    return -1


def _leads_on(content: Content, place: int) -> bool:
    """Tell whether frames of one kind follow one another from a place, so many that it is no chance."""
    kind = None
    for _ in range(ENOUGH):
        header = read_header(content, place)
        if header is None or header[1] is not (kind := kind or header[1]):
            return False
        place = _behind_tags(content, place + header[0])
        if place == len(content):
            return True
    return True


def _behind_tags(content: Content, place: int) -> int:
    """Return the place behind the tags (ID3, APE, Lyrics3) that begin at a place, or the place itself."""
    while place < len(content):
        head = content[place : place + 32]
        if head.startswith(b"ID3") and len(head) >= 10:
            size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
            end = place + 10 + size + (10 if head[5] & 0x10 else 0)
            place = end + len(content[end : end + FILLING]) - len(content[end : end + FILLING].lstrip(b"\0"))
        elif head.startswith(b"TAG"):
            place += 128
        elif head.startswith(b"APETAGEX") and len(head) == 32:
            place += 32 + int.from_bytes(head[12:16], "little")
        elif head.startswith(b"LYRICSBEGIN") and (end := content.find(b"LYRICS200", place)) >= 0:
            place = end + 9
        else:
            break
    return place


def _xing_chunk(content: Content, place: int, kind: Kind) -> Chunk | None:
    """Read the Xing, Info or VBRI frame that begins at a place, if it is one: the beginning of a chunk."""
    tag = 4 + kind.side_info
    head = content[place : place + 54]
    if head[36:40] == b"VBRI":
        return Chunk(promised=int.from_bytes(head[50:54], "big"))
    if head[tag : tag + 4] not in (b"Xing", b"Info"):
        return None
    tag += place
    flags = content[tag + 7]
    promised = int.from_bytes(content[tag + 8 : tag + 12], "big") if flags & 1 else 0
    lame = tag + 8 + sum(size for bit, size in ((1, 4), (2, 4), (4, 100), (8, 4)) if flags & bit)
    if not content[lame]:
        return Chunk(promised=promised)
    both = int.from_bytes(content[lame + 21 : lame + 24], "big")
    delay, padding = both >> 12, both & 0xFFF
    return Chunk(promised=promised, delay=delay + DECODER_DELAY, padding=max(0, padding - DECODER_DELAY))
