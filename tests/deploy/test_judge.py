"""A judge gives clips the scores that TestModel wrote, from files and from waveforms, whatever kind of run it is of."""

from pathlib import Path

import numpy as np
import pytest

from src.audio.io import UnusableAudio, load_waveform
from src.deploy.judge import Judge, open_judge
from src.experiments.runs.artefacts import read_scores
from src.experiments.runs.names import RunName
from src.experiments.training.trained import read_trained
from tests.deploy.conftest import FINE_TUNED, FUSED, JOINED, LR, MIX, ONE_LAYER, SVM, TINY, UNTESTED
from tests.detectors.small_models import save_small

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),
    pytest.mark.usefixtures("one_thread"),
]
OF_NETWORKS = {"rtol": 1e-4, "atol": 1e-5}
"""How far rounding carries where a test computes its clips in batches."""


@pytest.fixture(scope="module")
def root(judged: Path) -> Path:
    """Return a project with a tested run of every kind; not to be changed."""
    return judged


def judge_of(root: Path, name: str) -> Judge:
    model = str(root / "small") if name in (ONE_LAYER, MIX, JOINED, FUSED) else None
    return open_judge(read_trained(root, RunName.parse(name)), root=root, model=model, device="cpu")


def from_test(root: Path, name: str) -> tuple[list[Path], np.ndarray]:
    """Return the recordings of the test, and the scores that TestModel wrote, or would write."""
    if name in UNTESTED:
        trained = read_trained(root, RunName.parse(name))
        clips = trained.open(trained.recipe.dataset, root).read("downstream_test")
        return [trained.recipe.dataset / str(file) for file in clips.files], trained.scores(clips)
    table = read_scores(root / "runs" / name)
    return [root / "datasets" / "corpus" / file for file in table["file"]], table["score"].to_numpy()


@pytest.mark.slow
@pytest.mark.parametrize("name", [LR, SVM])
def test_on_spectral_features_scores_are_those_of_the_test_but_for_the_order_of_sums(root: Path, name: str) -> None:
    judge, (paths, expected) = judge_of(root, name), from_test(root, name)
    np.testing.assert_allclose(judge.judge(paths).scores, expected, rtol=1e-13)
    np.testing.assert_array_equal(judge.score([load_waveform(path) for path in paths]), judge.judge(paths).scores)
    assert judge.threshold == judge.trained.threshold


@pytest.mark.parametrize("name", [ONE_LAYER, MIX, JOINED, TINY, FINE_TUNED, FUSED])
def test_with_networks_they_are_up_to_the_rounding_of_batches(root: Path, name: str) -> None:
    judge, (paths, expected) = judge_of(root, name), from_test(root, name)
    scores = judge.judge(paths).scores
    np.testing.assert_allclose(scores, expected, **OF_NETWORKS)
    np.testing.assert_allclose(judge.score([load_waveform(path) for path in paths]), scores, **OF_NETWORKS)
    assert np.std(expected) > 100 * OF_NETWORKS["atol"]


@pytest.mark.parametrize("name", [LR, SVM, ONE_LAYER, MIX, JOINED])
def test_vectors_are_those_that_the_classifier_was_given(root: Path, name: str) -> None:
    judge, (paths, _) = judge_of(root, name), from_test(root, name)
    stored = judge.trained.open(judge.trained.recipe.dataset, root).read("downstream_test").inputs
    vectors = judge.vectors([load_waveform(path) for path in paths[:3]])
    assert vectors is not None
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, stored[:3], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(vectors, judge.judge(paths[:3]).vectors)


@pytest.mark.parametrize("name", [TINY, FUSED])
def test_detectors_and_fusions_have_no_vectors(root: Path, name: str) -> None:
    waveforms = [load_waveform(from_test(root, name)[0][0])]
    assert judge_of(root, name).vectors(waveforms) is None


@pytest.mark.parametrize("name", [LR, TINY, FUSED])
@pytest.mark.parametrize(
    ("waveform", "reason"),
    [
        (np.zeros(8000, np.float32), "silent"),
        (np.empty(0, np.float32), "empty"),
        (np.full(8000, np.nan, np.float32), "not finite"),
    ],
)
def test_what_a_test_would_leave_out_is_refused(root: Path, name: str, waveform: np.ndarray, reason: str) -> None:
    with pytest.raises(UnusableAudio, match=reason):
        judge_of(root, name).score([waveform])


def test_a_local_model_must_be_named_and_be_the_same(root: Path, tmp_path: Path) -> None:
    trained = read_trained(root, RunName.parse(ONE_LAYER))
    with pytest.raises(ValueError, match="the model small, a local folder: give it as `model`"):
        open_judge(trained, root=root)
    for name in (LR, TINY, FINE_TUNED):
        with pytest.raises(ValueError, match=f"{name} takes no `model`"):
            open_judge(read_trained(root, RunName.parse(name)), root=root, model="/nonexist")
    other = save_small(tmp_path / "small", hidden_size=32)
    with pytest.raises(ValueError, match="are of different models"):
        open_judge(trained, root=root, model=str(other))
