"""The training loop: the same seed, the same weights; killed and resumed, the same weights; the best epoch is kept."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from src.detectors.contract import LOSSES, Output
from src.detectors.training import loop
from src.detectors.training.lesson import Training
from src.detectors.training.objectives import make_objective
from src.learning import trainer as learning
from src.metrics.eer import eer_of
from src.models.contract import History
from src.utils.waveform_table import WaveformTable
from tests.detectors.tiny import Tiny, TinyConfig, make, write_clips

pytestmark = pytest.mark.usefixtures("one_thread")
Tables = tuple[WaveformTable, WaveformTable]
NOISY = '[{"probability": 0.8, "one_of": [{"effect": "white", "parameters": {"snr": {"from": 10, "to": 30}}}]}]'


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    folder = tmp_path_factory.mktemp("clips")
    return write_clips(folder, 18, seed=1), write_clips(folder, 10, seed=2, start=100)


@pytest.fixture(scope="module")
def plain(tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """Return a detector that was trained without any option."""
    detector = make(tmp_path_factory.mktemp("plain"))
    detector.fit(*tables)
    return detector


def state_of(detector: Tiny) -> dict[str, torch.Tensor]:
    return detector.trained.state_dict()


def is_equal(one: Tiny, other: Tiny) -> bool:
    there = state_of(other)
    return all(torch.equal(value, there[name]) for name, value in state_of(one).items())


def test_it_learns_and_its_history_tells_of_the_weights_kept(tables: Tables, tmp_path: Path) -> None:
    detector = make(tmp_path, epochs=12)
    history = detector.fit(*tables)
    scores = detector.scores(tables[1].inputs)
    assert history.best_eer == eer_of(tables[1].labels, scores) <= 0.2
    assert history.train_losses[-1] < history.train_losses[0]
    detector.save(tmp_path)
    again = Tiny.load(tmp_path, detector.config)
    assert np.array_equal(again.scores(tables[1].inputs), scores)


def test_the_same_seed_gives_the_same_weights_whatever_was_drawn_before(
    tables: Tables, plain: Tiny, tmp_path: Path
) -> None:
    torch.manual_seed(99)
    state = torch.random.get_rng_state()
    other = make(tmp_path / "other")
    other.fit(*tables)
    assert is_equal(plain, other)
    assert torch.equal(torch.random.get_rng_state(), state)
    third = make(tmp_path / "third", seed=8)
    third.fit(*tables)
    assert not is_equal(plain, third)


class KilledError(Exception):
    """Stands for a kill: nothing after it is done."""


@pytest.fixture(scope="module")
def undisturbed(tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> tuple[Tiny, History]:
    """Return a detector of masked and augmented windows whose training was not cut off, and its history."""
    detector = make(tmp_path_factory.mktemp("undisturbed"), mask_seconds=0.05, augment=NOISY)
    return detector, detector.fit(*tables)


@pytest.mark.parametrize("step", [1, 3, 4, 6, 11, 15])
@pytest.mark.parametrize("every_step", [True, False])
def test_a_training_that_was_cut_off_ends_with_the_same_weights(
    tables: Tables,
    undisturbed: tuple[Tiny, History],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: int,
    every_step: bool,
) -> None:
    monkeypatch.setattr(learning, "CHECKPOINT_SECONDS", 0.0 if every_step else 1e9)
    whole, expected = undisturbed
    taken, original = [], loop.OurTrainer.training_step

    def cut_off(self, *arguments):
        if len(taken) == step:
            raise KilledError
        taken.append(1)
        return original(self, *arguments)

    monkeypatch.setattr(loop.OurTrainer, "training_step", cut_off)
    with pytest.raises(KilledError):
        make(tmp_path / "killed", mask_seconds=0.05, augment=NOISY).fit(*tables)
    monkeypatch.setattr(loop.OurTrainer, "training_step", original)
    resumed = make(tmp_path / "killed", mask_seconds=0.05, augment=NOISY)
    history = resumed.fit(*tables)
    assert is_equal(resumed, whole)
    for name in ("train_losses", "val_losses", "val_eers"):
        assert np.array_equal(getattr(history, name), getattr(expected, name))


def test_a_checkpoint_of_another_recipe_or_a_damaged_one_is_refused(tables: Tables, tmp_path: Path) -> None:
    make(tmp_path).fit(*tables)
    with pytest.raises(ValueError, match="another recipe"):
        make(tmp_path, learning_rate=1e-3).fit(*tables)
    newest = max(tmp_path.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    (newest / "optimizer.pt").write_bytes(b"damaged")
    with pytest.raises(ValueError, match=r"damaged \(optimizer\.pt\)"):
        make(tmp_path).fit(*tables)
    import shutil

    shutil.rmtree(newest)
    make(tmp_path).fit(*tables)  # from the one before it


def test_what_a_kill_left_half_written_is_no_checkpoint(tables: Tables, plain: Tiny, tmp_path: Path) -> None:
    half = tmp_path / "two" / "checkpoint-4"
    half.mkdir(parents=True)
    (half / "trainer_state.json").write_text("{")
    detector = make(tmp_path / "two")
    detector.fit(*tables)
    assert is_equal(detector, plain)


def test_patience_and_the_watch_stop_it(tables: Tables, tmp_path: Path) -> None:
    impatient = make(tmp_path / "one", epochs=50, patience=2).fit(*tables)
    assert len(impatient.val_eers) - 1 - impatient.best == 2
    seen = []

    def watch(epoch: int, best: float) -> bool:
        seen.append((epoch, best))
        return epoch == 1

    history = make(tmp_path / "two").fit(*tables, watch)
    assert len(history.val_eers) == 2
    assert seen == [(0, history.val_eers[0]), (1, min(history.val_eers))]


@pytest.mark.parametrize("loss", ["focal", "oc-softmax", "am-softmax", "contrastive"])
def test_every_loss_trains_and_its_score_is_read_back(tables: Tables, tmp_path: Path, loss: str) -> None:
    detector = make(tmp_path, loss=loss, epochs=6)
    detector.fit(*tables)
    scores = detector.scores(tables[1].inputs)
    detector.save(tmp_path)
    assert np.array_equal(Tiny.load(tmp_path, detector.config).scores(tables[1].inputs), scores)
    assert eer_of(tables[1].labels, scores) <= 0.4


@pytest.mark.parametrize(
    "options", [{"sharpness": 0.05}, {"accumulate": 2}, {"schedule": "constant"}, {"schedule": "linear", "warmup": 0.0}]
)
def test_options_change_the_training_and_it_stays_repeatable(
    tables: Tables, plain: Tiny, tmp_path: Path, options: dict[str, object]
) -> None:
    one, other = make(tmp_path / "one", **options), make(tmp_path / "other", **options)
    for detector in (one, other):
        detector.fit(*tables)
    assert is_equal(one, other)
    assert not is_equal(one, plain)


def test_a_student_follows_its_teacher(tables: Tables, tmp_path: Path) -> None:
    from dataclasses import replace

    train, val = tables
    contrary = replace(train, teacher_scores=np.where(train.labels == 1, -6.0, 6.0))
    student = make(tmp_path, distillation=1.0, epochs=8)
    student.fit(contrary, replace(val, labels=1 - val.labels))
    assert eer_of(train.labels, student.scores(train.inputs)) > 0.6


@pytest.mark.parametrize("loss", LOSSES)
def test_a_student_can_be_as_sure_as_its_teacher_whatever_its_loss(loss: str) -> None:
    objective = make_objective(loss, torch.ones(2), 3)
    if loss == "am-softmax":
        objective.directions.data = torch.tensor([[-1.0, 0, 0], [1.0, 0, 0]])
    if loss == "oc-softmax":
        objective.direction.data = torch.tensor([[1.0, 0, 0]])
    sides = torch.tensor([[1.0, 0, 0], [-1.0, 0, 0]])
    output = Output(torch.tensor([[-4.0, 4.0], [4.0, -4.0]]), sides)
    log_odds, scores = objective.log_odds(output), objective.scores(output)
    assert (log_odds.argsort() == scores.argsort()).all()
    assert log_odds[0] >= 8
    assert log_odds[1] <= -8


def test_what_the_teacher_says_is_compared_with_log_odds() -> None:
    network = torch.nn.Module()
    network.forward = lambda _: Output(torch.zeros(1, 2), torch.tensor([[0.2, 1.0]]))
    objective = make_objective("am-softmax", torch.ones(2), 2)
    objective.directions.data = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    training = Training(network, objective, TinyConfig(distillation=1.0))
    cosines = torch.tensor([0.2, 1.0]) / torch.tensor(1.04).sqrt()
    clip = (torch.zeros(1, 100), torch.tensor([0]), torch.tensor([100]), torch.zeros(1, 1))
    assert training(*clip, 20 * (cosines[:1] - cosines[1:]))["loss"].item() == pytest.approx(0.0, abs=1e-6)
    assert training(*clip, cosines[:1] - cosines[1:])["loss"].item() > 0.1


def test_curves_are_logged_for_tensorboard(tables: Tables, tmp_path: Path) -> None:
    make(tmp_path / "checkpoints", curves=tmp_path / "curves", epochs=2).fit(*tables)
    assert list((tmp_path / "curves").glob("events.out.tfevents*"))
    assert not list((tmp_path / "checkpoints").rglob("events.out.tfevents*"))


def test_bf16_trains_where_the_hardware_has_it_and_is_refused_elsewhere(
    tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("src.detectors.detector.choose_precision", lambda *_: "fp32")
        with pytest.raises(ValueError, match=r"no hardware for bf16 \(device .*`precision=fp32`"):
            make(tmp_path / "none", precision="bf16").fit(*tables)
    assert not (tmp_path / "none").exists()
    monkeypatch.setattr("src.detectors.detector.choose_precision", lambda *_: "bf16")  # PyTorch can everywhere
    detector, exact = make(tmp_path / "one", precision="bf16"), make(tmp_path / "two")
    history, other = detector.fit(*tables), exact.fit(*tables)
    assert np.isfinite(history.train_losses).all()
    assert np.allclose(history.train_losses, other.train_losses, rtol=0.05)
    assert not is_equal(detector, exact)
    assert all(value.dtype != torch.bfloat16 for value in state_of(detector).values())


def test_a_recording_that_cannot_be_used_is_told_by_name(tables: Tables, tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    train = write_clips(folder, 8, seed=1)
    (folder / "3.flac").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"3\.flac cannot be used.*AddDatasetDuration") as told:
        make(tmp_path / "run").fit(train, tables[1])
    assert "\n" not in str(told.value)


def test_what_does_not_do_for_the_config_is_refused(tables: Tables, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"`seconds=0\.05`"):
        detector = make(tmp_path, seconds=0.05)
        detector.min_samples = 1000
        detector.fit(*tables)
    with pytest.raises(ValueError, match="leave out `checkpointing`"):
        make(tmp_path, checkpointing=True).fit(*tables)
    with pytest.raises(ValueError, match="sharpness"):
        TinyConfig(sharpness=0.1, accumulate=2)
    with pytest.raises(ValueError, match="`loss` must be"):
        TinyConfig(loss="hinge")


def test_an_epoch_tells_how_far_it_has_come(tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    seconds = itertools.count(step=2.0)
    monkeypatch.setattr(loop, "monotonic", lambda: next(seconds))
    monkeypatch.setattr(loop.tqdm, "set_postfix_str", lambda bar, text: told.append(text))
    history = make(tmp_path, epochs=2).fit(*tables)
    n_steps = told.index("validation") + 1
    assert told[: n_steps - 1] == [f"step {step} of {n_steps}" for step in range(1, n_steps)]
    assert told[n_steps + 1] == f"step 1 of {n_steps}, {told[n_steps]}"
    assert told[n_steps] == "EER {0:.2%}, best {0:.2%}".format(history.val_eers[0])


def test_without_a_terminal_every_epoch_is_a_line(
    tables: Tables, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    history = make(tmp_path, epochs=2).fit(*tables)
    eers = history.val_eers
    assert capfd.readouterr().out.splitlines() == [
        f"epoch 1 of 2: EER {eers[0]:.2%}, best {eers[0]:.2%}",
        f"epoch 2 of 2: EER {eers[1]:.2%}, best {history.best_eer:.2%}",
    ]


def test_a_loss_that_is_not_finite_ends_the_training_with_advice(tables: Tables, tmp_path: Path) -> None:
    from dataclasses import replace

    train, val = tables
    taught = replace(train, teacher_scores=np.full(len(train), np.inf))
    with pytest.raises(ValueError, match=r"not finite in epoch 0.*`learning_rate`"):
        make(tmp_path, distillation=0.5).fit(taught, val)


def test_a_network_that_normalises_over_its_batch_needs_two_windows(tables: Tables, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`batch_size` must be 2 or more, not 1"):
        make(tmp_path, batch_size=1).fit(*tables)


def test_batch_statistics_are_those_of_the_weights_that_are_kept(tables: Tables, tmp_path: Path) -> None:
    network = make(tmp_path).build()
    from src.detectors.training.sharpness import at_the_worst_point_nearby

    windows = torch.randn(4, 4000, generator=torch.Generator().manual_seed(1))
    network.train()(windows).logits.sum().backward()
    before = network.norm.running_mean.clone(), int(network.norm.num_batches_tracked)
    weights = [parameter.clone() for parameter in network.parameters()]
    with at_the_worst_point_nearby(network, 1.0):
        assert not torch.equal(weights[0], network.first.weight)
        network(windows).logits.sum().backward()
    assert torch.equal(network.norm.running_mean, before[0])
    assert int(network.norm.num_batches_tracked) == before[1]
    assert network.norm.track_running_stats
    assert all(torch.equal(one, other) for one, other in zip(weights, network.parameters(), strict=True))
