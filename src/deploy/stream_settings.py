"""How a stream is judged: the lengths of its windows, and when alarms are raised and end."""

from dataclasses import dataclass

from src.audio.io import SPEECH_RATE
from src.deploy.hysteresis import LEAVE_ABOVE, Limits

LONGEST = 60.0
"""In seconds, of a window and of the least duration: what is kept in memory is a little longer than both."""


@dataclass(frozen=True)
class Settings:
    """How a stream is judged."""

    window: float = 4.0
    """Seconds that a score is of."""
    hop: float = 0.5
    """Seconds from one window to the next."""
    least: float = 1.0
    """Seconds for which windows must agree to raise an alarm, or to end it."""
    enter: float | None = None
    """Log-likelihood ratio; None = the threshold of the run's validation."""
    leave: float | None = None
    """None = 0.62 above `enter`."""

    def __post_init__(self) -> None:
        if not 0 < self.window <= LONGEST:
            raise ValueError(f"`window` must be above 0 and at most {LONGEST:g} s, not {self.window:g}.")
        if not 1 / SPEECH_RATE <= self.hop <= self.window:
            raise ValueError(
                f"`hop` must be above 0 and at most the window of {self.window:g} s, or sound would go unheard; "
                f"not {self.hop:g}."
            )
        if not 0 <= self.least <= LONGEST:
            raise ValueError(f"`least` must be 0 to {LONGEST:g} s, not {self.least:g}.")

    def limits(self, threshold: float, *, is_calibrated: bool = True) -> Limits:
        """Return when alarms are raised and end, of a run with this threshold."""
        if self.leave is None and not is_calibrated:
            raise ValueError(
                "The scores of this run are no log-likelihood ratios, so there is no usual distance: give `leave`."
            )
        enter = threshold if self.enter is None else self.enter
        leave = enter + LEAVE_ABOVE if self.leave is None else self.leave
        return Limits(enter, leave, samples(self.least))


def samples(duration: float) -> int:
    """Return the number of samples at 16 kHz that so many seconds have."""
    return round(duration * SPEECH_RATE)


def seconds(n_samples: int) -> float:
    """Return the seconds that so many samples at 16 kHz last."""
    return round(n_samples / SPEECH_RATE, 4)
