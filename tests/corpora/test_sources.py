"""SOURCES.csv matches clips however their paths are spelled; rows without a clip, and bad tables, are reported.

Fault 15, docs/faults.md.
"""

from pathlib import Path
from unicodedata import normalize

import pytest

from src.corpora.sources import read_sources

CLIPS = ["fake_voices/Ana_F001_Fake/1.wav", "fake_voices/Ana_F001_Fake/2.wav"]


def sources(dataset: Path, *rows: str) -> Path:
    (dataset / "SOURCES.csv").write_text("\n".join(["file,system", *rows]) + "\n", encoding="utf-8")
    return dataset


def test_no_table_says_nothing(tmp_path: Path) -> None:
    assert read_sources(tmp_path, CLIPS) == ({}, [])


@pytest.mark.parametrize(
    "spelled",
    [
        CLIPS[0],
        f"./{CLIPS[0]}",
        f"././{CLIPS[0]}",
        CLIPS[0].replace("/", "\\"),
        ".\\" + CLIPS[0].replace("/", "\\"),
        CLIPS[0].replace("/", "//"),
        f" {CLIPS[0]} ",
        "fake_voices/./Ana_F001_Fake/1.wav",
    ],
)
def test_a_path_finds_its_clip_however_tools_spell_it(spelled: str, tmp_path: Path) -> None:
    assert read_sources(sources(tmp_path, f"{spelled},xtts"), CLIPS) == ({CLIPS[0]: "xtts"}, [])


@pytest.mark.parametrize(("on_disk", "in_table"), [("NFC", "NFD"), ("NFD", "NFC"), ("NFD", "NFD")])
def test_a_path_finds_its_clip_in_any_unicode_form(on_disk: str, in_table: str, tmp_path: Path) -> None:
    clip = "fake_voices/João_M001_Fake/é.wav"
    sources(tmp_path, f"{normalize(in_table, clip)},xtts")
    assert read_sources(tmp_path, [normalize(on_disk, clip)]) == ({normalize(on_disk, clip): "xtts"}, [])


@pytest.mark.parametrize(
    "wrong",
    ["fake_voices/Ana_F001_Fake/1.flac", "spoof/Ana_F001_Fake/1.wav", "1.wav", f"/{CLIPS[0]}", f"x/{CLIPS[0]}", ""],
)
def test_rows_that_name_no_clip_are_counted_with_the_first(wrong: str, tmp_path: Path) -> None:
    found, notes = read_sources(sources(tmp_path, f"{CLIPS[1]},vits", f"{wrong},xtts", "other.wav,xtts"), CLIPS)
    assert found == {CLIPS[1]: "vits"}
    (note,) = notes
    assert "SOURCES.csv" in note
    assert f"2 (first: {wrong})" in note


def test_two_systems_for_one_clip_are_reported_and_the_last_counts(tmp_path: Path) -> None:
    found, notes = read_sources(sources(tmp_path, f"{CLIPS[0]},xtts", f"./{CLIPS[0]},vits"), CLIPS)
    assert found == {CLIPS[0]: "vits"}
    assert [CLIPS[0] in note and "two systems: 1 " in note for note in notes] == [True]
    assert read_sources(sources(tmp_path, f"{CLIPS[0]},xtts", f"./{CLIPS[0]},xtts"), CLIPS)[1] == []


GOOD = f"file,system\n{CLIPS[0]},xtts\n"
UNREADABLE = {
    "empty": b"",
    "blank lines": b"\n\n",
    "UTF-16": GOOD.encode("utf-16"),
    "Latin-1": GOOD.replace("xtts", "voix clonée").encode("latin-1"),
    "a row too long": (GOOD + "a,b,c,d\n").encode(),
    "all rows too long": b"file,system\na,b,c\nd,e,f\n",
    "a quote without end": (GOOD + '"a,b\n').encode(),
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
def test_a_table_that_cannot_be_read_is_named_in_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "SOURCES.csv").write_bytes(content)
    with pytest.raises(ValueError, match=rf"{tmp_path}/SOURCES\.csv cannot be read as a table") as error:
        read_sources(tmp_path, CLIPS)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("header", ["clip,vocoder", "file;system", "file"])
def test_a_table_without_its_columns_is_answered_with_those_it_has(header: str, tmp_path: Path) -> None:
    (tmp_path / "SOURCES.csv").write_text(f"{header}\n")
    with pytest.raises(
        ValueError, match=r"SOURCES\.csv needs the columns file and system; it has " + header.split(",")[0]
    ):
        read_sources(tmp_path, CLIPS)


def test_a_byte_order_mark_is_no_letter(tmp_path: Path) -> None:
    (tmp_path / "SOURCES.csv").write_text(GOOD, encoding="utf-8-sig")
    assert read_sources(tmp_path, CLIPS)[0] == {CLIPS[0]: "xtts"}
