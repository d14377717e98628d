"""One trainer for all classifiers: two splits of embeddings in, a run folder out.

Validation chooses what training can choose (the epoch), and gives the calibration and the threshold that tests use. The
reported validation EER is computed from the scores of the very weights that were saved. `metrics.json` is written last:
a folder without it did not finish.
"""

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from src.experiments.inputs.embeddings import TrainingData, people_in, read_training_data, require_unchanged_recordings
from src.experiments.runs.folders import (
    CALIBRATION,
    HYPERPARAMETERS,
    LOSS_PLOT,
    METRICS,
    PROVENANCE,
    WEIGHTS,
    how_to_train_again,
    new_numbered_folder,
    read_array,
    read_hyperparameters,
    save_array,
    save_figure,
)
from src.experiments.runs.provenance import describe_origin, now
from src.metrics.calibration import Calibration, fit_calibration
from src.metrics.eer import doubt, operating_threshold
from src.metrics.report import evaluate
from src.models import Classifier, Config, History, classifier_class
from src.models.contract import Watch, keep_going
from src.utils.embeddings import EmbeddingTable, resolve_layer
from src.utils.files import read_json, read_record, write_json
from src.utils.paths import runs_folder

CURVES = ("train_losses", "val_losses", "val_eers")
CONTEXT = ("corpus", "backbone", "model", "classifier", "layer", "pooling", "seed")
"""What `hyperparameters.json` holds beside the classifier's own hyperparameters."""


@dataclass(frozen=True)
class Recipe:
    """Everything a run is trained from."""

    dataset: Path
    backbone: str
    classifier: str
    config: Config
    layer: int = -1
    pooling: str = "mean"
    seed: int = 7

    def hyperparameters(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        """Return the inputs of the run, flat, as JSON holds them; the layer counted from the start."""
        return {
            "corpus": self.dataset.name,
            "backbone": self.backbone,
            "model": meta["model"],
            "classifier": self.classifier,
            "layer": resolve_layer(self.layer, meta["layers"]),
            "pooling": self.pooling,
            "seed": self.seed,
            **asdict(self.config),
        }


@dataclass(frozen=True)
class Run:
    """A trained classifier and where it lies."""

    folder: Path
    classifier: Classifier
    history: History
    metrics: dict[str, Any]
    doubt: str = ""
    """Why its validation EER should be doubted; empty where there is no reason to."""

    def __str__(self) -> str:
        return f"{self.folder}: validation EER {self.metrics['eer']:.2%}"


def train_model(
    dataset: Path,
    backbone: str,
    classifier: str,
    *,
    root: Path,
    layer: int | None = None,
    pooling: str = "",
    hyperparameters: Path | None = None,
    seed: int = 7,
) -> Run:
    """Train one classifier into `runs/run<m>`.

    Parameters
    ----------
    dataset, backbone, classifier
        Name what to train, and from which embeddings.
    root : Path
        Holds `embeddings/` and `runs/`.
    layer, pooling
        As `load_embeddings` takes them; None and empty: those of `hyperparameters`, else the last layer and "mean".
    hyperparameters : Path, optional
        JSON: the classifier's hyperparameters, or a run's or study's file of them; what it leaves out is built in.
    seed : int
    """
    config, given_layer, given_pooling = read_choices(hyperparameters, backbone, classifier)
    layer, pooling = given_layer if layer is None else layer, pooling or given_pooling
    recipe = Recipe(dataset, backbone, classifier, config, layer, pooling, seed)
    require_unchanged_recordings(root, dataset, backbone, "downstream_train", "downstream_val")
    data = read_training_data(root, dataset, backbone, layer, pooling)  # refuses bad input before a folder is made
    run = train_run(recipe, data, new_numbered_folder(runs_folder(root), "run"), root=root)
    draw_losses(run.folder)
    if run.doubt:
        warnings.warn(run.doubt, stacklevel=2)
    return run


def train_run(recipe: Recipe, data: TrainingData, folder: Path, *, root: Path, watch: Watch = keep_going) -> Run:
    """Train what `recipe` says into a folder that was made for it.

    Parameters
    ----------
    recipe : Recipe
    data : TrainingData
    folder : Path
    root : Path
        The project's folder, for its version.
    watch : callable
        Sees the validation EER by epoch, and may stop the training; `metrics.json` then says `"pruned": true`.
    """
    started = now()
    write_json(folder / HYPERPARAMETERS, recipe.hyperparameters(data.metas["downstream_train"]))
    classifier = classifier_class(recipe.classifier)(recipe.config, seed=recipe.seed)
    orders: list[bool] = []

    def noting(epoch: int, best_eer: float) -> bool:
        orders.append(watch(epoch, best_eer))
        return orders[-1]

    history = classifier.fit(data.train, data.val, noting)
    classifier.save(folder)
    for name in CURVES:
        save_array(folder / f"{name}.npy", getattr(history, name))
    people = {"downstream_train": people_in(data.train), "downstream_val": people_in(data.val)}
    origin = describe_origin(root, seed=recipe.seed, data={"embeddings": data.metas, "people": people}, started=started)
    write_json(folder / PROVENANCE, origin)
    scores = classifier.scores(data.val.vectors)
    calibration = fit_calibration(data.val.labels, scores)
    write_json(folder / CALIBRATION, asdict(calibration))
    metrics = validate(calibration.apply(scores), history, data.val) | ({"pruned": True} if any(orders) else {})
    write_json(folder / METRICS, metrics)
    return Run(folder, classifier, history, metrics, doubt(data.val.labels, scores))


def draw_losses(folder: Path) -> None:
    """Draw the curves of a finished run; one epoch, or a fit in one go, has none."""
    from src.visualize.curves import loss_figure

    curves = [read_array(folder / f"{name}.npy") for name in CURVES]
    if len(curves[0]) > 1:
        save_figure(folder / LOSS_PLOT, loss_figure(*curves))


def validate(scores: np.ndarray, history: History, val: EmbeddingTable) -> dict[str, Any]:
    """Return every metric of the weights kept on the validation table, decisions at the threshold of its EER."""
    report = evaluate(val.labels, scores, threshold=operating_threshold(val.labels, scores))
    return {"split": "downstream_val", "best_epoch": history.best, **report}


def load_run(folder: Path) -> Classifier:
    """Read the classifier that a run saved.

    Raises
    ------
    FileNotFoundError
        When its study kept the weights of better trials only.
    """
    hyperparameters = read_hyperparameters(folder)
    if (folder / METRICS).is_file() and not any((folder / name).is_file() for name in WEIGHTS):
        raise FileNotFoundError(
            f"{folder} has no weights any more (a study keeps those of its best trials, --keep=): "
            f"{how_to_train_again(hyperparameters, folder / HYPERPARAMETERS)} trains them again."
        )
    kind = classifier_class(hyperparameters["classifier"])
    config = kind.Config.from_mapping({key: hyperparameters[key] for key in hyperparameters if key not in CONTEXT})
    return kind.load(folder, config)


def load_calibration(folder: Path) -> Calibration:
    """Read the line that makes a run's scores log-likelihood ratios; the identity for runs that have none yet."""
    path = folder / CALIBRATION
    if not path.is_file():
        return Calibration()
    line = read_record(path, "scale", "offset")
    try:
        return Calibration(float(line["scale"]), float(line["offset"]))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged ({error}); train again.") from None


def read_choices(path: Path | None, backbone: str, classifier: str) -> tuple[Config, int, str]:
    """Return config, layer and pooling from a JSON file: plain, a run's `hyperparameters.json`, or a study's best.

    What the file leaves out is built in: the last layer, "mean", and the classifier's own; so is all without a file.

    Raises
    ------
    FileNotFoundError, ValueError
        When there is no such file, it is another classifier's or backbone's, or what it holds is not allowed.
    """
    content = _read_hyperparameter_file(path, backbone, classifier) if path else {}
    config = classifier_class(classifier).Config
    own = {key: value for key, value in content.items() if key not in CONTEXT}
    return config.from_mapping(own), content.get("layer", -1), str(content.get("pooling", "mean"))


def _read_hyperparameter_file(path: Path, backbone: str, classifier: str) -> Mapping[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"There is no hyperparameter file {path}.")
    content = read_json(path)
    if isinstance(content, Mapping):
        content = content.get("best_hyperparameters", content)
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} must hold a JSON object of hyperparameters, not {type(content).__name__}.")
    for key, wanted in (("classifier", classifier), ("backbone", backbone)):
        if wanted and content.get(key, wanted) != wanted:
            raise ValueError(f"{path} is of the {key} {content[key]}, not {wanted}.")
    if type(content.get("layer", 0)) is not int:  # true is an int as well
        raise ValueError(f"Hyperparameter layer must be a whole number, not {content['layer']!r}.")
    return content
