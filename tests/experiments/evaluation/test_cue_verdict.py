"""The cue baseline of a run is fitted where the run was trained, and tested where it is; no test fails by it."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from src.audio.cues import CUES
from src.experiments.corpus.cue_baseline import CueBaseline
from src.experiments.corpus.cue_table import CUE_TABLE, join_cues, read_cues
from src.experiments.corpus.shortcuts import break_ties
from src.experiments.corpus.splits import read_split
from src.experiments.evaluation import cue_verdict
from src.experiments.evaluation.cue_verdict import KEY, CueJudge
from src.experiments.evaluation.evaluate import evaluate_run
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.runs.names import RunName
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.trained import read_trained
from src.experiments.training.trainer import train_model
from src.metrics.eer import eer_of
from src.utils.files import read_json

pytestmark = [
    pytest.mark.usefixtures("one_thread", "no_pictures"),
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),
]
RUN = RunName.parse("run0")


@pytest.fixture
def root(project: Path) -> Path:
    """Return a project with one logistic regression, untested."""
    train_model(choose_recipe(project / "datasets" / "corpus", Embeddings("lfcc"), "lr"), root=project)
    return project


def test_it_is_the_regression_on_the_cues_of_the_training_clips(root: Path) -> None:
    dataset = root / "datasets" / "corpus"
    verdict = evaluate_run(RUN, root=root)
    clips = {
        split: join_cues(rows, read_cues(dataset, rows["file"].tolist()))
        for split in ("downstream_train", "downstream_test")
        for rows in [read_split(dataset, split)]
    }
    test = clips["downstream_test"]
    scores = CueBaseline.fit(clips["downstream_train"]).scores(test)
    wanted = eer_of((test["label"] == "bona-fide").to_numpy(int), scores)
    found = read_json(verdict.folder / "test_results.json")
    assert found[KEY]["value"] == pytest.approx(wanted, abs=1e-12)
    assert found["breakdowns"]["gender"].keys() == {"F", "M"}
    assert "cue_baseline" not in found["about"]


def test_each_cue_is_judged_by_itself_of_all_spoofs_and_of_each_system(root: Path) -> None:
    found = read_json(evaluate_run(RUN, root=root).folder / "test_results.json")
    dataset = root / "datasets" / "corpus"
    train, test = (
        join_cues(rows, read_cues(dataset, rows["file"].tolist()))
        for rows in (read_split(dataset, "downstream_train"), read_split(dataset, "downstream_test"))
    )
    labels = (test["label"] == "bona-fide").to_numpy(int)
    assert found["cues"].keys() == set(CUES)
    for cue, alone in found["cues"].items():
        scores = CueBaseline.fit(train, [cue]).scores(test)
        assert alone["eer"]["value"] == pytest.approx(eer_of(labels, break_ties(scores)), abs=1e-12), cue
        assert alone["systems"].keys() == found["breakdowns"].get("system", {}).keys()
    alone = {cue: each["eer"]["value"] for cue, each in found["cues"].items()}
    assert alone["RMS level"] == 0, "the spoofs of the test corpora are louder"
    assert abs(alone["sample rate"] - 0.5) < 0.1, "all clips have one rate: it says nothing, in either direction"


def test_a_run_that_does_no_better_is_told_so(root: Path) -> None:
    verdict = evaluate_run(RUN, root=root)
    assert verdict.metrics[KEY]["value"] == 0, "the level of the test corpora gives the spoofs away"
    assert verdict.note_on_cues == (
        "Cheap cues alone (level, silence, noise floor, ...) have an EER of 0.0% here: the run is no better than that."
    )


def test_cues_are_measured_in_the_first_test_only(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = evaluate_run(RUN, root=root)
    assert (root / "datasets" / "corpus" / CUE_TABLE).is_file()

    def never(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("src.experiments.corpus.cue_table.cues_of", never)
    assert evaluate_run(RUN, root=root).metrics[KEY] == first.metrics[KEY]


def test_a_random_choice_stands_for_a_large_test(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cue_verdict, "MOST_CLIPS", 20)
    verdict = evaluate_run(RUN, root=root)
    n_clips = verdict.metrics["n_bonafide"]["value"] + verdict.metrics["n_spoof"]["value"]
    assert verdict.about["cue_baseline"] == f"The cue baseline is of 20 of the {n_clips} clips."


def test_people_who_came_into_training_since_teach_it_nothing(root: Path) -> None:
    """Where a corpus was split anew, its training split holds people that the run did not know, maybe tested ones."""
    dataset = root / "datasets" / "corpus"
    (dataset / "splits" / "by_file" / "files-downstream_train.csv").write_bytes(
        (dataset / "splits" / "by_file" / "files-downstream_test.csv").read_bytes()
    )
    trained = read_trained(root, RUN)
    opened = trained.open(dataset, root)
    verdict = CueJudge(trained).judge(dataset, opened.read("downstream_test"))
    assert verdict.eer is None
    assert verdict.note.startswith("There is no cue baseline: the recordings of downstream_train in ")


def damaged(dataset: Path) -> None:
    for path in dataset.rglob("*.flac"):
        path.write_bytes(b"no sound")


def silent(dataset: Path) -> None:
    for path in dataset.rglob("*.flac"):
        soundfile.write(path, np.zeros(8000), 16_000)


def gone(dataset: Path) -> None:
    shutil.rmtree(dataset / "real_voices")


@pytest.mark.parametrize("happens", [damaged, silent, gone])
def test_without_recordings_the_reason_is_told_and_nothing_fails(happens: object, root: Path) -> None:
    trained = read_trained(root, RUN)
    dataset = root / "datasets" / "corpus"
    table = trained.open(dataset, root).read("downstream_test")
    happens(dataset)
    verdict = CueJudge(trained).judge(dataset, table)
    assert (verdict.eer, verdict.by_system) == (None, {})
    assert verdict.note.startswith("There is no cue baseline: ")
