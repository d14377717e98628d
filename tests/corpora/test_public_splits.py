"""Public corpora are split as their makers did, or by person; where nobody is known, each class is dealt by itself."""

from collections.abc import Callable
from pathlib import Path

import pytest

from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.dealing import SplitShares
from src.experiments.corpus.official import split_officially
from src.experiments.corpus.splits import split_dataset
from tests.corpora.more_stand_ins import fake_or_real, mlaad, partialspoof
from tests.corpora.stand_ins import bytes_alone, write_recording

THIRDS = SplitShares(pretext=0, train=0.4, val=0.3)


@pytest.mark.parametrize(
    ("make", "layout", "clips"), [(partialspoof, "partialspoof", 8), (fake_or_real, "fake_or_real", 4)]
)
def test_the_official_split_becomes_ours(
    make: Callable[[Path], object], layout: str, clips: int, tmp_path: Path
) -> None:
    make(tmp_path)
    generate_tables(tmp_path, layout)
    made = split_officially(tmp_path, THIRDS, seed=7).by_file
    assert {split: len(rows) for split, rows in made.items()} == {
        "downstream_train": clips, "downstream_val": clips, "downstream_test": clips,
    }  # fmt: skip
    assert made["downstream_val"]["official"].unique().tolist() == ["validation"]


def test_recordings_of_nobody_known_are_dealt_by_class(tmp_path: Path) -> None:
    for kind in ("real", "fake"):
        for number in range(20):
            write_recording(tmp_path / kind / f"{number}.wav", bytes_alone)
    made = generate_tables(tmp_path, "generic")
    assert not any("no bona fide clip" in note for note in made.notes), "nobody expects one of each person"
    splits = split_dataset(tmp_path, THIRDS, seed=7)
    counts = {split: rows["label"].value_counts().to_dict() for split, rows in splits.items()}
    assert counts == {
        "downstream_train": {"bona-fide": 8, "spoof": 8},
        "downstream_val": {"bona-fide": 6, "spoof": 6},
        "downstream_test": {"bona-fide": 6, "spoof": 6},
    }


def test_voices_of_models_and_readers_are_dealt_apart(tmp_path: Path) -> None:
    mlaad(tmp_path)
    generate_tables(tmp_path, "mlaad")
    splits = split_dataset(tmp_path, THIRDS, seed=7)
    assert all(set(rows["label"]) == {"bona-fide", "spoof"} for rows in splits.values())
    systems = [set(rows["speaker"][rows["label"] == "spoof"]) for rows in splits.values()]
    assert sum(map(len, systems)) == len(set.union(*systems)), "no model in one language stands in two splits"
