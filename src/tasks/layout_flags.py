"""The flags that say how a corpus folder is laid out, and what the layout `generic` needs to know."""

from dataclasses import dataclass
from pathlib import Path

from src.tasks.words import RELEASE


@dataclass(frozen=True)
class LayoutFlags:
    """The flags of GenerateDatasetCSV."""

    dataset: Path = RELEASE
    layout: str = "audios"
    positive_label: str = ""
    table: Path | None = None
    path_column: str = ""
    label_column: str = ""
    speaker_column: str = ""
    source: str = ""
    cache_gb: float | None = None

    @property
    def options(self) -> dict[str, str]:
        """The options of the layout; empty ones were not given."""
        return {
            "positive_label": self.positive_label,
            "table": str(self.table or ""),
            "path_column": self.path_column,
            "label_column": self.label_column,
            "speaker_column": self.speaker_column,
        }


LAYOUT_HELP = {
    "positive_label": "for speech_commands: word (default), any word against noise, or one of the words; for generic "
    "and webdataset: the word for bona fide speech in the table or tars, all others are spoofs",
    "table": "for generic: CSV file that lists the recordings (default: go by folders with real, fake in their names)",
    "path_column": "for generic: its column of paths (default file)",
    "label_column": "for generic: its column of labels (default label); for webdataset: the key",
    "speaker_column": "for generic: its column of people (default speaker, if there is one); for webdataset: the key",
    "source": "URL of the recordings where they lie in storage over a network, such as s3://bucket/corpus: they are "
    "fetched when they are first read (needs the extra cloud)",
    "cache_gb": "with --source: GB of fetched recordings that are kept in the corpus folder (default 100)",
}
