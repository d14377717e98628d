"""The rule by which an encoder of our own may ship, and what of it would."""

from pathlib import Path

import pytest

from benchmarks.own_encoder import MOST_BYTES, round_weights, verdict
from src.experiments.evaluation.comparison import Difference
from src.experiments.pretraining.clip_embeddings import LFCC, load_local
from src.metrics.bootstrap import Interval
from src.pretraining.contract import PretrainingConfig
from src.pretraining.encoders import new_encoder

NAN = float("nan")


@pytest.mark.parametrize(
    ("difference", "bounds", "n_bytes", "said"),
    [
        (-0.05, (-0.08, -0.01), 4_900_000, "It may ship: its EER on systems left out is that of LFCC -5.00 percentage"),
        (-0.05, (-0.08, 0.0123), 4_900_000, "it failed by 1.23 points"),
        (0.02, (-0.01, 0.05), 4_900_000, "It may not ship: "),
        (0.0, (NAN, NAN), 4_900_000, "the interval is not known"),
        (-0.05, (-0.08, -0.01), MOST_BYTES + 1, "It may not ship: it is too large (5.00 MB in float16"),
    ],
)
def test_it_ships_only_if_it_is_better_by_more_than_the_interval(
    difference: float, bounds: tuple[float, float], n_bytes: int, said: str
) -> None:
    of_lfcc = Difference("model in float16", LFCC, difference, Interval(*bounds), 30, 200, 30)
    of_start = Difference("model in float16", "start", -0.2, Interval(-0.3, -0.1), 30, 200, 30)
    assert said in verdict([of_lfcc, of_start], n_bytes)


def test_without_systems_to_leave_out_nothing_ships() -> None:
    assert verdict([], 1).startswith("It may not ship: no system can be left out")


def test_the_smallest_encoder_fits(tmp_path: Path) -> None:
    encoder = new_encoder(PretrainingConfig(front_end="mel", size="tiny"))
    encoder.save(tmp_path / "model")
    n_bytes = round_weights(tmp_path / "model", tmp_path / "rounded")
    assert n_bytes == 2 * sum(each.numel() for each in encoder.model.parameters() if each.requires_grad)
    assert 4_500_000 < n_bytes <= MOST_BYTES
    assert load_local(tmp_path / "rounded", device="cpu").dimension == 216


def test_convolutions_have_that_size_too() -> None:
    encoder = new_encoder(PretrainingConfig(front_end="conv", size="tiny"))
    assert (encoder.width, encoder.feature_width, len(encoder.layers())) == (216, 128, 4)
