"""Detectors as modules score clips of any length as they do with windows that NumPy cut."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from src.deploy.exporting.windows import windows_module
from src.detectors.fine_tuned import FineTuned, FineTunedConfig
from tests.detectors.small_models import save_small, save_small_whisper
from tests.detectors.tiny import Tiny, TinyConfig

pytestmark = pytest.mark.usefixtures("one_thread")
LENGTHS = (1500, 4000, 4001, 6500, 15_000)
"""Samples; a window has 4000."""


def untrained(detector: Any) -> Any:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        detector.trained = detector._untrained(detector.build())
    detector.device = torch.device("cpu")
    return detector


def assert_scores_agree(detector: Any, lengths: tuple[int, ...] = LENGTHS) -> None:
    trained = detector.trained
    module = windows_module(trained.network.eval(), trained.objective, detector.config)
    for length in lengths:
        clips = 0.1 * np.random.default_rng(length).standard_normal((2, length)).astype(np.float32)
        expected = detector.waveform_scores(list(clips))
        with torch.no_grad():
            np.testing.assert_allclose(module(torch.from_numpy(clips)).numpy(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "values",
    [{}, {"padding": "zeros"}, {"pre_emphasis": 0.97, "even_level": True}, {"even_level": True, "padding": "zeros"}],
)
@pytest.mark.parametrize("loss", ["cross-entropy", "oc-softmax"])
def test_windows_are_those_of_a_test(values: dict[str, Any], loss: str) -> None:
    assert_scores_agree(untrained(Tiny(TinyConfig(loss=loss, **values))))


@pytest.mark.parametrize("head", ["linear", "attentive", "frame"])
@pytest.mark.parametrize("padding", ["zeros", "repeat"])
def test_fine_tuned_models_do_not_look_at_zeros(head: str, padding: str, small: Path) -> None:
    config = FineTunedConfig(seconds=0.25, head=head, padding=padding, model=str(small), head_size=8, attention_heads=2)
    assert_scores_agree(untrained(FineTuned(config)))


@pytest.mark.parametrize("head", ["linear", "frame"])
def test_whisper_hears_zeros_and_its_head_does_not_see_them(head: str, tmp_path: Path) -> None:
    model = str(save_small_whisper(tmp_path / "whisper"))
    config = FineTunedConfig(seconds=0.25, head=head, model=model, backbone="whisper", head_size=8, pre_emphasis=0.9)
    assert_scores_agree(untrained(FineTuned(config)))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small(tmp_path_factory.mktemp("models") / "small")
