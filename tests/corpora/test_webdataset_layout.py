"""Tar shards as WebDataset lays them out: what the descriptions say is taken over, and the rest is told."""

import gzip
from pathlib import Path

import pytest

from src.corpora import Finding, Listing
from src.corpora.reading import read_corpus
from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.checking import check_corpus
from src.utils.dataset import read_files, read_rejected
from tests.audio.storage.made_tars import as_json, write_tar


def sample(key: str, **told: object) -> dict[str, bytes]:
    return {f"{key}.flac": key.encode(), f"{key}.json": as_json(**{"label": "fake", **told})}


def read(dataset: Path, members: dict[str, bytes], **options: str) -> Listing:
    write_tar(dataset / "shard-000000.tar", members)
    return read_corpus(dataset, "webdataset", options)


def test_every_kind_of_description(tmp_path: Path) -> None:
    listing = read(
        tmp_path,
        {
            **sample("3", speaker="Ana", gender="female", system="melgan", official="test"),
            **sample("2", label=" Genuine ", speaker=7, system="none"),
            "train/1.wav": b"sound",
            "train/1.cls": b"real\n",
            "train/1.txt": b"what was said: label: fake",
            "0.MP3": b"sound",
            "0.txt": b"label: spoof\nspeaker: Bo\n",
            "00.ogg": b"sound",
            "00.txt": b"bonafide",
        },
    )
    assert listing.files.to_numpy().tolist() == [
        ["shard-000000.tar/3.flac", "Ana_F000", "F000", "F", "spoof", "melgan", "test"],
        ["shard-000000.tar/2.flac", "7_U000", "U000", "U", "bona-fide", "", ""],
        ["shard-000000.tar/train/1.wav", "shard-000000.tar-train-1_U000", "U000", "U", "bona-fide", "", ""],
        ["shard-000000.tar/0.MP3", "Bo_U000", "U000", "U", "spoof", "", ""],
        ["shard-000000.tar/00.ogg", "shard-000000.tar-00_U000", "U000", "U", "bona-fide", "", ""],
    ], "in the order in which they lie"
    (note,) = listing.notes
    assert note.startswith("Nobody says who speaks in 2 of 5 recordings")


def test_shards_come_in_order_and_hidden_files_do_not_count(tmp_path: Path) -> None:
    write_tar(tmp_path / "b" / "shard.tar", {"._1.flac": b"x", ".hidden/2.flac": b"x", **sample("1", speaker="A")})
    write_tar(tmp_path / "a.tar", {"__MACOSX/1.flac": b"x", **sample("1", speaker="B")})
    write_tar(tmp_path / ".hidden.tar", sample("1"))
    write_tar(tmp_path / "c.tar", sample("splits/1", speaker="C"))
    write_tar(tmp_path / "downloads" / "kept.tar", sample("1"))
    listing = read_corpus(tmp_path, "webdataset")
    assert listing.files["file"].tolist() == ["a.tar/1.flac", "b/shard.tar/1.flac", "c.tar/splits/1.flac"]
    assert listing.notes == ()


def test_other_keys_and_words(tmp_path: Path) -> None:
    members = {**sample("1", **{"class": 1, "spk": "Ana"}), **sample("2", **{"class": 0, "spk": "Bo"})}
    options = {"label_column": "class", "speaker_column": "spk", "positive_label": "1"}
    listing = read(tmp_path, members, **options)
    assert listing.files["label"].tolist() == ["bona-fide", "spoof"]
    assert listing.files["speaker"].tolist() == ["Ana_U000", "Bo_U000"]
    assert listing.notes == ("'1' is taken for bona fide, and all else for spoofs: '0' x 1.",)


def test_what_is_passed_over_is_told(tmp_path: Path) -> None:
    members = {
        **sample("1", speaker="Ana", text="hello", duration=3.0),
        **sample("2", label=None),
        **sample("3"),
        "3.wav": b"the same again",
        "4.png": b"picture",
        "5.json": as_json(label="fake"),
    }
    listing = read(tmp_path, members)
    assert listing.files["file"].tolist() == ["shard-000000.tar/1.flac"]
    assert listing.notes == (
        "Recordings without a label, passed over: 1 (shard-000000.tar/2.flac).",
        "Samples of several recordings, which have one label, passed over: 1 (shard-000000.tar/3.flac).",
        "Members of other kinds, passed over: 1 (shard-000000.tar/4.png).",
        "Keys that are not read (those that are: label, speaker, gender, system, segments, official): 2 (text, "
        "duration).",
    )
    assert [isinstance(note, Finding) for note in listing.notes] == [True, True, False, False]


@pytest.mark.parametrize(
    ("members", "line"),
    [
        ({"1.flac": b"", "1.json": b"{label"}, r"shard-000000\.tar/1\.json is not valid JSON"),
        ({"1.flac": b"", "1.json": b"[" * 100_000}, r"shard-000000\.tar/1\.json is not valid JSON"),
        ({"1.flac": b"", "1.json": b"[1]"}, r"shard-000000\.tar/1\.json must hold an object with the keys label"),
        (
            sample("1", label="1"),
            r"shard-000000\.tar/1\.flac: '1' is not a label: .* Or name the one for bona fide by `positive_label`",
        ),
        ({"1.flac": b"", "1.json": as_json(klass="real")}, r"has a label: a sample is .* have the keys klass\."),
        ({"1.txt": b"real"}, "No recording in the tars of"),
        ({}, "No recording in the tars of"),
    ],
)
def test_what_is_wrong_ends_in_one_line(members: dict[str, bytes], line: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=line) as caught:
        read(tmp_path, members)
    assert "\n" not in str(caught.value)


def test_no_tar_and_compressed_ones(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"holds no \*\.tar, as the layout webdataset has it"):
        read_corpus(tmp_path, "webdataset")
    plain = write_tar(tmp_path / "a.tar", sample("1"))
    (tmp_path / "b.tar.gz").write_bytes(gzip.compress(plain.read_bytes()))
    with pytest.raises(ValueError, match=r"b\.tar\.gz is compressed, so that no recording can be read in place"):
        read_corpus(tmp_path, "webdataset")


def test_a_shard_that_is_a_broken_link_is_missed(tmp_path: Path) -> None:
    (tmp_path / "shard-000001.tar").symlink_to("on-a-disk-that-is-away.tar")
    with pytest.raises(FileNotFoundError, match=r"There is no recording .*shard-000001\.tar"):
        read(tmp_path, sample("1"))


def test_tables_and_their_check(tmp_path: Path) -> None:
    members = {**sample("1", speaker="A"), **sample("2", speaker="B", label="real"), **sample("3", speaker="C")}
    members["2.flac"] = b""
    write_tar(tmp_path / "shard.tar", {**members, "4.flac": b"1", "4.json": as_json(label="real", speaker="A")})
    made = generate_tables(tmp_path, "webdataset")
    assert any("1 recording is listed more than once" in note for note in made.notes), "1 and 4 hold the same bytes"
    assert read_files(tmp_path)["file"].tolist() == ["shard.tar/1.flac", "shard.tar/3.flac", "shard.tar/4.flac"]
    assert read_rejected(tmp_path) == {"shard.tar/2.flac": "empty (no bytes)"}
    assert not check_corpus(tmp_path, listen=False).findings[1:], "what was rejected, and nothing else"
    write_tar(tmp_path / "shard.tar", {**sample("1"), **sample("5"), "4.flac": b"1"})
    missing, unlisted = sorted(check_corpus(tmp_path, listen=False).findings, key=len)[:2]
    assert {missing, unlisted} >= {"Recordings that are listed and missing: 1 (shard.tar/3.flac)."}
