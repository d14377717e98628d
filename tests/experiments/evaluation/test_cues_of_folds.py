"""Cue baselines of a cross-validation, on cues whose answers are known: each meets what the run of its fold meets."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from src.audio.cues import CATEGORY, CUES
from src.experiments.corpus.cue_baseline import CueBaseline
from src.experiments.corpus.held_out_domains import domains_of
from src.experiments.corpus.splits import read_split
from src.experiments.evaluation import cue_verdict, cues_of_folds
from src.experiments.evaluation.cross_validation import SPLITS, Scheme, cross_validate
from src.experiments.evaluation.cues_of_folds import CuesOfFolds, judge_cues_of_folds
from src.experiments.evaluation.folds import Fold, make_folds
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.training.recipe import choose_recipe
from src.metrics.eer import eer_of
from src.utils.clip_table import ClipTable, clip_columns
from src.utils.files import read_json
from tests.experiments.domain_project import SYSTEMS, write_domain_project

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.filterwarnings("ignore:The EER is")]
LOUD = SYSTEMS[0]
"""Its spoofs, and these alone, are louder than all else."""


def drawn_cues(dataset: Path, files: list[str]) -> pd.DataFrame:
    """Return cues of which nothing but the level means anything."""
    rng = np.random.default_rng(7)
    cues = pd.DataFrame(rng.standard_normal((len(files), len(CUES))), columns=list(CUES))
    is_loud = np.array([f"/{LOUD}" in file for file in files])
    return cues.assign(**{"RMS level": cues["RMS level"] + 20 * is_loud, CATEGORY: "WAV", "file": files, "reason": ""})


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_domain_project(tmp_path)
    monkeypatch.setattr(cues_of_folds, "read_cues", drawn_cues)
    return tmp_path


def clips_of(root: Path) -> tuple[Path, pd.DataFrame, ClipTable]:
    dataset = root / "datasets" / "corpus"
    rows = pd.concat([read_split(dataset, split) for split in SPLITS])
    return dataset, rows, ClipTable(**clip_columns(rows))


def judge(root: Path, by: str) -> tuple[CuesOfFolds, list[Fold]]:
    dataset, rows, table = clips_of(root)
    domains = None if by == "person" else domains_of(dataset, table, by)
    folds = make_folds(table, domains, by=by, n_folds=4, seed=7)
    return judge_cues_of_folds(dataset, table, rows, folds), folds


def test_by_person_it_is_the_pooled_regression_of_every_fold(root: Path) -> None:
    dataset, rows, table = clips_of(root)
    found, folds = judge(root, "person")
    clips = rows.merge(drawn_cues(dataset, rows["file"].tolist()), on="file")
    scores = np.zeros(len(table))
    for fold in folds:
        scores[fold.test] = CueBaseline.fit(clips.iloc[fold.train]).scores(clips.iloc[fold.test])
    assert found.eer is not None
    assert found.eer["value"] == pytest.approx(eer_of(table.labels, scores), abs=1e-12)
    assert (found.left_out, found.mean, found.note) == ({}, None, "")


def test_a_cue_of_one_system_is_of_no_use_where_that_system_is_left_out(root: Path) -> None:
    found, _ = judge(root, "system")
    assert found.left_out.keys() == set(SYSTEMS)
    assert found.left_out[LOUD]["value"] > 0.3, "no baseline that scores it has met its level"
    assert found.mean is not None
    assert found.mean["value"] == pytest.approx(np.mean([eer["value"] for eer in found.left_out.values()]))


def test_a_random_choice_stands_for_many_clips(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cue_verdict, "MOST_CLIPS", 200)
    found, _ = judge(root, "person")
    assert found.note == "The cue baseline is of 200 of the 384 clips."
    assert found.eer is not None


def test_the_verdict_holds_it_beside_that_of_the_runs(root: Path) -> None:
    dataset = root / "datasets" / "corpus"
    recipe = choose_recipe(dataset, Embeddings("hubert", 1), "lr")
    found = cross_validate(recipe, Scheme("system", 4), root=root)
    alone, _ = judge(root, "system")
    results = read_json(found.folder / "test_results.json")
    assert results["cue_baseline_eer"] == alone.eer
    assert results["cue_baseline_eer_across_system"] == alone.mean
    left_out = results["breakdowns"]["domain left out"]
    assert {name: each["cue_baseline_eer"] for name, each in left_out.items()} == alone.left_out
    told = str(found).splitlines()
    assert all(", cheap cues alone " in line for line in told if line.startswith("  ") or "Pooled" in line), told


def test_without_recordings_the_reason_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    recipe = choose_recipe(root / "datasets" / "corpus", Embeddings("hubert", 1), "lr")
    found = cross_validate(recipe, Scheme("person", 4), root=root)
    assert "cue_baseline_eer" not in found.metrics
    assert str(found).splitlines()[-1].startswith("There is no cue baseline: ")
