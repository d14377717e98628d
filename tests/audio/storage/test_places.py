"""A recording inside a tar is read as the same recording beside it: every format, every way of reading."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from src.audio.io import (
    UnusableAudio,
    count_samples,
    load_stretch,
    load_stretches,
    load_waveform,
    read_header,
)
from src.audio.slices import mapped, opened
from src.audio.storage import places
from src.audio.storage.places import carrier, exists, in_reading_order, locate, stretches_of
from src.utils.files import fingerprint
from tests.audio.made_files import buzz, encode, joined, mp3, pcm, with_bytes
from tests.audio.storage.made_tars import write_tar

MAKERS: dict[str, Callable[[Path], Path]] = {
    "flac": lambda path: pcm(path, buzz(1.5), "FLAC"),
    "wav": lambda path: pcm(path, np.stack([buzz(1.5), buzz(1.5, seed=1)], axis=1), "WAV"),
    "44100.wav": lambda path: pcm(path, buzz(1.5, rate=44_100), "WAV", rate=44_100),
    "ogg": lambda path: pcm(path, buzz(1.5), "OGG", subtype="VORBIS"),
    "mp3": lambda path: mp3(path, buzz(1.5), xing=True),
    "cut.mp3": lambda path: mp3(path, buzz(1.5), xing=False, tag=True),
    "m4a": lambda path: encode(path, buzz(1.5), "aac", container="mp4"),
    "aac": lambda path: encode(path, buzz(1.5), "aac", container="adts"),
    "mkv": lambda path: encode(path, buzz(1.5), "aac", container="matroska"),
    "streamed.flac": lambda path: with_bytes(pcm(path, buzz(1.5), "FLAC"), {21: bytes([0xF0]), 22: bytes(4)}),
    "open.wav": lambda path: with_bytes(pcm(path, buzz(1.5), "WAV"), {4: b"\xff" * 4, 40: b"\xff" * 4}),
}
"""Suffix -> how to write such a recording; the last two do not state their length."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one recording of every kind, and a tar with the same ones among others."""
    folder = tmp_path_factory.mktemp("kinds")
    for kind, make in MAKERS.items():
        make(folder / f"sound.{kind}")
    joined(folder / "sound.joined.wav", [folder / "sound.wav"] * 2)
    whole = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    before = {"0.txt": b"something before"}
    bad = {"cut.flac": whole["sound.flac"][:4000], "none.wav": b"", "noise.wav": bytes(range(256)) * 40}
    for name, content in bad.items():
        (folder / name).write_bytes(content)
    write_tar(folder / "shard.tar", {**before, **whole, **bad, "z.txt": whole["sound.mp3"]})
    return folder


@pytest.mark.parametrize("kind", [*MAKERS, "joined.wav"])
def test_every_format_is_read_in_place(kind: str, folder: Path) -> None:
    beside, inside = folder / f"sound.{kind}", folder / "shard.tar" / f"sound.{kind}"
    assert read_header(inside) == read_header(beside)
    assert count_samples(inside) == count_samples(beside)
    np.testing.assert_array_equal(load_waveform(inside), load_waveform(beside))
    for start, stop in ((0, 4000), (5000, 9000)):
        np.testing.assert_array_equal(load_stretch(inside, start, stop), load_stretch(beside, start, stop))
    spans = [(0, 3000), (2000, 9000), (12_000, 20_000)]
    for one, other in zip(load_stretches(inside, spans), load_stretches(beside, spans), strict=True):
        np.testing.assert_array_equal(one, other)
    assert fingerprint(inside) == fingerprint(beside)


@pytest.mark.parametrize("name", ["cut.flac", "none.wav", "noise.wav"])
def test_what_cannot_be_used_has_the_same_reason_inside(name: str, folder: Path) -> None:
    said = []
    for path in (folder / name, folder / "shard.tar" / name):
        with pytest.raises(UnusableAudio) as caught:
            load_waveform(path)
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_bytes_are_those_of_the_member(folder: Path) -> None:
    inside, whole = folder / "shard.tar" / "sound.flac", (folder / "sound.flac").read_bytes()
    with opened(inside) as file:
        assert file.read() == whole
        assert (file.seek(-7, 2), file.read()) == (len(whole) - 7, whole[-7:])
    with mapped(inside) as content:
        assert (len(content), content[:], content[10], content[3:1]) == (len(whole), whole, whole[10], b"")
        assert [content.find(b"fLaC", start) for start in (0, 1)] == [0, whole.find(b"fLaC", 1)]
        assert content.find(b"sound") == whole.find(b"sound"), "what comes before and after is not seen"
        with pytest.raises(IndexError):
            content[len(whole)]


def test_what_is_not_there(folder: Path) -> None:
    for path, line in (
        (folder / "none.flac", "There is no recording .*none.flac"),
        (folder / "shard.tar" / "none.flac", r"There is no recording none\.flac in .*shard\.tar: did the tar change"),
        (folder / "other.tar" / "1.flac", r"There is no recording .*other\.tar"),
        (folder / "sound.wav" / "1.flac", r"There is no recording"),
        (folder, "There is no recording"),
    ):
        assert not exists(path)
        with pytest.raises(FileNotFoundError, match=line):
            load_waveform(path)
    assert exists(folder / "shard.tar" / "sound.flac")


def test_a_plain_file_costs_one_look_at_the_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[object] = []
    real = os.stat
    monkeypatch.setattr(os, "stat", lambda path, **how: (looks.append(path), real(path, **how))[1])
    locate(folder / "sound.flac")
    assert len(looks) == 1


def test_a_folder_may_be_called_like_a_tar(tmp_path: Path) -> None:
    """Corpora that are derived from tars have plain files in such folders."""
    (tmp_path / "shard.tar").mkdir()
    pcm(tmp_path / "shard.tar" / "1.flac", buzz(0.5), "FLAC")
    assert not locate(tmp_path / "shard.tar" / "1.flac").is_member
    assert carrier(tmp_path / "shard.tar" / "1.flac") == tmp_path / "shard.tar" / "1.flac"
    assert stretches_of(tmp_path, ["shard.tar/1.flac"]) == {}
    assert not exists(tmp_path / "shard.tar" / "2.flac")


def test_recordings_of_tars_come_in_the_order_in_which_they_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tar(tmp_path / "b.tar", {"2.flac": bytes(900), "1.flac": bytes(900)})
    write_tar(tmp_path / "a" / "a.tar", {"z.flac": b"z", "y.flac": b"y"})
    (tmp_path / "q.flac").write_bytes(b"q")
    files = ["b.tar/1.flac", "q.flac", "a/a.tar/y.flac", "b.tar/2.flac", "a/a.tar/z.flac", "p.flac"]
    ordered = ["q.flac", "p.flac", "a/a.tar/z.flac", "a/a.tar/y.flac", "b.tar/2.flac", "b.tar/1.flac"]
    assert in_reading_order(tmp_path, files) == ordered
    monkeypatch.setattr(places, "STRETCH", 1536)
    found = stretches_of(tmp_path, files)
    assert found == {
        "b.tar/1.flac": ("b.tar", 1), "b.tar/2.flac": ("b.tar", 0),
        "a/a.tar/y.flac": ("a/a.tar", 1), "a/a.tar/z.flac": ("a/a.tar", 0),
    }  # fmt: skip
    assert stretches_of(tmp_path, files[:1]) == {files[0]: found[files[0]]}, "it depends on nothing else"
