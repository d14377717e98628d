"""The corpus whose growth is measured: tables, headers and recordings are real, sound is a tenth of a second.

Every recording is a file of its own: a WAV of 16 kHz in the AUDIOS layout, cut at random out of the made-up speech of
its person, 3 KB. Hard links to a few files would be quicker to make, but two names of the same bytes are a doubled
recording, which steps report, and one that is in memory already; lengths vary by a sample, so that files of equal size
are as many as in a large corpus. Half of the clips are spoofs, by eight systems, which SOURCES.csv names.
"""

import struct
from pathlib import Path

import numpy as np

from src.audio.voices import draw_voice, speak
from src.corpora.sources import SOURCES_TABLE

RATE = 16_000
PEOPLE, SYSTEMS = 400, 8
SHORTEST, LONGEST = 1_280, 1_920
"""Samples of a clip: 0.08 to 0.12 s."""
VOICES, SPEECH_SECONDS = 20, 4
"""Made-up voices, which several people share, and how much of each there is to cut from."""


def write_corpus(dataset: Path, n_clips: int, seed: int = 7) -> None:
    """Write the recordings of a corpus, and which system made each spoof."""
    rng = np.random.default_rng(seed)
    speech = [speak(draw_voice("FM"[number % 2], rng), SPEECH_SECONDS, rng) for number in range(VOICES)]
    voices = [(np.clip(voice, -1, 1) * 32767).astype("<i2") for voice in speech]
    sources = ["file,system"]
    people = min(PEOPLE, max(20, n_clips // 10))
    for person in range(people):
        gender = "FM"[person % 2]
        name = f"Person_{gender}{person:03d}"
        mine = range(person, n_clips, people)
        for side, suffix, numbers in (("real", "", mine[0::2]), ("fake", "_Fake", mine[1::2])):
            folder = dataset / f"{side}_voices" / f"{name}{suffix}"
            folder.mkdir(parents=True)
            _write_clips(folder, numbers, voices[person % VOICES], rng)
            if side == "fake":
                place = folder.relative_to(dataset).as_posix()
                sources += [f"{place}/{number:07d}.wav,system-{number // people // 2 % SYSTEMS}" for number in numbers]
    (dataset / SOURCES_TABLE).write_text("\n".join(sources) + "\n")


def _write_clips(folder: Path, numbers: range, voice: np.ndarray, rng: np.random.Generator) -> None:
    lengths = rng.integers(SHORTEST, LONGEST, len(numbers)).tolist()
    starts = rng.integers(0, len(voice) - LONGEST, len(numbers)).tolist()
    levels = rng.uniform(0.3, 1, len(numbers)).tolist()
    for number, length, start, level in zip(numbers, lengths, starts, levels, strict=True):
        samples = (voice[start : start + length] * level).astype("<i2").tobytes()
        with open(f"{folder}/{number:07d}.wav", "wb") as file:  # noqa: PTH123 (a million of them)
            file.write(_header(len(samples)) + samples)


def _header(n_bytes: int) -> bytes:
    """Return the header of a WAV of one channel of 16 bits."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    return b"RIFF" + struct.pack("<I", 36 + n_bytes) + b"WAVE" + form + b"data" + struct.pack("<I", n_bytes)
