"""Any corpus: what a table says is taken over, what folders say is read from their names, and nobody is invented."""

from pathlib import Path

import pytest

from src.corpora import Finding
from src.corpora.reading import read_corpus
from src.experiments.corpus.catalogue import generate_tables
from src.utils.dataset import read_files
from tests.corpora.more_stand_ins import generic
from tests.corpora.stand_ins import write_lines
from tests.tasks.test_command_line import fab


def touch(dataset: Path, *files: str) -> Path:
    for file in files:
        (dataset / file).parent.mkdir(parents=True, exist_ok=True)
        (dataset / file).write_bytes(b"sound")
    return dataset


def by_table(dataset: Path, *lines: str, **options: str) -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
    """Write a table and read the corpus by it; return file, speaker, label and system of each clip, and the notes."""
    table = write_lines(dataset / "list.csv", list(lines))
    listing = read_corpus(dataset, "generic", {"table": str(table), **options})
    rows = listing.files[["file", "speaker", "label", "system"]].itertuples(index=False)
    return [tuple(row) for row in rows], listing.notes


def test_a_table_with_named_columns(tmp_path: Path) -> None:
    corpus = generic(tmp_path)
    files = read_corpus(tmp_path, "generic", corpus.options).files
    assert files.iloc[2].to_dict() == {
        "file": "clips/2.wav", "speaker": "Ana_U000", "id": "U000", "gender": "U", "label": "spoof",
        "system": "melgan", "split of mine": "s0",
    }  # fmt: skip
    generate_tables(tmp_path, "generic", corpus.options)
    assert read_files(tmp_path)["split of mine"].tolist() == ["s0", "s1"] * 4


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found_and_the_usual_names_need_not_be_given(separator: str, tmp_path: Path) -> None:
    touch(tmp_path, "a/1.wav", "2.flac")
    lines = [
        ["file", "label", "speaker", "gender"],
        ["./a\\1.wav", "Genuine", "Ana", "female"],
        ["2", "fake", "Bo", "M"],
    ]
    rows, notes = by_table(tmp_path, *(separator.join(line) for line in lines))
    assert rows == [("2.flac", "Bo_M000", "spoof", ""), ("a/1.wav", "Ana_F000", "bona-fide", "")]
    assert notes == ()


def test_paths_may_start_at_the_table_or_at_the_corpus_and_must_not_leave_it(tmp_path: Path) -> None:
    touch(tmp_path, "meta/clips/1.wav", "meta/clips/2.wav")
    lines = ["file,label", "clips/1.wav,real", f"{tmp_path}/meta/clips/2.wav,fake"]
    table = write_lines(tmp_path / "meta" / "list.csv", lines)
    files = read_corpus(tmp_path, "generic", {"table": str(table)}).files
    assert files["file"].tolist() == ["meta/clips/1.wav", "meta/clips/2.wav"]
    for outside in ("../1.wav", "/etc/1.wav", "C:\\sound\\1.wav", "a/../../1.wav"):
        with pytest.raises(ValueError, match=r"which is not below .*: give the folder that holds all of them"):
            by_table(tmp_path, "file,label", f"{outside},real")


def test_who_is_not_known_is_a_person_of_its_own_and_this_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.wav", "b/1.wav", "b/2.wav")
    rows, notes = by_table(tmp_path, "file,label,speaker", "a/1.wav,real,", "b/1.wav,fake,", "b/2.wav,fake,Ana")
    assert [speaker for _, speaker, _, _ in rows] == ["a-1_U000", "b-1_U000", "Ana_U000"]
    assert notes[0].startswith("Nobody says who speaks in 2 of 3 recordings, so each of them counts as a person of its")


def test_genders_are_known_words_and_no_first_letters(tmp_path: Path) -> None:
    words = ["Mulher", "homem", "FEMALE", "man", "w", "-", "", "unknown", "mezzo", "mezzo", "h"]
    touch(tmp_path, *(f"{place:02d}.wav" for place in range(len(words))))
    lines = [f"{place:02d}.wav,real,p{place},{word}" for place, word in enumerate(words)]
    rows, notes = by_table(tmp_path, "file,label,speaker,gender", *lines)
    assert "".join(speaker[-4] for _, speaker, *_ in rows) == "FMFMFUUUUUU"
    assert notes == ("Words that are not known as genders are taken for U, unknown: 'mezzo' x 2, 'h' x 1.",)


def test_a_speaker_whose_gender_is_not_in_all_rows_is_one_person(tmp_path: Path) -> None:
    said = [("Ana", "F"), ("Ana", ""), ("Bo", "M"), ("Bo", "F"), ("Bo", "-"), ("", "F"), ("", "M")]
    touch(tmp_path, *(f"{place}.wav" for place in range(len(said))))
    lines = [f"{place}.wav,real,{speaker},{gender}" for place, (speaker, gender) in enumerate(said)]
    rows, (unknown, torn) = by_table(tmp_path, "file,label,speaker,gender", *lines)
    people = [speaker for _, speaker, *_ in rows]
    assert people == ["Ana_F000"] * 2 + ["Bo_U000"] * 3 + ["5_U000", "6_U000"]
    assert unknown.startswith("Nobody says who speaks in 2 of 7")
    assert torn == "Speakers who are both F and M, taken for U, unknown: 1 (Bo)."


def test_other_words_for_labels_need_the_one_for_bona_fide(tmp_path: Path) -> None:
    touch(tmp_path, "1.wav", "2.wav", "3.wav")
    lines = ("file,label,speaker,system", "1.wav,1,Ana,x", "2.wav,0,Ana,x", "3.wav,0,Ana,-")
    with pytest.raises(ValueError, match=r"list\.csv, line 2: '1' is not a label: use bona-fide"):
        by_table(tmp_path, *lines)
    rows, notes = by_table(tmp_path, *lines, positive_label="1")
    assert [(label, system) for _, _, label, system in rows] == [("bona-fide", ""), ("spoof", "x"), ("spoof", "")]
    assert notes == ("'1' is taken for bona fide, and all else for spoofs: '0' x 2.",)
    with pytest.raises(
        ValueError, match=r"`positive_label` must be one of the labels of the table.*\('1', '0'\), not '2'"
    ):
        by_table(tmp_path, *lines, positive_label="2")


def test_what_is_measured_is_not_believed_and_segments_are_kept(tmp_path: Path) -> None:
    touch(tmp_path, "1.wav", "2.wav")
    lines = ("file,label,duration,segments,id", "1.wav,real,a while,-,x", "2.wav,fake,2 s,0.5-1,y")
    by_table(tmp_path, *lines)
    generate_tables(tmp_path, "generic", {"table": str(tmp_path / "list.csv")})
    files = read_files(tmp_path)
    assert "duration" not in files
    assert files["segments"].tolist() == ["", "0.5-1"]
    assert files["id"].tolist() == ["U000", "U000"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("2.wav,fake,abc", "row 3: `segments` must read start-end;start-end in s, such as .*, not 'abc'"),
        ("2.wav,real,0.5-1", "row 3: a bona-fide clip has no spoofed stretches, and `segments` is '0.5-1'"),
    ],
)
def test_segments_that_cannot_be_are_refused_where_the_table_is_read(line: str, words: str, tmp_path: Path) -> None:
    touch(tmp_path, "1.wav", "2.wav")
    with pytest.raises(ValueError, match=rf"list\.csv, {words}"):
        by_table(tmp_path, "file,label,segments", "1.wav,fake,0.5-1", line)


def test_columns_and_tables_that_are_not_there(tmp_path: Path) -> None:
    touch(tmp_path, "1.wav")
    lines = ("wav,label", "1.wav,real")
    with pytest.raises(ValueError, match=r"list\.csv, line 1: no column file in the header, which has wav, label"):
        by_table(tmp_path, *lines)
    with pytest.raises(ValueError, match=r"list\.csv has no column who; it has wav, label\."):
        by_table(tmp_path, *lines, path_column="wav", speaker_column="who")
    with pytest.raises(FileNotFoundError, match=r"There is no table .*nowhere\.csv"):
        read_corpus(tmp_path, "generic", {"table": str(tmp_path / "nowhere.csv")})
    with pytest.raises(ValueError, match=r"list\.csv is empty: it needs a header with file, label\.$"):
        by_table(tmp_path, "")
    with pytest.raises(ValueError, match=r"takes `label_column=\.\.\.` only with `table=\.\.\.`, a CSV file"):
        read_corpus(tmp_path, "generic", {"label_column": "label"})
    with pytest.raises(
        ValueError, match=r"layout in_the_wild has no `table`, leave out `table=x`: it takes no options"
    ):
        read_corpus(tmp_path, "in_the_wild", {"table": "x"})


def test_folders_with_real_and_fake_in_their_names(tmp_path: Path) -> None:
    told = {
        "train/real/1.wav": "bona-fide",
        "train/fake/melgan/1.wav": "spoof",
        "RealVoices/2.wav": "bona-fide",
        "set_bona-fide/3.wav": "bona-fide",
        "fake_or_real/SPOOFED/4.wav": "spoof",
        "unclear/deepfake_7.wav": "spoof",
        "fake/realistic/real.wav": "spoof",
    }
    touch(tmp_path, *told, "realm/5.wav", "fake_or_real/6.wav", ".fake/7.wav", "splits/fake/8.wav", "fake/notes.txt")
    listing = read_corpus(tmp_path, "generic")
    assert dict(zip(listing.files["file"], listing.files["label"], strict=True)) == told
    assert listing.files["speaker"].nunique() == len(told)
    people, untold = listing.notes
    assert people.startswith("Nobody says who speaks in 7 of 7 recordings")
    assert untold == (
        "Recordings passed over, in no folder whose name has a word such as real or fake: 2 (fake_or_real/6.wav, ...)."
    )
    assert isinstance(untold, Finding)
    assert not isinstance(people, Finding)


def test_a_negated_word_says_nothing(tmp_path: Path) -> None:
    told = ["real/1.wav", "no_noise/fake/1.wav", "notes/Fake/1.wav"]
    touch(tmp_path, *told, "not_real/1.wav", "NonFake/1.wav", "un-spoofed/1.wav", "bonafide-not/1.wav", "x/no real.wav")
    listing = read_corpus(tmp_path, "generic")
    assert listing.files["file"].tolist() == sorted(told)
    assert listing.notes[1].endswith("such as real or fake: 5 (NonFake/1.wav, ...).")


def test_folders_that_contradict_each_other_or_say_nothing(tmp_path: Path) -> None:
    touch(tmp_path / "a", "fake/real_people/1.wav")
    with pytest.raises(ValueError, match="fake/real_people has words of both classes in the names of its folders"):
        read_corpus(tmp_path / "a", "generic")
    touch(tmp_path / "b", "speech/1.wav")
    with pytest.raises(ValueError, match=r"has a word such as real or fake in its name.*\(1 recordings found\)"):
        read_corpus(tmp_path / "b", "generic")


def test_the_flags_reach_the_layout(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from src.tasks.corpora import generate_dataset_csv

    generic(tmp_path)
    named = "--path-column=path --label-column=class --speaker-column=talker"
    start = f"GenerateDatasetCSV --dataset={tmp_path} --layout=generic"
    assert fab(f"{start} --table={tmp_path}/list.csv {named}", generate_dataset_csv) == 0
    assert "8 clips of 2 people" in capfd.readouterr().out
    assert fab(f"{start} {named}", generate_dataset_csv) == 2
    error = capfd.readouterr().err
    assert "--path-column=... only with --table=..., a CSV file that has such a column." in error
    assert len(error.strip().splitlines()) == 1
