"""Tars and recordings in storage, as they are typed; what is wrong ends in one line."""

from pathlib import Path

import pytest

from tests.audio.storage.made_tars import as_json, write_tar
from tests.typed import run_fab


def test_tars_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    members = {f"{n}.flac": b"sound" * n for n in (1, 2)} | {f"{n}.json": as_json(klass=n % 2, spk="A") for n in (1, 2)}
    write_tar(tmp_path / "data" / "shard.tar", members)
    typed = "GenerateDatasetCSV --dataset=data --layout=webdataset --label-column=klass --speaker-column=spk"
    assert run_fab(f"{typed} --positive-label=1", tmp_path, monkeypatch) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("2 clips of 1 people in ")
    assert run_fab(typed, tmp_path, monkeypatch) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "shard.tar/1.flac: '1' is not a label" in line
    assert line.endswith("Or name the one for bona fide by --positive-label.")


def test_a_source_is_linked_and_listed(
    make_corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"file://{make_corpus(people=2, clips=1)}"
    typed = f"GenerateDatasetCSV --dataset=here --source={url}"
    assert run_fab(f"{typed} --cache-gb=5", tmp_path, monkeypatch) == 0
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("3 recordings or tars (")
    assert first.endswith(
        f"GB) of {url} are fetched when they are first read; up to 5 GB of them are kept in .fetched."
    )
    assert last.startswith("3 clips of 2 people in ")


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        ("--cache-gb=5", "--cache-gb goes with --source, which names where the recordings are fetched from."),
        ("--source=bucket", "--source must be a URL such as s3://bucket/corpus, not 'bucket'."),
        ("--source=s3://bucket --cache-gb=0", "--cache-gb must be above 0 GB, not 0."),
        ("--source=nowhere://bucket", "nowhere://bucket cannot be read (Protocol not known: nowhere)."),
        ("--source=file:///none/at/all", "file:///none/at/all holds nothing: is the bucket or folder spelled so?"),
    ],
)
def test_what_is_wrong_ends_in_one_line(
    flags: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_fab(f"GenerateDatasetCSV --dataset=here {flags}", tmp_path, monkeypatch) == 2
    assert capsys.readouterr().err.splitlines() == [f"GenerateDatasetCSV: {line}"]
    assert not (tmp_path / "here").exists()
