"""Cross-validation on drawn layers whose answers are known, and what is left after a kill."""

import multiprocessing
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from src.experiments.evaluation import cross_validation
from src.experiments.evaluation.comparison import compare_runs
from src.experiments.evaluation.cross_validation import CrossValidation, Scheme, cross_validate
from src.experiments.evaluation.pooled_folds import PooledFolds
from src.experiments.evaluation.results import table_of_runs
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.inputs.waveforms import Waveforms
from src.experiments.runs.names import RunName
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.trained import read_trained
from src.metrics.eer import eer_of
from src.utils.files import read_json
from tests.experiments.domain_project import FINGERPRINTS, GENERAL, SYSTEMS, write_domain_project

pytestmark = pytest.mark.filterwarnings("ignore:The EER is")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("domains")
    write_domain_project(root)
    return root


@pytest.fixture
def root(written: Path, tmp_path: Path) -> Path:
    shutil.copytree(written, tmp_path / "project")
    return tmp_path / "project"


def crossed(root: Path, by: str = "person", folds: int = 3, *, layer: int = GENERAL) -> CrossValidation:
    recipe = choose_recipe(root / "datasets" / "corpus", Embeddings("hubert", layer), "lr")
    return cross_validate(recipe, Scheme(by, folds), root=root)


def test_every_clip_is_scored_once_by_a_run_that_did_not_know_its_person(root: Path) -> None:
    found = crossed(root)
    assert found.folder == root / "runs" / "cross0"
    scores = pd.read_csv(found.folder / "scores.csv", keep_default_na=False)
    files = pd.read_csv(root / "datasets" / "corpus" / "files-metadata.csv")
    assert sorted(scores["file"]) == sorted(files["file"])
    for fold, clips in scores.groupby("fold"):
        own = found.folder / f"fold{fold}"
        people = read_json(own / "provenance.json")["data"]["people"]
        assert not set(clips["speaker"]) & {person for names in people.values() for person in names}
        assert (clips["threshold"] == read_json(own / "metrics.json")["threshold"]).all()
    labels = (scores["label"] == "bona-fide").astype(int)
    results = read_json(found.folder / "test_results.json")
    assert results["eer"]["value"] == eer_of(labels, scores["score"]) == found.metrics["eer"]["value"]
    decided = (scores["score"] >= scores["threshold"]) == (labels == 1)
    assert results["accuracy"]["value"] == pytest.approx(decided.mean())
    assert results["about"]["n_people"] == 48
    assert found.folds["people"].sum() == 48
    assert "threshold" not in results


def test_the_interval_of_all_people_is_narrower_than_that_of_a_fold(root: Path) -> None:
    found = crossed(root, folds=4)
    low, high = found.metrics["eer"]["low"], found.metrics["eer"]["high"]
    assert low is not None
    assert high is not None
    assert high - low < (found.folds["high"] - found.folds["low"]).mean()


def test_a_system_that_was_left_out_is_missed_where_only_its_fingerprint_tells_it(root: Path) -> None:
    in_domain = crossed(root, layer=FINGERPRINTS)
    heard_of_none = crossed(root, "system", layer=FINGERPRINTS)
    in_general = crossed(root, "system", layer=GENERAL)
    assert in_domain.metrics["eer"]["value"] < 0.05
    assert set(heard_of_none.left_out) == set(in_general.left_out) == set(SYSTEMS)
    assert heard_of_none.metrics["eer_across_system"]["value"] > 0.35  # of each it is what chance gives
    assert all(eer["value"] < 0.25 for eer in in_general.left_out.values())
    mean = in_general.metrics["eer_across_system"]
    assert mean["value"] == pytest.approx(np.mean([eer["value"] for eer in in_general.left_out.values()]))
    assert mean["low"] < mean["value"] < mean["high"]  # type: ignore[operator]
    assert len(in_general.folds) == 3 * len(SYSTEMS)
    assert in_general.metrics["n_bonafide"]["value"] == 48 * 2
    assert "domain left out" in read_json(in_general.folder / "test_results.json")["breakdowns"]


def test_worse_than_chance_is_told_as_that(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = cross_validation.pool_folds

    def misled(*given: Any) -> PooledFolds:
        pooled = pool(*given)
        return replace(pooled, scores=-pooled.scores)

    monkeypatch.setattr(cross_validation, "pool_folds", misled)
    monkeypatch.setattr(cross_validation, "_draw", lambda *_: None)
    with pytest.warns(UserWarning, match="worse than chance here. What was learnt is wrong for these clips"):
        crossed(root)


def test_a_corpus_is_left_out_with_its_people(root: Path) -> None:
    found = crossed(root, "corpus")
    assert found.folds["left_out"].tolist() == ["first", "second", "third"]
    assert found.folds["people"].tolist() == [16, 16, 16]
    assert "eer_across_corpus" in found.metrics


def test_it_is_listed_and_compared_like_a_run_and_lends_no_weights(root: Path) -> None:
    crossed(root)
    crossed(root, layer=FINGERPRINTS)
    table = table_of_runs(root).set_index("run")
    assert sorted(table.index) == ["cross0", "cross1"]
    assert table.loc["cross1", "test_eer"] < 0.05
    assert "cross1 has a lower EER than cross0" in str(compare_runs("cross0,cross1", root=root))
    with pytest.raises(ValueError, match="cross0 is a cross-validation"):
        read_trained(root, RunName.parse("cross0"))
    with pytest.raises(FileNotFoundError, match=r"There is no cross7 .*cross-validations there: 0, 1"):
        compare_runs("cross0,cross7", root=root)


def kill_in_fold(root: Path, fold: int, where: str) -> None:
    """Cross-validate in this process, which kills itself in the given fold."""
    before = getattr(cross_validation, where)

    def killing(*arguments: object, **options: object) -> object:
        made = before(*arguments, **options)
        if any(isinstance(argument, Path) and f"fold{fold}" in argument.as_posix() for argument in arguments):
            os.kill(os.getpid(), signal.SIGKILL)
        return made

    setattr(cross_validation, where, killing)
    crossed(root)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["train_run", "write_table"])
def test_killed_and_resumed_equals_undisturbed(root: Path, tmp_path: Path, where: str) -> None:
    undisturbed = crossed(shutil.copytree(root, tmp_path / "undisturbed"))
    process = multiprocessing.get_context("spawn").Process(target=kill_in_fold, args=(root, 1, where))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    folder = root / "runs" / "cross0"
    assert (folder / "fold0" / "scores.csv").is_file()
    assert not (folder / "test_results.json").exists()
    kept = (folder / "fold0" / "scores.csv").stat().st_mtime_ns
    resumed = crossed(root)
    assert resumed.folder == folder
    assert (folder / "fold0" / "scores.csv").stat().st_mtime_ns == kept
    for name in ("scores.csv", "folds.csv"):
        assert (folder / name).read_bytes() == (undisturbed.folder / name).read_bytes()
    assert resumed.metrics == undisturbed.metrics
    assert crossed(root).folder.name == "cross1"


def test_after_clips_changed_their_corpus_it_starts_anew(root: Path) -> None:
    folder = crossed(root, "corpus").folder
    (folder / "test_results.json").unlink()  # as a kill would leave it
    table = root / "datasets" / "corpus" / "files-metadata.csv"
    files = pd.read_csv(table, dtype=str, keep_default_na=False)
    files["corpus"] = files["corpus"].replace({"first": "second", "second": "first"})
    files.to_csv(table, index=False)
    assert crossed(root, "corpus").folder.name == "cross1"


def test_what_cannot_be_left_out_is_refused_and_leaves_no_folder(tmp_path: Path) -> None:
    write_domain_project(tmp_path, people=12, corpus="one")
    with pytest.raises(ValueError, match=r"holds one corpus only \(one\)"):
        crossed(tmp_path, "corpus")
    with pytest.raises(ValueError, match="12 people cannot fill 30 folds"):
        crossed(tmp_path, folds=30)
    assert not (tmp_path / "runs").exists()


def test_what_knows_people_of_the_test_is_left_out_and_said() -> None:
    copies = Embeddings("lfcc", None, None, "field", 2)
    with pytest.warns(UserWarning, match="Cross-validated without augment and copies"):
        assert cross_validation._of_the_clips_alone(copies) == Embeddings("lfcc", None, None)
    with pytest.warns(UserWarning, match="without teacher"):
        assert cross_validation._of_the_clips_alone(Waveforms("run2")) == Waveforms()
    plain = Embeddings("lfcc", None, None)
    assert cross_validation._of_the_clips_alone(plain) is plain


def test_a_scheme_is_refused_before_anything_is_read() -> None:
    with pytest.raises(ValueError, match="`by` must be person, system or corpus, not 'foo'"):
        Scheme("foo")
    with pytest.raises(ValueError, match="`folds` must be 3 or more, not 1"):
        Scheme(folds=1)


@pytest.mark.slow
def test_a_detector_resumes_within_a_fold(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the scores are those of a cross-validation that nobody stopped."""
    from src.detectors import DETECTORS
    from src.detectors.training import loop
    from src.learning import trainer as learning

    monkeypatch.setitem(DETECTORS, "tiny", "tests.detectors.tiny:Tiny")
    monkeypatch.setattr(learning, "CHECKPOINT_SECONDS", 0.0)  # at every step
    undisturbed = detector_crossed(shutil.copytree(project, tmp_path / "undisturbed"))
    steps, training_step = [], loop.OurTrainer.training_step

    def counted(self: loop.OurTrainer, *arguments: object) -> object:
        if self.state.global_step == 3 and (project / "runs" / "cross0" / "fold1").is_dir() and not steps:
            steps.append(3)
            raise KeyboardInterrupt
        return training_step(self, *arguments)

    monkeypatch.setattr(loop.OurTrainer, "training_step", counted)
    with pytest.raises(KeyboardInterrupt):
        detector_crossed(project)
    assert list((project / "runs" / "cross0" / "fold1" / "checkpoints").iterdir())
    resumed = detector_crossed(project)
    assert resumed.folder.name == "cross0"
    assert (resumed.folder / "scores.csv").read_bytes() == (undisturbed.folder / "scores.csv").read_bytes()
    assert not list(resumed.folder.glob("fold*/checkpoints"))


def detector_crossed(root: Path) -> CrossValidation:
    recipe = choose_recipe(root / "datasets" / "corpus", Waveforms(), "tiny")
    return cross_validate(recipe, Scheme(folds=3), root=root)
