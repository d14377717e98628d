"""Genders as tables of many makers write them, in our letters: F, M, and U where it is not known.

A speaker has one gender, for a person is called by name and gender: two of them would be two people, in two splits.
Only whole words are read, for first letters differ between languages: `Mulher` is a woman, and `Homem` a man.
"""

import pandas as pd

from src.corpora import Finding
from src.corpora.passed_over import note_on
from src.utils.dataset import UNKNOWN_GENDER
from src.utils.people import composed

WORDS = {
    "F": "f female female_feminine feminine w woman feminino feminina mulher femenino femenina mujer weiblich frau",
    "M": "m male male_masculine masculine man masculino masculina homem hombre männlich mann",
    UNKNOWN_GENDER: "- u unknown",
}
"""Gender -> the words for it, in English, Portuguese, Spanish and German; in any case."""
GENDERS = {word: gender for gender, words in WORDS.items() for word in words.split()} | {"": UNKNOWN_GENDER}
N_SHOWN = 5


def read_genders(words: pd.Series) -> tuple[pd.Series, list[str]]:
    """Return the genders that words say, and a note that counts those which say none.

    >>> genders, notes = read_genders(pd.Series(["Mulher", "male", "?", ""]))
    >>> genders.tolist(), notes
    (['F', 'M', 'U', 'U'], ["Words that are not known as genders are taken for U, unknown: '?' x 1."])
    """
    genders = words.str.strip().str.lower().str.normalize("NFC").map(GENDERS)
    counts = words[genders.isna()].value_counts()
    shown = ", ".join(f"{word!r} x {count}" for word, count in counts.head(N_SHOWN).items())
    more = ", ..." if len(counts) > N_SHOWN else ""
    note = f"Words that are not known as genders are taken for {UNKNOWN_GENDER}, unknown: {shown}{more}."
    return genders.fillna(UNKNOWN_GENDER), [note] if len(counts) else []


def one_for_each_speaker(speakers: pd.Series, genders: pd.Series) -> tuple[pd.Series, list[str]]:
    """Return one gender for all rows of a speaker, the known one, and a note on those who have two of them.

    >>> speakers = pd.Series(["Ana", "Ana", "Bo", "Bo", "Cy"])
    >>> genders, notes = one_for_each_speaker(speakers, pd.Series(["F", "U", "F", "M", "U"]))
    >>> genders.tolist(), notes
    (['F', 'F', 'U', 'U', 'U'], ['Speakers who are both F and M, taken for U, unknown: 1 (Bo).'])
    """
    by_speaker = genders.where(genders != UNKNOWN_GENDER).groupby(speakers.map(composed))
    count = by_speaker.transform("nunique")
    torn = speakers[(count > 1) & (speakers != "")].unique().tolist()
    note = note_on(f"Speakers who are both F and M, taken for {UNKNOWN_GENDER}, unknown", torn)
    return by_speaker.transform("first").where(count == 1, UNKNOWN_GENDER), [*map(Finding, note)]
