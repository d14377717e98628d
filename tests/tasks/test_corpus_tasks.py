"""A public corpus is a one-line start: listed and split as it is typed, and what is wrong ends in one line."""

from pathlib import Path

import pytest

from tests.corpora.stand_ins import asvspoof2019, asvspoof2021
from tests.typed import run_fab


def test_a_published_corpus_is_listed_and_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asvspoof2021(tmp_path / "data")
    assert run_fab("GenerateDatasetCSV --dataset=data --layout=asvspoof2021", tmp_path, monkeypatch) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "Note: Clips of the subset hidden, no part of the official test: 8."
    assert printed[-1].startswith("24 clips of 2 people in ")
    assert run_fab("SplitDataset --dataset=data --official", tmp_path, monkeypatch) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[2].startswith("Note: The official split of ")
    assert printed[3] == "downstream_test        8 clips (4 bona-fide, 4 spoof) of 2 people (2 U)"


def test_what_is_wrong_ends_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = asvspoof2019(tmp_path / "data")
    corpus.protocol.write_text("LA_0079 LA_T_1000137 - - perhaps\n")
    assert run_fab("GenerateDatasetCSV --dataset=data --layout=asvspoof2019", tmp_path, monkeypatch) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"GenerateDatasetCSV: {corpus.protocol}, line 1: 'perhaps' is not a label")


def test_a_text_is_not_spoken_by_a_vocoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.txt").write_text("One sentence.")
    assert run_fab("CreateSpoofs --tts=espeak --text=text.txt --vocoder=world", tmp_path, monkeypatch) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--vocoder copies bona fide speech and --tts speaks a text: leave out one of the two." in line


def test_a_corpus_without_an_official_split_names_the_flag(
    make_corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = make_corpus(people=2, clips=1)
    assert run_fab(f"GenerateDatasetCSV --dataset={corpus}", tmp_path, monkeypatch) == 0
    assert run_fab(f"SplitDataset --dataset={corpus} --official", tmp_path, monkeypatch) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert (
        "leave out --official, or list the corpus by the layout of its makers, fab GenerateDatasetCSV --layout=" in line
    )
