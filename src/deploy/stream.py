"""Judge a stream while it comes in: windows, scores, alarms, all of it told as events.

Sound comes in chunks, is cut into windows (`audio/sliding.py`), each of which a run scores by itself, and the scores
raise and end alarms (`hysteresis.py`). An event is a dictionary, one line of JSON each in `fab Stream`; its times are
seconds of sound since the start of the stream, not of the clock:

    begin     what is listened to, with which run and settings; enter and leave are log-likelihood ratios
    window    start, end, score (higher = more bona fide), and whether an alarm is raised: decision "spoof"
    unscored  start, end and reason of a window that cannot be scored: silence, samples that are not finite
    enter     an alarm is raised: at, the place of the news, and start, the place of the first suspicious window
    leave     it has ended: at, start, end, and the lowest score in it
    remark    at, text: no sound came, sound was lost, the input ended too early, the folder is full
    end       totals

Chunks of any size give the same events. Nothing but the latest seconds is kept, so memory does not grow.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from src.audio.arriving import Remark, Source
from src.audio.io import SPEECH_RATE, UnusableAudio
from src.audio.sliding import SlidingWindows, Window
from src.deploy.hysteresis import ENDED, RAISED, Hysteresis, Limits
from src.deploy.stream_settings import Settings, samples, seconds
from src.deploy.suspicious import SuspiciousFolder

Event = dict[str, Any]


@dataclass
class Totals:
    """What was heard, in all."""

    seconds: float = 0.0
    windows: int = 0
    unscored: int = 0
    alarms: int = 0
    suspicious_seconds: float = 0.0
    lowest: float | None = None
    kept: int = 0
    not_kept: int = 0
    ended_by: str = "its end"
    """Or Ctrl-C, or what went wrong."""

    def __str__(self) -> str:
        alarms = f"{self.alarms} alarm{'' if self.alarms == 1 else 's'}"
        unscored = f", {self.unscored} without a score" if self.unscored else ""
        return (
            f"{self.seconds:.1f} s up to {self.ended_by}: {alarms}, {self.suspicious_seconds:.1f} s suspicious, "
            f"{self.windows} windows{unscored}"
        )


def require_long_enough(score: Callable[[Sequence[np.ndarray]], np.ndarray], settings: Settings, run: str) -> None:
    """Raise ValueError when a run can score no window of the length that was set; one window of noise is scored."""
    noise = np.random.default_rng(0).normal(0, 0.1, samples(settings.window)).astype(np.float32)
    try:
        score([noise])
    except UnusableAudio as error:
        raise ValueError(f"`window` of {settings.window:g} s is too short for {run}: {error}.") from None


@dataclass
class Listener:
    """Judges one stream.

    Parameters
    ----------
    score : callable
        Waveforms at 16 kHz -> calibrated scores (n,): `Judge.score`.
    settings, limits : Settings, Limits
    emit : callable
        Is given every event.
    folder : SuspiciousFolder, optional
        Where suspicious sound is kept.
    """

    score: Callable[[Sequence[np.ndarray]], np.ndarray]
    settings: Settings
    limits: Limits
    emit: Callable[[Event], None]
    folder: SuspiciousFolder | None = None
    scoring: float = 0.0
    """Seconds by the clock that the scores took; no event tells them, so that equal sound gives equal events."""
    totals: Totals = field(default_factory=Totals)

    def begin(self, source: Source, run: str) -> Event:
        """Return the first event."""
        about = {"input": source.name, "rate": source.rate, "channels": source.channels, "run": run}
        lengths = {name: getattr(self.settings, name) for name in ("window", "hop", "least")}
        return {"event": "begin", **about, **lengths, "enter": self.limits.enter, "leave": self.limits.leave}

    def listen(self, source: Source) -> Totals:
        """Judge a stream to its end, or until Ctrl-C; return the totals, which are the last event as well.

        Raises
        ------
        ValueError
            When the stream holds no sample or nothing that can be scored, ends before the end that it states, or its
            recording turns out to be corrupt; what was heard before is told.
        """
        length, hop, least = (samples(each) for each in (self.settings.window, self.settings.hop, self.settings.least))
        self._windows = SlidingWindows(source.rate, source.channels, length, max(1, hop), n_before=least + hop)
        self._alarm, self._lowest, self._kept_until = Hysteresis(self.limits), math.inf, 0
        self._recent: list[tuple[int, int, float]] = []
        self._early_end = self._last_reason = ""
        try:
            self._take(source)
            if not self._windows.end:
                raise ValueError(f"{source.name} holds no sound (zero samples).")
            if self._early_end:
                self.totals.ended_by = self._early_end
                heard = seconds(self._windows.end)
                raise ValueError(f"{source.name} ends too early, after {heard:.2f} s: {self._early_end}.")
            if not self.totals.windows:
                n_windows = self.totals.unscored
                raise ValueError(f"{source.name}: none of {n_windows} windows can be scored ({self._last_reason}).")
        except KeyboardInterrupt:
            self.totals.ended_by = "Ctrl-C"
        except BrokenPipeError:
            self.totals.ended_by = "nobody reading its events"
        except UnusableAudio as error:
            self.totals.ended_by = str(error)
            raise ValueError(
                f"{source.name} cannot be used after {self._windows.end / SPEECH_RATE:.2f} s: {error}."
            ) from None
        finally:
            try:
                self._end_alarm(self._alarm.interrupt())
            finally:  # the summary is told where the last clip cannot be kept as well
                self.totals.seconds = seconds(self._windows.end)
                self.emit({"event": "end", **asdict(self.totals)})
        return self.totals

    def _take(self, source: Source) -> None:
        for chunk in source.chunks:
            if not isinstance(chunk, Remark):
                for window in self._windows.add(chunk):
                    self._judge(window)
                continue
            if chunk.is_gap:
                self._finish()
            if chunk.is_early_end:
                self._early_end = chunk.text
            self._remark(chunk.text)
        self._finish()

    def _finish(self) -> None:
        """Judge what ends here; an alarm does not outlast it."""
        for window in self._windows.finish():
            self._judge(window)
        self._end_alarm(self._alarm.interrupt())

    def _judge(self, window: Window) -> None:
        value, reason = self._scored(window)
        changed = self._alarm.step(window.start, window.end, value)
        place = {"start": seconds(window.start), "end": seconds(window.end)}
        if value is None:
            self.totals.unscored, self._last_reason = self.totals.unscored + 1, reason
            self.emit({"event": "unscored", **place, "reason": reason})
        else:
            self.totals.windows += 1
            self.totals.lowest = value if self.totals.lowest is None else min(self.totals.lowest, value)
            decision = "spoof" if self._alarm.is_raised else "bona fide"
            self.emit({"event": "window", **place, "score": value, "decision": decision})
        if value is not None:
            self._follow(window, value, is_new=changed == RAISED)
        self._end_alarm(changed)

    def _scored(self, window: Window) -> tuple[float | None, str]:
        if window.reason:
            return None, window.reason
        began = time.perf_counter()
        try:
            return float(self.score([window.waveform])[0]), ""
        except UnusableAudio as error:
            return None, str(error)
        finally:
            self.scoring += time.perf_counter() - began

    def _follow(self, window: Window, value: float, *, is_new: bool) -> None:
        """Note the score of a window of an alarm and keep its sound; of a new alarm, those that led to it as well."""
        oldest = window.start - samples(self.settings.least + self.settings.hop)
        self._recent = [each for each in self._recent if each[0] >= oldest] + [(window.start, window.end, value)]
        if is_new:
            self._kept_until, self._lowest = self._alarm.start, math.inf
            self.totals.alarms += 1
            self.emit({"event": "enter", "at": seconds(window.end), "start": seconds(self._alarm.start)})
        elif not self._alarm.is_raised or self._alarm.end < window.end:
            return
        for start, end, score in self._recent:
            if start >= self._alarm.start and end > self._kept_until:
                self._lowest = min(self._lowest, score)
                self._keep(end, score)
                self._kept_until = end

    def _keep(self, end: int, value: float) -> None:
        if self.folder is None:
            return
        was_refused = self.folder.n_refused
        self.folder.extend(self._kept_until, self._windows.stretch(self._kept_until, end), end, value)
        self._note_kept(was_refused)

    def _end_alarm(self, changed: str) -> None:
        if changed != ENDED:
            return
        start, end = self._alarm.start, self._alarm.end
        self.totals.suspicious_seconds = round(self.totals.suspicious_seconds + seconds(end - start), 4)
        place = {"at": seconds(self._windows.end), "start": seconds(start), "end": seconds(end)}
        self.emit({"event": "leave", **place, "lowest": self._lowest})
        if self.folder is not None:
            was_refused = self.folder.n_refused
            self.folder.close()
            self._note_kept(was_refused)

    def _note_kept(self, was_refused: int) -> None:
        """Count the clips that were kept, and tell once that there is no more room."""
        if self.folder is not None:
            self.totals.kept, self.totals.not_kept = self.folder.n_kept, self.folder.n_refused
            if self.folder.n_refused and not was_refused:
                self._remark(f"{self.folder.folder} is full ({self.folder.megabytes:g} MB): no more is kept")

    def _remark(self, text: str) -> None:
        self.emit({"event": "remark", "at": seconds(self._windows.end), "text": text})
