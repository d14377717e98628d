"""Whose voices may be heard in whose clips: those of bona fide clips, by other people where there are any."""

import numpy as np

MOST_VOICES = 2000
"""Clips that babble is made of; of more, as many are taken evenly."""


class Voices:
    """The bona fide clips of a table, as babble for clips of its people.

    Parameters
    ----------
    people : np.ndarray, shape (n,)
        Who speaks in each clip.
    is_bonafide : np.ndarray, shape (n,), bool

    >>> voices = Voices(np.array(["Ana", "Ana", "Rui"]), np.array([True, False, True]))
    >>> [voices.of_others(person).tolist() for person in ("Ana", "Rui", "Eva")]
    [[2], [0], [0, 2]]
    """

    def __init__(self, people: np.ndarray, is_bonafide: np.ndarray) -> None:
        numbers = np.flatnonzero(is_bonafide)
        if len(numbers) > MOST_VOICES:
            numbers = numbers[np.linspace(0, len(numbers) - 1, MOST_VOICES).astype(int)]
        self._numbers, self._people = numbers, people[numbers]

    @property
    def heard(self) -> frozenset[str]:
        """Those who speak in one of the clips; everybody else has the same others."""
        return frozenset(map(str, self._people))

    def of_others(self, person: str) -> np.ndarray:
        """Return the clips that may be heard in those of a person, by number; his own where there are no others."""
        others = self._numbers[self._people != person]
        return others if len(others) else self._numbers
