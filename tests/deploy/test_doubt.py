"""How far clips lie from the training data of a run, and when it decides."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from src.deploy.distances import NAMES, VECTORS, read_distances, sound_vectors
from src.deploy.doubt import FAR, Doubt, read_doubt
from src.deploy.neighbours import choose_references, percentiles
from src.deploy.tracing import nearest_systems
from src.experiments.inputs.contract import TEST, VAL
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.runs.names import RunName
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.trained import Trained, read_trained
from src.experiments.training.trainer import train_model
from src.metrics.conformal import UNCERTAIN
from src.utils.threads import limited_threads
from tests.experiments.domain_project import FINGERPRINTS, write_domain_project


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a root with one run, whose training lacks the system gamma; its test has it."""
    root = tmp_path_factory.mktemp("doubt")
    dataset = write_domain_project(root, people=60)
    keep_from(dataset, "gamma", "downstream_train", "downstream_val")
    with limited_threads(1):
        train_model(choose_recipe(dataset, Embeddings("hubert", FINGERPRINTS, "mean+std"), "lr"), root=root)
        yield root


def keep_from(dataset: Path, system: str, *splits: str) -> None:
    """Take the clips of a system out of splits, and write the stores anew."""
    from src.experiments.corpus.splits import read_split, split_table
    from src.utils.dataset import write_table
    from tests.experiments.domain_project import write_domain_stores

    for split in splits:
        rows = read_split(dataset, split)
        write_table(split_table(dataset, split), rows[rows["system"] != system])
    shutil.rmtree(dataset.parents[1] / "embeddings")
    write_domain_stores(dataset.parents[1])


@pytest.fixture(scope="module")
def trained(root: Path) -> Trained:
    return read_trained(root, RunName.parse("run0"))


@pytest.fixture(scope="module")
def doubt(root: Path, trained: Trained) -> Doubt:
    return read_doubt(trained, root)


def test_clips_of_a_system_that_training_lacks_are_told_as_far(root: Path, trained: Trained, doubt: Doubt) -> None:
    test = trained.open(trained.recipe.dataset, root).read(TEST)
    far = doubt.far(test.inputs) >= FAR
    assert far[test.systems == "gamma"].mean() > 0.9
    assert far[test.systems != "gamma"].mean() < 0.2


def test_known_systems_are_named_and_none_is_near_to_a_stranger(root: Path, trained: Trained, doubt: Doubt) -> None:
    assert doubt.distances is not None
    test = trained.open(trained.recipe.dataset, root).read(TEST)
    for system in ("alpha", "beta", "gamma"):
        far, shares = nearest_systems(doubt.distances, test.inputs[test.systems == system])
        assert all(sum(found.values()) == pytest.approx(1.0) for found in shares)
        if system == "gamma":
            assert (far >= FAR).mean() > 0.9
        else:
            assert (far >= FAR).mean() < 0.2
            assert np.mean([next(iter(found)) == system for found in shares]) > 0.95


def test_percentiles_of_clips_like_validation_are_uniform() -> None:
    rng = np.random.default_rng(0)
    references = choose_references(rng.standard_normal((300, 6)), np.zeros(300, dtype=int))
    known, new = (references.nearest(rng.standard_normal((n, 6)))[0] for n in (999, 4000))
    told = percentiles(known, new)
    for percentile in (10, 50, 90, 95):
        assert (told >= percentile).mean() == pytest.approx(1 - percentile / 100, abs=0.03)


def test_centres_stand_for_the_groups_of_a_large_training_set() -> None:
    rng = np.random.default_rng(1)
    groups = np.repeat([0, 1, 2], [3000, 900, 100])
    scaled = rng.standard_normal((4000, 3)) + 10 * groups[:, None]
    references = choose_references(scaled, groups, most=200)
    assert np.bincount(references.groups).tolist() == [150, 45, 5]
    near, found = references.nearest(scaled[[0, 3500]])
    assert (near < 1.0).all() and (found == [[0], [1]]).all()


def test_all_clips_of_a_small_training_set_are_references() -> None:
    scaled = np.random.default_rng(2).standard_normal((50, 3))
    references = choose_references(scaled, np.zeros(50, dtype=int))
    assert np.array_equal(references.vectors, scaled.astype(np.float32))
    brute = np.sort(np.linalg.norm(scaled[:, None] - scaled[None], axis=2), axis=1)[:, :10].mean(axis=1) / np.sqrt(3)
    np.testing.assert_allclose(references.nearest(scaled)[0], brute, atol=1e-3)


def test_distances_are_kept_in_the_run_and_need_nothing_else(
    root: Path, trained: Trained, doubt: Doubt, tmp_path: Path
) -> None:
    vectors = trained.open(trained.recipe.dataset, root).read(VAL).inputs
    elsewhere = tmp_path / "runs" / "run0"
    shutil.copytree(trained.folder, elsewhere)
    moved = read_trained(tmp_path, RunName.parse("run0"), trained.recipe.dataset)
    assert np.array_equal(read_doubt(moved, tmp_path).far(vectors), doubt.far(vectors))
    (elsewhere / NAMES).unlink()  # nothing is kept, and there are no embeddings here
    lost = read_doubt(moved, tmp_path)
    assert "not known" in lost.note and np.isnan(lost.far(vectors)).all()
    assert np.isnan(lost.far(lost.vectors_of([np.zeros(9)] * 2, None))).all()
    assert len(set(lost.decide(np.array([-50.0, 50.0]), 0.1))) == 2


def test_what_is_damaged_is_named(root: Path, trained: Trained, doubt: Doubt, tmp_path: Path) -> None:
    shutil.copytree(trained.folder, tmp_path / "runs" / "run0")
    moved = read_trained(tmp_path, RunName.parse("run0"), trained.recipe.dataset)
    (moved.folder / VECTORS).write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"doubt\.safetensors is damaged"):
        read_distances(moved, tmp_path)


def test_decisions_are_certain_far_from_the_threshold_alone(trained: Trained, doubt: Doubt) -> None:
    rejection = doubt.rejection(0.1)
    assert doubt.decide(trained.threshold + np.array([-99.0, 99.0]), 0.1).tolist() == ["spoof", "bona fide"]
    if rejection.margin > 0:
        assert doubt.decide(np.array([trained.threshold]), 0.1).tolist() == [UNCERTAIN]
    assert doubt.decide(np.array([99.0]), 1e-4).tolist() == [UNCERTAIN]
    p = doubt.p_values(trained.threshold + np.array([-99.0, 99.0]))
    assert p.shape == (2, 2) and p[0, 0] > p[0, 1] and p[1, 1] > p[1, 0]


def test_sound_is_compared_by_its_lfccs() -> None:
    from src.backbones.lfcc import lfcc

    waveform = np.random.default_rng(3).standard_normal(16000).astype(np.float32) * 0.1
    frames = lfcc(waveform)
    expected = np.concatenate([frames.mean(axis=0), frames.std(axis=0)])
    np.testing.assert_allclose(sound_vectors([waveform])[0], expected, rtol=1e-5, atol=1e-5)
