"""One file per corpus: how what its makers publish becomes our table of clips.

A layout is a function of the corpus folder that returns a `Listing`: the columns file, speaker, id, gender, label,
system, and what a user should be told of what is not listed.
"""

from dataclasses import dataclass

import pandas as pd

LAYOUTS = {"audios": "src.corpora.audios:read_layout"}
"""Name of a layout -> "module:function"."""


@dataclass(frozen=True)
class Listing:
    """The clips that a corpus folder holds."""

    files: pd.DataFrame
    """Columns file, speaker, id, gender, label, system; a row a clip."""
    notes: tuple[str, ...] = ()
    """What was passed over, and what of the corpus's own tables matches no clip; a sentence each."""
