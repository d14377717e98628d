"""A min t-DCF is given of a whole official part alone, in the form of its year, and equals that of the metrics."""

from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd
import pytest
import soundfile

from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.official import split_officially
from src.experiments.corpus.splits import DOWNSTREAM, SplitShares
from src.experiments.evaluation.benchmark import run_benchmark
from src.experiments.evaluation.benchmark_table import as_text
from src.experiments.evaluation.evaluate import evaluate_run
from src.experiments.evaluation.held_out import HeldOut
from src.experiments.evaluation.in_tandem import judge_in_tandem
from src.experiments.extraction.engines import extract_splits
from src.experiments.extraction.requests import Request
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.runs.artefacts import TEST_RESULTS
from src.experiments.runs.names import RunName
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.trainer import train_model
from src.metrics.tandem import AsvScores, min_tdcf_2019, min_tdcf_2021
from src.utils.clip_table import ClipTable, clip_columns
from src.utils.dataset import FILES_TABLE, read_files, write_table
from src.utils.files import read_json
from tests.conftest import tone
from tests.corpora.stand_ins import ASV_TRIALS, StandIn, asvspoof2019, asvspoof2021, write_asv_2019, write_asv_2021

ASV = AsvScores(
    *([score for kind, score in ASV_TRIALS if kind == wanted] for wanted in ("target", "nontarget", "spoof"))
)


def part_of(corpus: StandIn, official: str) -> tuple[ClipTable, np.ndarray]:
    """Return the clips of an official part, and scores of them."""
    generate_tables(corpus.dataset, corpus.layout)
    files = read_files(corpus.dataset)
    table = ClipTable(**clip_columns(files[files["official"] == official]))
    return table, np.random.default_rng(0).standard_normal(len(table)) + table.labels


@pytest.mark.parametrize(
    ("make", "write", "year", "cost"),
    [(asvspoof2019, write_asv_2019, 2019, min_tdcf_2019), (asvspoof2021, write_asv_2021, 2021, min_tdcf_2021)],
)
def test_the_version_is_that_of_the_corpus(make, write, year: int, cost, tmp_path: Path) -> None:
    corpus = make(tmp_path)
    write(tmp_path)
    table, scores = part_of(corpus, "test")
    found, about = judge_in_tandem(tmp_path, table, scores)
    assert found == {
        "asv_eer": {"value": 0.0, "low": None, "high": None},
        f"min_tdcf_{year}": {"value": cost(table.labels, scores, ASV), "low": None, "high": None},
    }
    assert list(about) == ["asv_scores"]


def test_copies_are_no_part_of_an_official_part(tmp_path: Path) -> None:
    table, scores = part_of(asvspoof2019(tmp_path), "test")
    write_asv_2019(tmp_path)
    files = read_files(tmp_path).assign(augmentation="")
    copies = files.assign(file="copies/" + files["file"], augmentation="[]")
    write_table(tmp_path / FILES_TABLE, pd.concat([files, copies]))
    assert "min_tdcf_2019" in judge_in_tandem(tmp_path, table, scores)[0]


def write_tone(path: Path) -> None:
    soundfile.write(path, tone(crc32(path.name.encode()), noise=0.02), 16_000)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only")
def test_a_corpus_on_a_disk_becomes_a_run_and_a_test_with_its_cost(tmp_path: Path, monkeypatch) -> None:
    """From the published folder to the verdict: tables, official splits, features, training, test."""
    for place in ("training.trainer", "evaluation.evaluate"):
        monkeypatch.setattr(f"src.experiments.{place}.save_figure", lambda *_: None)
    dataset = tmp_path / "datasets" / "LA"
    corpus = asvspoof2019(dataset, write_tone)
    write_asv_2019(dataset)
    generate_tables(dataset, corpus.layout)
    split_officially(dataset, SplitShares(), seed=7)
    list(extract_splits(Request(dataset, DOWNSTREAM, "lfcc"), root=tmp_path))
    train_model(choose_recipe(dataset, Embeddings("lfcc", 0), "lr"), root=tmp_path)
    verdict = evaluate_run(RunName.parse("run0"), root=tmp_path)
    assert 0 <= verdict.metrics["min_tdcf_2019"]["value"] <= 1
    assert "min_tdcf_2021" not in verdict.metrics
    assert verdict.about["asv_scores"] == "ASVspoof2019.LA.asv.eval.gi.trl.scores.txt"
    results = read_json(verdict.folder / TEST_RESULTS)
    assert results["min_tdcf_2019"] == verdict.metrics["min_tdcf_2019"]
    of_dev = evaluate_run(RunName.parse("run0"), HeldOut(split="downstream_val"), root=tmp_path)
    assert "min_tdcf_2019" in of_dev.metrics, "dev has ASV scores of its own"
    published = next(dataset.rglob("ASVspoof2019_LA_asv_scores"))
    published.rename(tmp_path / "not there yet")
    (without,) = run_benchmark(RunName.parse("run0"), [dataset], "downstream_test", root=tmp_path)
    assert "min_tdcf_2019" not in without.metrics
    (tmp_path / "not there yet").rename(published)
    (elsewhere,) = run_benchmark(RunName.parse("run0"), [dataset], "downstream_test", root=tmp_path)
    assert elsewhere.metrics["min_tdcf_2019"] == verdict.metrics["min_tdcf_2019"]
    assert elsewhere.about["asv_scores"] == verdict.about["asv_scores"]
    assert "in the form of 2019, with an ASV" in as_text([elsewhere])


def test_there_is_none_of_a_part_of_the_trials(tmp_path: Path) -> None:
    corpus = asvspoof2019(tmp_path)
    write_asv_2019(tmp_path)
    table, scores = part_of(corpus, "test")
    fewer = ClipTable(table.labels[1:], table.genders[1:], table.speakers[1:], table.systems[1:], table.files[1:])
    assert judge_in_tandem(tmp_path, fewer, scores[1:]) == ({}, {})
    assert judge_in_tandem(tmp_path, *part_of(corpus, "train")) == ({}, {}), "no ASV scores are published for it"
    assert judge_in_tandem(tmp_path, *part_of(corpus, "validation"))[0]


def test_there_is_none_without_scores_or_tables(make_corpus, tmp_path: Path) -> None:
    corpus = asvspoof2019(tmp_path / "2019")
    table, scores = part_of(corpus, "test")
    assert judge_in_tandem(tmp_path / "2019", table, scores) == ({}, {})
    assert judge_in_tandem(make_corpus(people=2, clips=1), table, scores) == ({}, {})


def test_scores_that_cannot_be_used_are_told_and_stop_no_test(tmp_path: Path) -> None:
    corpus = asvspoof2019(tmp_path)
    write_asv_2019(tmp_path)
    path = tmp_path / "ASVspoof2019_LA_asv_scores" / "ASVspoof2019.LA.asv.eval.gi.trl.scores.txt"
    path.write_text("A07 target high\n")
    table, scores = part_of(corpus, "test")
    with pytest.warns(
        UserWarning, match="There is no min t-DCF of this test: .*line 1: the score 'high' is not a number"
    ):
        assert judge_in_tandem(tmp_path, table, scores) == ({}, {})
