"""Sources: the recordings that effects mix in, and which of them a step takes.

Three kinds: `people`, recordings of a corpus itself, whose sum is babble (give bona fide recordings of the training
split alone: spoofs would leave their traces in bona fide clips, and other splits must stay unheard); `noises`, a
folder of any depth, such as that of MUSAN (Snyder et al., "MUSAN: a music, speech, and noise corpus", 2015); `rooms`,
a folder of responses of rooms, such as that of Ko et al., "A study on data augmentation of reverberant speech", ICASSP
2017.

A recording is named by its path relative to its folder, with forward slashes, so that a step can be replayed where the
folders lie elsewhere.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from src.audio.augment.contract import Kind
from src.audio.io import AUDIO_SUFFIXES, UnusableAudio, count_samples, load_stretch, load_waveform

WANTED = {
    "people": "recordings of other people (a corpus)",
    "noises": "a folder of recordings of noise, such as MUSAN",
    "rooms": "a folder of room responses",
}


@dataclass(frozen=True)
class Sources:
    """Where the recordings lie that effects mix in."""

    corpus: Path | None = None
    people: tuple[str, ...] = ()
    """Recordings of `corpus` that babble is made of, relative to it."""
    noises: Path | None = None
    rooms: Path | None = None

    def names(self, kind: Kind) -> tuple[str, ...]:
        """Return the recordings of a kind, in alphabetical order.

        Raises
        ------
        ValueError
            When these sources have none of that kind.

        >>> Sources(people=("b.flac", "a.flac")).names("people")
        ('a.flac', 'b.flac')
        """
        folder = self._folder(kind)
        found = tuple(sorted(self.people)) if kind == "people" else _recordings(folder) if folder else ()
        if not found:
            where = f"; {folder} holds no recording" if folder else ""
            raise ValueError(f"An effect that mixes in recordings ({kind}) needs {WANTED[kind]}{where}.")
        return found

    def draw(self, kind: Kind, count: int, rng: np.random.Generator) -> tuple[str, ...]:
        """Draw recordings of a kind, each at most once where there are enough.

        >>> Sources(people=("a.flac",)).draw("people", 2, np.random.default_rng(0))
        ('a.flac', 'a.flac')
        """
        names = self.names(kind)
        drawn = rng.choice(len(names), size=count, replace=len(names) < count)
        return tuple(names[number] for number in drawn)

    def read(
        self, kind: Kind, files: tuple[str, ...], n_samples: int, rate: int, rng: np.random.Generator
    ) -> list[np.ndarray]:
        """Read recordings: a stretch of `n_samples` from a random place of each, or all of a room's response.

        A recording that is shorter is repeated.

        Raises
        ------
        ValueError
            When there is no folder of that kind, or a recording is unreadable.
        FileNotFoundError
            When a recording does not exist.
        """
        folder = self._folder(kind)
        if folder is None:
            raise ValueError(f"A step that mixes in recordings ({kind}) needs {WANTED[kind]}.")
        try:
            if kind == "rooms":
                return [_response(folder / file, rate) for file in files]
            return [_stretch(folder / file, n_samples, rate, rng) for file in files]
        except UnusableAudio as error:
            raise ValueError(f"A recording of {folder} cannot be mixed in: {error}.") from error

    def _folder(self, kind: Kind) -> Path | None:
        return {"people": self.corpus, "noises": self.noises, "rooms": self.rooms}[kind or "people"]


NO_SOURCES = Sources()


@lru_cache(maxsize=8)
def _recordings(folder: Path) -> tuple[str, ...]:
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES)
    return tuple(sorted(path.as_posix() for path in paths if not any(part.startswith(".") for part in path.parts)))


def _stretch(path: Path, n_samples: int, rate: int, rng: np.random.Generator) -> np.ndarray:
    start = int(rng.integers(max(1, count_samples(path, rate) - n_samples + 1)))
    return np.resize(load_stretch(path, start, start + n_samples, rate), n_samples)


@lru_cache(maxsize=64)
def _response(path: Path, rate: int) -> np.ndarray:
    response = load_waveform(path, rate)
    response.flags.writeable = False
    return response
