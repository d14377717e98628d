"""Long recordings of which it is known where they are spoofed, and what alarms on them are worth.

Clips of a corpus follow each other without a pause: bona fide ones for half a minute to a minute and a half, then
spoofs of one system for 5 to 15 s, and so on. Every border of two clips is alike, so a border gives nothing away. A
clip is used again where there are not enough, so false alarms an hour are those of so many different clips, not of that
much different sound.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from src.audio.io import SPEECH_RATE
from src.deploy.stream import Event

BONAFIDE_SECONDS, SPOOFED_SECONDS = (30, 90), (5, 15)


@dataclass(frozen=True)
class Clip:
    """A clip in memory."""

    waveform: np.ndarray
    is_spoof: bool
    person: str
    system: str


@dataclass(frozen=True)
class Spliced:
    """A long recording, and its spoofed stretches in seconds."""

    waveform: np.ndarray
    spans: list[tuple[float, float]]

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.waveform) / SPEECH_RATE


@dataclass(frozen=True)
class Alarms:
    """What alarms were worth."""

    delays: np.ndarray
    """Seconds from the start of each spoofed stretch to its alarm, shape (stretches,); NaN where there was none."""
    n_false: int
    bonafide_hours: float
    """Sound in which an alarm would be a false one."""

    def __str__(self) -> str:
        heard = self.delays[np.isfinite(self.delays)]
        times = (
            f"median {np.median(heard):.1f} s, 90 % within {np.quantile(heard, 0.9):.1f} s" if len(heard) else "none"
        )
        rate = self.n_false / self.bonafide_hours
        return (
            f"{len(heard)} of {len(self.delays)} spoofed stretches detected; time to detection: {times}; "
            f"{rate:.1f} false alarms an hour ({self.n_false} in {self.bonafide_hours:.2f} h)"
        )


def splice_clips(clips: Sequence[Clip], seconds: float, rng: np.random.Generator) -> Spliced:
    """Make a recording of at least so many seconds, which begins and ends with bona fide speech."""
    bonafide = _endless([clip for clip in clips if not clip.is_spoof], rng)
    systems = sorted({clip.system for clip in clips if clip.is_spoof})
    spoofs = {
        name: _endless([clip for clip in clips if clip.is_spoof and clip.system == name], rng) for name in systems
    }
    parts, spans, length = list[np.ndarray](), list[tuple[float, float]](), 0

    def take(source: Iterator[np.ndarray], bounds: tuple[int, int]) -> None:
        nonlocal length
        end = length + rng.uniform(*bounds) * SPEECH_RATE
        while length < end:
            parts.append(next(source))
            length += len(parts[-1])

    take(bonafide, BONAFIDE_SECONDS)
    while length < seconds * SPEECH_RATE:
        start = length
        take(spoofs[str(rng.choice(systems))], SPOOFED_SECONDS)
        spans.append((start / SPEECH_RATE, length / SPEECH_RATE))
        take(bonafide, BONAFIDE_SECONDS)
    return Spliced(np.concatenate(parts), spans)


def judge_alarms(events: Sequence[Event], spliced: Spliced, window: float) -> Alarms:
    """Compare the events of a stream with the truth.

    A stretch is detected when an alarm is raised from its start to one window after its end, for so long a window holds
    some of it; or when one that was raised before still lasts at its start. Any other alarm is false.

    >>> events = [{"event": "enter", "at": 5.0}, {"event": "leave", "at": 9.0}, {"event": "enter", "at": 20.0}]
    >>> alarms = judge_alarms(events, Spliced(np.zeros(16000 * 30), [(3, 8)]), window=1)
    >>> alarms.delays, alarms.n_false
    (array([2.]), 1)
    """
    changes = [event for event in events if event["event"] in ("enter", "leave")]
    raised = [event["at"] for event in changes if event["event"] == "enter"]
    ended = [event["at"] for event in changes if event["event"] == "leave"]
    lasting = list(zip(raised, [*ended, math.inf][: len(raised)], strict=True))
    delays = []
    for start, end in spliced.spans:
        times = [max(begin, start) - start for begin, stop in lasting if begin <= end + window and stop > start]
        delays.append(min(times, default=math.nan))
    n_false = sum(not any(start < at <= end + window for start, end in spliced.spans) for at in raised)
    spoofed = sum(end - start + window for start, end in spliced.spans)
    return Alarms(np.array(delays), n_false, (spliced.seconds - spoofed) / 3600)


def _endless(clips: Sequence[Clip], rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield all clips in random order, then all of them in another one, and so on."""
    while True:
        for place in rng.permutation(len(clips)):
            yield clips[place].waveform
