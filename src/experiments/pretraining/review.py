"""What is looked at when a pretraining has ended: its signs as a picture, what it changed, and what it is worth.

Of a model that was carried on, the distance of every layer from its start is told (`changes.py`). The probe
(`probe.py`) judges the start, the encoder after half of the steps, and the model; it needs the downstream splits of a
corpus, and is left out where there are none. Neither can fail a pretraining of hours: what stands in the way becomes a
warning.
"""

import shutil
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from src.experiments.pretraining.changes import Changes, measure_changes
from src.experiments.pretraining.clip_embeddings import LFCC
from src.experiments.pretraining.data import PretrainingData
from src.experiments.pretraining.probe import has_downstream_splits, probe
from src.experiments.pretraining.probe_results import Probe
from src.experiments.pretraining.recipe import PretrainingRecipe
from src.experiments.runs.artefacts import save_figure
from src.pretraining.encoders import PretrainingEncoder
from src.utils.files import as_os_errors

SIGNS, SIGNS_PICTURE = "signs.csv", "signs.png"
REDRAWN_SECONDS = 60.0
START, HALF, MODEL = "start", "half", "model"
"""Folders of the encoder before the first step, after half of them, and with the weights that are kept."""
CHANGES, PROBE = "changes", "probe"
"""Keys of what is found, in `metrics.json`."""


def draw_signs(folder: Path) -> None:
    """Draw the signs of health of a pretraining so far; nothing where there are none."""
    from src.visualize.pretraining import signs_figure

    if (folder / SIGNS).is_file():
        table = pd.read_csv(folder / SIGNS)
        with suppress(ValueError):  # none of them is finite: why a pretraining ended so, it says itself
            save_figure(folder / SIGNS_PICTURE, signs_figure({str(name): table[name].to_numpy() for name in table}))


def is_due(folder: Path) -> bool:
    """Tell whether the picture of the signs of a pretraining that is under way is missing, or of a minute ago."""
    picture = folder / SIGNS_PICTURE
    return not picture.is_file() or time.time() - picture.stat().st_mtime >= REDRAWN_SECONDS


def keep_half(folder: Path, encoder: PretrainingEncoder, step: int, n_steps: int) -> None:
    """Write the encoder to `half/`, once half of the steps are done; called after every validation."""
    if n_steps <= 2 * step < 2 * n_steps:
        keep_encoder(encoder, folder / HALF)


def keep_encoder(encoder: PretrainingEncoder, folder: Path) -> None:
    """Write an encoder to a folder whole or not at all; it stays as it is where it is there already."""
    if folder.is_dir():
        return
    fresh = folder.with_name(f"{folder.name}.fresh")
    shutil.rmtree(fresh, ignore_errors=True)  # of a kill
    with as_os_errors(fresh):
        encoder.save(fresh)
    fresh.rename(folder)


def review(
    folder: Path, recipe: PretrainingRecipe, data: PretrainingData, *, root: Path, with_probe: bool
) -> dict[str, Any]:
    """Look at a pretraining whose `start/` and `model/` are written; return what its metrics say of that.

    Parameters
    ----------
    folder : Path
    recipe, data
        What it was made from.
    root : Path
        The project's.
    with_probe : bool
        Whether to probe it, on the first of its corpora that has downstream splits.
    """
    found: dict[str, Any] = {}
    if recipe.config.model:
        clips = [Path(str(path)) for path in data.held_out.table.paths]
        found |= _unless_hindered(
            lambda: _written(measure_changes(folder / START, folder / MODEL, clips), folder, CHANGES),
            "What has changed is not told",
        )
    corpora = [dataset for dataset in recipe.datasets if has_downstream_splits(dataset)]
    if with_probe and corpora:
        models = {LFCC: None} | {name: folder / name for name in (START, HALF, MODEL) if (folder / name).is_dir()}
        found |= _unless_hindered(
            lambda: _written(probe(models, corpora[0], root=root, seed=recipe.seed), folder, PROBE),
            "The model is not probed",
        )
    return found


def in_words(metrics: dict[str, Any]) -> list[str]:
    """Return what the review found, a sentence for each line."""
    return [line for name in (CHANGES, PROBE) for line in metrics.get(name, {}).get("in_words", [])]


def _written(found: Changes | Probe, folder: Path, name: str) -> dict[str, Any]:
    found.write(folder)
    return {name: found.as_json()}


def _unless_hindered(look: Callable[[], dict[str, Any]], what: str) -> dict[str, Any]:
    """Return what was found; nothing, with a warning, where data, disk or memory do not allow it."""
    try:
        return look()
    except (ValueError, OSError, MemoryError, RuntimeError) as error:  # torch raises the last for a device's memory
        warnings.warn(f"{what}: {error or 'too little memory'}", stacklevel=3)
        return {}
