"""RTTM files: who or what is heard when, one line a stretch, as diarization tools read and write them.

    SPEAKER <file> 1 <onset> <duration> <NA> <NA> spoof <NA> <NA>

Onset and duration are in s, written to the microsecond. Fields are separated by blanks, so a file's name must not hold
any: percent signs and white space in names are written as in URLs (`my%20clip.wav`), and read back as they were. The
name `spoof` stands where diarization names a speaker. A clip without a spoofed stretch has no line.

Source: NIST, "The 2009 (RT-09) Rich Transcription Meeting Recognition Evaluation Plan", appendix A.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt

from src.metrics.spans import check_spans
from src.utils.files import write_text

NAME = "spoof"
N_FIELDS = 10


def write_rttm(path: Path, spans: Mapping[str, npt.ArrayLike]) -> None:
    """Write the spoofed stretches of clips, whole file or none.

    Parameters
    ----------
    path : Path
    spans : mapping of str to array-like, shape (k, 2)
        File -> its spoofed stretches in s.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "found.rttm"
    >>> write_rttm(path, {"a b.wav": [(0.5, 1.25)], "c.wav": []})
    >>> print(path.read_text().strip())
    SPEAKER a%20b.wav 1 0.500000 0.750000 <NA> <NA> spoof <NA> <NA>
    >>> {file: found.tolist() for file, found in read_rttm(path).items()}
    {'a b.wav': [[0.5, 1.25]]}
    """
    lines = [
        f"SPEAKER {_escaped(file)} 1 {start:.6f} {end - start:.6f} <NA> <NA> {NAME} <NA> <NA>\n"
        for file, of_clip in spans.items()
        for start, end in np.round(check_spans(of_clip), 6)
    ]
    write_text(path, "".join(lines))


def read_rttm(path: Path) -> dict[str, np.ndarray]:
    """Return file -> its spoofed stretches (k, 2) in s, sorted; lines of other kinds than SPEAKER are passed over.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When a line cannot be read, names something else than a spoof, or stretches overlap; the message names it.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no RTTM file {path}.")
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        fields = line.split()
        if not fields or fields[0] != "SPEAKER":
            continue
        try:
            file, span = _read_line(fields)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
        found[file].append(span)
    try:
        return {file: check_spans(sorted(spans)) for file, spans in found.items()}
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _read_line(fields: list[str]) -> tuple[str, tuple[float, float]]:
    if len(fields) != N_FIELDS:
        raise ValueError(f"a line has {N_FIELDS} fields, separated by blanks, not {len(fields)}.")
    if fields[7] != NAME:
        raise ValueError(f"'{fields[7]}' stands where {NAME} is expected.")
    try:
        onset, duration = float(fields[3]), float(fields[4])
    except ValueError:
        raise ValueError(f"onset and duration must be numbers, not {fields[3]} and {fields[4]}.") from None
    return unquote(fields[1]), (onset, round(onset + duration, 6))


def _escaped(file: str) -> str:
    """Write percent signs and white space as in URLs, other letters as they are.

    >>> _escaped("50 % caf\\u00e9.wav") == "50%20%25%20caf\\u00e9.wav"
    True
    """
    if not file:
        raise ValueError("A clip in an RTTM file needs a name.")
    return re.sub(r"[%\s]", lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), file)
