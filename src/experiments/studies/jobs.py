"""How many trials a study trains at once where nobody says it: as many as before, or as the machine allows."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import loky
import psutil

from src.experiments.runs.artefacts import BEST
from src.utils.embeddings import EmbeddingTable
from src.utils.files import read_json

if TYPE_CHECKING:
    from src.experiments.inputs.contract import TrainingData
    from src.models.contract import Classifier

TRIALS_PER_JOB = 4
"""Trials at once know of each other only what was drawn: a search of so many rounds still learns from most of them."""
COPIES = 20
"""How many times as much memory as its embeddings a training takes: as they are read, perhaps with deviations beside
means, scaled in double precision, and what is computed from them; an estimate."""


def choose_jobs(kind: "type[Classifier]", data: "TrainingData", n_trials: int) -> int:
    """Return how many processes a study uses: as many as cores and memory allow, and a search can make use of.

    One where a training needs the machine for itself: a detector, or a classifier on a GPU.

    Parameters
    ----------
    kind : type
        What is trained.
    data : TrainingData
        What it is trained on.
    n_trials : int
        Of the whole study.
    """
    if not isinstance(data.train, EmbeddingTable) or _is_on_gpu(kind):
        return 1
    n_bytes = sum(table.vectors.nbytes for table in (data.train, data.val) if isinstance(table, EmbeddingTable))
    n_bytes = COPIES * n_bytes + getattr(kind, "bytes_to_train", lambda n_clips: 0)(len(data.train))
    in_memory = psutil.virtual_memory().available // n_bytes
    return max(1, min(loky.cpu_count(), in_memory, n_trials // TRIALS_PER_JOB))


def jobs_before(study: Path) -> int:
    """Return how many jobs the study in a folder had: 1 in earlier editions, which did not note it; 0 if not known."""
    if not (study / BEST).is_file():
        return 0
    try:
        noted = read_json(study / BEST)
    except ValueError:  # damaged: it is written anew after the next trial
        return 0
    jobs = noted.get("jobs", 1) if isinstance(noted, Mapping) else 0
    return jobs if isinstance(jobs, int) and jobs > 0 else 0


def _is_on_gpu(kind: "type[Classifier]") -> bool:
    if not getattr(kind, "uses_gpu", False):
        return False
    import torch

    return torch.cuda.is_available()
