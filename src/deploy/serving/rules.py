"""What the page accepts, and what it does with a recording: refuses it in words, or keeps it where it was asked to.

An upload is refused before it is decoded: by its size, and by what its header says. Length alone is no limit: ten
minutes of silence in eight channels at 600 kHz fit into a small FLAC file and decode to 12 GB. So the samples of all
channels are limited too, to what a recording of the greatest length has in two channels at 96 kHz.
"""

import re
import shutil
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from pathlib import Path

from src.audio.io import UnusableAudio, read_header

_MOST_CHANNELS, _MOST_RATE = 2, 96_000
_MEGABYTE = 1_000_000
_LONGEST_NAME = 50
"""Letters, of up to four bytes each; file systems take 255 bytes."""
_UNITS = ((3600, "hour"), (60, "minute"), (1, "second"))
_NO_PART_OF_A_NAME = re.compile(r"[^\w.\- ]+")


@dataclass(frozen=True)
class Rules:
    """The limits of the page."""

    max_seconds: float = 600.0
    """The longest recording that is judged."""
    max_megabytes: float = 120.0
    """The largest file that is taken; ten minutes of 16-bit stereo at 48 kHz are 115."""
    keep: Path | None = None
    """Folder for what was uploaded; None = nothing is kept."""

    def __post_init__(self) -> None:
        for name, value in (("max_seconds", self.max_seconds), ("max_megabytes", self.max_megabytes)):
            if not (isfinite(value) and value > 0):
                raise ValueError(f"`{name}` must be above 0, not {value:g}.")
        if self.keep is not None and self.keep.exists() and not self.keep.is_dir():
            raise ValueError(f"`keep` must be a folder, and {self.keep} is none.")

    @property
    def max_bytes(self) -> int:
        """The size of the largest file that is taken."""
        return round(self.max_megabytes * _MEGABYTE)

    def refusal(self, upload: Path) -> str:
        """Return in words why an upload is not judged; "" for one that may be.

        Only its size and its header are read; sound that cannot be used may still be found when it is decoded.
        """
        size = upload.stat().st_size
        if size > self.max_bytes:
            return f"It has {size / _MEGABYTE:.0f} megabytes; at most {self.max_megabytes:g} are taken."
        try:
            header = read_header(upload)
        except UnusableAudio as error:
            return f"It cannot be read as sound: {error}."
        if header.duration > self.max_seconds:
            return (
                f"It lasts {in_words(header.duration)}; at most {in_words(self.max_seconds)} are judged. Cut it first."
            )
        if header.duration * header.rate * header.channels > self.max_seconds * _MOST_RATE * _MOST_CHANNELS:
            return (
                f"Its {header.channels} channels at {header.rate} Hz hold too many samples. "
                "Save it in one channel at 16,000 Hz first."
            )
        return ""

    def make_folder(self) -> None:
        """Make the folder of what is kept, where something is; OSError when it cannot be made."""
        if self.keep is not None:
            self.keep.mkdir(parents=True, exist_ok=True)

    def keep_copy(self, upload: Path, name: str, now: datetime) -> Path | None:
        """Copy an upload into the folder of those that are kept, under a name of its own; return where it is.

        What a browser calls a file is no path: only letters, digits, points, dashes and blanks of it are used.
        """
        if self.keep is None:
            return None
        safe = _NO_PART_OF_A_NAME.sub("_", name.replace("\\", "/").rsplit("/", 1)[-1]).strip(". ")[-_LONGEST_NAME:]
        self.make_folder()
        stem = now.strftime("%Y%m%d-%H%M%S")
        for number in range(1000):
            kept = self.keep / f"{stem}-{number:03d}-{safe or 'recording'}"
            try:
                kept.touch(exist_ok=False)
            except FileExistsError:
                continue
            try:
                shutil.copyfile(upload, kept)
            except OSError:
                kept.unlink()  # the disk is full, say: half a recording is worse than none
                raise
            return kept
        raise OSError(f"{self.keep} holds 1,000 recordings of this second already.")


def in_words(seconds: float) -> str:
    """Write a duration as people say it.

    >>> in_words(2.34), in_words(60), in_words(90), in_words(36000)
    ('2.3 seconds', '1 minute', '1.5 minutes', '10 hours')
    """
    size, unit = next((each for each in _UNITS if seconds >= each[0]), _UNITS[-1])
    number = f"{seconds / size:.2g}" if seconds < 600 else f"{seconds / size:.3g}"
    return f"{number} {unit}{'' if number == '1' else 's'}"
