"""Whoever opens a file reads the old content or the new, whatever happens to the writer."""

import hashlib
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from src.audio.io import save_waveform
from src.utils.files import (
    atomic_path,
    check_output,
    file_digest,
    read_json,
    remove_leftovers,
    text_digest,
    write_json,
    write_text,
)

texts = st.text(st.characters(exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=10,
)


def refuse_to_rename(*_: object) -> None:
    raise OSError("the disk went away")


def test_a_block_that_ends_well_leaves_the_new_file_and_nothing_else(tmp_path: Path) -> None:
    place = tmp_path / "new" / "folder" / "table.csv"
    for content in ("old", "new"):
        with atomic_path(place) as temporary:
            assert temporary.parent == place.parent, "a rename is atomic within one folder only"
            assert temporary.suffix == ".csv", "writers that look at the suffix must find it"
            temporary.write_text(content)
        assert place.read_text() == content
    assert list(place.parent.iterdir()) == [place]


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
@pytest.mark.parametrize("existed", [True, False])
def test_a_block_that_fails_leaves_what_was_there(error: type[BaseException], existed: bool, tmp_path: Path) -> None:
    place = tmp_path / "table.csv"
    if existed:
        place.write_text("old")
    with pytest.raises(error), atomic_path(place) as temporary:
        temporary.write_text("half of the ne")
        raise error
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"][: int(existed)]
    assert not existed or place.read_text() == "old"


def test_a_rename_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "table.csv"
    place.write_text("old")
    monkeypatch.setattr(Path, "replace", refuse_to_rename)
    with pytest.raises(OSError, match="the disk went away"):
        write_text(place, "new")
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
    assert place.read_text() == "old"


def test_a_reader_never_meets_half_a_file(tmp_path: Path) -> None:
    place = tmp_path / "table.csv"
    contents = ["a" * 50_000, "b" * 70_000]
    write_text(place, contents[0])
    done = threading.Event()
    seen: list[str] = []

    def read() -> None:
        while not done.is_set():
            seen.append(place.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(200):
        write_text(place, contents[turn % 2])
    done.set()
    reader.join()
    assert len(seen) > 10
    assert set(seen) <= set(contents)


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_files_are_as_readable_as_any_other(mask: int, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        write_text(tmp_path / "ours.txt", "")
        (tmp_path / "other.txt").touch()
    finally:
        os.umask(before)
    assert (tmp_path / "ours.txt").stat().st_mode == (tmp_path / "other.txt").stat().st_mode


@pytest.mark.parametrize("letter", ["a", "é", "語"])
def test_a_name_of_the_greatest_length_can_be_written(letter: str, tmp_path: Path) -> None:
    place = tmp_path / (letter * (250 // len(letter.encode())) + ".csv")
    write_text(place, "whole")
    assert place.read_text() == "whole"


@pytest.mark.parametrize(
    "write",
    [
        lambda temporary: temporary.with_name("missing").joinpath(temporary.name).write_text(""),
        lambda temporary: open(f"{temporary}/below"),  # noqa: PTH123, SIM115
        lambda temporary: temporary.rename(temporary / "below"),
        lambda temporary: np.save(temporary.with_suffix("") / temporary.name, np.ones(3)),
        lambda temporary: save_waveform(temporary / temporary.name, np.zeros(8)),
        lambda temporary: safetensors.numpy.save_file({}, temporary / "below"),
        lambda temporary: (_ for _ in ()).throw(ValueError(f"cannot write {temporary}")),
    ],
)
def test_no_error_names_the_temporary_file(write: Callable[[Path], object], tmp_path: Path) -> None:
    """Fault 17, docs/faults.md."""
    with pytest.raises(Exception) as caught, atomic_path(tmp_path / "scores.csv") as temporary:
        write(temporary)
    assert ".part" not in str(caught.value)
    assert ".part" not in str(getattr(caught.value, "filename", ""))


@pytest.mark.parametrize(
    ("place", "error", "named"),
    [
        ("folder", IsADirectoryError, "folder"),
        ("file/below.csv", NotADirectoryError, "file"),
        ("file/deep/below.csv", NotADirectoryError, "file"),
        ("a" * 400 + ".csv", OSError, "a" * 400 + ".csv"),
    ],
)
def test_a_place_that_cannot_be_written_is_named(place: str, error: type[OSError], named: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(error) as caught:
        write_text(tmp_path / place, "new")
    assert str(caught.value.filename).startswith(str(tmp_path / named))
    assert ".part" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize("kind", ["itself", "link", "hard link", "another spelling"])
def test_an_output_is_never_an_input(kind: str, tmp_path: Path) -> None:
    scores, output = tmp_path / "scores.txt", tmp_path / "output.json"
    scores.write_text("scores")
    check_output(output, [scores])
    check_output(output, [tmp_path / "missing"])
    output.write_text("an older one")
    check_output(output, [scores])
    output.unlink()
    if kind == "itself":
        output = scores
    elif kind == "link":
        output.symlink_to(scores)
    elif kind == "hard link":
        output.hardlink_to(scores)
    else:
        (tmp_path / "deep").mkdir()
        output = tmp_path / "deep" / ".." / "scores.txt"
    with pytest.raises(ValueError, match=str(output)):
        check_output(output, [tmp_path / "other", scores])


def test_an_output_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"{tmp_path} is a folder"):
        check_output(tmp_path, [])


def test_leftovers_are_the_temporary_files_alone(tmp_path: Path) -> None:
    def killed(path: Path) -> None:
        with atomic_path(path) as temporary:
            (tmp_path / "left" / temporary.name).write_text("half")  # as a kill would leave it

    (tmp_path / "left" / ".splits.part").mkdir(parents=True)
    for name in ("clip.flac", "table.csv", ".hidden", "part", "a.part.flac"):
        (tmp_path / "left" / name).touch()
        killed(tmp_path / "away" / name)
    assert len(list((tmp_path / "left").iterdir())) == 11
    remove_leftovers(tmp_path)
    left = {path.name for path in (tmp_path / "left").iterdir()}
    assert left == {"clip.flac", "table.csv", ".hidden", "part", "a.part.flac", ".splits.part"}


@settings(deadline=None)
@given(json_values)
def test_json_comes_back_as_it_went(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    place = tmp_path_factory.getbasetemp() / "value.json"
    write_json(place, value)
    assert read_json(place) == value


def test_json_is_written_for_people(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"speaker": "João", "n": 3})
    assert (tmp_path / "a.json").read_bytes() == '{\n  "speaker": "João",\n  "n": 3\n}\n'.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"path": Path()}])
def test_what_json_cannot_hold_is_refused_and_the_old_file_stays(value: object, tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", "old")
    with pytest.raises((ValueError, TypeError)):
        write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == "old"


@pytest.mark.parametrize("content", [b"", b"{", b"{'a': 1}", b"\xff\xfe"])
def test_a_file_that_is_no_json_is_named_in_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"broken\.json is not valid JSON") as error:
        read_json(tmp_path / "broken.json")
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("content", ["", "abc", "João\n" * 100_000])
def test_digests_are_sha_256_of_the_bytes(content: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(content.encode())
    assert file_digest(tmp_path / "a") == text_digest(content) == hashlib.sha256(content.encode()).hexdigest()


def test_the_digest_of_abc_is_the_one_in_the_standard() -> None:
    assert text_digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_names_that_are_not_utf_8_have_digests_too() -> None:
    names = [os.fsdecode(name) for name in (b"caf\xe9", b"caf\xe8")]
    assert text_digest(names[0]) != text_digest(names[1])


@pytest.mark.parametrize("write", [write_text, lambda path, text: write_json(path, json.loads(f'"{text}"'))])
def test_writing_twice_gives_the_same_bytes(write: Callable[[Path, str], None], tmp_path: Path) -> None:
    write(tmp_path / "a", "text")
    first = (tmp_path / "a").read_bytes()
    write(tmp_path / "a", "text")
    assert (tmp_path / "a").read_bytes() == first
