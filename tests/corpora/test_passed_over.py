"""What a corpus folder holds besides its clips is counted; folders of system programs are not people.

Faults 18 and 20, docs/faults.md.
"""

import os
from pathlib import Path

import pytest

from src.corpora.audios import read_layout
from src.corpora.passed_over import SYSTEM_FOLDERS

CLIPS = ("real_voices/Ana_F001/1.wav", "fake_voices/Ana_F001_Fake/1.wav")


def touch(dataset: Path, *files: str) -> Path:
    for file in files:
        (dataset / file).parent.mkdir(parents=True, exist_ok=True)
        (dataset / file).touch()
    return dataset


def notes(dataset: Path, *files: str) -> list[str]:
    listing = read_layout(touch(dataset, *CLIPS, *files))
    assert listing.files["file"].tolist() == list(CLIPS), "the layout is as strict as it was"
    return list(listing.notes)


def test_a_corpus_as_it_should_be_has_no_notes(tmp_path: Path) -> None:
    quiet = (
        ".git/x.wav",
        "real_voices/Ana_F001/.2.wav",
        "README.md",
        "real_voices/README.md",
        "splits/x.csv",
        "SOURCES",
    )
    assert notes(tmp_path, *quiet) == []


def test_recordings_in_subfolders_are_counted(tmp_path: Path) -> None:
    deep = [f"real_voices/Ana_F001/session1/{n}.wav" for n in range(3)]
    (note,) = notes(tmp_path, *deep, "fake_voices/Ana_F001_Fake/a/b/c.flac")
    assert "subfolders" in note
    assert f": 4 ({deep[0]}, ...)" in note


def test_recordings_outside_any_person_s_folder_are_counted(tmp_path: Path) -> None:
    (note,) = notes(tmp_path, "real_voices/loose.wav", "fake_voices/loose.mp3", "loose.ogg")
    assert "outside" in note
    assert ": 3 (loose.ogg, ...)" in note


def test_files_of_other_kinds_are_counted_by_suffix(tmp_path: Path) -> None:
    files = [f"real_voices/Ana_F001/{n}.XYZ" for n in range(3)]
    (note,) = notes(tmp_path, *files, "fake_voices/Ana_F001_Fake/1.txt", "fake_voices/Ana_F001_Fake/LICENSE")
    assert "5 (.xyz x 3, .txt x 1, no suffix x 1)" in note


def test_names_that_no_terminal_can_show_are_reported_in_other_letters(tmp_path: Path) -> None:
    loose = os.fsdecode(b"real_voices/caf\xe9\n.wav")
    (note,) = notes(tmp_path, loose)
    assert note.isprintable()
    assert note.encode()
    assert r"real_voices/caf\udce9\n.wav" in note


def test_people_without_a_clip_are_named(tmp_path: Path) -> None:
    found = notes(tmp_path, "real_voices/Rui_M002/old/1.wav", "fake_voices/Rui_M002_Fake/.keep")
    assert any("without a clip: 2 (real_voices/Rui_M002, fake_voices/Rui_M002_Fake)" in note for note in found)


@pytest.mark.parametrize("name", [*SYSTEM_FOLDERS, ".DS_Store", ".Trash-1000"])
def test_what_a_computer_left_is_passed_over_and_not_refused(name: str, tmp_path: Path) -> None:
    found = notes(tmp_path, f"real_voices/{name}/1.wav", f"fake_voices/Ana_F001_Fake/{name}/1.wav")
    assert found == [] if name.startswith(".") else [f"Folders passed over: 1 (real_voices/{name}/)."]


def test_folders_beside_the_two_are_named(tmp_path: Path) -> None:
    assert notes(tmp_path, "train/Ana_F001/1.wav", "eval/1.wav", "downloads/1.wav", "splits/1.wav") == [
        "Folders passed over: 2 (eval/, train/)."
    ]


def test_a_link_to_a_missing_recording_is_a_clip_of_its_person(tmp_path: Path) -> None:
    touch(tmp_path, *CLIPS)
    (tmp_path / "real_voices" / "Rui_M002").mkdir()
    (tmp_path / "real_voices" / "Rui_M002" / "1.wav").symlink_to("/nowhere/1.wav")
    listing = read_layout(tmp_path)
    assert "real_voices/Rui_M002/1.wav" in listing.files["file"].tolist()
    assert listing.notes == ()


def test_a_corpus_without_a_clip_says_where_its_recordings_lie(tmp_path: Path) -> None:
    touch(tmp_path, "real_voices/Ana_F001/session1/1.wav", "fake_voices/x.wav")
    with pytest.raises(ValueError, match=r"holds no recording .*fake_voices/x\.wav.*session1/1\.wav") as error:
        read_layout(tmp_path)
    assert len(str(error.value).splitlines()) == 1
