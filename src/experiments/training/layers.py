"""One classifier trained on every layer of a backbone in turn: at which depth are the classes best told apart?

Judged on validation data, for a layer chosen by the test would make the test too good. All layers are resampled by the
same draws of people. The layers that are finished stand in `layers.csv`; a comparison that was killed goes on there.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from src.experiments.inputs.embeddings import (
    TrainingData,
    identity_of,
    people_in,
    read_training_data,
    require_unchanged_recordings,
)
from src.experiments.runs.folders import PROVENANCE, alone, existing_numbers, new_numbered_folder, save_figure
from src.experiments.runs.provenance import describe_origin, now
from src.experiments.training.trainer import read_choices
from src.metrics.bootstrap import Trials, interval
from src.metrics.eer import detection_error_curve, equal_error_point
from src.metrics.resampled import resample_eer
from src.models import Config, classifier_class
from src.utils.dataset import write_table
from src.utils.files import read_json, write_json
from src.utils.paths import runs_folder

INPUTS, TABLE, PICTURE = "layers.json", "layers.csv", "eer_by_layer.png"


@dataclass(frozen=True)
class LayerComparison:
    """What came of it: columns layer, eer, low, high; bounds are NaN where nothing can be said."""

    folder: Path
    table: pd.DataFrame

    def __str__(self) -> str:
        lines = ["layer  EER %   95 %"]
        columns = (self.table[name].tolist() for name in ("layer", "eer", "low", "high"))
        rows = list(zip(*columns, strict=True))
        for layer, eer, low, high in rows:
            bounds = "" if np.isnan(low) else f"{100 * low:5.2f} to {100 * high:.2f}"
            lines.append(f"{layer:5.0f}  {100 * eer:5.2f}   {bounds}".rstrip())
        best_layer, best_eer, *_ = min(rows, key=lambda row: row[1])
        lines.append(f"Lowest validation EER: {best_eer:.2%} at layer {best_layer:.0f}. {self.folder / PICTURE}")
        return "\n".join(lines)


def compare_layers(
    dataset: Path,
    backbone: str,
    classifier: str,
    *,
    root: Path,
    pooling: str = "",
    hyperparameters: Path | None = None,
    seed: int = 7,
) -> LayerComparison:
    """Train on every layer of the store, and draw the validation EER with its interval into `runs/layers<k>`.

    Parameters
    ----------
    dataset, backbone, classifier
        Name what to train, and from which embeddings.
    root : Path
        Holds `embeddings/` and `runs/`.
    pooling : str
        As `load_embeddings` takes it; empty: that of `hyperparameters`, else "mean".
    hyperparameters : Path, optional
        As `train_model` takes them; the layer in it does not count.
    seed : int
    """
    started = now()
    config, _, given_pooling = read_choices(hyperparameters, backbone, classifier)
    pooling = pooling or given_pooling
    require_unchanged_recordings(root, dataset, backbone, "downstream_train", "downstream_val")
    last = read_training_data(root, dataset, backbone, -1, pooling)
    layers = last.metas["downstream_train"]["layers"]
    inputs = _inputs(dataset, backbone, classifier, last.metas, layers) | {"pooling": pooling, "seed": seed}
    inputs |= asdict(config)
    folder = _folder_to_go_on(runs_folder(root), inputs)
    with alone(folder):
        rows: list[Any] = pd.read_csv(folder / TABLE).to_dict("records") if (folder / TABLE).is_file() else []
        for layer in tqdm(layers, desc=folder.name, unit="layer", disable=None):
            if layer in [row["layer"] for row in rows]:
                continue
            data = read_training_data(root, dataset, backbone, layer, pooling)
            rows.append({"layer": layer} | _judge(classifier, config, data, seed))
            write_table(folder / TABLE, pd.DataFrame(rows))
    table = pd.DataFrame(rows)
    people = {"downstream_train": people_in(last.train), "downstream_val": people_in(last.val)}
    origin = describe_origin(root, seed=seed, data={"embeddings": last.metas, "people": people}, started=started)
    write_json(folder / PROVENANCE, origin)
    _draw(folder, table)
    return LayerComparison(folder, table)


def _inputs(
    dataset: Path, backbone: str, classifier: str, metas: Mapping[str, Any], layers: list[int]
) -> dict[str, Any]:
    return {
        "corpus": dataset.name,
        "backbone": backbone,
        "model": metas["downstream_train"]["model"],
        "classifier": classifier,
        "judged_on": "downstream_val",
        "layers": layers,
        "data": identity_of(metas),
    }


def _folder_to_go_on(runs: Path, inputs: dict[str, Any]) -> Path:
    """Return the newest comparison of these inputs that was not finished; else a new one."""
    for number in reversed(existing_numbers(runs, "layers")):
        folder = runs / f"layers{number}"
        is_open = (folder / INPUTS).is_file() and not (folder / PICTURE).is_file()
        if is_open and read_json(folder / INPUTS) == inputs:
            return folder
    folder = new_numbered_folder(runs, "layers")
    write_json(folder / INPUTS, inputs)
    return folder


def _judge(classifier: str, config: Config, data: TrainingData, seed: int) -> dict[str, float]:
    """Train on one layer; return the validation EER and its bounds."""
    model = classifier_class(classifier)(config, seed=seed)
    model.fit(data.train, data.val)
    scores = model.scores(data.val.vectors)
    trials = Trials(data.val.labels, data.val.speakers, data.val.systems)
    drawn = resample_eer(scores, trials.draw())
    bounds = interval(drawn, trials.n_people)
    return {
        "eer": equal_error_point(*detection_error_curve(data.val.labels, scores))[0],
        "low": bounds.low,
        "high": bounds.high,
    }


def _draw(folder: Path, table: pd.DataFrame) -> None:
    from src.visualize.layers import layer_figure

    save_figure(folder / PICTURE, layer_figure(table["layer"], table["eer"], table["low"], table["high"]))
