"""What a card says of the model itself: what it is, what it stands on, and what happens to a recording before it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from src.backbones import CPU_ONLY
from src.backbones.published import FAMILIES, RANDOM
from src.deploy.card_data import steps_behind
from src.detectors import DETECTORS
from src.detectors.fine_tuned import BACKBONE
from src.experiments.inputs.contract import TRAIN
from src.experiments.report.files import read_object
from src.experiments.training.trained import Trained
from src.models import CLASSIFIERS

IN_WORDS = {
    "lr": "logistic regression",
    "svm": "support vector machine",
    "mlp": "multilayer perceptron",
    "rf": "random forest",
    "gb": "gradient-boosted trees",
    "knn": "nearest neighbours",
}
"""Classifiers whose names are short for something."""
FINE_TUNED = "fine-tuned"
LOADED = (
    "Recordings are decoded, their channels averaged, and resampled to 16 kHz; what is silent, empty or damaged is "
    "refused."
)
CALIBRATED = "Raw scores become log-likelihood ratios by a line that was fitted on validation clips."


@dataclass(frozen=True)
class Model:
    """What a run is, in words."""

    kind: str
    bases: tuple[str, ...]
    """Published models that it stands on, by their names on the hub."""
    preprocessing: tuple[str, ...]


def describe_model(trained: Trained, parts: Sequence[Trained] = ()) -> Model:
    """Return what a run is.

    Parameters
    ----------
    trained : Trained
    parts : sequence of Trained
        The runs that a fusion is made of, as far as they are here.
    """
    found = [base for part in (parts or [trained]) for base in _bases(part)]
    own = (
        _preparation(trained)
        if not parts
        else [f"{part.name}: {step}" for part in parts for step in _preparation(part)]
    )
    derived = [f"The training corpus was made by {step}." for step in steps_behind(trained.recipe.dataset)]
    last = (
        [CALIBRATED] if trained.is_calibrated else ["Scores are raw: this run was made before scores were calibrated."]
    )
    return Model(_kind(trained), tuple(dict.fromkeys(found)), (*derived, LOADED, *own, *last))


def _kind(trained: Trained) -> str:
    """Return what a run is, in a phrase."""
    inputs, name = trained.inputs, trained.recipe.model
    if trained.recipe.input.kind == "scores":
        return f"fusion ({inputs.get('method')}) of the scores of {', '.join(map(str, inputs['runs']))}"
    if name == FINE_TUNED:
        return f"{inputs.get('backbone')} fine-tuned with the head {inputs.get('head')}, freeze: {inputs.get('freeze')}"
    if name in DETECTORS:
        return f"{name}, a network trained on waveforms"
    what = IN_WORDS.get(name, name) if name in CLASSIFIERS else name
    where = "a learnt mix of all layers" if inputs.get("layer") == "mix" else f"layer {inputs.get('layer')}"
    return f"{what} on embeddings of {inputs.get('backbone')}, {where}, pooled over time by {inputs.get('pooling')}"


def _bases(trained: Trained) -> Iterator[str]:
    """Yield the hub ids of published models that a run stands on; local folders and random weights have none."""
    if trained.recipe.model == FINE_TUNED:
        noted = read_object(trained.folder / BACKBONE, [], required=False)
        names = [noted.get("model") or trained.inputs.get("model") or FAMILIES[str(trained.inputs["backbone"])].default]
    else:
        names = [meta.get("model") for meta in _stores(trained)]
    for name in names:
        if isinstance(name, str) and name.count("/") == 1 and not name.startswith((RANDOM, "/", ".", "~")):
            yield name


def needs_of(trained: Trained) -> Iterator[str]:
    """Yield what a run needs that is not in its folder: published models, and folders of models."""
    yield from (f"the model {base} of the hub" for base in _bases(trained))
    for meta in _stores(trained):
        name = str(meta.get("model"))
        if meta.get("backbone") not in CPU_ONLY and "/" not in name and not name.startswith(RANDOM):
            yield f"the folder of the model {name}, which was a local one: give it as model"


def _stores(trained: Trained) -> list[Mapping[str, Any]]:
    """Return what the stores of a run's training say of themselves, one for each backbone; none of other inputs."""
    if trained.recipe.input.kind != "embeddings":
        return []
    origin = trained.origin(TRAIN)
    stores = origin.get("stores", {trained.inputs["backbone"]: origin})
    return [{"backbone": backbone, **meta} for backbone, meta in stores.items()]


def _preparation(trained: Trained) -> list[str]:
    """Return what a run does to a waveform."""
    inputs = trained.inputs
    if trained.recipe.input.kind == "waveforms":
        return list(_of_windows(inputs, read_object(trained.folder / BACKBONE, [], required=False)))
    steps = [_of_store(meta) for meta in _stores(trained)]
    if inputs.get("augment"):
        number = inputs.get("copies", "an unknown number")
        steps.append(f"Training also saw augmented copies of its clips (recipe {_recipe(inputs)}; {number} of each).")
    return steps


def _of_store(meta: Mapping[str, Any]) -> str:
    """Return how embeddings were computed, of what the store noted."""
    told = {
        "model": meta.get("model"),
        "digest": meta.get("digest"),
        "precision": meta.get("precision"),
        "normalisation of the waveform": meta.get("normalisation"),
        "window": meta.get("window") or None,
    }
    known = ", ".join(f"{what} {value}" for what, value in told.items() if value)
    longest = meta.get("max_seconds")
    cut = f"clips longer than {longest:g} s are cut into windows and pooled over all of them" if longest else ""
    return "; ".join(filter(None, [f"Frames by the backbone {meta.get('backbone', '')} ({known})", cut])) + "."


def _of_windows(inputs: Mapping[str, Any], encoder: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a detector does to a waveform."""
    filled = "repeated end to end" if inputs.get("padding") == "repeat" else "followed by zeros"
    yield (
        f"Windows of {inputs.get('seconds')} s: in training cropped at random; in use the fewest that cover the clip, "
        f"whose scores are averaged. A shorter clip is {filled}."
    )
    if inputs.get("pre_emphasis"):
        yield f"Pre-emphasis of {inputs['pre_emphasis']}."
    if inputs.get("even_level"):
        yield "Every window is brought to the same level."
    if encoder.get("normalise"):
        yield "Every window is brought to zero mean and unit variance, as the encoder expects."
    if inputs.get("augment"):
        yield f"Training windows were distorted (recipe {_recipe(inputs)})."


def _recipe(inputs: Mapping[str, Any]) -> str:
    recipe = str(inputs.get("augment", ""))
    return "of its own, see the hyperparameters" if recipe.startswith(("[", "{")) else recipe
