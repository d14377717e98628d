"""What a training says of a recording that it cannot use."""

from pathlib import Path

from src.audio.unusable import UnusableAudio


def why_unusable(path: Path, error: UnusableAudio) -> str:
    """Return one line on a recording that cannot be used, and what to do."""
    return (
        f"{path} cannot be used: {error}. Run fab AddDatasetDuration on its corpus, which lists such clips as "
        "rejected, and train again."
    )
