"""Clips that were added or removed after the split: in no split, or in a split and no longer in the table."""

from pathlib import Path

from src.experiments.corpus.splits import SPLITS, read_split, split_table
from src.utils.dataset import FILES_TABLE, read_files, read_rejected


def note_on_splits(dataset: Path) -> str:
    """Say in one line how the splits of a corpus differ from its table; empty when they hold the same clips."""
    if not (dataset / FILES_TABLE).is_file():
        return ""
    made = [split for split in SPLITS if split_table(dataset, split).is_file()]
    listed = read_files(dataset)["file"].tolist()
    split = {file for name in made for file in read_split(dataset, name)["file"]}
    outside = [file for file in listed if file not in split]
    removed = sorted(split - {*listed, *read_rejected(dataset)})
    parts = []
    if outside:
        parts.append(f"{len(outside)} of {len(listed)} clips stand in no split (first: {outside[0]})")
    if removed:
        parts.append(f"{len(removed)} clips of the splits are no longer in {FILES_TABLE} (first: {removed[0]})")
    if not parts:
        return ""
    return f"{' and '.join(parts)}: fab SplitDataset splits the corpus again, all clips of the table included"
