"""What the page of effects shows: sounds to listen to, beside their pictures."""

from dataclasses import dataclass

from src.visualize.pages.records import Picture


@dataclass(frozen=True)
class Sound:
    """A clip to listen to: what was done to it, the URL of its audio, its waveform and spectrogram."""

    title: str
    audio: str
    picture: Picture


@dataclass(frozen=True)
class SoundGroup:
    """Sounds of one effect, from mild to severe."""

    name: str
    title: str
    about: str
    sounds: tuple[Sound, ...]


@dataclass(frozen=True)
class Gallery:
    """What effects make of one clip."""

    clip: str
    seed: int
    original: Sound
    groups: tuple[SoundGroup, ...]
    left_out: tuple[str, ...] = ()
    """Why effects are not there, a line each."""
