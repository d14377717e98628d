"""Reasons to doubt a score that lie in the recording itself: what a listener would object to before any model does.

    too short       less than a second, or shorter than the clips of the training corpus
    clipped         the tops of the wave are cut off: runs of equal samples at its extremes
    narrow band     nothing above the telephone's band, or less than in training
    silent parts    half of it or more is more than 40 dB below its loudest frame
    unlike training levels, noise floor or traces of a codec outside of what the training corpus has

What the training corpus has is read from its table of cues (`cues.csv`), where a test or CheckDataset left one: the
range of the middle 99 % of its clips, widened by a tenth at either end. A recording of more than five minutes is
measured in ten stretches of 15 s from its beginning to its end, so that memory does not grow with its length.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from src.audio.cues import cues_of_sound
from src.audio.framing import SILENCE_FLOOR_DB, frame_signal
from src.audio.io import SPEECH_RATE, UnusableAudio, check_usable, load_stretches, load_waveform, read_header
from src.deploy.judge import WHOLE_SECONDS
from src.experiments.corpus.cue_table import known_cues
from src.experiments.training.trained import Trained

STRETCHES, STRETCH_SECONDS = 10, 15.0
SHORT_SECONDS = 1.0
NARROW_HZ = 4000.0
SILENT_SHARE = 0.5
CLIPPED_SHARE, RUN = 1e-4, 3
"""Share of the samples that lie in runs of so many equal ones at an extreme."""
STEP_OF_16_BITS = 2.0**-15
FEWEST_CLIPS = 20
"""Fewer clips have no range to speak of."""
MIDDLE, WIDENED = 0.99, 0.1
FRAME = 320
"""Samples at 16 kHz."""


class Range(NamedTuple):
    """What a cue is in the training corpus."""

    low: float
    high: float


COMPARED = {
    "duration": ("shorter", "", "{:.1f} s"),
    "bandwidth": ("narrower band", "", "{:.0f} Hz"),
    "peak level": ("lower peak", "higher peak", "{:.0f} dBFS"),
    "RMS level": ("quieter", "louder", "{:.0f} dBFS"),
    "noise floor": ("less background noise", "more background noise", "{:.0f} dB"),
    "codec traces": ("", "more traces of a lossy codec", "{:.1%}"),
}
"""Cue -> what it means to lie below and above the range ("" = nothing), and how a value is written."""


@dataclass(frozen=True)
class Sound:
    """What is measured of a recording."""

    seconds: float
    clipped: float
    """Share of the samples."""
    silent: float
    """Share of the frames."""
    cues: Mapping[str, float] = field(default_factory=dict)


def training_ranges(trained: Trained) -> dict[str, Range]:
    """Return cue -> its range in the corpus that a run was trained on; empty where no table of cues lies there."""
    table = known_cues(trained.recipe.dataset)
    if len(table) < FEWEST_CLIPS:
        return {}
    ranges = {}
    for cue in COMPARED:
        low, high = np.quantile(table[cue].to_numpy(float), [(1 - MIDDLE) / 2, (1 + MIDDLE) / 2])
        more = WIDENED * (high - low)
        ranges[cue] = Range(float(low - more), float(high + more))
    return ranges


def measure(path: Path) -> Sound:
    """Measure a recording; raises what `load_waveform` raises."""
    header = read_header(path)
    if header.duration <= WHOLE_SECONDS:
        stretches = [load_waveform(path)]
        own_rate = [load_waveform(path, header.rate)] if header.rate != SPEECH_RATE else stretches
    else:
        stretches = own_rate = [stretch for stretch in _sample(path, header.duration) if _has_sound(stretch)]
        if not stretches:  # there may be sound elsewhere
            return Sound(header.duration, clipped=0.0, silent=1.0)
    return measure_sound(np.concatenate(stretches), header.duration, np.concatenate(own_rate))


def measure_sound(waveform: np.ndarray, seconds: float, as_recorded: np.ndarray | None = None) -> Sound:
    """Measure a waveform (n,) at 16 kHz of a recording of so many seconds.

    Clipping is looked for in the samples `as_recorded`, before any resampling, where these are given.
    """
    cues = {**cues_of_sound(waveform), "duration": seconds}
    return Sound(seconds, clipped_share(waveform if as_recorded is None else as_recorded), silent_share(waveform), cues)


def reasons_of(sound: Sound, ranges: Mapping[str, Range]) -> tuple[str, ...]:
    """Return the reasons to doubt a score, each a few words with the value that was found."""
    bandwidth = sound.cues.get("bandwidth", np.inf)
    found = {
        "duration": f"too short ({sound.seconds:.2f} s)" if sound.seconds < SHORT_SECONDS else "",
        "clipping": f"clipped ({sound.clipped:.1%} of the samples)" if sound.clipped > CLIPPED_SHARE else "",
        "bandwidth": f"narrow band (up to {bandwidth:.0f} Hz)" if bandwidth < NARROW_HZ else "",
        "silence": f"silent parts ({sound.silent:.0%} of it)" if sound.silent >= SILENT_SHARE else "",
    }
    for cue, (low, high) in ranges.items():
        below, above, form = COMPARED[cue]
        value = sound.cues.get(cue, low)
        word = below if value < low else above if value > high else ""
        if word and not found.get(cue):
            there = f"{form.format(low)} to {form.format(high)}"
            found[cue] = f"{word} than in training ({form.format(value)}; there {there})"
    return tuple(filter(None, found.values()))


def clipped_share(waveform: np.ndarray) -> float:
    """Return the share of samples in runs of three or more that are equal to the highest or lowest of all.

    >>> sine = np.sin(2 * np.pi * 200 / 16000 * np.arange(16000))
    >>> clipped_share(sine) < 0.001 < clipped_share(np.clip(sine, -0.8, 0.8))
    True
    """
    total = 0
    for extreme in (waveform.max(), waveform.min()):
        at_it = np.abs(waveform - extreme) < STEP_OF_16_BITS / 2
        edges = np.flatnonzero(np.diff(np.concatenate([[False], at_it, [False]])))
        lengths = edges[1::2] - edges[::2]
        total += int(lengths[lengths >= RUN].sum())
    return total / len(waveform)


def silent_share(waveform: np.ndarray) -> float:
    """Return the share of frames of 20 ms that are more than 40 dB below the loudest one."""
    energies = frame_signal(waveform, FRAME, FRAME).var(axis=1, dtype=np.float64)
    return float(np.mean(energies <= energies.max() * 10 ** (-SILENCE_FLOOR_DB / 10)))


def _sample(path: Path, seconds: float) -> Iterator[np.ndarray]:
    starts = np.linspace(0, seconds - STRETCH_SECONDS - 1, STRETCHES)
    spans = [(int(start * SPEECH_RATE), int((start + STRETCH_SECONDS) * SPEECH_RATE)) for start in starts]
    return load_stretches(path, spans)


def _has_sound(stretch: np.ndarray) -> bool:
    try:
        check_usable(stretch)
    except UnusableAudio:
        return False
    return True
