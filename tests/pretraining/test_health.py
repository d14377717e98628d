"""What signs say in words, and which of them stop a pretraining; with made-up signs, and with tiny trainings."""

import json
import re

import numpy as np
import pytest
import torch

from src.pretraining.best_rq import BestRq
from src.pretraining.contract import PretrainingConfig
from src.pretraining.health import COLUMNS, Health, collapse_in
from tests.pretraining.tiny import crops, masks_of, tiny_objective

HEALTHY = {"loss": 4.0, "loss_bits": 5.77, "accuracy": 0.2, "chance": 0.1, "perplexity": 60.0, "codes_used": 0.8}
COLLAPSES = {
    "perplexity": (1.02, "next to no codes but one .perplexity 1.02"),
    "group_perplexity": (1.0, "next to no codes but one in one of the groups .perplexity 1"),
    "codes_used": (0.002, "next to no codes are used .0.2 %"),
    "loss_bits": (0.004, "known for certain .loss 0.004 bits"),
    "loss_of_mean": (0.0, "spectra do not vary"),
}


def tell(health: Health, steps: range, **signs: float) -> list[str]:
    """Let each step be a row; return what the rows say."""
    said = []
    for step in steps:
        health.add({**HEALTHY, **signs})
        said.append(health.end_row(step, step / 100))
    return said


def test_a_row_holds_the_means_since_the_last_one() -> None:
    health = Health(warm_up=2)
    for loss, accuracy in ((4.0, 0.1), (2.0, 0.3)):
        health.add({"loss": loss, "accuracy": accuracy, "gradient_norm": 1.0})
    health.end_row(2, 0.1, held_out_loss=5.0)
    health.add({"loss": 1.0, "temperature": 2.0})
    health.end_row(3, 0.2)
    first, second = health.rows
    assert (first["loss"], first["accuracy"], first["held_out_loss"], first["gradient_norm"]) == (3.0, 0.2, 5.0, 1.0)
    assert second == {"step": 3, "hours_seen": 0.2, "loss": 1.0, "temperature": 2.0}
    table = health.table()
    named = ["step", "hours_seen", "loss", "held_out_loss", "accuracy", "gradient_norm", "temperature"]
    assert table.columns.tolist() == named == [name for name in COLUMNS if name in named]
    assert table["held_out_loss"].isna().tolist() == [False, True]


def test_it_goes_on_from_a_checkpoint_as_if_it_had_not_stopped() -> None:
    whole, half = Health(warm_up=2), Health(warm_up=2)
    for health in (whole, half):
        tell(health, range(1, 4))
        health.add({"loss": 1.0})
    resumed = Health(warm_up=2).with_state(json.loads(json.dumps(half.state())))
    for health in (whole, resumed):
        health.add({"loss": 2.0})
        health.end_row(5, 0.05)
    assert resumed.rows == whole.rows and resumed.rows[-1]["loss"] == 1.5


@pytest.mark.parametrize("name", COLLAPSES)
def test_a_collapse_that_lasts_stops_the_training_and_says_what_to_change(name: str) -> None:
    value, reason = COLLAPSES[name]
    health = Health(warm_up=10, remedy="Look for silence, or set `batch_seconds` higher.")
    assert tell(health, range(11, 13), **{name: value})[-1].startswith("collapsing: ")
    with pytest.raises(
        ValueError, match=f"^The pretraining has collapsed at step 13: .*{reason}.*`batch_seconds`"
    ) as error:
        tell(health, range(13, 14), **{name: value})
    assert "\n" not in str(error.value) and "silence" in str(error.value) and len(health.rows) == 3


@pytest.mark.parametrize("name", COLLAPSES)
def test_neither_a_start_nor_two_bad_rows_stop_it(name: str) -> None:
    health = Health(warm_up=10)
    collapsed = {name: COLLAPSES[name][0]}
    assert all(said.startswith("warming up") for said in tell(health, range(1, 11), **collapsed))
    tell(health, range(11, 13), **collapsed)
    assert tell(health, range(13, 14))[-1].startswith("learning, 5.77 bits, accuracy 20.0 % (chance 10.0 %)")
    tell(health, range(14, 16), **collapsed)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_stops_it_at_once(value: float) -> None:
    with pytest.raises(ValueError, match=r"^gradient_norm is not finite at step 1: set `learning_rate` lower"):
        tell(Health(warm_up=10), range(1, 2), gradient_norm=value)


@pytest.mark.parametrize(
    "signs, said",
    [
        ({}, "learning"),
        ({"accuracy": 0.105}, "no better than chance"),
        ({"gradient_norm": 35.0}, "unsteady (gradient norm 35)"),
        ({"perplexity": 2.2}, "collapsing: frames have next to no codes but one (perplexity 2.2)"),
    ],
)
def test_the_most_worrying_is_said(signs: dict[str, float], said: str) -> None:
    assert tell(Health(warm_up=0), range(1, 2), **signs)[0].startswith(f"{said}, 5.77 bits")


def test_reconstruction_is_judged_by_the_loss_of_the_mean() -> None:
    health = Health(warm_up=0)
    said = []
    for step, loss in enumerate((0.79, 0.6), start=1):
        health.add({"loss": loss, "mel_loss": loss, "loss_of_mean": 0.8})
        said.append(health.end_row(step, 0.0))
    assert said == ["no better than the mean, spectra 0.79 (mean 0.8)", "learning, spectra 0.6 (mean 0.8)"]


def test_chance_is_compared_with_the_mean_of_three_rows() -> None:
    health, said = Health(warm_up=0), []
    for step, accuracy in enumerate((0.08, 0.2, 0.09, 0.08, 0.08), start=1):
        health.add({**HEALTHY, "accuracy": accuracy})
        said.append(health.end_row(step, 0.0).split(",")[0])
    assert said == ["no better than chance", "learning", "learning", "learning", "no better than chance"]


def test_a_held_out_loss_that_rises_is_said() -> None:
    health = Health(warm_up=0)
    said = []
    for step, loss in enumerate((5.0, 4.0, 4.05, 4.5), start=1):
        health.add(HEALTHY)
        said.append(health.end_row(step, 0.0, held_out_loss=loss).split(",")[0])
    assert said == ["learning", "learning", "learning", "held-out loss rises"]


def train(objective: BestRq, waveforms: torch.Tensor, n_steps: int) -> Health:
    """Train for some steps, each a row; nothing is judged in the first five."""
    objective.start(waveforms.numpy())
    optimizer = torch.optim.AdamW(objective.parameters(), lr=1e-2)
    health = Health(warm_up=5)
    for step in range(1, n_steps + 1):
        found = objective(waveforms, waveforms, masks_of(objective, waveforms, step))
        optimizer.zero_grad()
        found["loss"].backward()
        norm = torch.nn.utils.clip_grad_norm_(objective.parameters(), 1.0)
        optimizer.step()
        signs = {"loss": found["loss"].detach(), "gradient_norm": norm, **found["signs"]}
        health.add({name: float(sign) for name, sign in signs.items()})
        health.end_row(step, 0.0)
    return health


def test_a_training_on_speech_learns_and_is_not_stopped() -> None:
    objective = tiny_objective(objective="best-rq", units=16)
    assert isinstance(objective, BestRq)
    health = train(objective, crops(4), 40)
    assert health.words().startswith("learning")
    last = health.rows[-1]
    assert last["accuracy"] > 1.3 * last["chance"] and last["loss"] < 0.9 * health.rows[0]["loss"]


def test_a_training_on_silence_collapses_and_is_stopped_behind_the_warm_up() -> None:
    objective = tiny_objective(objective="best-rq", units=16)
    assert isinstance(objective, BestRq)
    with pytest.raises(ValueError, match=r"^The pretraining has collapsed at step 8: .*perplexity 1.*fab DatasetInfo"):
        train(objective, torch.from_numpy(np.zeros((4, 32_000), np.float32)), 40)


@pytest.mark.parametrize(
    ("settings", "remedy"),
    [
        (
            {"objective": "wav2vec2"},
            "if there is none, set `learning_rate` lower, or `batch_seconds` higher",
        ),
        ({"objective": "hubert", "units": 5}, "silence .*; if there is none, set `units` higher"),
        ({"objective": "hubert", "units": 500}, "silence .*; if there is none, set `units` lower"),
        ({"objective": "best-rq"}, "does not depend on what it learns: look for silence, or for a few recordings"),
        ({"objective": "mel"}, "does not depend on what it learns: look for silence, or for a few recordings"),
    ],
)
def test_what_is_advised_against_a_collapse_can_mend_it(settings: dict[str, object], remedy: str) -> None:
    assert re.search(remedy, tiny_objective(**settings).remedy)


@pytest.mark.parametrize("units", [1, 3])
def test_so_few_units_that_health_would_look_like_collapse_are_refused(units: int) -> None:
    with pytest.raises(ValueError, match=f"`units` must be 0 .* or 4 to 100000, not {units}"):
        PretrainingConfig(units=units)


def test_a_healthy_row_has_no_collapse() -> None:
    assert not collapse_in(HEALTHY) and not collapse_in({"step": 1, "loss": 0.6, "mel_loss": 0.6, "loss_of_mean": 0.8})
