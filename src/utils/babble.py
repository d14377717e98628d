"""Whose voices may be heard in whose clips: those of bona fide clips, by other people where there are any."""

from dataclasses import replace

import numpy as np

from src.audio.augment.sources import Sources

MOST_VOICES = 2000
"""Clips that babble is made of; of more, as many are taken evenly."""


class OthersVoices:
    """The bona fide clips of a table as babble for its clips: what effects may mix into those of each person.

    Parameters
    ----------
    sources : Sources
        The corpus, and the folders of noises and rooms.
    files : np.ndarray of str, shape (n,)
        Recordings, relative to the corpus.
    people : np.ndarray of str, shape (n,)
        Who speaks in each.
    is_bonafide : np.ndarray, shape (n,), bool

    >>> files, people = np.array(["a.flac", "b.flac", "r.flac"], object), np.array(["Ana", "Ana", "Rui"])
    >>> voices = OthersVoices(Sources(), files, people, np.array([True, False, True]))
    >>> [voices.into_clips_of(person).people for person in ("Ana", "Rui", "Eva")]
    [('r.flac',), ('a.flac',), ('a.flac', 'r.flac')]
    """

    def __init__(self, sources: Sources, files: np.ndarray, people: np.ndarray, is_bonafide: np.ndarray) -> None:
        numbers = np.flatnonzero(is_bonafide)
        if len(numbers) > MOST_VOICES:
            numbers = numbers[np.linspace(0, len(numbers) - 1, MOST_VOICES).astype(int)]
        self._files, self._people = files[numbers].astype(object), people[numbers]  # sources share the names
        self._everybody = replace(sources, people=tuple(self._files))
        self._heard = frozenset(map(str, self._people))
        self._of_others: dict[str, Sources] = {}

    def into_clips_of(self, person: str) -> Sources:
        """Return what may be mixed into clips of a person: others' speech; his own where there are no others."""
        if person not in self._heard:
            return self._everybody
        if person not in self._of_others:
            others = self._files[self._people != person]
            self._of_others[person] = replace(self._everybody, people=tuple(others)) if len(others) else self._everybody
        return self._of_others[person]
