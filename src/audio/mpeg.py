"""MPEG audio (MP3 and its layers I and II), frame by frame: its true length, and whether it is complete.

An MP3 has no header that can be trusted. Its first frame may be a "Xing" frame, which holds no sound and states how
many frames follow; without one, decoders guess the length from the size of the file, which is wrong where the bit rate
varies; and where files were concatenated, it describes the first file alone. So the frames are counted here. A frame
states its own length, so that one frame leads to the next; where it does not, bytes are missing.

Lengths are those that players show. A LAME tag states how many samples the encoder added at either end; they are
dropped, with the 529 samples of a decoder's delay. Without a LAME tag every sample of every frame counts.

Source: the LAME tag, revision 1 (gabriel.mp3-tech.org/mp3infotag.html).
"""

import re
from array import array
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from src.audio.mpeg_header import SYNC, Kind, read_header
from src.audio.slices import Content, mapped
from src.audio.storage.places import locate
from src.audio.unusable import UnusableAudio, truncated

DECODER_DELAY = 529
"""Delay in samples of every decoder of layer III: half its filter and one."""
LONGEST_FRAME = 2881
"""In bytes. The first frame begins within this distance: what comes before is the rest of a frame cut in two."""
ENOUGH = 4
"""Consecutive frames that cannot be a coincidence; two occur by chance in one of some thousand FLAC files."""
FILLING = 8192
"""Zero bytes that may follow the last frame: the unused rest of a disk block or of a tag."""
SUFFIXES = (".mp1", ".mp2", ".mp3", ".mpa", ".mpga", ".mpeg")


@dataclass
class Chunk:
    """Frames that were encoded together: a whole MP3, or one of several that were concatenated."""

    frames: array = field(default_factory=lambda: array("Q"))
    """Byte offset of each frame that holds sound."""
    promised: int = 0
    """Frames that the Xing frame states; 0 where it states none."""
    delay: int = 0
    """Samples to drop at the beginning."""
    padding: int = 0
    """Samples to drop at the end."""


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
        """Samples of each channel in the whole file."""
        return sum(self.n_samples(chunk) for chunk in self.chunks)


def scan(path: Path) -> Mpeg | None:
    """Find all frames of a file; return None when it does not begin with one.

    The whole file is read, but nothing is decoded: some 3 ms for a minute of sound. The results for the last files are
    cached, since long recordings are read stretch by stretch.

    Raises
    ------
    UnusableAudio
        When there is something else between two frames, the last one is incomplete, there are fewer frames than a Xing
        frame states, or files of different rates were concatenated.
    """
    place = locate(path)
    return _scan(path, place.changed, place.size)


@lru_cache(maxsize=8)
def _scan(path: Path, _changed: int, _size: int) -> Mpeg | None:
    with mapped(path) as content:
        begin = _after_tags(content, 0)
        place = _first_frame(content, begin, LONGEST_FRAME) if content[begin : begin + 4] != b"fLaC" else -1
        header = read_header(content, place) if place >= 0 else None
        if header is None:
            return None
        return Mpeg(header[1], [_checked(c) for c in _chunks(content, place, header[1]) if c.frames or c.promised])


def lacks_frames(path: Path) -> bool:
    """Tell whether a file that `scan` does not know is MPEG audio by its name or first bytes alone.

    Frames that follow something else, or are of free format, are left to libsndfile.
    """
    with mapped(path) as content:
        head = content[(begin := _after_tags(content, 0)) : begin + 4]
        begins = len(head) == 4 and head[0] == SYNC and head[1] >= 0xE0
        if head == b"fLaC" or not (begins or path.suffix.lower() in SUFFIXES):
            return False
        is_free = begins and head[2] >> 4 == 0
        return not is_free and _first_frame(content, 0, len(content)) < 0


def _chunks(content: Content, place: int, kind: Kind) -> list[Chunk]:
    """Follow the frames from the first one."""
    chunks = [Chunk()]
    while place < len(content):
        header = read_header(content, place)
        if header is None or place + header[0] > len(content):
            after_tags = _after_tags(content, place)
            if after_tags == place:
                _check_end(content, place, chunks[-1])
                break
            place = after_tags
            continue
        if header[1] is not kind:
            raise UnusableAudio(f"joined of unlike parts or corrupt (byte {place} of {len(content)})")
        if kind.layer == 3 and (new := _xing_chunk(content, place, kind)):
            chunks.append(new)
        else:
            _add(chunks, place)
        place += header[0]
    return chunks


def _add(chunks: list[Chunk], place: int) -> None:
    """Add a frame; frames beyond the number stated belong to a further file, without a Xing frame of its own."""
    if chunks[-1].promised and len(chunks[-1].frames) == chunks[-1].promised:
        chunks.append(Chunk())
    chunks[-1].frames.append(place)


def _checked(chunk: Chunk) -> Chunk:
    if len(chunk.frames) < chunk.promised - 1:  # some encoders count the Xing frame as well
        raise truncated(len(chunk.frames), chunk.promised, "frames are present")
    return chunk


def _check_end(content: Content, place: int, last: Chunk) -> None:
    """Refuse a file whose frames end before the file does, unless all frames that it states are present."""
    rest = len(content) - place
    is_complete = last.promised and len(last.frames) >= last.promised - 1
    if rest < 4 or (rest <= FILLING and not content[place:].strip(b"\0")):
        return
    if not is_complete or _first_frame(content, place + 1, rest) >= 0:
        raise UnusableAudio(f"truncated or corrupt (no whole frame of MPEG audio at byte {place} of {len(content)})")


def _first_frame(content: Content, start: int, within: int) -> int:
    """Return where the first frame begins that leads to others of its kind, or to the end; -1 where there is none."""
    for match in re.finditer(b"\xff[\xe0-\xff]", content[start : start + within + 2]):
        if _leads_on(content, start + match.start()):
            return start + match.start()
    return -1


def _leads_on(content: Content, place: int) -> bool:
    """Return whether enough frames of one kind follow each other from a place to rule out coincidence."""
    kind = None
    for _ in range(ENOUGH):
        header = read_header(content, place)
        if header is None or header[1] is not (kind := kind or header[1]):
            return False
        place = _after_tags(content, place + header[0])
        if place == len(content):
            return True
    return True


def _after_tags(content: Content, place: int) -> int:
    """Return where the tags (ID3, APE, Lyrics3) end that begin at a place, or the place itself."""
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
    """Return the new chunk that begins with a Xing, Info or VBRI frame at a place; None for any other frame."""
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
