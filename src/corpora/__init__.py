"""One file per corpus: it turns what the makers of the corpus publish into our table of clips.

A layout is a function of the corpus folder that returns a `Listing`: the columns file, speaker, id, gender, label,
system, and notes for the user on what is not listed.
"""

from dataclasses import dataclass

import pandas as pd

LAYOUTS = {"audios": "src.corpora.audios:read_layout"}
"""Name of a layout -> "module:function"."""


@dataclass(frozen=True)
class Listing:
    """The clips that a corpus folder holds."""

    files: pd.DataFrame
    """Columns file, speaker, id, gender, label, system; one row per clip."""
    notes: tuple[str, ...] = ()
    """What was passed over, and which rows of the corpus's own tables match no clip; one sentence each."""
