"""Recordings are found once each, joined by name with the rows of a protocol, and everything left over is counted."""

from pathlib import Path
from unicodedata import normalize

import pandas as pd

from src.corpora.recordings import as_files, as_people, find_recordings, join_recordings


def touch(dataset: Path, *files: str) -> Path:
    for file in files:
        (dataset / file).parent.mkdir(parents=True, exist_ok=True)
        (dataset / file).write_bytes(b"sound")
    return dataset


def rows(*names: str) -> pd.DataFrame:
    return pd.DataFrame({"utterance": names}, dtype=str)


def test_recordings_of_the_folders_alone_are_listed(tmp_path: Path) -> None:
    touch(tmp_path, "flac/2.flac", "flac/1.wav", "flac/1.txt", "flac/.3.flac", "flac/._1.wav", "flac/deep/4.flac")
    touch(tmp_path, "other/5.flac", "flac/Thumbs.db", "flac/__MACOSX/6.flac", "flac/a.wav/7.wav", "0.flac")
    found = find_recordings(tmp_path, ["flac", "absent"])
    assert found.files.to_numpy().tolist() == [["flac/1.wav", "1"], ["flac/2.flac", "2"]]
    assert found.notes == ()
    assert find_recordings(tmp_path, [""]).files["file"].tolist() == ["0.flac"]
    deep = find_recordings(tmp_path, [""], deep=True).files["file"].tolist()
    assert deep == ["0.flac", "flac/1.wav", "flac/2.flac", "flac/a.wav/7.wav", "flac/deep/4.flac", "other/5.flac"]


def test_no_recording_at_all_is_an_empty_list(tmp_path: Path) -> None:
    assert find_recordings(tmp_path, ["absent"]).files.columns.tolist() == ["file", "name"]


def test_links_out_of_the_corpus_are_listed_and_told(tmp_path: Path) -> None:
    corpus = touch(tmp_path / "corpus", "flac/1.flac", "more/4.flac")
    touch(tmp_path, "elsewhere/2.flac", "elsewhere/3.flac")
    (corpus / "flac" / "2.flac").symlink_to(tmp_path / "elsewhere" / "2.flac")
    (corpus / "flac" / "5.flac").symlink_to(corpus / "more" / "4.flac")
    (corpus / "linked").symlink_to(tmp_path / "elsewhere")
    found = find_recordings(corpus, ["flac", "linked"])
    assert found.files["name"].tolist() == ["1", "2", "5", "2", "3"]
    assert found.notes == ("Links that lead out of the corpus: 2 (flac/2.flac, ...).",)


def test_links_in_a_circle_come_to_an_end_and_nothing_is_listed_twice(tmp_path: Path) -> None:
    corpus = touch(tmp_path / "corpus", "b/c/1.wav", "d/2.wav")
    (corpus / "b" / "c" / "up").symlink_to(corpus)
    (corpus / "b" / "across").symlink_to(corpus / "d")
    (corpus / "a").symlink_to(corpus / "b")
    (corpus / "out").symlink_to(touch(tmp_path / "elsewhere", "deep/3.wav"))
    found = find_recordings(corpus, [""], deep=True)
    assert found.files["file"].tolist() == ["b/c/1.wav", "d/2.wav", "out/deep/3.wav"]
    assert found.notes == ("Links that lead out of the corpus: 1 (out).",)


def test_rows_and_recordings_meet_by_name_and_what_is_left_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "flac/1.flac", "flac/2.flac", "flac/2.wav", f"flac/{normalize('NFD', 'João')}.flac", "flac/9.flac")
    joined, notes = join_recordings(
        rows("2.wav", "007", "João", "1", "8"), find_recordings(tmp_path, ["flac"]), column="utterance", what="key.txt"
    )
    assert joined["file"].tolist() == ["flac/2.flac", f"flac/{normalize('NFD', 'João')}.flac", "flac/1.flac"]
    assert joined["utterance"].tolist() == ["2.wav", "João", "1"]
    assert notes == [
        "Rows of key.txt without a recording, passed over: 2 (007, ...).",
        "Recordings that key.txt does not list, passed over: 1 (flac/9.flac).",
        "Recordings of a name that another one bears, passed over: 1 (flac/2.wav).",
    ]


def test_people_are_spelled_as_in_every_table() -> None:
    people = as_people(pd.Series(["D_1", "NA", "x"]), pd.Series(["F", "M", "-"]))
    assert people.to_numpy().tolist() == [["D_1_F000", "F000", "F"], ["NA_M000", "M000", "M"], ["x_U000", "U000", "U"]]


def test_the_table_has_our_columns_first_and_leaves_out_what_says_nothing() -> None:
    table = pd.DataFrame(
        {
            "codec": ["-", "alaw"],
            "task": ["-", "-"],
            "file": ["b", "a"],
            "speaker": "A_U000",
            "id": "U000",
            "gender": "U",
            "label": "spoof",
            "system": ["A01", "-"],
        }
    )
    files = as_files(table)
    assert list(files.columns) == ["file", "speaker", "id", "gender", "label", "system", "codec"]
    assert files[["file", "codec"]].to_numpy().tolist() == [["a", "alaw"], ["b", ""]]
