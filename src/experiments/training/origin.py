"""What a run notes of where it comes from: data, code, machine and times, and how large its model is."""

from pathlib import Path
from typing import Any

from src.experiments.inputs.contract import TRAIN, TrainingData
from src.experiments.runs.artefacts import PROVENANCE
from src.experiments.runs.lineage import describe_corpus
from src.experiments.runs.provenance import describe_origin, now
from src.experiments.training.recipe import Recipe
from src.models.contract import Classifier
from src.utils.files import read_json


def data_origin(recipe: Recipe, data: TrainingData) -> dict[str, Any]:
    """Return what provenance says of the data: the corpus, the input's origin by its kind, and the people, by split."""
    return {
        "corpus": describe_corpus(data.corpus, data.origins[TRAIN].get("corpus_digest")),
        recipe.input.kind: dict(data.origins),
        "people": data.people(),
    }


def begun(folder: Path) -> str:
    """Return when the training of a run began: now, or when it was begun before it was killed."""
    noted = read_json(folder / PROVENANCE) if (folder / PROVENANCE).is_file() else {}
    return str(noted.get("started") or now())


def origin(recipe: Recipe, data: TrainingData, started: str) -> dict[str, Any]:
    """Return what provenance says of a run that has ended now."""
    return describe_origin(seed=recipe.seed, data=data_origin(recipe, data), started=started)


def facts_of(model: Classifier) -> dict[str, Any]:
    """Return how many parameters a model has and how many were trained, and what else it can tell of its training.

    That is the digest of published weights that it began with, and what it was before it was pruned or quantised.
    """
    sizes = {
        "parameters": getattr(model, "n_parameters", None),
        "trained_parameters": getattr(model, "n_trained", None),
    }
    start, compression = getattr(model, "start_digest", ""), getattr(model, "compression", None)
    counts = {name: int(count) for name, count in sizes.items() if count is not None}
    counts |= {"compression": compression.as_json()} if compression else {}
    return counts | ({"start_weights_digest": start} if start else {})
