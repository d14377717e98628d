"""The benchmark of growth: its corpus is one that every step takes, and its table says what was measured."""

import sys
from pathlib import Path

import pytest

from benchmarks import growth
from benchmarks.growth import Cost, costs_at, exponent, run_step, sizes_up_to, table_of
from benchmarks.growth_corpus import write_corpus
from benchmarks.growth_steps import SMALL, STEPS
from src.audio.io import load_waveform, read_header
from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.checking import check_corpus
from src.utils.dataset import read_files
from src.utils.embeddings import load_embeddings


def test_its_recordings_are_real_and_no_two_are_the_same(tmp_path: Path) -> None:
    write_corpus(tmp_path, 60)
    assert "60 clips of 20 people" in str(generate_tables(tmp_path))
    files = read_files(tmp_path)
    assert files["label"].value_counts().to_dict() == {"bona-fide": 40, "spoof": 20}
    assert set(files["system"]) == {"", "system-0"}
    assert check_corpus(tmp_path, jobs=1).is_clean
    path = tmp_path / files["file"][0]
    assert 0.08 <= read_header(path).duration == len(load_waveform(path)) / 16_000 <= 0.12


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_every_step_can_be_run_in_this_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("src.experiments.training.trainer.save_figure", lambda *_: None)
    monkeypatch.setattr("src.experiments.evaluation.evaluate.save_figure", lambda *_: None)
    write_corpus(tmp_path / "corpus", 400)
    write_corpus(tmp_path / SMALL, 40)
    for step in STEPS.values():
        step(tmp_path)
    assert (tmp_path / "runs" / "run0" / "test_results.json").is_file()
    assert (tmp_path / "corpus+other" / "files-metadata.csv").is_file()
    stores = [load_embeddings(path.parent) for path in (tmp_path / "embeddings").rglob("index.csv")]
    assert sum(map(len, stores)) == 400 and stores[0].vectors.shape[1] == 120


def test_a_step_is_measured_in_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_corpus(tmp_path / "corpus", 40)
    cost = run_step("GenerateDatasetCSV", tmp_path)
    assert cost.of_processors > 0 and cost.seconds > 0.1 and cost.memory > 5e7
    assert len(read_files(tmp_path / "corpus")) == 40
    monkeypatch.setattr(growth, "run_step", lambda step, root: Cost(len(step), 2.0, 1e9))
    assert costs_at(40, tmp_path / "other")["SplitDataset"] == Cost(12, 2.0, 1e9)


def test_the_table_tells_exponents(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    costs = {
        size: {"flat": Cost(3.0, 2.0, 5e8), "square": Cost(1.0, size**2 / 1e6, 5e8)} for size in (1_000, 10_000, 30_000)
    }
    assert exponent(10_000, 30_000, "square", costs) == pytest.approx(2)
    head, _, flat, square = table_of(costs).splitlines()
    assert head == "| step | 1,000 | 10,000 | 30,000 | exponent to 10,000 | exponent to 30,000 |"
    assert flat == "| flat | 3.0 s (2.0), 0.5 GB | 3.0 s (2.0), 0.5 GB | 3.0 s (2.0), 0.5 GB | 0.00 | 0.00 |"
    assert square == "| square | 1.0 s (1.0), 0.5 GB | 1.0 s (100), 0.5 GB | 1.0 s (900), 0.5 GB | 2.00 | 2.00 |"
    assert sizes_up_to(1_000) == [1_000] and sizes_up_to(30_000) == [1_000, 10_000, 30_000]
    assert sizes_up_to(1_000_000) == [1_000, 10_000, 100_000, 1_000_000]
    monkeypatch.setattr(sys, "argv", ["growth", "--largest=999"])
    with pytest.raises(SystemExit):
        growth.main()
    assert "--largest must be 1000 or more" in capsys.readouterr().err
