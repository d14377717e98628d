"""A test reports what the saved weights score, at the validation's threshold, on people outside their training."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import optuna
import pandas as pd
import pytest

from src.experiments.corpus.splits import SplitShares, read_split, split_dataset
from src.experiments.evaluation.evaluate import HeldOut, evaluate_run
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.runs.names import RunName
from src.experiments.studies.search import Search
from src.experiments.studies.tuner import Effort, optimize_hyperparameters
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.trained import read_trained
from src.experiments.training.trainer import train_model
from src.metrics.eer import compute_eer, operating_threshold
from src.models.svm.svm_model import SvmConfig
from src.utils.classes import write_classes
from src.utils.dataset import person_of
from src.utils.files import read_json, text_digest, write_json
from src.utils.labels import parse_label
from src.utils.score_files import evaluate_score_files

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),  # of tests by a few clips
    pytest.mark.usefixtures("one_thread"),
]
INPUT = Embeddings("hubert", 1)
PICTURES = {"confusion_matrix.png", "roc_curve.png", "det_curve.png", "score_histogram.png"}


@pytest.fixture(autouse=True)
def _empty_pictures(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Write empty files for pictures that no test reads: they take longer than all the rest."""
    if "pictures" not in request.node.name:
        monkeypatch.setattr("src.experiments.evaluation.evaluate.save_figure", lambda path, _: path.touch())


@pytest.fixture
def trained(drawn: Path) -> Path:
    """Return a project's root with one SVM in runs/run0."""
    train_model(choose_recipe(drawn / "datasets" / "corpus", INPUT, "svm"), root=drawn)
    return drawn


def put_to_test(root: Path, corpus: str = "corpus", run: str = "run0", **clips: str) -> Path:
    """Test a run on a corpus, or on those of its clips that are named, and return the folder of the results."""
    return evaluate_run(RunName.parse(run), HeldOut(root / "datasets" / corpus, **clips), root=root).folder


def values(folder: Path) -> dict[str, Any]:
    results = read_json(folder / "test_results.json")
    return {name: metric["value"] for name, metric in results.items() if name not in ("about", "breakdowns", "cues")}


def read_scores(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "scores.csv", keep_default_na=False)


def test_results_hold_every_metric_with_its_bounds_and_pictures(trained: Path) -> None:
    verdict = evaluate_run(RunName.parse("run0"), root=trained)
    assert verdict.folder == verdict.run == trained / "runs" / "run0"
    results = read_json(verdict.folder / "test_results.json")
    about, breakdowns, _ = (results.pop(key) for key in ("about", "breakdowns", "cues"))
    assert {"eer", "auc", "min_dcf", "act_dcf", "cllr", "accuracy", "f1", "threshold", "n_spoof"} <= set(results)
    assert results == verdict.metrics
    for name in ("eer", "auc", "min_dcf", "act_dcf", "cllr", "accuracy", "f1"):
        assert results[name]["low"] <= results[name]["value"] <= results[name]["high"], name
        assert results[name]["low"] < results[name]["high"], name
    for name in ("threshold", "n_spoof", "false_spoof"):
        assert (results[name]["low"], results[name]["high"]) == (None, None)
    assert set(breakdowns) == {"gender", "system", "duration"}
    assert (about["resamplings"], about["resampled"], about["confidence"]) == (1000, "people", 0.95)
    assert (about["corpus"], about["split"], about["gender"]) == ("corpus", "downstream_test", "all")
    assert about["threshold_from"] == "downstream_val"
    for picture in PICTURES:
        assert np.ptp(matplotlib.image.imread(verdict.folder / picture)) > 0


def test_results_say_what_the_classes_of_a_corpus_stand_for(trained: Path) -> None:
    assert "classes" not in evaluate_run(RunName.parse("run0"), root=trained).about
    write_classes(trained / "datasets" / "corpus", {1: "word", 0: "noise"})
    about = read_json(put_to_test(trained) / "test_results.json")["about"]
    assert about["classes"] == "bona fide stands for word, spoof for noise"


def test_the_scores_are_those_of_the_saved_weights_and_give_the_same_eer(trained: Path) -> None:
    """Fault 2: the EER of every test was computed from predicted labels."""
    folder = put_to_test(trained)
    scores = read_scores(folder)
    clips = read_split(trained / "datasets" / "corpus", "downstream_test")
    assert list(scores.columns) == ["file", "label", "score", "speaker", "gender", "system"]
    as_in_split = ["file", "label", "gender", "system"]
    pd.testing.assert_frame_equal(scores[as_in_split], clips[as_in_split])
    assert scores["speaker"].tolist() == person_of(clips).tolist()
    run = read_trained(trained, RunName.parse("run0"))
    table = INPUT.open(trained / "datasets" / "corpus", trained).read("downstream_test")
    np.testing.assert_array_equal(scores["score"], run.calibration.apply(run.model.scores(table.vectors)))
    labels = [parse_label(label) for label in scores["label"]]
    eer, eer_threshold = compute_eer(labels, scores["score"])
    assert 0 < eer == values(folder)["eer"]
    assert eer_threshold == values(folder)["eer_threshold"]
    assert evaluate_score_files(folder / "scores.csv")["eer"] == eer
    assert scores.groupby("label")["score"].mean()["bona-fide"] > scores.groupby("label")["score"].mean()["spoof"]


def test_the_threshold_is_the_validations(trained: Path) -> None:
    folder = put_to_test(trained)
    results, scores = values(folder), read_scores(folder)
    is_genuine = scores["label"] == "bona-fide"
    assert results["threshold"] == read_json(folder / "metrics.json")["threshold"]
    assert results["threshold"] != operating_threshold(is_genuine.astype(int), scores["score"])
    accepted = scores["score"] >= results["threshold"]
    assert results["true_bonafide"] == (accepted & is_genuine).sum()
    assert results["false_bonafide"] == (accepted & ~is_genuine).sum()
    assert results["true_spoof"] == (~accepted & ~is_genuine).sum()
    assert results["false_spoof"] == (~accepted & is_genuine).sum()
    assert results["accuracy"] == (accepted == is_genuine).mean()
    assert results["accuracy"] != pytest.approx(1 - results["eer"]), "the test's own threshold would give that"

    on_validation = values(put_to_test(trained, split="downstream_val"))
    frr = on_validation["false_spoof"] / on_validation["n_bonafide"]
    far = on_validation["false_bonafide"] / on_validation["n_spoof"]
    assert (frr + far) / 2 == pytest.approx(on_validation["eer"]), "where it comes from it makes the EER's errors"
    assert on_validation["eer"] == read_json(folder / "metrics.json")["eer"]


def digests(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def derive_corpus(root: Path, renew_stores: Callable[..., None]) -> None:
    """Make the corpus `corpus_noisy` of `corpus`: the same people and file names, other recordings."""
    noisy = root / "datasets" / "corpus_noisy"
    shutil.copytree(root / "datasets" / "corpus", noisy)
    write_json(noisy / "recipe.json", {"source": "corpus"})
    renew_stores(root, "corpus_noisy", take="noisy")


def test_other_tests_lie_in_folders_of_their_own(trained: Path, renew_stores: Callable[..., None]) -> None:
    derive_corpus(trained, renew_stores)
    run = put_to_test(trained)
    before = digests(run)
    women = put_to_test(trained, gender="F")
    men = put_to_test(trained, gender="M")
    others = [women, men, put_to_test(trained, split="downstream_val"), put_to_test(trained, "corpus_noisy")]
    assert [folder.name for folder in others] == [
        "test-corpus-downstream_test-F",
        "test-corpus-downstream_test-M",
        "test-corpus-downstream_val",
        f"test-corpus_noisy-{text_digest(str(trained / 'datasets' / 'corpus_noisy'))[:8]}-downstream_test",
    ]
    assert {folder.parent for folder in others} == {run}
    assert digests(run) == before, "the test of the run was overwritten"
    for folder in others:
        assert {path.name for path in folder.iterdir()} == {
            "test_results.json",
            "test_provenance.json",
            "scores.csv",
            *PICTURES,
        }
    everybody = read_scores(run)
    for folder, gender in ((women, "F"), (men, "M")):
        scores = read_scores(folder)
        assert read_json(folder / "test_results.json")["about"]["gender"] == gender
        rows = everybody[everybody["gender"] == gender].reset_index(drop=True)
        pd.testing.assert_frame_equal(scores, rows)
        assert values(folder)["threshold"] == values(run)["threshold"]
    assert len(read_scores(women)) + len(read_scores(men)) == len(everybody)


def test_testing_again_gives_the_same(trained: Path) -> None:
    first, scores = values(put_to_test(trained)), (trained / "runs/run0/scores.csv").read_bytes()
    assert values(put_to_test(trained)) == first
    assert (trained / "runs/run0/scores.csv").read_bytes() == scores


def test_a_test_that_breaks_off_leaves_no_results(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_to_test(trained)

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("src.experiments.evaluation.evaluate.save_figure", full)
        with pytest.raises(OSError, match="No space"):
            put_to_test(trained)
    assert not (trained / "runs/run0/test_results.json").exists()
    assert values(put_to_test(trained))["n_spoof"] > 0


def test_people_of_the_training_are_refused(trained: Path, renew_stores: Callable[..., None]) -> None:
    """After another split, half of the test is people of the training and validation."""
    dataset = trained / "datasets" / "corpus"
    known = {*read_split(dataset, "downstream_train")["speaker"], *read_split(dataset, "downstream_val")["speaker"]}
    split_dataset(dataset, SplitShares(pretext=0, train=0.5, val=0.25), seed=99)
    renew_stores(trained)
    shared = sorted(known & set(read_split(dataset, "downstream_test")["speaker"]))
    assert shared
    line = rf"{len(shared)} people of downstream_test were in the training of .*run0 \(first: {shared[0]}.*train again"
    with pytest.raises(ValueError, match=line):
        put_to_test(trained)
    with pytest.raises(ValueError, match="were in the training of"):
        put_to_test(trained, gender=next(iter(read_split(dataset, "downstream_test")["gender"])))
    derive_corpus(trained, renew_stores)  # the same people under another corpus's name
    with pytest.raises(ValueError, match="were in the training of"):
        put_to_test(trained, "corpus_noisy")
    assert not list((trained / "runs").rglob("test*"))


def test_people_of_the_validation_alone_are_refused_as_well(trained: Path, renew_stores: Callable[..., None]) -> None:
    splits = trained / "datasets" / "corpus" / "splits" / "by_file"
    shutil.copy(splits / "files-downstream_val.csv", splits / "files-downstream_test.csv")
    renew_stores(trained)
    with pytest.raises(ValueError, match="people of downstream_test were in the training of"):
        put_to_test(trained)


def keep(root: Path, rows: Callable[[pd.DataFrame], pd.Series]) -> None:
    """Keep those clips of the test split only."""
    path = root / "datasets" / "corpus" / "splits" / "by_file" / "files-downstream_test.csv"
    clips = pd.read_csv(path, dtype=str, keep_default_na=False)
    clips[rows(clips)].to_csv(path, index=False)


def test_a_test_of_one_class_is_refused(trained: Path, renew_stores: Callable[..., None]) -> None:
    keep(trained, lambda clips: (clips["label"] == "spoof") | (clips["gender"] == "M"))
    renew_stores(trained)
    with pytest.raises(ValueError, match=r"downstream_test of .*corpus, gender F, holds only spoof clips"):
        put_to_test(trained, gender="F")
    keep(trained, lambda clips: clips["label"] == "bona-fide")
    with pytest.raises(ValueError, match="was changed after its embeddings were made"):
        put_to_test(trained)
    renew_stores(trained)
    with pytest.raises(ValueError, match=r"downstream_test of .*corpus holds only bona-fide clips; both classes"):
        put_to_test(trained)
    assert not list((trained / "runs").rglob("test*"))


def test_embeddings_of_another_model_are_refused(trained: Path, renew_stores: Callable[..., None]) -> None:
    renew_stores(trained, model="another")
    with pytest.raises(
        ValueError,
        match=r"run0 was trained on and those of downstream_test are of different models .model drawn and another",
    ):
        put_to_test(trained)


def test_a_run_that_is_not_finished_or_not_what_was_asked_for_is_refused(trained: Path) -> None:
    run = RunName.parse("run0")
    with pytest.raises(ValueError, match="was trained with the backbone hubert, not lfcc"):
        evaluate_run(run, root=trained, expected={"backbone": "lfcc", "classifier": "svm"})
    with pytest.raises(ValueError, match="was trained with the classifier svm, not rf"):
        evaluate_run(run, root=trained, expected={"classifier": "rf"})
    assert not (trained / "runs" / "run0" / "test_results.json").exists()
    for expected in ({"backbone": "hubert", "classifier": "svm"}, {"backbone": "", "classifier": ""}):
        assert evaluate_run(run, root=trained, expected=expected).folder.name == "run0"
    (trained / "runs" / "run0" / "metrics.json").unlink()
    with pytest.raises(FileNotFoundError, match="run0 did not finish"):
        put_to_test(trained)


def test_a_study_is_tested_by_its_best_run(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gammas = [1e6, 1.0, 1e6]  # the narrowest kernels fit nothing but the training clips themselves

    def space(trial: optuna.Trial, n_clips: int) -> SvmConfig:
        return SvmConfig(C=trial.suggest_float("C", 9, 10), gamma=gammas[trial.number])

    monkeypatch.setattr(SvmConfig, "search_space", space)
    search = Search(drawn / "datasets" / "corpus", INPUT, "svm")
    study = optimize_hyperparameters(search, Effort(3), root=drawn)
    assert put_to_test(drawn, run="svm_study0") == study.folder / "run1"
    assert put_to_test(drawn, run="svm_study0/run2") == study.folder / "run2"
    with pytest.raises(FileNotFoundError, match=re.escape("runs there: 0, 1, 2.")):
        put_to_test(drawn, run="svm_study0/run3")


@pytest.mark.parametrize("classifier", ["mlp", "rf"])
def test_other_classifiers_are_tested_the_same_way(classifier: str, drawn: Path) -> None:
    few = {"mlp": '{"epochs": 4}', "rf": '{"n_estimators": 20}'}[classifier]
    (drawn / "h.json").write_text(few)
    recipe = choose_recipe(drawn / "datasets" / "corpus", INPUT, classifier, hyperparameters=drawn / "h.json")
    run = train_model(recipe, root=drawn)
    scores = read_scores(put_to_test(drawn))
    labels = (scores["label"] == "bona-fide").astype(int)
    assert values(run.folder)["eer"] == compute_eer(labels, scores["score"])[0]
    assert values(run.folder)["threshold"] == run.metrics["threshold"]
