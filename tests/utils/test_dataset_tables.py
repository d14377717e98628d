"""Tables keep every cell as it was, say in which row something is wrong, and are written whole or not at all."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from unicodedata import normalize

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.utils.dataset import (
    FILE_COLUMNS,
    FILES_TABLE,
    GENDERS,
    PEOPLE_TABLE,
    REJECTED_TABLE,
    people_of,
    person_of,
    read_file_rows,
    read_files,
    read_people,
    read_rejected,
    reject,
    without,
    write_table,
    write_tables,
)

AWKWARD = [
    "Ana, Lúcia", 'the "voice"', " two  blanks ", "João", "Zoë Åström", "NA", "nan", "None", "null", "N/A", "#N/A", "",
    "007", "1e5", "TRUE", "'", "a;b\tc", "語", "-inf", "#", "=1+1",
]  # fmt: skip
HEADER = "file,speaker,id,gender,label,system"
GOOD = "real_voices/Ana_F001/{}.wav,Ana_F001,F001,F,bona-fide,"

cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=12)
words = st.sampled_from(["Ana", "Rui"])
numbers = st.sampled_from(["001", "002"])
clips_of_people = st.lists(
    st.tuples(words, st.sampled_from(GENDERS), numbers, st.sampled_from(["bona-fide", "spoof"])), min_size=1
)


def rows_of(clips: list[tuple[str, str, str, str]]) -> pd.DataFrame:
    """Return the files table of clips, each a name, gender, number and label."""
    rows = []
    for place, (name, gender, number, label) in enumerate(clips):
        identity = gender + number
        side = "real_voices/{}_{}" if label == "bona-fide" else "fake_voices/{}_{}_Fake"
        file = f"{side.format(name, identity)}/{place}.wav"
        rows.append([file, f"{name}_{identity}", identity, gender, label, ""])
    return pd.DataFrame(rows, columns=FILE_COLUMNS)


def write_lines(dataset: Path, *lines: str) -> Path:
    (dataset / FILES_TABLE).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return dataset


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("word", AWKWARD)
def test_awkward_names_come_back_as_they_went(word: str, tmp_path: Path) -> None:
    folder = f"real_voices/{word.replace('/', '-')}_F001"
    rows = [[f"{folder}/{word.replace('/', '-')}.wav", f"{word}_F001", "F001", "F", "bona-fide", word]]
    files = pd.DataFrame(rows, columns=FILE_COLUMNS)
    write_tables(tmp_path, files)
    assert read_files(tmp_path).to_numpy().tolist() == rows
    assert read_people(tmp_path).to_numpy().tolist() == [[f"{word}_F001", "F", "F001", 0, 1, "", folder]]
    reject(tmp_path, {word: word})
    assert read_rejected(tmp_path) == {word: word}


@settings(deadline=None)
@given(st.lists(st.tuples(cells, cells, cells, cells), min_size=1, unique_by=lambda row: row[0].replace("/", "-")))
def test_any_text_comes_back_as_it_went(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str, str]]
) -> None:
    dataset = tmp_path_factory.getbasetemp()
    table = [
        [f"a/{file.replace('/', '-')}.wav", normalize("NFC", f"{speaker}_{identity}"), identity, "M", "spoof", system]
        for file, speaker, identity, system in rows
    ]
    write_table(dataset / FILES_TABLE, pd.DataFrame(table, columns=FILE_COLUMNS))
    assert read_files(dataset).to_numpy().tolist() == table


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1)), min_size=1))
def test_numbers_come_back_to_the_last_digit(
    tmp_path_factory: pytest.TempPathFactory, values: list[tuple[float, float]]
) -> None:
    dataset = tmp_path_factory.getbasetemp()
    files = rows_of([("Ana", "F", "001", "spoof")] * len(values))
    files[["duration", "amplitude"]] = values
    write_table(dataset / FILES_TABLE, files)
    read = read_files(dataset)
    assert list(zip(read["duration"], read["amplitude"], strict=True)) == values
    assert read["id"].tolist() == files["id"].tolist(), "an id is text"


@pytest.mark.parametrize(
    ("word", "label"),
    [
        ("genuine", "bona-fide"), ("Bonafide", "bona-fide"), ("REAL", "bona-fide"), (" bona fide ", "bona-fide"),
        ("human", "bona-fide"), ("fake", "spoof"), ("Spoofed", "spoof"), ("deepfake", "spoof"), ("synthetic", "spoof"),
    ],
)  # fmt: skip
def test_other_words_for_the_labels_are_understood(word: str, label: str, tmp_path: Path) -> None:
    write_lines(tmp_path, HEADER, f"a.wav,Ana,F001,F,{word},")
    assert read_files(tmp_path)["label"].tolist() == [label]


WRONG_TABLES = {
    "label": ([HEADER, GOOD.format(1), "a,Ana,F001,F,maybe,"], r"row 3: 'maybe' .* bona-fide, "),
    "label 1": ([HEADER, "a,Ana,F001,F,1,"], "row 2: '1' "),
    "no label": ([HEADER, "a,Ana,F001,F,,"], "row 2: '' "),
    "gender": ([HEADER, GOOD.format(1), "a,Ana,F001,f,spoof,"], r"row 3: unknown gender 'f'; allowed: F, M, U\."),
    "a row cut off": ([HEADER, "a,Ana,F001"], "row 2: "),
    "a row too long": ([HEADER, GOOD.format(1), "a,Ana,F001,F,spoof,x,y,z"], "cannot be read as a table .*line 3"),
    "a quote without end": ([HEADER, '"a,Ana,F001,F,spoof,'], "cannot be read as a table"),
    "listed twice": ([HEADER, *(GOOD.format(n) for n in (1, 2, 3, 2))], "row 5: real_voices/Ana_F001/2.wav is listed"),
    "no rows": ([HEADER], r"has no rows; run fab GenerateDatasetCSV --dataset=\S+ again"),
    "nothing": ([""], "cannot be read as a table"),
    "no column": (["file,speaker,id", "a,b,c"], "has no column gender, label; it has file, speaker, id"),
    "no comma": (
        ["file;speaker;id;gender;label", "a;b;F001;F;spoof"],
        "has no column file, speaker, id, gender, label",
    ),
    "duration": ([HEADER + ",duration", GOOD.format(1) + ",long"], "column duration: .*'long'"),
}


@pytest.mark.parametrize(("lines", "words"), WRONG_TABLES.values(), ids=WRONG_TABLES)
def test_what_is_wrong_with_a_table_is_said_in_one_line(lines: list[str], words: str, tmp_path: Path) -> None:
    write_lines(tmp_path, *lines)
    with pytest.raises(ValueError, match=words) as error:
        read_files(tmp_path)
    assert str(tmp_path / FILES_TABLE) in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    "file",
    [
        "/raw/real_voices/Ana_F001/1.wav",
        "//server/raw/1.wav",
        "../raw/1.wav",
        "..",
        "real_voices/../../raw/1.wav",
        "real_voices/Ana_F001/..",
        "C:/raw/1.wav",
        "c:\\raw\\1.wav",
        "\\\\server\\raw\\1.wav",
    ],
)
@pytest.mark.parametrize("maker", ["GenerateDatasetCSV", "SplitDataset", "GenerateEmbeddings"])
def test_a_path_that_leads_out_of_the_corpus_is_refused(file: str, maker: str, tmp_path: Path) -> None:
    """Fault 04, docs/faults.md: a derived corpus was written into the raw one. Every task reads through here."""
    write_lines(tmp_path, HEADER, GOOD.format(1), f"{file},Ana_F001,F001,F,spoof,")
    with pytest.raises(ValueError, match=r"row 3: .*`file` is a path within the corpus folder") as error:
        read_file_rows(tmp_path / FILES_TABLE, maker)
    assert f"'{file}'" in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    "file", ["real_voices/A..B_F001/..1.wav", "real_voices/Ana_F001/...wav", "a:b/1.wav", "./1.wav"]
)
def test_dots_and_colons_in_names_lead_nowhere(file: str, tmp_path: Path) -> None:
    write_lines(tmp_path, HEADER, f"{file},Ana_F001,F001,F,spoof,")
    assert read_files(tmp_path)["file"].tolist() == [file]


def test_rows_that_are_all_longer_than_the_header_are_no_table(tmp_path: Path) -> None:
    write_lines(tmp_path, HEADER, GOOD.format(1) + ",x", GOOD.format(2) + ",y")
    with pytest.raises(ValueError, match="cannot be read as a table"):
        read_files(tmp_path)


def test_bytes_that_are_no_text_are_said_to_be_no_table(tmp_path: Path) -> None:
    (tmp_path / FILES_TABLE).write_bytes(HEADER.encode() + b"\nreal_voices/caf\xe9,Ana,F001,F,spoof,\n")
    with pytest.raises(ValueError, match="cannot be read as a table"):
        read_files(tmp_path)


@pytest.mark.parametrize("read", [read_files, read_people])
def test_what_is_not_there_is_said_with_the_task_that_makes_it(
    read: Callable[[Path], pd.DataFrame], tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError, match=f"There is no folder {tmp_path / 'absent'}: .*`dataset`"):
        read(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match=f"make it with fab GenerateDatasetCSV --dataset={tmp_path}"):
        read(tmp_path)


def test_the_task_that_makes_another_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="make it with fab SplitDataset"):
        read_file_rows(tmp_path / "absent.csv", maker="SplitDataset")


def test_a_table_without_systems_gets_empty_ones(tmp_path: Path) -> None:
    write_lines(tmp_path, "file,speaker,id,gender,label,duration", "a.wav,Ana,F001,F,fake,1.5")
    table = read_files(tmp_path)
    assert list(table.columns) == [*FILE_COLUMNS, "duration"]
    assert table.iloc[0].tolist() == ["a.wav", "Ana_F001", "F001", "F", "spoof", "", 1.5]


@settings(deadline=None)
@given(clips_of_people)
def test_people_are_counted_as_a_loop_counts_them(clips: list[tuple[str, str, str, str]]) -> None:
    files = rows_of(clips)
    expected = Counter(clips)
    people = people_of(files)
    counted = {
        (row.person.removesuffix(f"_{row.id}"), row.gender, row.id[1:]): (row.bonafide_count, row.spoof_count)
        for row in people.itertuples(index=False)
    }
    assert counted == {
        person: (expected[(*person, "bona-fide")], expected[(*person, "spoof")]) for person in {c[:3] for c in clips}
    }
    assert len(people) == len(counted)
    assert set(person_of(people)) == set(person_of(files))
    for row in people.itertuples(index=False):
        assert row.bonafide_folder == (f"real_voices/{row.person}" if row.bonafide_count else "")
        assert row.spoof_folder == (f"fake_voices/{row.person}_Fake" if row.spoof_count else "")


def test_people_who_share_a_name_or_an_id_stay_apart() -> None:
    people = people_of(
        rows_of([("Ana", "F", "001", "spoof"), ("Ana", "F", "002", "spoof"), ("Eva", "F", "001", "bona-fide")])
    )
    assert person_of(people).tolist() == ["Ana_F001", "Ana_F002", "Eva_F001"]
    assert people["spoof_count"].tolist() == [1, 1, 0]


def test_the_order_of_the_clips_changes_no_person() -> None:
    files = rows_of(
        [(name, "F", number, label) for name in "AB" for number in "12" for label in ("spoof", "bona-fide")]
    )
    pd.testing.assert_frame_equal(people_of(files), people_of(files.sample(frac=1, random_state=3)))


def test_rejections_gather_and_the_newest_reason_counts(tmp_path: Path) -> None:
    assert read_rejected(tmp_path) == {}
    reject(tmp_path, {})
    assert not (tmp_path / REJECTED_TABLE).exists(), "a list of nothing says that there is something"
    reject(tmp_path, {"b.wav": "silent", "c.wav": "silent"})
    reject(tmp_path, {"a.wav": "empty", "b.wav": "unreadable (x, y)"})
    assert (tmp_path / REJECTED_TABLE).read_text() == (
        'file,reason\na.wav,empty\nb.wav,"unreadable (x, y)"\nc.wav,silent\n'
    )


def test_leaving_clips_out_leaves_the_others_and_refuses_to_leave_none(tmp_path: Path) -> None:
    files = rows_of([("Ana", "F", "001", "spoof")] * 3)
    names = files["file"].tolist()
    kept = without(files, {names[1]: "silent"}, tmp_path)
    assert kept["file"].tolist() == [names[0], names[2]]
    assert kept.index.tolist() == [0, 1]
    with pytest.raises(ValueError, match=r"^None of the 2 clips of .* can be used \(.*/0\.wav: empty\)\.$"):
        without(kept, {names[0]: "empty", names[2]: "silent"}, tmp_path)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("n_written", [0, 1])
def test_writing_that_fails_leaves_whole_tables(
    n_written: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tables(tmp_path, rows_of([("Ana", "F", "001", "spoof")]))
    old = contents(tmp_path)
    write_csv = pd.DataFrame.to_csv
    written = []

    def fail_half_way(table: pd.DataFrame, path: Path, **options: object) -> None:
        if len(written) == n_written:
            Path(path).write_text("file,spea")
            raise OSError(28, "No space left on device")
        written.append(path)
        write_csv(table, path, **options)

    fresh = rows_of([("Ana", "F", "001", "spoof"), ("Eva", "F", "002", "spoof")])
    with monkeypatch.context() as patch:
        patch.setattr(pd.DataFrame, "to_csv", fail_half_way)
        with pytest.raises(OSError, match="No space left"):
            write_tables(tmp_path, fresh)
    assert (tmp_path / FILES_TABLE).read_bytes() == old[FILES_TABLE]
    assert sorted(contents(tmp_path)) == [FILES_TABLE, PEOPLE_TABLE], "a temporary file was left"
    write_tables(tmp_path, fresh)
    assert len(read_people(tmp_path)) == len(read_files(tmp_path)) == 2
