"""The split of a corpus's makers becomes ours, clip by clip; what they put in no split stays out, and is told."""

from pathlib import Path

import pandas as pd
import pytest

from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.official import OfficialSplits, split_officially
from src.experiments.corpus.splits import SplitShares, read_split, split_notes
from src.utils.dataset import FILES_TABLE, person_of, read_files
from src.utils.files import read_json
from tests.corpora.stand_ins import MAKERS, asvspoof2019

OURS = {"train": "downstream_train", "validation": "downstream_val", "test": "downstream_test"}


def split(dataset: Path, seed: int = 7) -> OfficialSplits:
    return split_officially(dataset, SplitShares(), seed=seed)


def with_official(dataset: Path, change: dict[str, str]) -> None:
    """Change the official split of some files."""
    files = pd.read_csv(dataset / FILES_TABLE, dtype=str, keep_default_na=False)
    files["official"] = [change.get(file, old) for file, old in zip(files["file"], files["official"], strict=True)]
    files.to_csv(dataset / FILES_TABLE, index=False)


@pytest.mark.parametrize("name", MAKERS)
def test_every_clip_stands_where_its_makers_put_it(name: str, tmp_path: Path) -> None:
    corpus = MAKERS[name](tmp_path / "corpus")
    generate_tables(corpus.dataset, corpus.layout)
    official = read_files(corpus.dataset).set_index("file")["official"]
    if not set(OURS) & set(official):
        pytest.skip("this corpus has no official split")
    made = split(corpus.dataset)
    found = {file: split for split, rows in made.by_file.items() for file in rows["file"]}
    assert found == {file: OURS[part] for file, part in official.items() if part in OURS}
    people = [set(person_of(rows)) for rows in made.by_file.values()]
    assert len(set.union(*people)) == sum(map(len, people)), "nobody stands in two splits"
    for split_name, rows in made.by_file.items():
        pd.testing.assert_frame_equal(read_split(corpus.dataset, split_name), rows.reset_index(drop=True))
    assert split_notes(corpus.dataset) == []
    assert generate_tables(corpus.dataset, corpus.layout).notes == notes_of_the_layout(corpus.dataset, corpus.layout)


def notes_of_the_layout(dataset: Path, layout: str) -> tuple[str, ...]:
    """Return the notes of a layout itself: no step adds one."""
    from src.corpora import LAYOUTS
    from src.utils.registry import lookup

    return lookup(LAYOUTS, layout, "layout")(dataset).notes


def test_subsets_of_2021_are_not_mixed_with_the_test_and_that_is_said(tmp_path: Path) -> None:
    corpus = MAKERS["asvspoof2021 LA"](tmp_path)
    generate_tables(tmp_path, corpus.layout)
    made = split(tmp_path)
    assert list(made.by_file) == ["downstream_test"]
    assert set(made.by_file["downstream_test"]["subset"]) == {"eval"}
    assert made.notes == (
        "8 clips of the part hidden are left out: they are not mixed with the official test.",
        "8 clips of the part progress are left out: they are not mixed with the official test.",
        f"The official split of {tmp_path} has no train and no validation here.",
    )
    recipe = read_json(tmp_path / "splits" / "recipe.json")
    assert recipe == {"seed": 7, "official": True, "left_out": {"hidden": 8, "progress": 8}}


def test_a_clip_that_was_added_later_is_still_told(tmp_path: Path) -> None:
    corpus = asvspoof2019(tmp_path)
    generate_tables(tmp_path, corpus.layout)
    gone = corpus.rows()[0]
    corpus.write_rows(corpus.rows()[1:])
    generate_tables(tmp_path, corpus.layout)
    split(tmp_path)
    corpus.write_rows([*corpus.rows(), gone])
    notes = generate_tables(tmp_path, corpus.layout).notes
    assert any(note.startswith("1 of 24 clips are in no split") for note in notes)


def words(dataset: Path, n_noise: int = 10) -> Path:
    """Write words of nine people, three in each official split, and recordings of noise."""
    people = [f"a{number}" for number in range(9)]
    files = [f"{word}/{person}_nohash_0.wav" for word in ("no", "yes") for person in people]
    files += [f"_background_noise_/noise {number}/{clip}.wav" for number in range(n_noise) for clip in range(2)]
    for file in files:
        (dataset / file).parent.mkdir(parents=True, exist_ok=True)
        (dataset / file).write_bytes(b"sound")
    for name, held in (("validation_list.txt", people[:3]), ("testing_list.txt", people[3:6])):
        lines = [f"{word}/{person}_nohash_0.wav\n" for word in ("no", "yes") for person in held]
        (dataset / name).write_text("".join(lines))
    return dataset


def test_words_keep_their_split_and_noise_is_dealt(tmp_path: Path) -> None:
    generate_tables(words(tmp_path), "speech_commands")
    made = split(tmp_path)
    for part, rows in made.by_file.items():
        assert set(rows["official"][rows["word"] != ""]) == {{ours: name for name, ours in OURS.items()}[part]}
        assert len(rows[rows["word"] != ""]) == 6
    noise = {part: set(person_of(rows[rows["word"] == ""])) for part, rows in made.by_file.items()}
    assert [len(recordings) for recordings in noise.values()] == [7, 2, 1]
    assert len(set.union(*noise.values())) == 10
    assert made.notes == ()
    assert split_notes(tmp_path) == []
    again = split(tmp_path)
    assert all(rows.equals(again.by_file[part]) for part, rows in made.by_file.items())
    others = split(tmp_path, seed=8).by_file["downstream_test"]
    assert set(person_of(others[others["word"] == ""])) != noise["downstream_test"]


def test_tables_with_the_former_names_are_read(tmp_path: Path) -> None:
    generate_tables(words(tmp_path), "speech_commands")
    expected = split(tmp_path).by_file
    former = {"train": "training", "validation": "validation", "test": "testing"}
    files = read_files(tmp_path)
    with_official(tmp_path, {row.file: former.get(row.official, "") for row in files.itertuples()})
    made = split(tmp_path).by_file
    assert {part: rows["file"].tolist() for part, rows in made.items()} == {
        part: rows["file"].tolist() for part, rows in expected.items()
    }


def test_a_corpus_without_an_official_split_is_refused(make_corpus, tmp_path: Path) -> None:
    corpus = make_corpus(people=2, clips=1)
    generate_tables(corpus)
    with pytest.raises(
        ValueError, match=r"has no official split \(no column official with train.*leave out `official`"
    ):
        split(corpus)
    assert not (corpus / "splits").exists()


def test_a_person_in_two_official_splits_is_refused(tmp_path: Path) -> None:
    generate_tables(asvspoof2019(tmp_path).dataset, "asvspoof2019")
    moved = "ASVspoof2019_LA_train/flac/LA_T_1000137.flac"
    with_official(tmp_path, {moved: "test"})
    with pytest.raises(
        ValueError, match=r"^LA_0079_U000 stands in two official splits of .* \(test and train\), so its"
    ):
        split(tmp_path)
    with_official(tmp_path, {moved: "test", moved.replace("137", "141"): "validation"})
    with pytest.raises(ValueError, match=r"^2 people, such as LA_0079_U000, stand in two official splits of "):
        split(tmp_path)
    assert not (tmp_path / "splits").exists()


def test_a_part_with_one_class_is_refused(tmp_path: Path) -> None:
    corpus = asvspoof2019(tmp_path)
    corpus.write_rows([row for row in corpus.rows() if row[-1] == "spoof"])
    generate_tables(tmp_path, corpus.layout)
    with pytest.raises(
        ValueError, match=r"^downstream_train would hold no bona-fide clip: the official split of .* has none"
    ):
        split(tmp_path)
