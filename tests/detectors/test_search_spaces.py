"""The search spaces of the networks on waveforms give configs that the networks take."""

import optuna
import pytest

from src.detectors import detector_class


@pytest.mark.parametrize("name", ["rawnet2", "lcnn", "aasist"])
def test_a_trial_chooses_a_config_that_builds(name: str) -> None:
    detector = detector_class(name)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=7))
    configs = [detector.Config.search_space(study.ask(), n_clips=230) for _ in range(5)]
    assert len(set(configs)) == 5
    assert sum(p.numel() for p in detector(configs[0]).build().parameters()) > 10_000
