"""People are found in folder names of every spelling, and what is left out is reported."""

import os
import zipfile
from pathlib import Path

import pytest

from src.corpora.cetuc_layout import find_voices, lay_out, speaker_id


def write_files(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Juliana_F028", "F028"),
        ("F028", "F028"),
        ("f028", "F028"),
        ("spkF028-16k", "F028"),
        ("F028_F028_Fake", "F028"),
        ("F0281", ""),
        ("GIF028", ""),
        ("PDF028", ""),
        ("film028", ""),
        ("alcaim16k-DVD1de4", ""),
        ("F001_M002", ""),
    ],
)
def test_ids_are_read_where_they_stand_and_nowhere_else(text: str, expected: str) -> None:
    assert speaker_id(text) == expected


def test_names_of_several_words_and_accents_survive(tmp_path: Path) -> None:
    write_files(tmp_path, {"Ana_Lúcia_F001_Fake/0.wav": b"", "João_M002/x/0.wav": b"", "m003/0.wav": b""})
    found, remarks = find_voices(tmp_path, "downloads/x")
    assert [(voice.name, voice.id) for voice in found] == [("Ana_Lúcia", "F001"), ("João", "M002"), ("", "M003")]
    assert remarks == []


def lay_out_twice(corpus: Path) -> tuple[dict[str, bytes], list[str]]:
    """Lay out `downloads/spoofs` and `downloads/genuine`; a second time must change and say nothing else."""
    downloads = corpus / "downloads"

    def once() -> tuple[dict[str, bytes], list[str]]:
        remarks = lay_out(corpus, downloads / "spoofs", [downloads / "genuine"])
        clips = list(corpus.glob("*_voices/*/*"))
        return {path.relative_to(corpus).as_posix(): path.read_bytes() for path in clips}, remarks

    first = once()
    assert once() == first
    return first


def write_zip(path: Path, files: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    spoofs = tmp_path / "downloads" / "spoofs"
    write_zip(spoofs / "Ana_F001_Fake.zip", {"0_fake.wav": b"a0", "1_fake.wav": b"a1"})
    write_zip(spoofs / "Ana_F001_Fake_2.zip", {"0_fake.wav": b"A0", "1_fake.wav": b"a1"})
    write_zip(spoofs / "Beatriz_F001_Fake.zip", {"2_fake.wav": b"another person"})
    write_zip(spoofs / "many.zip", {"nobody/0.wav": b"?", "inner.zip": b"?", "F001_F003/1.wav": b"?"})
    write_zip(spoofs / "none.zip", {"README": b"nothing here"})
    pointer = b"version https://git-lfs.github.com/spec/v1"
    write_files(spoofs, {"data/train.parquet": b"PAR1", "M002/1_fake.wav": pointer, "F001/1_fake.wav": b"a1"})
    (spoofs / "M002" / "2_fake.wav").symlink_to("1_fake.wav")
    (spoofs / "all").symlink_to("M002")

    clips, remarks = lay_out_twice(tmp_path)
    assert clips == {"fake_voices/Ana_F001_Fake/0_fake.wav": b"a0", "fake_voices/Ana_F001_Fake/1_fake.wav": b"a1"}
    where, ana = "downloads/spoofs", "fake_voices/Ana_F001_Fake"
    assert sorted(remarks) == sorted(
        [
            f"{where}/Ana_F001_Fake_2.zip/0_fake.wav: left out, {ana} has another clip of that name",
            f"{where}/Beatriz_F001_Fake.zip: left out, F001 already belongs to Ana",
            f"{where}/many.zip/nobody: 1 clips left out, no speaker id such as F028 in the folder's name",
            f"{where}/many.zip/F001_F003: 1 clips left out, no speaker id such as F028 in the folder's name",
            f"{where}/many.zip: inner.zip left out, an archive in an archive",
            f"{where}/none.zip: holds no clip",
            f"{where}/data/train.parquet: unpack it yourself; this step opens .zip, .tar, .tar.gz, .tgz, .tar.xz",
            f"{where}/M002: 1 clips left out, Git LFS pointers without sound: install git-lfs",
            f"{where}/M002/2_fake.wav: left out, a link",
            f"{where}/all: left out, a link",
        ]
    )


def test_one_person_may_come_in_parts_but_two_people_with_one_id_are_not_mixed(tmp_path: Path) -> None:
    genuine = tmp_path / "downloads" / "genuine"
    write_files(genuine, {"1/Ana_F001/0.wav": b"a0", "2/Ana_F001/1.wav": b"a1", "3/f001/2.wav": b"a2"})
    write_files(genuine, {"4/Zilda_F001/0.wav": b"z0", "5/Ana_F001/0.wav": b"a0"})
    clips, remarks = lay_out_twice(tmp_path)
    assert clips == {f"real_voices/Ana_F001/{k}.wav": f"a{k}".encode() for k in range(3)}
    assert remarks == ["downloads/genuine/4/Zilda_F001: left out, F001 already belongs to Ana"]


def test_the_spoofs_give_the_name_and_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    write_files(tmp_path / "downloads", {"genuine/cetuc_Ana_F001/0.wav": b"new", "spoofs/Ana_F001_Fake/0.wav": b"s0"})
    write_files(tmp_path, {"real_voices/Ana_F001/0.wav": b"old"})
    for path in tmp_path.rglob("0.wav"):
        os.utime(path, (0, 0))  # no difference but the contents
    clips, remarks = lay_out_twice(tmp_path)
    assert clips == {"real_voices/Ana_F001/0.wav": b"old", "fake_voices/Ana_F001_Fake/0.wav": b"s0"}
    left_out = "left out, real_voices/Ana_F001 has another clip of that name"
    assert remarks == [f"downloads/genuine/cetuc_Ana_F001/0.wav: {left_out}"]
