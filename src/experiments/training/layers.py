"""One classifier trained on every layer of a backbone in turn: at which depth are the classes separated best?

Layers are judged on validation data: a layer chosen on test data would make the test too optimistic. The bootstrap
draws the same people for all layers. Finished layers are listed in `layers.csv`; a killed comparison resumes from it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from src.experiments.inputs.choices import MIX
from src.experiments.inputs.contract import TRAIN, VAL, TrainingData, read_training_data
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.runs.artefacts import PROVENANCE, save_figure
from src.experiments.runs.folders import alone, folder_to_resume
from src.experiments.runs.names import LAYERS
from src.experiments.runs.provenance import describe_origin, now
from src.experiments.training.models import model_class
from src.experiments.training.origin import data_origin
from src.experiments.training.recipe import Recipe
from src.metrics.bootstrap import Trials, interval
from src.metrics.eer import eer_of
from src.metrics.resampled import resample_eer
from src.models import mixes_layers
from src.utils.dataset import write_table
from src.utils.files import write_json
from src.utils.paths import runs_folder

INPUTS, TABLE, MIXED, PICTURE = "layers.json", "layers.csv", "mix.csv", "eer_by_layer.png"


@dataclass(frozen=True)
class LayerComparison:
    """A finished comparison; its table has the columns layer, eer, low, high, with NaN for unknown bounds."""

    folder: Path
    table: pd.DataFrame
    mix: dict[str, float] | None = None
    """EER and bounds of the learnt mix of all layers, of a classifier that learns one."""

    def __str__(self) -> str:
        lines = ["layer  EER %   95 %"]
        columns = (self.table[name].tolist() for name in ("layer", "eer", "low", "high"))
        rows = list(zip(*columns, strict=True))
        lines += [_line(f"{layer:5.0f}", eer, low, high) for layer, eer, low, high in rows]
        if self.mix:
            lines.append(_line(f"{MIX:>5}", self.mix["eer"], self.mix["low"], self.mix["high"]))
        best_layer, best_eer, *_ = min(rows, key=lambda row: row[1])
        lines.append(f"Lowest validation EER: {best_eer:.2%} at layer {best_layer:.0f}. {self.folder / PICTURE}")
        return "\n".join(lines)


def compare_layers(recipe: Recipe, *, root: Path) -> LayerComparison:
    """Train on every layer of the store, and draw the validation EER with its interval into `runs/layers<k>`.

    A classifier that learns a mix of all layers is trained on that as well, for comparison.

    Parameters
    ----------
    recipe : Recipe
        What to train, and from which embeddings; its layer is ignored.
    root : Path
        Holds `embeddings/` and `runs/`.
    """
    started = now()
    opened = recipe.input.open(recipe.dataset, root)
    opened.check(TRAIN, VAL)
    if not isinstance(recipe.input, Embeddings):
        raise ValueError(f"Layers are those of embeddings; {recipe.model} is trained on {recipe.input.kind}.")
    if len(recipe.input.backbones) > 1:
        raise ValueError(f"Layers are compared of one `backbone`, not of {len(recipe.input.backbones)}: name one.")
    last, can_mix = read_training_data(opened), mixes_layers(recipe.model)
    layers = last.origins[TRAIN]["layers"]
    inputs = _inputs(recipe, last, opened.identity(TRAIN, VAL))
    folder = folder_to_resume(runs_folder(root), LAYERS, inputs, note=INPUTS, last=PICTURE)
    with alone(folder):
        rows: list[Any] = pd.read_csv(folder / TABLE).to_dict("records") if (folder / TABLE).is_file() else []
        for layer in tqdm(layers, desc=folder.name, unit="layer", disable=None):
            if layer in [row["layer"] for row in rows]:
                continue
            of_layer = replace(recipe, input=replace(recipe.input, layer=layer))
            rows.append({"layer": layer} | _judge(of_layer, root))
            write_table(folder / TABLE, pd.DataFrame(rows))
        mix = _judge_mix(replace(recipe, input=replace(recipe.input, layer=MIX)), root, folder) if can_mix else None
    table = pd.DataFrame(rows)
    origin = describe_origin(seed=recipe.seed, data=data_origin(recipe, last), started=started)
    write_json(folder / PROVENANCE, origin)
    _draw(folder, table, mix)
    return LayerComparison(folder, table, mix)


def _inputs(recipe: Recipe, data: TrainingData, identity: Mapping[str, Any]) -> dict[str, Any]:
    described = data.described
    return {
        "corpus": recipe.dataset.name,
        "backbone": described["backbone"],
        "model": described["model"],
        "classifier": recipe.model,
        "judged_on": VAL,
        "layers": data.origins[TRAIN]["layers"],
        "data": identity,
        "pooling": described["pooling"],
        "seed": recipe.seed,
        **asdict(recipe.config),
    }


def _line(layer: str, eer: float, low: float, high: float) -> str:
    bounds = "" if np.isnan(low) else f"{100 * low:5.2f} to {100 * high:.2f}"
    return f"{layer}  {100 * eer:5.2f}   {bounds}".rstrip()


def _judge_mix(recipe: Recipe, root: Path, folder: Path) -> dict[str, float]:
    """Train on the mix of all layers, unless that was done."""
    if not (folder / MIXED).is_file():
        write_table(folder / MIXED, pd.DataFrame([_judge(recipe, root)]))
    found = pd.read_csv(folder / MIXED).iloc[0]
    return {name: float(found[name]) for name in ("eer", "low", "high")}


def _judge(recipe: Recipe, root: Path) -> dict[str, float]:
    """Train on one layer, or on the mix; return the validation EER and its bounds."""
    data = read_training_data(recipe.input.open(recipe.dataset, root))
    model = model_class(recipe.model)(recipe.config, seed=recipe.seed)
    model.fit(data.train, data.val)
    scores = model.scores(data.val.inputs)
    trials = Trials(data.val.labels, data.val.speakers, data.val.systems)
    drawn = resample_eer(scores, trials.draw())
    bounds = interval(drawn, trials.n_people)
    return {"eer": eer_of(data.val.labels, scores), "low": bounds.low, "high": bounds.high}


def _draw(folder: Path, table: pd.DataFrame, mix: Mapping[str, float] | None) -> None:
    from src.visualize.layers import layer_figure

    columns = (table[name] for name in ("layer", "eer", "low", "high"))
    save_figure(folder / PICTURE, layer_figure(*columns, mix=mix["eer"] if mix else None))
