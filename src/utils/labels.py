"""The two labels, 1 = bona fide and 0 = spoof, and the words that corpora use for them.

Our tables spell `bona-fide` and `spoof`. When tables are read, the words below are accepted in any case; anything else
is an error, because a wrongly guessed label silently spoils a whole experiment. The digits 0 and 1 are refused on
purpose: about half of the field's files use 1 for spoof.
"""

BONAFIDE = 1
SPOOF = 0
LABEL_NAMES = {BONAFIDE: "bona-fide", SPOOF: "spoof"}

ALIASES = {
    "bona-fide": BONAFIDE,  # our tables, In-the-Wild
    "bonafide": BONAFIDE,  # ASVspoof 2019, 2021 and 5
    "bona fide": BONAFIDE,
    "bona_fide": BONAFIDE,
    "genuine": BONAFIDE,  # ASVspoof 2017
    "human": BONAFIDE,  # ASVspoof 2015
    "real": BONAFIDE,  # Fake-or-Real
    "spoof": SPOOF,
    "spoofed": SPOOF,
    "fake": SPOOF,
    "deepfake": SPOOF,
    "synthetic": SPOOF,
}


def parse_label(word: str) -> int:
    """Turn a corpus's word for a label into 1 (bona fide) or 0 (spoof).

    Parameters
    ----------
    word : str
        One of `ALIASES`, in any case; blanks around it are ignored.

    Raises
    ------
    ValueError
        When the word is none of them.

    Examples
    --------
    >>> parse_label("Genuine"), parse_label("fake")
    (1, 0)
    >>> parse_label("1")
    Traceback (most recent call last):
    ...
    ValueError: '1' is not a label: use bona-fide, bonafide, bona fide, bona_fide, genuine, human or real for bona fide\
, and spoof, spoofed, fake, deepfake or synthetic for spoof.
    """
    label = ALIASES.get(word.strip().lower())
    if label is None:
        allowed = f"{_words(BONAFIDE)} for bona fide, and {_words(SPOOF)} for spoof"
        raise ValueError(f"{word!r} is not a label: use {allowed}.")
    return label


def _words(label: int) -> str:
    *words, last = [word for word, value in ALIASES.items() if value == label]
    return f"{', '.join(words)} or {last}"
