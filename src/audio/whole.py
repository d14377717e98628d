"""Whether files that FFmpeg decodes are complete: it decodes the rest of a corrupt file without an error.

MP4 and related formats (M4A, MOV, 3GP), Matroska (MKV, WebM), WMA, raw AAC and AMR state, in boxes or frames, how many
bytes follow. Nothing is decoded here; of MP4, Matroska and WMA a few bytes are read, of AAC and AMR all.

Sources: ISO/IEC 14496-12, 4.2 (boxes); RFC 8794 (EBML) and RFC 9559 (Matroska); Microsoft, Advanced Systems Format 1.2,
3.2; ISO/IEC 13818-7, 6.2 (ADTS); RFC 4867, 5 (AMR).
"""

from collections.abc import Callable
from pathlib import Path

from src.audio.slices import Content, mapped
from src.audio.unusable import UnusableAudio, truncated

EBML, SEGMENT = bytes.fromhex("1a45dfa3"), bytes.fromhex("18538067")
ASF, FILE_PROPERTIES = bytes.fromhex("3026b2758e66cf11"), bytes.fromhex("a1dcab8c47a9cf11")
AMR, AMR_WB = b"#!AMR\n", b"#!AMR-WB\n"
AMR_SIZES = (12, 13, 15, 17, 19, 20, 26, 31, 5, 6, 5, 5, 0, 0, 0, 0)
AMR_WB_SIZES = (17, 23, 32, 36, 40, 46, 50, 58, 60, 5, 5, 0, 0, 0, 0, 0)
"""Bytes after the first byte of a frame, by the four bits of that byte that state its mode."""
LAST_SPEECH = 8
"""Higher modes mean that nothing was sent; up to it, a bit states whether the frame was received correctly."""
BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
"""Boxes with which an MP4 or MOV may begin."""
JOINED = "joined of several files (cut it into its parts, or write it again)"


def check_whole(path: Path) -> bool:
    """Check that a file of one of these kinds is as long as it states; return whether it is of one of them.

    Raises
    ------
    UnusableAudio
        When bytes are missing, at the end or between two frames, or several files were concatenated.
    """
    with mapped(path) as content:
        check = _check_for(content)
        if check:
            check(content)
        return check is not None


def _check_for(content: Content) -> Callable[[Content], None] | None:
    if content[4:8] in BOXES:
        return _check_boxes
    if content[:4] == EBML:
        return _check_matroska
    if content[:8] == ASF:
        return _check_asf
    if content[:5] == AMR[:5]:
        return _check_amr
    return _check_adts if _adts_length(content, _adts_start(content)) else None


def _check_boxes(content: Content) -> None:
    place, names = 0, list[bytes]()
    while place + 8 <= len(content):
        size, name = int.from_bytes(content[place : place + 4], "big"), content[place + 4 : place + 8]
        if size == 1:
            size = int.from_bytes(content[place + 8 : place + 16], "big")
        if size == 0:  # to the end of the file
            break
        if size < 8:
            raise UnusableAudio(f"truncated or corrupt (no box at byte {place} of {len(content)})")
        if place + size > len(content):
            raise truncated(len(content), place + size, "bytes are present")
        names.append(name)
        place += size
    if names.count(b"ftyp") > 1:
        raise UnusableAudio(JOINED)


def _check_matroska(content: Content) -> None:
    place = 4 + _vint(content, 4)[1] + _vint(content, 4)[0]
    while place + 4 < len(content):
        size, width = _vint(content, place + 4)
        unknown = size == 2 ** (7 * width) - 1
        if content[place : place + 4] == SEGMENT and unknown:  # written while it was recorded
            head = content[joined : joined + 64] if (joined := content.find(EBML, place)) >= 0 else b""
            if b"webm" in head or b"matroska" in head:
                raise UnusableAudio(JOINED)
            return
        if content[place : place + 4] == EBML:
            raise UnusableAudio(JOINED)
        if place + 4 + width + size > len(content):
            raise truncated(len(content), place + 4 + width + size, "bytes are present")
        place += 4 + width + size


def _vint(content: Content, place: int) -> tuple[int, int]:
    """Return the EBML number at a place, and how many bytes it takes."""
    width = 9 - content[place].bit_length() if content[place] else 8
    number = int.from_bytes(content[place : place + width], "big")
    return number & (2 ** (7 * width) - 1), width


def _check_asf(content: Content) -> None:
    place = content.find(FILE_PROPERTIES, 0, 2**16)
    promised = int.from_bytes(content[place + 40 : place + 48], "little") if place >= 0 else 0
    if promised > len(content):
        raise truncated(len(content), promised, "bytes are present")


def _check_amr(content: Content) -> None:
    magic, sizes = (AMR_WB, AMR_WB_SIZES) if content[: len(AMR_WB)] == AMR_WB else (AMR, AMR_SIZES)
    place = len(magic)
    while place < len(content):
        if content[place : place + len(magic)] == magic:
            raise UnusableAudio(JOINED)
        mode, is_good = content[place] >> 3 & 15, content[place] >> 2 & 1
        if content[place] & 0b1000_0011 or (mode <= LAST_SPEECH and not is_good):
            raise UnusableAudio(f"truncated or corrupt (no frame of AMR at byte {place} of {len(content)})")
        place += 1 + sizes[mode]
    if place > len(content):
        raise truncated(len(content), place, "bytes are present")


def _check_adts(content: Content) -> None:
    place = _adts_start(content)
    while place < len(content) and content[place : place + 3] not in (b"TAG", b"ID3"):
        length = _adts_length(content, place)
        if not length or place + length > len(content):
            raise UnusableAudio(f"truncated or corrupt (no whole frame of AAC at byte {place} of {len(content)})")
        place += length


def _adts_start(content: Content) -> int:
    if content[:3] != b"ID3" or len(content) < 10:
        return 0
    return 10 + sum((byte & 0x7F) << shift for byte, shift in zip(content[6:10], (21, 14, 7, 0), strict=True))


def _adts_length(content: Content, place: int) -> int:
    """Return the length in bytes of the AAC frame that begins at a place; 0 where none begins."""
    if place + 7 > len(content) or content[place] != 0xFF or content[place + 1] & 0xF6 != 0xF0:
        return 0
    return (content[place + 3] & 3) << 11 | content[place + 4] << 3 | content[place + 5] >> 5
