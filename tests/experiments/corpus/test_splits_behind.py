"""Splits stay as they were made: differences from the table are reported, and a seed always gives the same splits."""

from pathlib import Path

import pandas as pd
import pytest

from src.experiments.corpus.splits import (
    SplitShares,
    read_split,
    split_dataset,
    split_notes,
    split_table,
)
from src.utils.dataset import FILE_COLUMNS, FILES_TABLE, read_files, reject, write_table, write_tables
from src.utils.embedding_store import split_digest
from src.utils.files import text_digest

THREE = SplitShares(pretext=0, train=0.5, val=0.25)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Return the tables of 20 people with two clips of each kind."""
    rows = []
    for number in range(20):
        identity = f"{'FM'[number % 2]}{number:03d}"
        about = [f"P{number:02d}_{identity}", identity, identity[0]]
        for clip in range(2):
            rows.append([f"real_voices/{about[0]}/{clip}.wav", *about, "bona-fide", ""])
            rows.append([f"fake_voices/{about[0]}_Fake/{clip}.wav", *about, "spoof", "tts"])
    write_tables(tmp_path, pd.DataFrame(rows, columns=FILE_COLUMNS))
    return tmp_path


def test_clips_in_no_split_are_counted_and_told(corpus: Path) -> None:
    """Fault 09, docs/faults.md: a whole person was added after the split and silently left out."""
    assert split_notes(corpus) == [], "a corpus that was not split lacks nothing"
    split_dataset(corpus, THREE, seed=7)
    assert split_notes(corpus) == []
    files = read_files(corpus)
    new = files.iloc[:3].assign(file=[f"real_voices/New_F099/{n}.wav" for n in range(3)], speaker="New_F099", id="F099")
    write_tables(corpus, pd.concat([files, new.assign(gender="F")]))
    (note,) = split_notes(corpus)
    assert note.startswith(f"3 of {len(files) + 3} clips are in no split (first: real_voices/New_F099/0.wav)")
    assert "fab SplitDataset" in note
    split_dataset(corpus, THREE, seed=7)
    assert split_notes(corpus) == []


def test_clips_that_left_the_table_are_reported_unless_they_were_rejected(corpus: Path) -> None:
    split_dataset(corpus, THREE, seed=7)
    files = read_files(corpus)
    write_tables(corpus, files.iloc[2:])
    (note,) = split_notes(corpus)
    assert note.startswith(f"2 clips of the splits are no longer in files-metadata.csv (first: {files['file'][1]}")
    reject(corpus, dict.fromkeys(files["file"][:2], "silent"))
    assert split_notes(corpus) == []


def test_splits_without_a_table_are_behind_nothing(corpus: Path) -> None:
    split_dataset(corpus, THREE, seed=7)
    (corpus / FILES_TABLE).unlink()
    assert split_notes(corpus) == []


def test_systems_that_became_known_after_the_split_are_reported(corpus: Path) -> None:
    split_dataset(corpus, THREE, seed=7)
    files = read_files(corpus)
    spoofs = files.index[files["label"] == "spoof"][:2]
    files.loc[spoofs, "system"] = "xtts"
    write_tables(corpus, files)
    (note,) = split_notes(corpus)
    assert f"systems of 2 clips changed since the corpus was split (first: {files['file'][spoofs[0]]}" in note


def test_splits_that_cannot_be_read_are_a_note(corpus: Path) -> None:
    split_dataset(corpus, THREE, seed=7)
    split_table(corpus, "downstream_val").write_text("file\n")
    assert ["files-downstream_val.csv" in note for note in split_notes(corpus)] == [True]


NAMES = ["Ana", "Ana_B", "Ana-B", "Ana B", "Ana1", "Eva", "語", "Joa\u0303o", "Joana", "Z\u00e9", "ana", "Ana_F001"]
"""In an order of their own wherever id or Unicode form would count: `Ana` is before `Ana-B`, `Ana_F001` is not."""


def first_edition_rows() -> pd.DataFrame:
    """Return a files table as the first edition wrote it: the speaker without the id, in the folder's own form."""
    rows = []
    for place, name in enumerate(NAMES):
        for identity in ("F001", "M01", "F10"):
            if (name, identity) == ("Ana_F001", "F001"):
                continue
            about = [name, identity, identity[0]]
            rows += [[f"real_voices/{name}_{identity}/{n}.wav", *about, "bona-fide", ""] for n in range(2)]
            if place % 5 != 4:
                rows += [[f"fake_voices/{name}_{identity}_Fake/{n}.wav", *about, "spoof", "xtts"] for n in range(2)]
    return pd.DataFrame(rows, columns=FILE_COLUMNS)


FIRST_EDITION = {
    7: (
        SplitShares(),
        ["2ac80123e78ed482", "ca87d3266f58459f", "8f57af22a7c14c6d", "0a5767984021ab45", "6bdf8e107ca8126d"],
        ["9c8031597e41fde6", "04e6c4588da4f287", "92db92ae3bd4ed1a", "49fb9fcd49c18571", "7e857a79efe98fe0"],
    ),
    8: (
        THREE,
        ["d3cfe81315db3452", "fbed7fae66d330c9", "e6ead868ea29e012"],
        ["12738da26331b4bd", "19d0110456086a6c", "c1d625978af7bba1"],
    ),
}
"""Seed -> shares, digests of the splits' files, and of the splits: computed by the first edition on these rows."""


@pytest.mark.parametrize("written_by", ["first edition", "second edition"])
@pytest.mark.parametrize(("seed", "shares", "files", "splits"), [(seed, *rest) for seed, rest in FIRST_EDITION.items()])
def test_a_seed_gives_the_splits_and_digests_that_it_gave_in_the_first_edition(
    seed: int, shares: SplitShares, files: list[str], splits: list[str], written_by: str, tmp_path: Path
) -> None:
    if written_by == "first edition":
        write_table(tmp_path / FILES_TABLE, first_edition_rows())
    else:
        write_tables(tmp_path, first_edition_rows())
    made = split_dataset(tmp_path, shares, seed=seed)
    assert [text_digest("\n".join(clips["file"]))[:16] for clips in made.values()] == files
    assert [split_digest(read_split(tmp_path, split))[:16] for split in made] == splits
