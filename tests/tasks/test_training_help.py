"""The help of the tasks that train networks says the defaults that are built in."""

import pytest

from src.detectors import DETECTORS, detector_class
from src.detectors.fine_tuned import FineTunedConfig
from src.tasks.detectors import FINE_TUNING_HELP, TRAINING_HELP


@pytest.mark.parametrize("flag", ["seconds", "epochs", "batch_size", "learning_rate", "loss", "precision"])
def test_defaults_of_fine_tuning(flag: str) -> None:
    default = getattr(FineTunedConfig(), flag)
    written = f"{default:g}" if isinstance(default, float) else str(default)
    assert f"(default {written})" in FINE_TUNING_HELP[flag]


@pytest.mark.parametrize("flag", ["loss", "precision"])
def test_defaults_that_all_detectors_share(flag: str) -> None:
    for name in DETECTORS:
        assert f"(default {getattr(detector_class(name).Config(), flag)})" in TRAINING_HELP[flag], name
