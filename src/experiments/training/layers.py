"""One classifier trained on every layer of a backbone in turn: at which depth are the classes separated best?

Layers are judged on validation data: a layer chosen on test data would make the test too optimistic. With `hold_out`
each is judged on what it has not heard as well, by trainings without each spoof system or corpus in turn
(`across_domains.py`): where the two disagree, the latter is the better guide to speech from elsewhere. The bootstrap
draws the same people for all layers. Finished layers are listed in `layers.csv`; a killed comparison resumes from it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from src.experiments.corpus.held_out_domains import PLURALS, differing_choice, domains_in_words, kinds_in
from src.experiments.inputs.choices import MIX
from src.experiments.inputs.contract import TRAIN, VAL, TrainingData, read_training_data
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.runs.artefacts import PROVENANCE, save_figure
from src.experiments.runs.folders import alone, folder_to_resume
from src.experiments.runs.names import LAYERS
from src.experiments.runs.provenance import describe_origin, now
from src.experiments.training.across_domains import judge_across, leave_out_domains, tell
from src.experiments.training.models import model_class
from src.experiments.training.origin import data_origin
from src.experiments.training.recipe import HOLD_OUT, Recipe
from src.metrics.bootstrap import Trials, interval
from src.metrics.eer import eer_of
from src.metrics.resampled import resample_eer
from src.models import mixes_layers
from src.utils.dataset import write_table
from src.utils.files import write_json
from src.utils.paths import runs_folder

COLUMNS = {by: (f"across_{by}", f"across_{by}_low", f"across_{by}_high") for by in PLURALS}
"""Kind of domain -> the columns of the mean EER across them and of its bounds."""
INPUTS, TABLE, MIXED, PICTURE = "layers.json", "layers.csv", "mix.csv", "eer_by_layer.png"


@dataclass(frozen=True)
class LayerComparison:
    """A finished comparison; its table has the columns layer, eer, low, high, with NaN for unknown bounds."""

    folder: Path
    table: pd.DataFrame
    mix: dict[str, float] | None = None
    """EER and bounds of the learnt mix of all layers, of a classifier that learns one."""
    hold_out: str = ""
    """Which kinds of domains were left out as well: the table then has their mean EERs and bounds beside."""

    def __str__(self) -> str:
        kinds = kinds_in(self.hold_out)
        titles = ["EER %   95 %", *(f"across {PLURALS[by]} %   95 %" for by in kinds)]
        rows: list[Any] = self.table.to_dict("records")
        lines = ["layer  " + "   ".join(titles)]
        lines += [_line(f"{row['layer']:5.0f}", row, kinds) for row in rows]
        if self.mix:
            lines.append(_line(f"{MIX:>5}", self.mix, kinds))
        best = min(rows, key=itemgetter("eer"))
        lines.append(f"Lowest validation EER: {best['eer']:.2%} at layer {best['layer']:.0f}. {self.folder / PICTURE}")
        return "\n".join([*lines, *filter(None, [self.choice()])])

    def choice(self) -> str:
        """Say which layer has the lowest mean EER across what was left out, and what differs from the choice above."""
        if not self.hold_out:
            return ""
        rows: list[Any] = self.table.to_dict("records")
        candidates = [(row["eer"], row["layer"], _mean_across(row, self.hold_out)) for row in rows]
        _, layer, eer = min(candidates, key=itemgetter(2))
        words = f"Lowest EER across {domains_in_words(self.hold_out)}: {eer:.2%} at layer {layer}."
        return " ".join(filter(None, [words, differing_choice(candidates, self.hold_out, "layer")]))


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
    if recipe.hold_out:
        tell(leave_out_domains(recipe.dataset, last, recipe.hold_out))
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
    _draw(folder, table, mix, kinds_in(recipe.hold_out))
    return LayerComparison(folder, table, mix, recipe.hold_out)


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
        **({HOLD_OUT: recipe.hold_out} if recipe.hold_out else {}),
        **asdict(recipe.config),
    }


def _line(layer: str, row: Mapping[str, float], kinds: list[str]) -> str:
    """Write the EERs of a layer: in domain, and across each kind of domain, with their bounds."""
    columns = [("eer", "low", "high"), *(COLUMNS[by] for by in kinds)]
    cells = []
    for eer, low, high in columns:
        bounds = "" if np.isnan(row[low]) else f"{100 * row[low]:5.2f} to {100 * row[high]:.2f}"
        cells.append(f"{100 * row[eer]:5.2f}   {bounds:14}")
    return f"{layer}  {'   '.join(cells)}".rstrip()


def _mean_across(row: Mapping[str, float], hold_out: str) -> float:
    return float(np.mean([row[COLUMNS[by][0]] for by in kinds_in(hold_out)]))


def _judge_mix(recipe: Recipe, root: Path, folder: Path) -> dict[str, float]:
    """Train on the mix of all layers, unless that was done."""
    if not (folder / MIXED).is_file():
        write_table(folder / MIXED, pd.DataFrame([_judge(recipe, root)]))
    found = pd.read_csv(folder / MIXED).iloc[0]
    return {str(name): float(value) for name, value in found.items()}


def _judge(recipe: Recipe, root: Path) -> dict[str, float]:
    """Train on one layer, or on the mix; return the validation EER and its bounds."""
    data = read_training_data(recipe.input.open(recipe.dataset, root))
    model = model_class(recipe.model)(recipe.config, seed=recipe.seed)
    model.fit(data.train, data.val)
    scores = model.scores(data.val.inputs)
    trials = Trials(data.val.labels, data.val.speakers, data.val.systems)
    drawn = resample_eer(scores, trials.draw())
    bounds = interval(drawn, trials.n_people)
    found = {"eer": eer_of(data.val.labels, scores), "low": bounds.low, "high": bounds.high}
    if recipe.hold_out:
        across = judge_across(recipe, leave_out_domains(recipe.dataset, data, recipe.hold_out))
        for by, mean in across.means.items():
            values = (float("nan") if value is None else value for value in (mean["value"], mean["low"], mean["high"]))
            found |= dict(zip(COLUMNS[by], values, strict=True))
    return found


def _draw(folder: Path, table: pd.DataFrame, mix: Mapping[str, float] | None, kinds: list[str]) -> None:
    from src.visualize.layers import layer_figure

    columns = (table[name] for name in ("layer", "eer", "low", "high"))
    across = {PLURALS[by]: table[COLUMNS[by][0]] for by in kinds}
    save_figure(folder / PICTURE, layer_figure(*columns, mix=mix["eer"] if mix else None, across=across))
