"""Ogg, page by page: missing and corrupt pages, and recordings that were concatenated.

Every page has the name of its stream, a number and a checksum, so that one pass over the file finds whatever was lost;
decoders silently skip it. A recording begins with the first pages of its streams. Speech servers that stream may
concatenate whole recordings ("chained" streams), of which a decoder may play the first alone.

Source: RFC 3533, section 6.
"""

import re
import zlib
from pathlib import Path

from src.audio.slices import Content, Part, mapped
from src.audio.unusable import UnusableAudio

MAGIC = b"OggS"
HEAD = 27
LONGEST_PAGE = HEAD + 255 + 255 * 255
NOTHING_ENDS = 2**64 - 1
"""What a page states in which no packet ends."""
BEGINS, ENDS = 0x02, 0x04
MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""The checksum of Ogg is that of zlib with the bits of every byte in the opposite order."""


def parts_of(path: Path) -> list[Part]:
    """Return the recordings that an Ogg file holds, one after another; empty for any other file.

    The whole file is read, at about 1 GB/s.

    Raises
    ------
    UnusableAudio
        When a page is corrupt or missing.
    """
    with mapped(path) as content:
        if content[:4] != MAGIC:
            return []
        starts = _starts(content)
        return [Part(path, start, stop) for start, stop in zip(starts, [*starts[1:], len(content)], strict=True)]


def begin_of_last_page(part: Part, n_frames: int) -> int:
    """Return the frame with which the last page of a recording of `n_frames` begins; 0 where that is not found."""
    with part.open() as file:
        file.seek(max(0, part.stop - part.start - 2 * LONGEST_PAGE))
        content = file.read()
    places = [page.start() for page in re.finditer(MAGIC, content)]
    stated = (int.from_bytes(content[place + 6 : place + 14], "little") for place in places)
    ends = [end for end in stated if end != NOTHING_ENDS]
    return max(0, n_frames - (ends[-1] - ends[-2])) if len(ends) > 1 else 0


def _starts(content: Content) -> list[int]:
    """Return where recordings begin: at the first pages of streams that follow a page of another kind."""
    starts, place, has_begun, has_ended = list[int](), 0, False, False
    next_number = dict[bytes, int]()
    while place < len(content):
        if has_ended and content.find(MAGIC, place) < 0:  # something else follows the end, perhaps a tag
            break
        end = _end_of_page(content, place)
        begins, stream = bool(content[place + 5] & BEGINS), content[place + 14 : place + 18]
        number = int.from_bytes(content[place + 18 : place + 22], "little")
        if begins and not has_begun:
            starts.append(place)
            next_number.clear()
        if next_number.setdefault(stream, number) != number:
            raise UnusableAudio(f"truncated or corrupt (a page is missing before byte {place})")
        has_ended = bool(content[place + 5] & ENDS)
        next_number[stream], has_begun, place = number + 1, begins, end
    return starts


def _end_of_page(content: Content, place: int) -> int:
    """Check one page; return where it ends.

    Raises
    ------
    UnusableAudio
        When it is no page, is incomplete, or its checksum is wrong.
    """
    n_segments = content[place + 26] if place + HEAD <= len(content) else 0
    end = place + HEAD + n_segments + sum(content[place + HEAD : place + HEAD + n_segments])
    if end > len(content) or content[place : place + 4] != MAGIC:
        raise UnusableAudio(f"truncated or corrupt (no whole page of Ogg at byte {place} of {len(content)})")
    page = content[place : place + 22] + bytes(4) + content[place + 26 : end]
    remainder = zlib.crc32(page.translate(MIRRORED), 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    if int(f"{remainder:032b}"[::-1], 2) != int.from_bytes(content[place + 22 : place + 26], "little"):
        raise UnusableAudio(f"truncated or corrupt (wrong checksum of the page at byte {place} of {len(content)})")
    return end
