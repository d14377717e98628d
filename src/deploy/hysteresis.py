"""From the score of each window to a decision that does not flicker: hysteresis, as in a thermostat.

An alarm is raised when all windows of a least duration score below `enter`, and ends when all windows of that duration
score at or above `leave`, which lies above `enter`. Between the two nothing changes.

The field states its thresholds as probabilities, and leaves 0.15 below where it enters. Scores here are log-likelihood
ratios, natural logarithms. Where the odds of a spoof are even, at `enter`, its probability is 0.5; it is 0.35 where the
score is log(0.65 / 0.35) = 0.62 higher, whatever the prior. So `leave` is 0.62 above `enter` by default. `enter` is
the threshold of the run's validation EER, which was found on whole recordings: scores of shorter windows scatter more.

A window without a score (silence, say) says nothing for an alarm, so it speaks against one.
"""

import math
from dataclasses import dataclass

LEAVE_PROBABILITY = 0.5 - 0.15
LEAVE_ABOVE = math.log((1 - LEAVE_PROBABILITY) / LEAVE_PROBABILITY)
"""How far `leave` lies above `enter`, in nats: 0.62."""
RAISED, ENDED = "raised", "ended"


@dataclass(frozen=True)
class Limits:
    """When an alarm is raised and ends."""

    enter: float
    """Windows that score below it are suspicious."""
    leave: float
    """Windows that score at or above it speak against an alarm."""
    least: int = 0
    """Samples from the end of the first such window to that of the last."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.enter) and math.isfinite(self.leave)):
            raise ValueError(f"`enter` and `leave` must be numbers, not {self.enter} and {self.leave}.")
        if self.leave < self.enter:
            raise ValueError(
                f"`leave` must be `enter` or more, as scores are higher for bona fide speech, and {self.leave:g} is "
                f"below {self.enter:g}."
            )


class Hysteresis:
    """The alarm of one stream; places are samples since its start.

    >>> alarm = Hysteresis(Limits(enter=0.0, leave=0.6, least=2))
    >>> [alarm.step(end - 4, end, score) for end, score in enumerate([1, -1, -1, -1, 0.5, 1, 1, 1], start=4)]
    ['', '', '', 'raised', '', '', '', 'ended']
    >>> alarm.start, alarm.end
    (1, 8)
    """

    def __init__(self, limits: Limits) -> None:
        self.limits, self.is_raised = limits, False
        self.start, self.end = 0, 0
        """Of the latest alarm: where its first window begins, and where its last one below `leave` ends."""
        self._since: int | None = None

    def step(self, start: int, end: int, score: float | None) -> str:
        """Take the score of the next window, None where it has none; return RAISED, ENDED or ""."""
        if self.is_raised:
            speaks_for_change = score is None or score >= self.limits.leave
        else:
            speaks_for_change = score is not None and score < self.limits.enter
        if not speaks_for_change:
            self._since = None
            self.end = end if self.is_raised else self.end
            return ""
        if self._since is None:
            self._since = end
            self.start = self.start if self.is_raised else start
        if end - self._since < self.limits.least:
            return ""
        self._since, self.is_raised = None, not self.is_raised
        self.end = end if self.is_raised else self.end
        return RAISED if self.is_raised else ENDED

    def interrupt(self) -> str:
        """End an alarm at once, because the sound ends or does not continue; return ENDED or ""."""
        was_raised, self.is_raised, self._since = self.is_raised, False, None
        return ENDED if was_raised else ""
