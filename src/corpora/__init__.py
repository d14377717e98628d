"""One file per corpus: it turns what the makers of the corpus publish into our table of clips.

A layout is a function of the corpus folder that returns a `Listing`: the columns file, speaker, id, gender, label,
system, perhaps more, and notes for the user on what is not listed. Its further parameters, text that may be empty, are
the options of the layout, such as `positive_label` where what is positive is a choice (`reading.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

LAYOUTS = {
    "audios": "src.corpora.audios:read_layout",
    "asvspoof2017": "src.corpora.asvspoof2017:read_layout",
    "asvspoof2019": "src.corpora.asvspoof2019:read_layout",
    "asvspoof2021": "src.corpora.asvspoof2021:read_layout",
    "asvspoof5": "src.corpora.asvspoof5:read_layout",
    "fake_or_real": "src.corpora.fake_or_real:read_layout",
    "in_the_wild": "src.corpora.in_the_wild:read_layout",
    "mlaad": "src.corpora.mlaad:read_layout",
    "partialspoof": "src.corpora.partialspoof:read_layout",
    "wavefake": "src.corpora.wavefake:read_layout",
    "speech_commands": "src.corpora.speech_commands:read_layout",
    "generic": "src.corpora.generic:read_layout",
    "webdataset": "src.corpora.webdataset:read_layout",
}
"""Name of a layout -> "module:function"."""
OFFICIAL = "official"
"""Column of a files table: the split that the makers of the corpus put a clip in; empty where they put it in none."""
TRAIN, VALIDATION, TEST = "train", "validation", "test"
"""What the splits are called in that column, whatever their makers call them; other values are no splits of ours."""


class Finding(str):
    """A note on something that is wrong with a corpus: CheckDataset counts it, where other notes only inform."""

    __slots__ = ()


@dataclass(frozen=True)
class Listing:
    """The clips that a corpus folder holds."""

    files: "pd.DataFrame"
    """Columns file, speaker, id, gender, label, system, and what the layout adds; one row per clip."""
    notes: tuple[str, ...] = ()
    """What was passed over, and which rows of the corpus's own tables match no clip; one sentence each."""
    classes: Mapping[int, str] = field(default_factory=dict)
    """Label -> what the class is called, where it is not bona fide or spoof (`utils/classes.py`)."""
    has_protocol: bool = False
    """Whether a published protocol says of each recording what it is; then no two are compared by their contents."""
    published: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Official split -> its clips, bona fide and spoofed, as their makers counted them; "" stands for all clips."""
