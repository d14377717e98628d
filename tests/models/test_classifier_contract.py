"""What every classifier promises, asked of each in the same words."""

import io
import json
import pickle
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from src.metrics.eer import compute_eer
from src.models import CLASSIFIERS, classifier_class
from src.models.arrays import save_arrays
from src.utils.embeddings import EmbeddingTable

Make = Callable[..., Any]
DrawTable = Callable[..., EmbeddingTable]


def saved_and_loaded(classifier: Any, folder: Path) -> Any:
    classifier.save(folder)
    return type(classifier).load(folder, classifier.config)


def test_bona_fide_scores_higher_and_separable_classes_have_no_error(make: Make, draw_table: DrawTable) -> None:
    """Fault 8: a label was 1 = real in one place and 1 = spoof in another."""
    classifier, val = make(), draw_table(distance=12, seed=1)
    history = classifier.fit(draw_table(distance=12), val)
    scores = classifier.scores(val.vectors)
    assert history.best_eer == 0
    assert scores[val.labels == 1].min() > scores[val.labels == 0].max()
    assert scores[val.labels == 1].min() > 0 > scores[val.labels == 0].max()


def test_classes_that_do_not_differ_cannot_be_told_apart(make: Make, draw_table: DrawTable) -> None:
    classifier, test = make(), draw_table(1000, distance=0, seed=2)
    classifier.fit(draw_table(distance=0), draw_table(distance=0, seed=1))
    assert abs(np.corrcoef(test.labels, classifier.scores(test.vectors))[0, 1]) < 0.15


@pytest.mark.filterwarnings("ignore:There are only:UserWarning")
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_eer_reported_is_that_of_the_weights_saved(
    make: Make, draw_table: DrawTable, tmp_path: Path, seed: int
) -> None:
    """Fault 4: the EER of any epoch was reported, the weights of the best loss were saved."""
    classifier, val = make(seed=seed), draw_table(101, seed=10 + seed)
    history = classifier.fit(draw_table(seed=seed), val)
    loaded = saved_and_loaded(classifier, tmp_path)
    assert history.val_eers[history.best] == history.best_eer == history.val_eers.min()
    assert history.best_eer == compute_eer(val.labels, loaded.scores(val.vectors))[0]
    assert 0.05 < history.best_eer < 0.45, "a number that could have gone wrong"


def test_the_eer_comes_from_scores_and_not_from_decisions(make: Make, draw_table: DrawTable) -> None:
    """Fault 2: SVM and RF computed it from predicted labels. Here validation lies shifted, so the two differ."""
    classifier, val = make(), draw_table(400, distance=2, seed=1)
    val.vectors[:, 0] += 1  # more of the spoofs are taken for bona fide, fewer of the bona fide for spoofs
    history = classifier.fit(draw_table(400, distance=2), val)
    scores = classifier.scores(val.vectors)
    of_scores = compute_eer(val.labels, scores)[0]
    with pytest.warns(UserWarning, match="only 2 distinct score"):
        of_decisions = compute_eer(val.labels, (scores > 0).astype(float))[0]
    assert history.best_eer == of_scores
    assert abs(of_scores - of_decisions) > 0.02


def test_scores_are_finite_numbers_and_the_same_after_saving(make: Make, draw_table: DrawTable, tmp_path: Path) -> None:
    classifier, val = make(), draw_table(seed=1)
    classifier.fit(draw_table(), val)
    scores = classifier.scores(val.vectors)
    assert scores.shape == (len(val),)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    assert saved_and_loaded(classifier, tmp_path).scores(val.vectors).tobytes() == scores.tobytes()
    for same in (val.vectors.astype(np.float64), np.asfortranarray(val.vectors)):
        np.testing.assert_allclose(classifier.scores(same), scores, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(classifier.scores(val.vectors[3:4]), scores[3:4], rtol=1e-5, atol=1e-6)


def test_same_seed_same_bytes_and_another_seed_others(name: str, make: Make, draw_table: DrawTable) -> None:
    train, val = draw_table(), draw_table(seed=1)

    def run(seed: int) -> tuple[bytes, bytes]:
        classifier = make(seed=seed)
        history = classifier.fit(train, val)
        np.random.default_rng().random()
        return classifier.scores(val.vectors).tobytes(), history.val_losses.tobytes()

    assert run(3) == run(3)
    assert (run(3) == run(4)) == (name in ("svm", "lr")), "nothing in them is drawn by lot"


def test_scoring_twice_gives_the_same_bytes(make: Make, draw_table: DrawTable) -> None:
    classifier, test = make(), draw_table(seed=2)
    classifier.fit(draw_table(), draw_table(seed=1))
    assert classifier.scores(test.vectors).tobytes() == classifier.scores(test.vectors).tobytes()


def test_training_leaves_every_global_generator_alone_and_does_not_listen_to_it(
    make: Make, draw_table: DrawTable
) -> None:
    def state() -> tuple[Any, ...]:
        _, keys, *rest = np.random.get_state()  # noqa: NPY002
        return keys.tobytes(), rest, torch.get_rng_state().numpy().tobytes(), random.getstate()

    make().fit(draw_table(), draw_table(seed=1))  # what it imports may draw while it is imported
    results = []
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        random.seed(seed)
        before = state()
        classifier = make()
        classifier.fit(draw_table(), draw_table(seed=1))
        assert state() == before
        results.append(classifier.scores(draw_table(seed=1).vectors).tobytes())
    assert results[0] == results[1]


def test_the_history_has_one_value_an_epoch(name: str, make: Make, draw_table: DrawTable) -> None:
    history = make().fit(draw_table(), draw_table(seed=1))
    curves = history.train_losses, history.val_losses, history.val_eers
    assert {curve.shape for curve in curves} == {(8 if name == "mlp" else 1,)}
    assert all(np.isfinite(curve).all() for curve in curves)
    assert all((curve >= 0).all() for curve in curves)
    assert (history.val_eers <= 1).all()
    assert 0 <= history.best < len(history.val_eers)


def test_both_classes_weigh_the_same_however_many_clips_they_have(name: str, make: Make, draw_table: DrawTable) -> None:
    values = {
        "rf": {"min_samples_leaf": 20, "n_estimators": 100},
        "svm": {"C": 0.1},
        "lr": {},
        "mlp": {"n_hidden_layers": 0},
    }
    classifier, test = make(**values[name]), draw_table(2000, seed=2)
    classifier.fit(draw_table(1000, bonafide=0.06), draw_table(seed=1))
    scores = classifier.scores(test.vectors)
    misses, false_alarms = (scores[test.labels == 1] < 0).mean(), (scores[test.labels == 0] >= 0).mean()
    assert abs(misses - false_alarms) < 0.2, (misses, false_alarms)
    assert max(misses, false_alarms) < 0.5


def test_a_number_that_never_varies_does_no_harm(make: Make, draw_table: DrawTable) -> None:
    train, val = draw_table(150), draw_table(seed=1)
    train.vectors[:, 3] = 0.1
    train.vectors[:, 4] = 0
    val.vectors[:, 3] = 0.1
    val.vectors[:, 4] = 1e-3  # what never varied in training may vary a little later
    classifier = make()
    history = classifier.fit(train, val)
    assert np.isfinite(classifier.scores(val.vectors)).all()
    assert history.best_eer < 0.4


def test_level_and_offset_of_the_numbers_do_not_matter(name: str, make: Make, draw_table: DrawTable) -> None:
    scores = []
    for scale, offset in ((1, 0), (1024, 4096)):
        train, val = draw_table(), draw_table(seed=1)
        for table in (train, val):
            table.vectors[:] = table.vectors * scale + offset
        classifier = make()
        classifier.fit(train, val)
        scores.append(classifier.scores(val.vectors))
    assert np.corrcoef(scores)[0, 1] > 0.99


def test_no_file_runs_code_when_it_is_read(name: str, make: Make, draw_table: DrawTable, tmp_path: Path) -> None:
    """Fault 8: model files were pickles."""
    classifier = make()
    classifier.fit(draw_table(), draw_table(seed=1))
    classifier.save(tmp_path)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == (["best_model.safetensors", "final_model.safetensors"] if name == "mlp" else [weights(name)])
    for path in tmp_path.iterdir():
        content = path.read_bytes()
        assert_is_no_pickle(content)
        if name != "rf":
            size = int.from_bytes(content[:8], "little")
            header = json.loads(content[8 : 8 + size])
            ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
            assert max(ends) == len(content) - 8 - size, "nothing but the tensors of the header"
            continue
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                part = archive.read(member)
                assert_is_no_pickle(part)
                if member == "schema.json":
                    json.loads(part)
                else:
                    np.load(io.BytesIO(part), allow_pickle=False)


def assert_is_no_pickle(content: bytes) -> None:
    with pytest.raises(Exception):  # noqa: B017 (unpickling what is none raises anything)
        pickle.loads(content)


class RunsCode:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


def weights(name: str) -> str:
    return {"mlp": "best_model.safetensors", "rf": "model.skops"}.get(name, "model.safetensors")


def test_a_pickle_under_the_name_of_the_weights_is_refused_unread(name: str, make: Make, tmp_path: Path) -> None:
    """Fault 8: model files were pickles."""
    (tmp_path / weights(name)).write_bytes(pickle.dumps(RunsCode(tmp_path / "ran")))
    with pytest.raises(ValueError, match=r"cannot be read .* it is damaged or another model's; train again"):
        type(make()).load(tmp_path, make().config)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["rf"])
def test_a_file_that_names_foreign_functions_is_refused(name: str, make: Make, tmp_path: Path) -> None:
    import os
    from functools import partial

    import skops.io

    skops.io.dump({"estimator": partial(os.getcwd)}, tmp_path / "model.skops")
    with pytest.raises(ValueError, match=r"cannot be read \(Untrusted types found .*getcwd"):
        type(make()).load(tmp_path, make().config)


@pytest.mark.parametrize("size", [0, 10, 300])
def test_damaged_weights_are_named_in_one_line(
    name: str, make: Make, draw_table: DrawTable, tmp_path: Path, size: int
) -> None:
    classifier = make()
    classifier.fit(draw_table(), draw_table(seed=1))
    classifier.save(tmp_path)
    path = tmp_path / weights(name)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match=f"{path} cannot be read ") as caught:
        type(classifier).load(tmp_path, classifier.config)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["svm", "lr"])
def test_the_arrays_of_another_classifier_are_named(name: str, make: Make, tmp_path: Path) -> None:
    save_arrays(tmp_path, {"mean": np.zeros(3), "trees": np.zeros(3)})
    with pytest.raises(ValueError, match=r"cannot be read \(it holds mean, trees, not .*deviation.*another model's"):
        type(make()).load(tmp_path, make().config)


def test_a_folder_without_weights_is_named(name: str, make: Make, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"{tmp_path} holds no {weights(name)}: its training did not finish"):
        type(make()).load(tmp_path, make().config)


def test_saving_leaves_no_temporary_file_and_replaces_what_was_there(
    make: Make, draw_table: DrawTable, tmp_path: Path
) -> None:
    val = draw_table(seed=1)
    for seed in (1, 2):
        classifier = make(seed=seed)
        classifier.fit(draw_table(seed=seed), val)
        loaded = saved_and_loaded(classifier, tmp_path)
    assert not list(tmp_path.glob(".*"))
    assert loaded.scores(val.vectors).tobytes() == classifier.scores(val.vectors).tobytes()


def test_the_table_of_classifiers_and_unknown_ones() -> None:
    assert [classifier_class(name).__name__ for name in CLASSIFIERS] == [
        "Mlp",
        "Svm",
        "RandomForest",
        "LogisticRegression",
    ]
    with pytest.raises(ValueError, match="Unknown classifier 'knn'; allowed: mlp, svm, rf, lr"):
        classifier_class("knn")
    with pytest.raises(ValueError, match=r"No classifier given \(--classifier=\)"):
        classifier_class("")
