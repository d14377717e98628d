"""What a probe found, as a table, a picture, sentences and JSON.

Models are compared at the layers that validation people chose. The draws of people and systems are the same for all of
them, so that a difference has an interval of its own (`metrics/across.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from src.experiments.evaluation.comparison import Difference
from src.experiments.pretraining.clip_embeddings import LFCC
from src.experiments.runs.artefacts import save_figure
from src.metrics.across import Scored, eers_across, resampled_means
from src.metrics.bootstrap import interval
from src.metrics.checks import FloatArray
from src.metrics.eer import eer_of
from src.metrics.resampled import resample_eer
from src.metrics.table import written, written_bounds
from src.metrics.verdict import Metric, as_metric
from src.utils.dataset import write_table
from src.utils.labels import BONAFIDE, SPOOF

TABLE, PICTURE = "probe.csv", "probe.png"
IN_DOMAIN, LEFT_OUT = "in domain", "left out"
WORDS = {IN_DOMAIN: "In domain", LEFT_OUT: "On systems left out of training"}
CHOSEN_IN_DOMAIN = (
    "validation has too few spoofs to choose a layer by systems left out: it was chosen in domain, also by spoofs that "
    "are judged where the test lacks others"
)


@dataclass(frozen=True)
class Layer:
    """How the head on one layer of a model does."""

    model: str
    layer: int
    val_eers: Mapping[str, float]
    """IN_DOMAIN and LEFT_OUT -> EER of validation people, which chooses the layer; NaN where it is not known."""
    judged: Mapping[str, Scored]
    """Spoof system that was left out, "" in domain -> the clips judged and their scores."""

    @property
    def left_out(self) -> dict[str, Scored]:
        """The clips and scores of every system that was left out."""
        return {name: scored for name, scored in self.judged.items() if name}

    def answered(self, judged: str) -> list[Scored]:
        """Return what was judged: one set of clips in domain, one for each system left out."""
        return list(self.left_out.values()) if judged == LEFT_OUT else [self.judged[""]]

    def eer(self, judged: str) -> float:
        """Return the EER in domain, or the mean over the systems left out."""
        return float(np.mean([eer_of(each.trials.labels, each.scores) for each in self.answered(judged)]))

    def drawn(self, judged: str) -> FloatArray:
        """Return the same in every draw of people and systems, shape (resamplings,)."""
        if judged == LEFT_OUT:
            return resampled_means(self.left_out)
        scored = self.judged[""]
        return resample_eer(scored.scores, scored.trials.draw())


@dataclass(frozen=True)
class Probe:
    """A finished probe."""

    table: pd.DataFrame
    """Columns: model, layer, judged (IN_DOMAIN or LEFT_OUT), system ("" for all of them), clips, eer, low, high,
    val_eer, chosen."""
    differences: Mapping[str, Sequence[Difference]]
    """IN_DOMAIN and LEFT_OUT -> how the last model differs from LFCC and from the first."""
    notes: Sequence[str]
    """What must be known: systems that are not left out, clips that cannot be used."""

    def chosen(self, judged: str) -> dict[str, dict[str, Any]]:
        """Return model -> the row of its chosen layer, in domain or on all systems left out."""
        wanted = (self.table["judged"] == judged) & (self.table["system"] == "") & self.table["chosen"]
        rows: list[Any] = self.table[wanted].to_dict("records")
        return {str(row["model"]): row for row in rows}

    def __str__(self) -> str:
        lines = []
        for judged, words in WORDS.items():
            for model, row in self.chosen(judged).items():
                layer = "" if model == LFCC else f", layer {row['layer']}"
                bounds = "" if pd.isna(row["low"]) else f" (95 %: {written_bounds(row['low'], row['high'], 'rate')})"
                lines.append(f"{words}: {model}{layer}, EER {written(row['eer'], 'rate')}{bounds}")
            lines += [f"{words}: {difference}" for difference in self.differences[judged]]
        return "\n".join([*lines, *(f"Note: {note}" for note in self.notes)])

    def as_json(self) -> dict[str, Any]:
        """Return what the metrics of a run say of it."""
        found: dict[str, Any] = {}
        for judged in WORDS:
            rows = self.chosen(judged)
            models = {model: {"layer": int(row["layer"]), "eer": _metric(row)} for model, row in rows.items()}
            differences = [difference.as_json() for difference in self.differences[judged]]
            found |= {judged.replace(" ", "_"): {"models": models, "differences": differences}} if models else {}
        return {**found, "in_words": str(self).splitlines()}

    def write(self, folder: Path) -> None:
        """Write `probe.csv` and `probe.png`."""
        from src.visualize.probe import ProbeCurve, probe_figure

        write_table(folder / TABLE, self.table)
        panels: dict[str, list[ProbeCurve]] = {}
        for (judged, model), rows in self.table[self.table["system"] == ""].groupby(["judged", "model"], sort=False):
            layers, eers, lows, highs = (rows[name].to_numpy(float) for name in ("layer", "eer", "low", "high"))
            chosen = int(rows["chosen"].to_numpy(bool).argmax())
            curve = ProbeCurve(str(model), layers, eers, lows, highs, chosen, self._systems(str(judged), str(model)))
            panels.setdefault(WORDS[str(judged)], []).append(curve)
        save_figure(folder / PICTURE, probe_figure(panels))

    def _systems(self, judged: str, model: str) -> dict[str, FloatArray]:
        """Return system that was left out -> the EERs of all layers of a model; empty in domain."""
        mine = self.table[(self.table["judged"] == judged) & (self.table["model"] == model)]
        systems = mine[mine["system"] != ""].groupby("system", sort=False)
        return {str(name): rows["eer"].to_numpy(float) for name, rows in systems}


def conclude(layers: Sequence[Layer], notes: Sequence[str]) -> Probe:
    """Return what the heads on all layers of all models say together."""
    if any(layer.left_out and np.isnan(layer.val_eers[LEFT_OUT]) for layer in layers):
        notes = [*notes, CHOSEN_IN_DOMAIN]
    chosen = {judged: choose(layers, judged) for judged in WORDS}
    table = pd.DataFrame([row for layer in layers for row in _rows(layer, chosen)])
    return Probe(table, {judged: list(_differences(chosen[judged], judged)) for judged in WORDS}, notes)


def choose(layers: Sequence[Layer], judged: str) -> dict[str, Layer]:
    """Return model -> the layer that validation people choose; by their EER in domain where the other is not known."""
    chosen: dict[str, Layer] = {}
    for layer in layers:
        by = IN_DOMAIN if np.isnan(layer.val_eers[judged]) else judged
        best = chosen.setdefault(layer.model, layer)
        if layer.val_eers[by] < best.val_eers[by]:
            chosen[layer.model] = layer
    return chosen


def _rows(layer: Layer, chosen: Mapping[str, Mapping[str, Layer]]) -> Iterator[dict[str, Any]]:
    """Yield what the table says of a layer: in domain, on all systems left out, and on each of them."""
    bounds = interval(layer.drawn(IN_DOMAIN), layer.judged[""].trials.n_people)
    found: list[tuple[str, str, Metric]] = [(IN_DOMAIN, "", as_metric(layer.eer(IN_DOMAIN), bounds))]
    if layer.left_out:
        each, mean = eers_across(layer.left_out)
        found += [(LEFT_OUT, "", mean), *((LEFT_OUT, system, metric) for system, metric in each.items())]
    for judged, system, metric in found:
        yield {
            "model": layer.model,
            "layer": layer.layer,
            "judged": judged,
            "system": system,
            "clips": _n_clips([layer.judged[system]] if system else layer.answered(judged)),
            "eer": metric["value"],
            "low": float("nan") if metric["low"] is None else metric["low"],
            "high": float("nan") if metric["high"] is None else metric["high"],
            "val_eer": float("nan") if system else layer.val_eers[judged],
            "chosen": chosen[judged][layer.model] is layer,
        }


def _differences(chosen: Mapping[str, Layer], judged: str) -> Iterator[Difference]:
    """Yield how the last model differs from LFCC and from the first model, each at its chosen layer."""
    *others, last = chosen.values()
    first = [layer for layer in others if layer.model != LFCC][:1]
    scored = last.answered(judged)
    if not scored:
        return
    people = [set().union(*(each.trials.people_of(label) for each in scored)) for label in (SPOOF, BONAFIDE)]
    n_people, n_of_rarer_class = len(set().union(*people)), min(map(len, people))
    for other in [*(layer for layer in others if layer.model == LFCC), *first]:
        bounds = interval(last.drawn(judged) - other.drawn(judged), n_people)
        difference = last.eer(judged) - other.eer(judged)
        yield Difference(last.model, other.model, difference, bounds, n_people, _n_clips(scored), n_of_rarer_class)


def _n_clips(scored: Sequence[Scored]) -> int:
    """Return how many clips were judged; the bona fide ones are the same for all systems."""
    bonafide = [int((each.trials.labels == BONAFIDE).sum()) for each in scored]
    return sum(len(each.scores) for each in scored) - sum(bonafide[1:])


def _metric(row: Mapping[str, Any]) -> Metric:
    low, high = (None if pd.isna(row[name]) else float(row[name]) for name in ("low", "high"))
    return {"value": float(row["eer"]), "low": low, "high": high}
