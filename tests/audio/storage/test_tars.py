"""The index of a tar finds every member where it lies, and refuses what would read as a shorter tar."""

import gzip
import io
import shutil
import tarfile
from pathlib import Path

import pytest

from src.audio.storage.tars import read_index
from tests.audio.storage.made_tars import write_tar

MEMBERS = {"b.flac": b"two" * 400, "./a/1.flac": b"one", "empty.txt": b"", "é/ü.flac": b"umlaut", "x" * 150: b"long"}


@pytest.fixture
def tar(tmp_path: Path) -> Path:
    return write_tar(tmp_path / "shard.tar", MEMBERS)


def content(tar: Path, name: str) -> bytes:
    found = read_index(tar).find(name)
    assert found is not None
    start, size = found
    return tar.read_bytes()[start : start + size]


def test_members_are_found_where_they_lie(tar: Path) -> None:
    assert {name: content(tar, name.removeprefix("./")) for name in MEMBERS} == MEMBERS
    assert [read_index(tar).find(name) for name in ("a", "a/2.flac", "b.fla", "zz", "")] == [None] * 5
    assert [name for name, *_ in read_index(tar).in_order()] == [name.removeprefix("./") for name in MEMBERS]


def test_folders_links_and_an_empty_tar(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name, kind in (("folder", tarfile.DIRTYPE), ("link", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "b"
            tar.addfile(member)
    assert (list(read_index(tmp_path / "a.tar").in_order()), read_index(tmp_path / "a.tar").n_links) == ([], 2)
    assert list(read_index(write_tar(tmp_path / "none.tar", {})).in_order()) == []


def test_an_index_is_made_once_and_again_when_the_tar_changes(tar: Path) -> None:
    before = read_index(tar)
    assert read_index(tar) is before
    write_tar(tar, {"new.flac": b"new"})
    assert content(tar, "new.flac") == b"new"


HEADERS = {
    "negative size": (-512, b"0"),
    "size beyond all disks": (2**63 - 1, b"0"),
    "name beyond all disks": (2**64, b"L"),
    "name beyond all memory": (2**55, b"x"),
}
"""Size and kind of a header."""


def base_256(size: int) -> bytes:
    """Return a size as GNU tar writes one that octal digits cannot hold."""
    return (b"\xff" if size < 0 else b"\x80") + size.to_bytes(11, "big", signed=True)


def damaged(tar: Path, how: str) -> Path:
    whole = tar.read_bytes()
    if how == "compressed":
        tar.write_bytes(gzip.compress(whole))
    elif how == "joined":
        tar.write_bytes(whole + whole)
    elif how == "corrupt header":  # that of the second member
        tar.write_bytes(whole[:2100] + b"?" + whole[2101:])
    elif how in HEADERS:  # that of the second member, which begins at byte 2,048
        size, kind = HEADERS[how]
        header = tarfile.TarInfo("a/1.flac").tobuf()
        header = header[:124] + base_256(size) + header[136:148] + b" " * 8 + kind + header[157:]
        header = header[:148] + b"%06o\0 " % sum(header) + header[156:]
        tar.write_bytes(whole[:2048] + header + whole[2560:])
    elif how == "no tar":
        tar.write_bytes(b"no tar" * 1000)
    else:
        end = {"cut between members": 512 + 1536, "cut in a member": 1000, "cut in a header": 2200, "empty": 0}[how]
        tar.write_bytes(whole[:end])
    return tar


@pytest.mark.parametrize(
    ("how", "line"),
    [
        ("compressed", "is compressed, so that no recording can be read in place"),
        ("joined", "was joined of several tars, or something follows its end"),
        ("corrupt header", "is damaged or truncated"),
        *((how, "is damaged or truncated") for how in HEADERS),
        ("no tar", "is damaged or truncated"),
        ("cut between members", "is damaged or truncated"),
        ("cut in a member", "is damaged or truncated"),
        ("cut in a header", "is damaged or truncated"),
        ("empty", "is damaged or truncated"),
    ],
)
def test_a_tar_that_is_not_whole_is_refused_in_one_line(tar: Path, how: str, line: str) -> None:
    with pytest.raises(ValueError, match=line) as caught:
        read_index(damaged(tar, how))
    assert str(caught.value).startswith(f"{tar} ")
    assert "\n" not in str(caught.value)


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "a.tar", [("1.flac", b"a"), ("./1.flac", b"b")])
    with pytest.raises(ValueError, match=r"a\.tar has two members called 1\.flac: write it again"):
        read_index(tar)


def test_the_usual_padding_is_no_damage(tar: Path, tmp_path: Path) -> None:
    shutil.copyfile(tar, tmp_path / "padded.tar")
    with (tmp_path / "padded.tar").open("ab") as file:
        file.write(bytes(10_240))
    assert [*read_index(tmp_path / "padded.tar").in_order()] == [*read_index(tar).in_order()]
    with tarfile.open(tmp_path / "pax.tar", "w", format=tarfile.PAX_FORMAT) as pax:
        member = tarfile.TarInfo("ü" * 200)
        member.size = 3
        pax.addfile(member, io.BytesIO(b"pax"))
    assert content(tmp_path / "pax.tar", "ü" * 200) == b"pax"
