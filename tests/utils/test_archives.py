"""Archives are extracted whole, or raise one line and leave the disk as it was."""

import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from src.utils import archives
from src.utils.archives import ARCHIVE_SUFFIXES, extract_archive, is_archive

CONTENT = {"Ana_F001_Fake/0_fake.wav": b"um" * 700, "Ana_F001_Fake/1_fake.wav": b"dois", "João/vazio.wav": b""}


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def write_tar(path: Path, members: list[tarfile.TarInfo], content: bytes = b"sound") -> Path:
    mode = {".tar": "w", ".gz": "w:gz", ".tgz": "w:gz", ".xz": "w:xz"}[path.suffix]
    with tarfile.open(path, mode) as tar:
        for info in members:
            info.size = len(content) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(content))
    return path


def write_zip(path: Path, names: list[str | zipfile.ZipInfo]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, b"sound")
    return path


def write_archive(path: Path) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in CONTENT.items():
                file.writestr(name, content)
        return path
    with tarfile.open(path, {".tar": "w", ".gz": "w:gz", ".tgz": "w:gz", ".xz": "w:xz"}[path.suffix]) as tar:
        for name, content in CONTENT.items():
            info = member(f"./{name}")
            info.size, info.mode = len(content), 0
            tar.addfile(info, io.BytesIO(content))
    return path


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b"(folder)"
        for path in folder.rglob("*")
    }


def assert_refused(archive: Path, match: str) -> None:
    """The archive is refused with one line that names it, and nothing on the disk has changed."""
    everything = archive.parent.parent
    before = tree(everything)
    with pytest.raises(ValueError, match=match) as caught:
        extract_archive(archive, archive.parent / "out")
    assert str(archive) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert tree(everything) == before


@pytest.fixture
def inner(tmp_path: Path) -> Path:
    """A folder with a neighbour that no archive may touch."""
    (tmp_path / "secret.txt").write_text("untouched")
    (tmp_path / "inner").mkdir()
    return tmp_path / "inner"


@pytest.mark.parametrize("suffix", [*ARCHIVE_SUFFIXES, ".ZIP"])
def test_every_kind_gives_back_what_went_in(inner: Path, suffix: str) -> None:
    archive = write_archive(inner / f"a{suffix.lower()}").rename(inner / f"a{suffix}")
    extract_archive(archive, inner / "deep" / "out")
    files = {name: data for name, data in tree(inner / "deep" / "out").items() if data != b"(folder)"}
    assert files == CONTENT
    assert [path.name for path in (inner / "deep").iterdir()] == ["out"]
    (inner / "new").touch()
    modes = {path.stat().st_mode for path in (inner / "deep").rglob("*") if path.is_file()}
    assert modes == {(inner / "new").stat().st_mode}  # whatever the archive says


def test_a_link_that_stays_inside_is_kept(inner: Path) -> None:
    members = [member("a/clip.wav"), member("b/twin.wav", tarfile.LNKTYPE, "./a/clip.wav")]
    archive = write_tar(inner / "a.tar", [*members, member("b/alias.wav", tarfile.SYMTYPE, "../a/clip.wav")])
    extract_archive(archive, inner / "out")
    assert (inner / "out/b/alias.wav").read_bytes() == (inner / "out/b/twin.wav").read_bytes() == b"sound"


EVIL_NAMES = {
    "/etc/evil.wav": "absolute",
    "//evil.wav": "absolute",
    "C:/evil.wav": "absolute",
    "\\evil.wav": "absolute",
    "../evil.wav": r"\.\.",
    "a/../../evil.wav": r"\.\.",
    "a/../b.wav": r"\.\.",
    "..\\evil.wav": r"\.\.",
    "a\\b.wav": "backslash",
}


@pytest.mark.parametrize(("name", "match"), EVIL_NAMES.items())
@pytest.mark.parametrize("suffix", [".tar.gz", ".zip"])
def test_names_that_leave_the_folder_are_refused(inner: Path, name: str, match: str, suffix: str) -> None:
    path = inner / f"a{suffix}"
    if suffix == ".zip":
        write_zip(path, ["fine.wav", name])
    else:
        write_tar(path, [member("fine.wav"), member(name)])
    assert_refused(path, match)


def test_a_null_character_in_a_zip_name_is_refused(inner: Path) -> None:
    write_zip(inner / "a.zip", ["clip.wavXexe"])
    (inner / "a.zip").write_bytes((inner / "a.zip").read_bytes().replace(b"wavX", b"wav\0"))
    assert_refused(inner / "a.zip", "null character")


TWINS = [
    ("a/clip.wav", "a/clip.wav"),
    ("a/clip.wav", "./a//clip.wav"),
    ("a/clip.wav", "A/CLIP.wav"),
    ("a/clip.wav", "a/clip.wav. "),
    ("a/Jo\u00e3o.wav", "a/Joa\u0303o.wav"),
    ("a/stra\u00dfe.wav", "a/STRASSE.wav"),
]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(("first", "second"), TWINS)
def test_two_members_of_one_name_are_refused(inner: Path, first: str, second: str) -> None:
    assert_refused(write_tar(inner / "a.tar", [member(first), member(second)]), "name of another member")
    assert_refused(write_zip(inner / "a.zip", [first, second]), "name of another member")


def test_a_file_that_is_a_folder_too_is_refused(inner: Path) -> None:
    assert_refused(write_zip(inner / "a.zip", ["a", "a/clip.wav"]), "'a/clip.wav'")
    assert_refused(write_zip(inner / "b.zip", ["a/clip.wav", "A"]), "name of another member")
    assert_refused(write_tar(inner / "c.tar", [member(".")]), "name of another member")


SYM, LNK = tarfile.SYMTYPE, tarfile.LNKTYPE
EVIL_LINKS = {
    "absolute": ([member("l", SYM, "/etc/passwd")], "'l' leaves"),
    "above": ([member("d/l", SYM, "../../secret.txt")], "'d/l' leaves"),
    "hard link above": ([member("l", LNK, "../secret.txt")], "'l' is a hard link"),
    "hard link absolute": ([member("l", LNK, "/etc/passwd")], "'l' is a hard link"),
    "hard link to a link": ([member("f"), member("s", SYM, "f"), member("l", LNK, "s")], "'l' is a hard link"),
    "hard link to what comes later": ([member("l", LNK, "f"), member("f")], "'l' is a hard link"),
    "written through": ([member("d", SYM, "."), member("d/f")], "'d/f'"),
    "over a link": ([member("f", SYM, "g"), member("f")], "'f' has the name"),
    # Each looks harmless alone: a/b is the folder itself, so that c, by way of a/b, is above it.
    "by two steps": ([member("c", SYM, "a/b/../../secret.txt"), member("a/b", SYM, "..")], "'c' is a link"),
}


@pytest.mark.parametrize(("members", "match"), EVIL_LINKS.values(), ids=EVIL_LINKS)
def test_links_that_leave_the_folder_are_refused(inner: Path, members: list[tarfile.TarInfo], match: str) -> None:
    assert_refused(write_tar(inner / "a.tar", members), match)


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_and_pipes_are_refused(inner: Path, kind: bytes) -> None:
    assert_refused(write_tar(inner / "a.tgz", [member("fine.wav"), member("dev", kind)]), "'dev' is a device or a pipe")


@pytest.mark.parametrize("mode", [0o120777, 0o020666, 0o010666])
def test_a_zip_may_hold_no_link_and_no_device(inner: Path, mode: int) -> None:
    info = zipfile.ZipInfo("l")
    info.external_attr = mode << 16
    assert_refused(write_zip(inner / "a.zip", [info]), "'l' is a link or a device")


def test_an_encrypted_zip_is_refused(inner: Path) -> None:
    data = bytearray(write_zip(inner / "a.zip", ["f.wav"]).read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    (inner / "a.zip").write_bytes(data)
    assert_refused(inner / "a.zip", "'f.wav' is encrypted")


@pytest.mark.parametrize("suffix", ARCHIVE_SUFFIXES)
@pytest.mark.parametrize("damage", ["html", "empty", "half", "last byte"])
def test_a_damaged_archive_says_download_again(inner: Path, suffix: str, damage: str) -> None:
    archive = write_archive(inner / f"a{suffix}")
    whole = archive.read_bytes()
    # A tar ends in zeros that are not needed: the last byte that matters belongs to the last content.
    end = whole.rindex(b"dois") if suffix == ".tar" else len(whole) - 1
    cut = {"html": b"<html>not found</html>", "empty": b"", "half": whole[: len(whole) // 4], "last byte": whole[:end]}
    archive.write_bytes(cut[damage])
    assert_refused(archive, "delete it and download it again")


def test_a_tar_cut_between_two_members_is_not_a_shorter_tar(inner: Path) -> None:
    archive = write_tar(inner / "a.tar", [member("one.wav"), member("two.wav")])
    archive.write_bytes(archive.read_bytes()[:1024])
    with tarfile.open(archive) as tar:
        assert tar.getnames() == ["one.wav"]  # how the standard library reads it
    assert_refused(archive, "truncated")


@pytest.mark.parametrize("suffix", ARCHIVE_SUFFIXES)
def test_no_damage_gets_through_unseen_or_leaves_anything(inner: Path, suffix: str) -> None:
    """Bytes changed at random: either one line, or (dates, padding) the very same contents."""
    archive = write_archive(inner / f"a{suffix}")
    whole = archive.read_bytes()
    rng = np.random.default_rng(7)
    n_refused = 0
    for _ in range(150):
        data = bytearray(whole)
        data[int(rng.integers(len(data)))] ^= int(rng.integers(1, 256))
        archive.write_bytes(data)
        try:
            extract_archive(archive, inner / "out")
        except ValueError as error:
            n_refused += 1
            assert "\n" not in str(error)
            assert [path.name for path in inner.iterdir()] == [archive.name]
            continue
        sizes = sorted(path.stat().st_size for path in (inner / "out").rglob("*") if path.is_file())
        assert sizes == sorted(len(content) for content in CONTENT.values())
        (inner / "out").rename(inner.parent / f"out{_}")
    assert n_refused > (3 if suffix == ".tar" else 30)


def test_what_is_wrong_with_the_arguments(inner: Path) -> None:
    archive = write_archive(inner / "a.zip")
    extract_archive(archive, inner / "out")
    with pytest.raises(ValueError, match="exists already"):
        extract_archive(archive, inner / "out")
    with pytest.raises(FileNotFoundError, match=r"no archive .*b\.zip"):
        extract_archive(inner / "b.zip", inner / "new")
    (inner / "a.rar").write_bytes(b"Rar!")
    with pytest.raises(ValueError, match=r"allowed: \.zip, \.tar"):
        extract_archive(inner / "a.rar", inner / "new")
    assert not is_archive(inner / "zip")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_interruption_leaves_nothing_and_a_full_disk_is_no_corrupt_archive(
    inner: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    archive = write_archive(inner / "a.zip")

    def fail(*_: object) -> None:
        raise error

    interrupted: Callable[..., None] = fail
    monkeypatch.setattr(archives.shutil, "copyfileobj", interrupted)
    with pytest.raises(type(error)):
        extract_archive(archive, inner / "out")
    assert [path.name for path in inner.iterdir()] == ["a.zip"]


def test_an_xz_stream_damaged_after_the_tar_end_is_seen(inner: Path) -> None:
    archive = write_archive(inner / "a.tar.xz")
    plain = lzma.decompress(archive.read_bytes())
    packed = bytearray(lzma.compress(plain, check=lzma.CHECK_CRC32))
    packed[-13] ^= 0xFF
    archive.write_bytes(packed)
    assert_refused(archive, "corrupt")
