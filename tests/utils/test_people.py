"""A person is spelled in one way in every table, whichever edition wrote it and whatever Unicode form names have."""

from pathlib import Path
from unicodedata import normalize

import pandas as pd
import pytest

from src.utils.dataset import (
    FILE_COLUMNS,
    FILES_TABLE,
    PEOPLE_TABLE,
    read_file_rows,
    read_files,
    read_people,
    write_tables,
)
from src.utils.embedding_store import split_digest
from src.utils.people import first_names, people_of, person_of, with_one_spelling

NFC, NFD = (normalize(form, "João") for form in ("NFC", "NFD"))
EDITIONS = {"first": ("Maria", "F003"), "second": ("Maria_F003", "F003")}


def clip(speaker: str, identity: str, folder: str = "", label: str = "bona-fide") -> list[str]:
    side = "real_voices/{}" if label == "bona-fide" else "fake_voices/{}_Fake"
    folder = folder or speaker.removesuffix(f"_{identity}") + f"_{identity}"
    return [f"{side.format(folder)}/1.wav", speaker, identity, identity[0], label, ""]


def table(*rows: list[str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=FILE_COLUMNS)


@pytest.mark.parametrize(
    ("name", "identity", "person"),
    [
        ("Maria", "F003", "Maria_F003"),
        ("Maria_F003", "F003", "Maria_F003"),
        ("Maria_F003", "F004", "Maria_F003_F004"),
        ("Maria_F00", "3", "Maria_F00_3"),
        ("_F003", "F003", "_F003"),
        (NFC, "M001", f"{NFC}_M001"),
        (NFD, "M001", f"{NFC}_M001"),
        (f"{NFD}_M001", "M001", f"{NFC}_M001"),
    ],
)
@pytest.mark.parametrize("column", ["speaker", "person"])
def test_the_person_is_name_and_id_once(name: str, identity: str, person: str, column: str) -> None:
    rows = pd.DataFrame({column: [name], "id": [identity]})
    assert person_of(rows).tolist() == [person]
    spelled = with_one_spelling(rows)
    assert spelled[column].tolist() == person_of(spelled).tolist() == [person]


def test_no_rows_have_no_people() -> None:
    assert person_of(table()).tolist() == []


@pytest.mark.parametrize(("speaker", "identity"), EDITIONS.values(), ids=EDITIONS)
def test_tables_of_both_editions_are_read_alike_and_join(speaker: str, identity: str, tmp_path: Path) -> None:
    files = table(clip(speaker, identity), clip(speaker, identity, label="spoof"))
    files.to_csv(tmp_path / FILES_TABLE, index=False)
    people = pd.DataFrame([[speaker, "F", identity, 1, 1, "fake", "real"]], columns=people_of(files).columns)
    people.to_csv(tmp_path / PEOPLE_TABLE, index=False)
    assert read_files(tmp_path)["speaker"].tolist() == ["Maria_F003"] * 2
    assert read_files(tmp_path)["id"].tolist() == [identity] * 2
    assert read_people(tmp_path)["person"].tolist() == ["Maria_F003"]
    assert len(read_files(tmp_path).merge(read_people(tmp_path), left_on="speaker", right_on="person")) == 2


@pytest.mark.parametrize(("speaker", "identity"), EDITIONS.values(), ids=EDITIONS)
def test_what_is_written_has_the_one_spelling(speaker: str, identity: str, tmp_path: Path) -> None:
    people = write_tables(tmp_path, table(clip(speaker, identity)))
    assert people["person"].tolist() == ["Maria_F003"]
    for name, column in ((FILES_TABLE, "speaker"), (PEOPLE_TABLE, "person")):
        assert pd.read_csv(tmp_path / name)[column].tolist() == ["Maria_F003"]


def test_two_unicode_forms_are_one_person() -> None:
    """Fault 02, docs/faults.md: a zip file made on a Mac spells names in NFD."""
    files = table(clip(NFC, "M001"), clip(NFD, "M001", label="spoof"), clip("Ana", "F001"))
    people = people_of(with_one_spelling(files))
    assert people["person"].tolist() == ["Ana_F001", f"{NFC}_M001"]
    assert people[["bonafide_count", "spoof_count"]].to_numpy().tolist() == [[1, 0], [1, 1]]
    assert people["spoof_folder"].tolist() == ["", f"fake_voices/{NFD}_M001_Fake"], "folders keep their form"


def test_two_genders_of_one_person_are_found_across_unicode_forms(tmp_path: Path) -> None:
    rows = table(clip(NFC, "M001"), clip(NFD, "M001", label="spoof"))
    rows.assign(gender=["M", "F"]).to_csv(tmp_path / FILES_TABLE, index=False)
    with pytest.raises(ValueError, match=f"{NFC}_M001 is listed with two genders"):
        read_files(tmp_path)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("name", ["Ana", "João", "Zoë Å", "語"])
def test_the_first_edition_s_names_and_digests_come_back(name: str, form: str, tmp_path: Path) -> None:
    old = table(clip(normalize(form, name), "M001"), clip(normalize(form, name), "M001", label="spoof"))
    old.to_csv(tmp_path / FILES_TABLE, index=False)
    new = read_files(tmp_path)
    assert first_names(old).tolist() == first_names(new).tolist() == old["speaker"].tolist()
    assert split_digest(new) == split_digest(old)


def test_the_digest_of_the_first_edition_holds(tmp_path: Path) -> None:
    """The value was computed by the first edition on this very table."""
    path = tmp_path / "files.csv"
    table(clip("Ana", "F001"), clip(NFD, "M002", label="spoof")).to_csv(path, index=False)
    for _ in range(2):
        rows = read_file_rows(path, maker="SplitDataset")
        assert split_digest(rows) == "90593791fbfc99c03bee23403f264156129a883524e780b61eacae200890445b"
        rows.to_csv(path, index=False)
