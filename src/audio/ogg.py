"""Ogg from page to page: what lies between two pages, a page that is damaged, and recordings joined by their bytes.

Every page names its stream, counts itself and carries a checksum, so that one pass over the file finds all that was
lost; decoders only leave it out. A recording begins with the first pages of its streams. A server that speaks in
pieces puts whole recordings behind one another ("chained" streams), of which a decoder may play the first alone.

Source: RFC 3533, section 6.
"""

import zlib
from pathlib import Path

from src.audio.slices import Content, Part, mapped
from src.audio.unusable import UnusableAudio

MAGIC = b"OggS"
HEAD = 27
BEGINS, ENDS = 0x02, 0x04
MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""The checksum of Ogg is that of zlib with the bits of every byte in the opposite order."""


def parts_of(path: Path) -> list[Part]:
    """Return the recordings that an Ogg file holds, one behind another; nothing when it is no Ogg file.

    The whole file is read, at about 1 GB/s.

    Raises
    ------
    UnusableAudio
        When a page is damaged or missing.
    """
    with mapped(path) as content:
        if content[:4] != MAGIC:
            return []
        starts = _starts(content)
        return [Part(path, start, stop) for start, stop in zip(starts, [*starts[1:], len(content)], strict=True)]


def _starts(content: Content) -> list[int]:
    """Return where recordings begin: at the first pages of streams that follow a page of another kind."""
    starts, place, begun, ended = list[int](), 0, False, False
    next_number = dict[bytes, int]()
    while place < len(content):
        if ended and content.find(MAGIC, place) < 0:  # something else was hung on behind the end, a tag perhaps
            break
        end = _end_of_page(content, place)
        begins, stream = bool(content[place + 5] & BEGINS), content[place + 14 : place + 18]
        number = int.from_bytes(content[place + 18 : place + 22], "little")
        if begins and not begun:
            starts.append(place)
            next_number.clear()
        if next_number.setdefault(stream, number) != number:
            raise UnusableAudio(f"cut off or damaged (a page is missing before byte {place})")
        ended = bool(content[place + 5] & ENDS)
        next_number[stream], begun, place = number + 1, begins, end
    return starts


def _end_of_page(content: Content, place: int) -> int:
    """Check one page; return where it ends.

    Raises
    ------
    UnusableAudio
        When it is no page, is not all there, or its checksum is wrong.
    """
    n_segments = content[place + 26] if place + HEAD <= len(content) else 0
    end = place + HEAD + n_segments + sum(content[place + HEAD : place + HEAD + n_segments])
    if end > len(content) or content[place : place + 4] != MAGIC:
        raise UnusableAudio(f"cut off or damaged (no whole page of Ogg at byte {place} of {len(content)})")
    page = content[place : place + 22] + bytes(4) + content[place + 26 : end]
    remainder = zlib.crc32(page.translate(MIRRORED), 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    if int(f"{remainder:032b}"[::-1], 2) != int.from_bytes(content[place + 22 : place + 26], "little"):
        raise UnusableAudio(f"cut off or damaged (the page at byte {place} of {len(content)} is damaged)")
    return end
