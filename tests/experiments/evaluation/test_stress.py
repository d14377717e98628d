"""A run under distortions: undistorted it scores as in its test; what was computed is kept."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from src.audio.io import save_waveform
from src.detectors import DETECTORS
from src.experiments.corpus.copies import Steps
from src.experiments.corpus.splits import DOWNSTREAM
from src.experiments.evaluation import own_requests, stress
from src.experiments.evaluation.distorted import DistortedTest
from src.experiments.evaluation.evaluate import evaluate_run
from src.experiments.evaluation.held_out import USUAL, read_held_out
from src.experiments.evaluation.stress import StressWish, stress_run
from src.experiments.evaluation.stress_grid import whole_grid
from src.experiments.extraction.engines import extract_splits
from src.experiments.extraction.requests import Request
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.inputs.waveforms import Waveforms
from src.experiments.report.run_records import read_run
from src.experiments.runs.names import RunName
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.trained import read_trained
from src.experiments.training.trainer import train_model
from src.utils.files import read_json
from src.utils.labels import BONAFIDE
from tests.detectors.small_models import save_small

RUN = RunName.parse("run0")
WHITE = StressWish(effects=("white",))


@pytest.fixture
def root(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("src.experiments.training.trainer.save_figure", lambda *_: None)
    train_model(choose_recipe(project / "datasets" / "corpus", Embeddings("lfcc"), "lr"), root=project)
    return project


def undistorted(root: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the scores of a test, and those on the way of distorted clips."""
    trained = read_trained(root, RUN)
    clips = read_held_out(trained, USUAL, root)
    found = DistortedTest(trained, USUAL, clips).scores(dict.fromkeys(clips.table.files.tolist(), ()), "none")
    return trained.scores(clips.table), np.array([found[file] for file in clips.table.files.tolist()])


def test_clips_that_nothing_distorts_get_the_scores_of_the_test(root: Path) -> None:
    np.testing.assert_array_equal(*undistorted(root))


def test_so_do_those_of_a_detector(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DETECTORS, "tiny", "tests.detectors.tiny:Tiny")
    recipe = choose_recipe(project / "datasets" / "corpus", Waveforms(), "tiny", values={"epochs": 1})
    train_model(recipe, root=project)
    np.testing.assert_allclose(*undistorted(project), rtol=1e-5, atol=1e-6)


def test_so_do_embeddings_of_a_local_model_of_which_one_layer_is_computed(project: Path, tmp_path: Path) -> None:
    folder = save_small(tmp_path / "small")
    dataset = project / "datasets" / "corpus"
    list(extract_splits(Request(dataset, DOWNSTREAM, "wav2vec2", str(folder), "cpu"), root=project))
    train_model(choose_recipe(dataset, Embeddings("wav2vec2", 1), "lr"), root=project)
    trained = read_trained(project, RUN)
    clips = read_held_out(trained, USUAL, project)
    test, nothing = DistortedTest(trained, USUAL, clips, str(folder)), dict.fromkeys(clips.table.files.tolist(), ())
    found = test.scores(nothing, "none")
    expected = trained.scores(clips.table)
    np.testing.assert_allclose([found[file] for file in clips.table.files.tolist()], expected, rtol=1e-4, atol=1e-5)
    assert test.scores(nothing, "again") == found


def test_results_picture_and_page_are_made_of_the_scores_that_are_kept(root: Path) -> None:
    tested = evaluate_run(RUN, root=root)
    found = stress_run(RUN, WHITE, root=root)
    results = read_json(found.folder / "stress_results.json")
    strengths = [each for each in whole_grid() if each.effect == "white"]
    assert [(row.effect, row.strength) for row in found.table.itertuples()] == [
        ("white", each.strength) for each in strengths
    ]
    assert found.clean == results["clean_eer"]["value"] == tested.metrics["eer"]["value"]
    assert found.mean == pytest.approx(found.table["eer"].mean())
    kept = pd.read_csv(found.folder / "stress" / strengths[-1].file)
    threshold = read_trained(root, RUN).threshold
    spoofs = kept[kept["label"] == "spoof"]["score"]
    assert results["points"][-1]["false_acceptance"] == (spoofs >= threshold).mean()
    page = read_run(RUN, root).stress
    assert page and page.problems == () and len(page.points) == len(strengths) and len(page.pictures) == 1
    assert f"Mean EER of {len(strengths)} distortions" in str(found)


def test_the_same_seed_gives_the_same_scores_and_what_is_kept_is_not_computed_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = stress_run(RUN, WHITE, root=root).folder / "stress"
    before = {path.name: path.read_bytes() for path in folder.glob("*.csv")}
    (first, *_), times = sorted(set(before) - {"clean.csv"}), []
    (folder / first).unlink()  # as a kill would leave it
    (folder / "part-killed" / "datasets").mkdir(parents=True)
    scores = DistortedTest.scores
    monkeypatch.setattr(DistortedTest, "scores", lambda self, *args: (times.append(1), scores(self, *args))[1])
    stress_run(RUN, WHITE, root=root)
    assert len(times) == 1 and not list(folder.glob("part-*"))
    assert {path.name: path.read_bytes() for path in folder.glob("*.csv")} == before
    stress_run(RUN, StressWish(("white",), seed=8), root=root)
    assert len(times) == len(before)
    assert (folder / first).read_bytes() != before[first]


def test_what_cannot_be_stressed_is_told_before_any_work(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="Unknown effect 'thunder'; allowed: white"):
        StressWish(("thunder",))
    trained = read_trained(root, RUN)
    monkeypatch.setattr(type(trained.recipe.input), "kind", "scores")
    with pytest.raises(ValueError, match="run0 is a fusion of the scores of other runs"):
        DistortedTest(trained, USUAL, None)  # type: ignore[arg-type]


def test_the_folder_of_a_local_model_is_asked_for(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_requests, "CPU_ONLY", ())
    with pytest.raises(ValueError, match="embeddings of the model lfcc-40, a local folder: give it as `model`"):
        stress_run(RUN, WHITE, root=root)
    assert stress.ASKED in [path.name for path in (root / "runs/run0/stress").iterdir()]


def test_babble_is_of_other_people_in_either_class(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: dict[str, Steps] = {}
    scores = DistortedTest.scores

    def noted(self: DistortedTest, made: Mapping[str, Steps], *args: object) -> dict[str, float]:
        steps.update(made)
        return scores(self, made, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(DistortedTest, "scores", noted)
    stress_run(RUN, StressWish(("babble",)), root=root)
    table = read_held_out(read_trained(root, RUN), USUAL, root).table
    speaker = dict(zip(table.files.tolist(), table.speakers.tolist(), strict=True))
    bonafide = set(table.files[table.labels == BONAFIDE].tolist())
    for file, (step,) in steps.items():
        assert set(step.files) <= bonafide and speaker[file] not in {speaker[other] for other in step.files}


def test_recordings_that_are_mixed_in_decide_their_own_scores_alone(root: Path, tmp_path: Path) -> None:
    def noise(value: float) -> None:
        rng = np.random.default_rng(7)
        save_waveform(tmp_path / "noises" / "a.flac", (value * rng.standard_normal(16000)).cumsum().clip(-0.9, 0.9))

    (tmp_path / "noises").mkdir()
    noise(0.01)
    folder = stress_run(RUN, WHITE, root=root).folder / "stress"
    white = {path.name: path.stat().st_mtime_ns for path in folder.glob("white*.csv")}
    mixed = StressWish(("noise",), noises=tmp_path / "noises")
    assert set(stress_run(RUN, mixed, root=root).table["effect"]) == {"white", "noise"}
    before = {path.name: path.read_bytes() for path in folder.glob("noise*.csv")}
    assert set(stress_run(RUN, WHITE, root=root).table["effect"]) == {"white", "noise"}
    noise(0.3)
    stress_run(RUN, mixed, root=root)
    assert {path.name: path.stat().st_mtime_ns for path in folder.glob("white*.csv")} == white
    after = {path.name: path.read_bytes() for path in folder.glob("noise*.csv")}
    assert before.keys() == after.keys() and before != after
