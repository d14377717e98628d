from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from src.models.mlp import Mlp, MlpConfig, mlp_model
from src.utils.embeddings import EmbeddingTable

DrawTable = Callable[..., EmbeddingTable]


def make(seed: int = 7, **values: Any) -> Mlp:
    small = {"hidden_size": 8, "n_hidden_layers": 1, "learning_rate": 1e-2, "mixup": 0.0}
    return Mlp(MlpConfig(**{**small, **values}), seed=seed)


@pytest.mark.parametrize(("n_clips", "epochs"), [(50, 12), (50, 3), (16, 2)])
def test_the_learning_rate_rises_to_its_peak_and_falls_to_almost_zero(
    draw_table: DrawTable, monkeypatch: pytest.MonkeyPatch, n_clips: int, epochs: int
) -> None:
    rates: list[float] = []
    step = torch.optim.AdamW.step

    def watched(steps: torch.optim.AdamW, *arguments: Any) -> Any:
        rates.append(float(steps.param_groups[0]["lr"]))
        return step(steps, *arguments)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    make(batch_size=16, epochs=epochs, learning_rate=1e-2).fit(draw_table(n_clips), draw_table(seed=1))
    assert len(rates) == epochs * -(-n_clips // 16)
    assert rates[-1] < 1e-6
    if len(rates) > 10:
        peak = int(np.argmax(rates))
        assert rates[0] == pytest.approx(1e-3)
        assert rates[peak] == pytest.approx(1e-2, rel=0.05)
        assert peak == pytest.approx(0.3 * len(rates), abs=2)
        assert (np.diff(rates[: peak + 1]) > 0).all()
        assert (np.diff(rates[peak:]) < 0).all()


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[np.ndarray]]:
    """Return a function that sets the validation EERs and losses, and returns the scores that it was given."""

    def script(eers: list[float], losses: list[float] | None = None) -> list[np.ndarray]:
        shown: list[np.ndarray] = []
        found: Iterator[float] = iter(eers)
        dictated: Iterator[float] = iter(losses or [1.0] * len(eers))

        def eer(labels: np.ndarray, scores: np.ndarray) -> float:
            shown.append(scores)
            return next(found)

        monkeypatch.setattr(mlp_model, "eer_of", eer)
        monkeypatch.setattr(mlp_model, "_loss", lambda *_: next(dictated))
        return shown

    return script


@pytest.mark.parametrize(
    ("eers", "losses", "best", "n_epochs"),
    [
        ([0.5, 0.4, 0.3, 0.35, 0.4, 0.3, 0.2], None, 2, 5),  # the better one comes too late
        ([0.5, 0.4, 0.3, 0.35, 0.2, 0.3, 0.3, 0.3], None, 4, 7),
        ([0.1] * 9, None, 0, 3),  # the first of equals
        ([0.1] * 5, [5.0, 4.0, 3.0, 2.0, 1.0], 4, 5),  # of equals, the lower loss; five epochs at most
        ([0.5, 0.4, 0.41, 0.3, 0.5], [1.0, 2.0, 0.1, 9.0, 0.1], 3, 5),  # the loss alone decides nothing
    ],
)
def test_training_keeps_the_best_epoch_and_stops_when_it_waited_long_enough(
    draw_table: DrawTable,
    scripted: Callable[..., list[np.ndarray]],
    tmp_path: Path,
    eers: list[float],
    losses: list[float] | None,
    best: int,
    n_epochs: int,
) -> None:
    """Fault 4: the saved weights are those of the EER reported. Patience is two epochs."""
    from safetensors.torch import load_file

    shown = scripted(eers, losses)
    val = draw_table(seed=1)
    classifier = make(epochs=5 if losses else 99, patience=2)
    history = classifier.fit(draw_table(), val)
    assert (history.best, len(history.val_eers)) == (best, n_epochs)
    assert history.val_eers.tolist() == eers[:n_epochs]
    assert history.best_eer == eers[best]
    classifier.save(tmp_path)
    loaded = Mlp.load(tmp_path, classifier.config)
    np.testing.assert_array_equal(loaded.scores(val.vectors), shown[best])
    loaded.network.load_state_dict(load_file(tmp_path / "final_model.safetensors"))
    np.testing.assert_array_equal(loaded.scores(val.vectors), shown[n_epochs - 1])
    assert (shown[best] != shown[n_epochs - 1]).any() == (best != n_epochs - 1)


def test_validation_scores_are_those_of_the_vectors_as_they_came(
    draw_table: DrawTable, scripted: Callable[..., list[np.ndarray]]
) -> None:
    """In training both tables are scaled once; a saved network scales its inputs."""
    val = draw_table(seed=1)
    for scaling in ("standard", "unit", "none"):
        shown = scripted([0.1])
        classifier = make(epochs=1, scaling=scaling)
        classifier.fit(draw_table(), val)
        assert shown[0].tobytes() == classifier.scores(val.vectors).tobytes()


def test_the_network_standardises_by_the_training_clips_alone(draw_table: DrawTable, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    train, val = draw_table(), draw_table(seed=1)
    vectors = train.vectors.copy()
    vectors[:, 2] = 3
    train, val = replace(train, vectors=vectors), replace(val, vectors=val.vectors + 100)
    classifier = make(epochs=1)
    classifier.fit(train, val)
    classifier.save(tmp_path)
    state = load_file(tmp_path / "best_model.safetensors")
    expected = train.vectors.astype(np.float64)
    np.testing.assert_allclose(state["mean"], expected.mean(axis=0), rtol=1e-4, atol=1e-6)
    deviation = expected.std(axis=0)
    assert deviation[2] == 0
    deviation[2] = 1
    np.testing.assert_allclose(state["deviation"], deviation, rtol=1e-5)


@pytest.mark.parametrize(("n_hidden_layers", "scaling"), [(0, "none"), (1, "unit"), (3, "standard")])
def test_scores_are_the_logits_of_the_layers_asked_for(
    draw_table: DrawTable, n_hidden_layers: int, scaling: str
) -> None:
    """Against the same sums in numpy; dropout is for training only."""
    val = draw_table(seed=1)
    classifier = make(n_hidden_layers=n_hidden_layers, dropout=0.5, epochs=2, scaling=scaling)
    classifier.fit(draw_table(), val)
    state = {name: tensor.cpu().numpy().astype(np.float64) for name, tensor in classifier.network.state_dict().items()}
    linear = [name.removesuffix(".weight") for name in state if name.endswith(".weight")]
    assert len(linear) == n_hidden_layers + 1
    values = (val.vectors - state["mean"]) / state["deviation"]
    if scaling == "unit":
        values *= 6**0.5 / np.linalg.norm(values, axis=1, keepdims=True)
    assert (state["mean"] == 0).all() == (scaling == "none")
    for name in linear:
        values = values @ state[f"{name}.weight"].T + state[f"{name}.bias"]
        if name != linear[-1]:
            assert values.shape[1] == 8
            values = np.maximum(values, 0)
    np.testing.assert_allclose(classifier.scores(val.vectors), values[:, 0], rtol=1e-4, atol=1e-5)


def test_losses_are_cross_entropies_in_which_both_classes_weigh_the_same(draw_table: DrawTable) -> None:
    val = draw_table(200, seed=1, bonafide=0.3)
    classifier = make(epochs=3, patience=99)
    history = classifier.fit(draw_table(200, bonafide=0.25), val)
    probability = 1 / (1 + np.exp(-classifier.scores(val.vectors)))
    losses = -np.log(np.where(val.labels == 1, probability, 1 - probability))
    expected = np.where(val.labels == 1, 150 / 50, 1) * losses  # the training table's shares, as in training
    assert history.val_losses[history.best] == pytest.approx(expected.mean(), rel=1e-5)


def test_the_training_loss_is_that_of_a_whole_epoch(draw_table: DrawTable) -> None:
    """With steps too small to move anything, it is the loss of all training clips."""
    train = draw_table(50)
    classifier = make(epochs=1, learning_rate=1e-8, dropout=0.0, batch_size=16)
    history = classifier.fit(train, train)
    assert history.train_losses[0] == pytest.approx(history.val_losses[0], rel=1e-4)


def test_it_learns_what_no_straight_line_separates() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.uniform(-1, 1, (400, 2)).astype(np.float32)
    labels = (vectors[:, 0] * vectors[:, 1] > 0).astype(int)
    texts = np.full(400, "")
    table = EmbeddingTable(vectors=vectors, labels=labels, genders=texts, speakers=texts, systems=texts, files=texts)
    bent = make(hidden_size=32, n_hidden_layers=2, epochs=30, dropout=0.0).fit(table, table)
    straight = make(n_hidden_layers=0, epochs=30).fit(table, table)
    assert bent.best_eer < 0.1 < 0.3 < straight.best_eer


def test_many_vectors_are_scored_in_parts(draw_table: DrawTable, monkeypatch: pytest.MonkeyPatch) -> None:
    val = draw_table(seed=1)
    classifier = make(epochs=1)
    classifier.fit(draw_table(), val)
    whole = classifier.scores(val.vectors)
    sizes = []
    classifier.network.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    monkeypatch.setattr(mlp_model, "SCORING_BATCH", 64)
    np.testing.assert_allclose(classifier.scores(val.vectors), whole, rtol=1e-5, atol=1e-6)
    assert sizes == [64, 64, 32]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_gpu_trains_saves_and_scores_like_the_cpu(draw_table: DrawTable, tmp_path: Path) -> None:
    val = draw_table(seed=1)
    classifier = make(epochs=5)
    before = torch.cuda.get_rng_state()
    history = classifier.fit(draw_table(), val)
    assert next(classifier.network.parameters()).device.type == "cuda"
    assert torch.equal(torch.cuda.get_rng_state(), before)
    assert history.best_eer < 0.4
    scores = classifier.scores(val.vectors)
    classifier.save(tmp_path)
    loaded = Mlp.load(tmp_path, classifier.config)
    assert loaded.scores(val.vectors).tobytes() == scores.tobytes()
    loaded.device = torch.device("cpu")
    loaded.network.to("cpu")
    np.testing.assert_allclose(loaded.scores(val.vectors), scores, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(("stop_after", "n_epochs", "best"), [(1, 1, 0), (3, 3, 1), (99, 5, 4)])
def test_a_watch_sees_the_lowest_eer_of_every_epoch_and_may_stop_there(
    draw_table: DrawTable, scripted: Callable[..., list[np.ndarray]], stop_after: int, n_epochs: int, best: int
) -> None:
    eers, seen = [0.4, 0.2, 0.3, 0.25, 0.1], []
    shown = scripted(eers)

    def watch(epoch: int, best_eer: float) -> bool:
        seen.append((epoch, best_eer))
        return len(seen) == stop_after

    val = draw_table(seed=1)
    classifier = make(epochs=5)
    history = classifier.fit(draw_table(), val, watch)
    assert seen == list(enumerate(np.minimum.accumulate(eers)))[:n_epochs]
    assert history.val_eers.tolist() == eers[:n_epochs]
    assert history.best == best
    np.testing.assert_array_equal(classifier.scores(val.vectors), shown[best])
