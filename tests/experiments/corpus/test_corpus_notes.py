"""What looks like a mistake is reported with its number and its first case; a clean corpus gets no notes.

Faults 18 and 19, docs/faults.md.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.inspection import inspect_dataset
from src.experiments.corpus.notes import duplicate_notes, people_notes, source_notes
from src.utils.dataset import FILE_COLUMNS, read_files
from src.utils.files import PROBE_BYTES


def files_of(*clips: tuple[str, str, str]) -> pd.DataFrame:
    """Return the files table of clips, each a person, a label and a file's name."""
    rows = []
    for person, label, name in clips:
        identity = person.rpartition("_")[2]
        folder = f"real_voices/{person}" if label == "bona-fide" else f"fake_voices/{person}_Fake"
        rows.append([f"{folder}/{name}", person, identity, identity[0], label, ""])
    return pd.DataFrame(rows, columns=FILE_COLUMNS)


def both(*people: str) -> list[tuple[str, str, str]]:
    return [(person, label, "1.wav") for person in people for label in ("bona-fide", "spoof")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Maria_F101", "maria_F101"),
        ("Ana_F002", "Ana_F02"),
        ("ANA_F002", "Ana_F2"),
        ("Straße_M010", "STRASSE_M10"),
        ("Zoë_F000", "zoë_F0"),
    ],
)
def test_people_a_case_or_a_zero_apart_are_reported(one: str, other: str) -> None:
    (note,) = people_notes(files_of(*both(one, other, "Rui_M001")))
    assert note.startswith("1 group of people may be one person each")
    assert " = ".join(sorted([one, other])) in note


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ana_F002", "Ana_F020"),
        ("Ana_F002", "Ana_M002"),
        ("Ana_F002", "Anna_F002"),
        ("Voice1_F001", "Voice01_F001"),
        ("Ana_F100", "Ana_F10"),
    ],
)
def test_people_who_differ_in_more_are_two(one: str, other: str) -> None:
    assert people_notes(files_of(*both(one, other))) == []


def test_groups_of_people_are_counted_not_their_members() -> None:
    (note,) = people_notes(files_of(*both("Ana_F1", "Ana_F01", "ana_F1", "Eva_F2", "EVA_F2")))
    assert note.startswith("2 groups of people")
    assert "Ana_F01 = Ana_F1 = ana_F1" in note


def test_people_of_spoofs_only_are_named() -> None:
    clips = [
        *both("Rui_M001"),
        ("Ana_F002", "bona-fide", "1.wav"),
        *((f"T{n}_F{n}", "spoof", "1.wav") for n in range(7)),
    ]
    (note,) = people_notes(files_of(*clips))
    assert note.startswith("7 people have spoofs and no bona fide clip (T0_F0, T1_F1, T2_F2, T3_F3, T4_F4, ...)")


def write(dataset: Path, files: pd.DataFrame, *contents: bytes) -> pd.DataFrame:
    for file, content in zip(files["file"], contents, strict=True):
        (dataset / file).parent.mkdir(parents=True, exist_ok=True)
        (dataset / file).write_bytes(content)
    return files


A, B = b"a" * 100, b"b" * 100


@pytest.mark.parametrize(
    ("clips", "contents", "n_groups"),
    [
        ([("Ana_F1", "bona-fide", "1"), ("Eva_F2", "bona-fide", "1")], [A, A], 1),
        ([("Ana_F1", "bona-fide", "1"), ("Ana_F1", "spoof", "1")], [A, A], 1),
        ([("Ana_F1", "bona-fide", "1"), ("Ana_F1", "bona-fide", "2")], [A, A], 0),
        ([("Ana_F1", "bona-fide", "1"), ("Eva_F2", "bona-fide", "1")], [A, B], 0),
        ([(f"P{n}_F{n}", "spoof", str(k)) for n in range(3) for k in range(2)], [A, B, B, A, A, B], 2),
    ],
)
def test_a_recording_of_two_people_or_classes_is_reported(
    clips: list[tuple[str, str, str]], contents: list[bytes], n_groups: int, tmp_path: Path
) -> None:
    files = write(tmp_path, files_of(*clips), *contents)
    notes = duplicate_notes(tmp_path, files)
    assert len(notes) == min(n_groups, 1)
    if notes:
        assert notes[0].startswith(f"{n_groups} recording")
        assert files["file"][0] in notes[0]


def test_recordings_that_differ_in_the_middle_alone_are_two(tmp_path: Path) -> None:
    content = bytearray(np.random.default_rng(0).bytes(3 * PROBE_BYTES))
    first = bytes(content)
    content[len(content) // 2] ^= 1
    files = write(tmp_path, files_of(("Ana_F1", "spoof", "1"), ("Eva_F2", "spoof", "1")), first, bytes(content))
    assert duplicate_notes(tmp_path, files) == []


def test_recordings_that_cannot_be_read_are_left_to_the_steps_that_read_them(tmp_path: Path) -> None:
    files = files_of(("Ana_F1", "spoof", "1"), ("Eva_F2", "spoof", "1"))
    assert duplicate_notes(tmp_path, files) == []


def test_systems_that_the_table_does_not_hold_are_reported(tmp_path: Path) -> None:
    files = files_of(*both("Ana_F1", "Eva_F2"))
    assert source_notes(tmp_path, files) == []
    spoofs = files["file"][files["label"] == "spoof"].tolist()
    rows = [f"{spoofs[0]},xtts", f"{spoofs[1]},vits", f"{files['file'][0]},LibriSpeech"]
    (tmp_path / "SOURCES.csv").write_text("\n".join(["file,system", *rows]))
    (note,) = source_notes(tmp_path, files)
    assert (
        f"2 spoofs a system other than that in files-metadata.csv (first: {spoofs[0]}): run fab GenerateDatasetCSV"
        in note
    )
    held = files.assign(system=["", "xtts", "", "vits"])
    assert source_notes(tmp_path, held) == []
    (tmp_path / "SOURCES.csv").write_bytes(b"")
    assert ["SOURCES.csv cannot be read" in note for note in source_notes(tmp_path, held)] == [True]


def test_both_steps_say_what_they_noticed(make_corpus: Callable[..., Path]) -> None:
    dataset = make_corpus(people=4, clips=3)
    assert generate_tables(dataset).notes == ()
    (dataset / "fake_voices" / "Person01_M001_Fake").rename(dataset / "fake_voices" / "person01_M01_Fake")
    (dataset / "real_voices" / "Person02_F002" / "copy.flac").write_bytes(
        (dataset / "real_voices" / "Person00_F000" / "F000-0000.flac").read_bytes()
    )
    (dataset / "real_voices" / "loose.wav").touch()
    (dataset / "SOURCES.csv").write_text("file,system\nfake_voices/Person01_M001_Fake/0_fake.flac,xtts\n")
    made = generate_tables(dataset)
    assert len(read_files(dataset)) == made.n_clips == 4 * 3 + 3 * 3 + 1
    told = " ".join(made.notes)
    for words in (
        "loose.wav",
        "Rows of SOURCES.csv that name no clip of this corpus: 1",
        "Person01_M001 = person01_M01",
        "1 person has spoofs and no bona fide clip (person01_M01)",
        "1 recording is listed more than once",
    ):
        assert words in told
    lines = str(inspect_dataset(dataset, jobs=1)).splitlines()
    assert sum(line.startswith("Note: ") for line in lines) == 3
