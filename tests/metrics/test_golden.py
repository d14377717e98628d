"""Values of the official ASVspoof evaluation code, on scores that are drawn again from a seed.

`golden.json` holds six cases. A recipe draws `normal(bonafide_mean, std, n_bonafide)`, then the spoofs, from one
generator, and rounds where it says so; a second generator draws the ASV's target, nontarget and spoof scores, each
`normal(mean, std, n)`. The 2019, 2021 and ASVspoof 5 packages gave the expected values.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from src.metrics.report import evaluate
from src.metrics.tandem import AsvScores

CASES = json.loads(Path(__file__).with_name("golden.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_every_value_of_the_official_code_is_met(case):
    recipe = case["recipe"]
    rng = np.random.default_rng(recipe["seed"])
    bonafide = rng.normal(recipe["bonafide_mean"], recipe["std"], recipe["n_bonafide"])
    spoof = rng.normal(recipe["spoof_mean"], recipe["std"], recipe["n_spoof"])
    scores = np.concatenate([bonafide, spoof])
    if recipe["round_decimals"] is not None:
        scores = np.round(scores, recipe["round_decimals"])
    rng = np.random.default_rng(recipe["asv"]["seed"])
    asv = AsvScores(*(rng.normal(*recipe["asv"][kind]) for kind in ("target", "nontarget", "spoof")))

    with warnings.catch_warnings():
        if case["name"] == "inverted_scores":
            warnings.filterwarnings("ignore", message="The EER is 83.62 %")
        report = evaluate(np.repeat([1, 0], [len(bonafide), len(spoof)]), scores, asv=asv)

    assert len(case["expected"]) == 8
    for name, value in case["expected"].items():
        assert report[name] == pytest.approx(value, rel=0, abs=1e-9), name
