"""Folder names give the person and the class; a folder with a wrong name is reported."""

from pathlib import Path
from unicodedata import normalize

import pytest

from src.corpora.audios import person_folders, read_layout, recordings_in
from src.utils.dataset import FILE_COLUMNS


def touch(dataset: Path, *files: str) -> Path:
    """Write empty files, and both voice folders: a layout is read from names alone."""
    for side in ("real_voices", "fake_voices"):
        (dataset / side).mkdir(exist_ok=True)
    for file in files:
        (dataset / file).parent.mkdir(parents=True, exist_ok=True)
        (dataset / file).touch()
    return dataset


def test_the_table_says_what_the_folders_say(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "fake_voices/Ana_F001_Fake/0_fake.wav",
        "real_voices/Rui_M002/M002-0001.flac",
        "real_voices/Ana_F001/F001-0002.mp3",
        "real_voices/Ana_F001/F001-0001.ogg",
    )
    table = read_layout(tmp_path).files
    assert list(table.columns) == FILE_COLUMNS
    assert table.to_numpy().tolist() == [
        ["real_voices/Ana_F001/F001-0001.ogg", "Ana_F001", "F001", "F", "bona-fide", ""],
        ["real_voices/Ana_F001/F001-0002.mp3", "Ana_F001", "F001", "F", "bona-fide", ""],
        ["real_voices/Rui_M002/M002-0001.flac", "Rui_M002", "M002", "M", "bona-fide", ""],
        ["fake_voices/Ana_F001_Fake/0_fake.wav", "Ana_F001", "F001", "F", "spoof", ""],
    ]


@pytest.mark.parametrize(
    ("folder", "speaker", "identity"),
    [
        ("Ana_F1", "Ana", "F1"),
        ("Ana_Lúcia_F028", "Ana_Lúcia", "F028"),
        ("Ana F028_M002", "Ana F028", "M002"),
        ("Libri103_F019", "Libri103", "F019"),
        ("Silva, Ana_F003", "Silva, Ana", "F003"),
        ("NA_M004", "NA", "M004"),
        ("語_F00001", "語", "F00001"),
        ("Fake_M001", "Fake", "M001"),
    ],
)
def test_names_of_every_kind_are_read(folder: str, speaker: str, identity: str, tmp_path: Path) -> None:
    touch(tmp_path, f"real_voices/{folder}/1.wav", f"fake_voices/{folder}_Fake/1.wav")
    table = read_layout(tmp_path).files
    assert (
        table[["speaker", "id", "gender"]].to_numpy().tolist() == [[f"{speaker}_{identity}", identity, identity[0]]] * 2
    )
    assert table["label"].tolist() == ["bona-fide", "spoof"]


@pytest.mark.parametrize("name", ["Maria", "Maria_X003", "Maria_F", "_F003", "Maria_F003b", "MariaF003", "Maria_f003"])
@pytest.mark.parametrize(("side", "suffix"), [("real_voices", ""), ("fake_voices", "_Fake")])
def test_a_folder_that_does_not_say_who_it_is_is_named(name: str, side: str, suffix: str, tmp_path: Path) -> None:
    touch(tmp_path, f"{side}/{name}{suffix}/1.wav")
    with pytest.raises(ValueError, match=f"{name}{suffix} should be named <Name>_<F.M>NNN{suffix}, as in"):
        read_layout(tmp_path)


@pytest.mark.parametrize("name", ["Maria_F003", "Maria_F003_fake", "Maria_Fake"])
def test_a_folder_of_spoofs_must_say_so(name: str, tmp_path: Path) -> None:
    touch(tmp_path, f"fake_voices/{name}/1.wav")
    with pytest.raises(ValueError, match=f"{name} should be named <Name>_<F.M>NNN_Fake"):
        read_layout(tmp_path)


def test_what_is_no_recording_is_passed_over(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "real_voices/Ana_F001/1.wav",
        "real_voices/Ana_F001/2.WAV",
        "real_voices/Ana_F001/3.Flac",
        "real_voices/Ana_F001/.1.wav",
        "real_voices/Ana_F001/._1.wav",
        "real_voices/Ana_F001/.1-x7.part.flac",
        "real_voices/Ana_F001/1.txt",
        "real_voices/Ana_F001/1.wav.json",
        "real_voices/Ana_F001/wav",
        "real_voices/Ana_F001/cut.wav/1.wav",
        "real_voices/.cache/1.wav",
        "real_voices/README.md",
        "README.md",
    )
    assert [Path(file).name for file in read_layout(tmp_path).files["file"]] == ["1.wav", "2.WAV", "3.Flac"]


def test_a_link_to_a_recording_that_is_missing_is_not_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "real_voices/Ana_F001/1.wav")
    (tmp_path / "real_voices" / "Ana_F001" / "2.wav").symlink_to(tmp_path / "gone.wav")
    assert [path.name for path in recordings_in(tmp_path / "real_voices" / "Ana_F001")] == ["1.wav", "2.wav"]


@pytest.mark.parametrize("side", ["real_voices", "fake_voices"])
def test_a_missing_side_is_named(side: str, tmp_path: Path) -> None:
    touch(tmp_path, "real_voices/Ana_F001/1.wav")
    for path in sorted((tmp_path / side).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (tmp_path / side).rmdir()
    with pytest.raises(FileNotFoundError, match=f"has no folder {side}/: a corpus holds real_voices/ and fake_voices/"):
        read_layout(tmp_path)


@pytest.mark.parametrize("files", [(), ("real_voices/Ana_F001/notes.txt",)])
def test_a_corpus_without_recordings_is_an_error(files: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"holds no recording \(\.wav, \.flac, .*\) in a person's folder in real_voices/ or"
    ):
        read_layout(touch(tmp_path, *files))


def test_one_side_may_be_empty(tmp_path: Path) -> None:
    assert read_layout(touch(tmp_path, "real_voices/Ana_F001/1.wav")).files["label"].tolist() == ["bona-fide"]


@pytest.mark.parametrize(("genuine", "spoof"), [("NFC", "NFD"), ("NFD", "NFC"), ("NFD", "NFD")])
def test_names_in_two_unicode_forms_are_one_person(genuine: str, spoof: str, tmp_path: Path) -> None:
    """Fault 02, docs/faults.md: the paths stay as the disk has them, the person is spelled in one way."""
    real, fake = (normalize(form, "João_M001") for form in (genuine, spoof))
    touch(tmp_path, f"real_voices/{real}/1.wav", f"fake_voices/{fake}_Fake/1.wav")
    (tmp_path / "SOURCES.csv").write_text(f"file,system\nfake_voices/{normalize('NFC', fake)}_Fake/1.wav,xtts\n")
    listing = read_layout(tmp_path)
    assert listing.files["file"].tolist() == [f"real_voices/{real}/1.wav", f"fake_voices/{fake}_Fake/1.wav"]
    assert set(listing.files["speaker"]) == {normalize("NFC", "João_M001")}
    assert listing.files["system"].tolist() == ["", "xtts"]
    assert listing.notes == ()


def test_sources_name_the_system_of_spoofs_alone(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{side}/1.wav" for side in ("real_voices/Ana_F001", "fake_voices/Ana_F001_Fake")))
    touch(tmp_path, "fake_voices/Ana_F001_Fake/2.wav")
    (tmp_path / "SOURCES.csv").write_text(
        "seconds,file,system\n"
        '1.0,fake_voices/Ana_F001_Fake/1.wav,"NA"\n'
        "1.0,real_voices/Ana_F001/1.wav,LibriSpeech\n"
        "1.0,fake_voices/gone.wav,xtts\n"
    )
    assert read_layout(tmp_path).files["system"].tolist() == ["", "NA", ""]


def test_sources_without_their_columns_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "real_voices/Ana_F001/1.wav")
    (tmp_path / "SOURCES.csv").write_text("clip,vocoder\n1.wav,xtts\n")
    with pytest.raises(ValueError, match=r"SOURCES\.csv needs the columns file and system; it has clip, vocoder"):
        read_layout(tmp_path)


def test_people_come_with_the_parts_of_their_names(tmp_path: Path) -> None:
    touch(tmp_path, "real_voices/Rui_M002/1.wav", "real_voices/Ana_F001/1.wav")
    found = person_folders(tmp_path, "real_voices")
    assert [(folder.name, match["speaker"], match["id"], match["gender"]) for folder, match in found] == [
        ("Ana_F001", "Ana", "F001", "F"),
        ("Rui_M002", "Rui", "M002", "M"),
    ]
