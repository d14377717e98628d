"""Tested runs that tests write themselves, for scores with known answers."""

from pathlib import Path

import numpy as np
import pandas as pd

from src.metrics.eer import compute_eer
from src.utils.files import write_json
from src.utils.labels import LABEL_NAMES

N_PEOPLE, N_CLIPS = 30, 8
PEOPLE = np.repeat([f"P{number:02d}_F{number:03d}" for number in range(N_PEOPLE)], N_CLIPS)
LABELS = np.tile([1, 0], N_PEOPLE * N_CLIPS // 2)
EFFECTS = np.repeat(np.random.default_rng(0).standard_normal(N_PEOPLE), N_CLIPS)
"""How bona fide each person sounds to every detector."""


def write_run(
    root: Path, name: str, scores: np.ndarray, people: np.ndarray = PEOPLE, systems: np.ndarray | None = None
) -> pd.DataFrame:
    """Write what a comparison reads of a tested run; return its score table."""
    labels = LABELS[: len(scores)]
    folder = root / "runs" / name
    folder.mkdir(parents=True)
    context = {"corpus": "corpus", "backbone": "hubert", "classifier": "svm", "layer": 1, "pooling": "mean", "seed": 7}
    write_json(folder / "hyperparameters.json", context)
    write_json(folder / "metrics.json", {})
    eer = {"value": compute_eer(labels, scores)[0], "low": None, "high": None}
    write_json(folder / "test_results.json", {"eer": eer, "min_dcf": eer})
    table = pd.DataFrame(
        {
            "file": [f"{number:04d}.wav" for number in range(len(scores))],
            "label": [LABEL_NAMES[int(label)] for label in labels],
            "score": scores,
            "speaker": people,
            "gender": "F",
            "system": np.where(labels == 1, "", "xtts") if systems is None else systems,
        }
    )
    table.to_csv(folder / "scores.csv", index=False)
    return table


def draw_scores(distance: float, seed: int, *, own: float = 0.5) -> np.ndarray:
    """Return scores of a detector: classes `distance` apart, people easy or hard for all, `own` noise."""
    return distance * LABELS + EFFECTS + own * np.random.default_rng(seed).standard_normal(len(LABELS))
