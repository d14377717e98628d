"""Why a recording cannot be used: one kind of error, whose text is a reason short enough for a cell of a table."""

EMPTY = "empty (no samples)"


class UnusableAudio(ValueError):  # noqa: N818 (a state of the recording, named as users read it)
    """A recording that cannot be used; the message is the reason."""


def truncated(found: int, promised: int, unit: str) -> UnusableAudio:
    """Return the error for a recording that holds less than its header states.

    >>> truncated(8000, 16000, "samples can be decoded")
    UnusableAudio('truncated or corrupt (8000 of 16000 samples can be decoded)')
    """
    return UnusableAudio(f"truncated or corrupt ({found} of {promised} {unit})")
