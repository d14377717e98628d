"""The header of a frame of MPEG audio: its first four bytes.

Source: ISO/IEC 11172-3, 2.4.1.3 and 2.4.2.3, and 13818-3 for the lower rates. Frames of "free format" do not state
their length; they are practically unused, and not recognised as frames.
"""

from dataclasses import dataclass
from itertools import product

from src.audio.slices import Content

SYNC = 0xFF
_KILOBITS = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {0b11: (44_100, 48_000, 32_000), 0b10: (22_050, 24_000, 16_000), 0b00: (11_025, 12_000, 8_000)}


@dataclass(frozen=True)
class Kind:
    """What the frames of one recording have in common."""

    layer: int
    rate: int
    """In hertz."""
    samples: int
    """Of each channel in a frame."""
    channels: int

    @property
    def side_info(self) -> int:
        """Bytes between the header of a layer III frame and its sound."""
        is_version_1 = self.rate > 24_000
        return (32 if self.channels == 2 else 17) if is_version_1 else (17 if self.channels == 2 else 9)


def _table_of_headers() -> dict[int, tuple[int, tuple[Kind, Kind]]]:
    """Return the length in bytes and the kinds (stereo, mono) of a frame by the second and third byte of its header.

    Frames of one kind share one object, so that kinds can be compared by identity.
    """
    table = {}
    for (bits, rates), layer in product(_RATES.items(), (1, 2, 3)):
        version = 1 if bits == 0b11 else 2
        samples = {1: 384, 2: 1152, 3: 1152 if version == 1 else 576}[layer]
        slot = 4 if layer == 1 else 1
        for rate_bits, rate in enumerate(rates):
            kinds = Kind(layer, rate, samples, 2), Kind(layer, rate, samples, 1)
            for (index, kilobits), rest in product(enumerate(_KILOBITS[version, layer], 1), range(8)):
                private, padding, protection = rest >> 2, rest >> 1 & 1, rest & 1
                second = 0xE0 | bits << 3 | (4 - layer) << 1 | protection
                third = index << 4 | rate_bits << 2 | padding << 1 | private
                table[second << 8 | third] = (samples * kilobits * 125 // slot // rate + padding) * slot, kinds
    return table


HEADERS = _table_of_headers()


def read_header(content: Content, place: int) -> tuple[int, Kind] | None:
    """Return the length in bytes and the kind of the frame that begins at a place; None where none begins.

    >>> read_header(bytes([0xFF, 0xFB, 0x90, 0x00]), 0)
    (417, Kind(layer=3, rate=44100, samples=1152, channels=2))
    """
    head = content[place : place + 4]
    if len(head) < 4 or head[0] != SYNC or not (found := HEADERS.get(head[1] << 8 | head[2])):
        return None
    length, kinds = found
    return length, kinds[head[3] >> 6 == 3]
