"""Why a recording cannot be used: one kind of error, whose text is a reason short enough for a cell of a table."""

EMPTY = "empty (no samples)"


class UnusableAudio(ValueError):  # noqa: N818 (a state of the recording, named as users read it)
    """A recording from which nothing can be computed; the message is the reason."""


def cut_off(found: int, promised: int, unit: str) -> UnusableAudio:
    """Return the error for a recording that holds less than it says.

    >>> cut_off(8000, 16000, "samples can be decoded")
    UnusableAudio('cut off or damaged (8000 of 16000 samples can be decoded)')
    """
    return UnusableAudio(f"cut off or damaged ({found} of {promised} {unit})")
