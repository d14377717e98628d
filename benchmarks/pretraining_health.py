"""What each objective learns from the pretext splits of a corpus in so many hours seen; printed by

    python -m benchmarks.pretraining --health --dataset=datasets/speech --hours-seen=2

A row is a pretraining. Its numbers are those of speech that is held out (`pretext_val`), under the same masks, before
the first step and of the weights that are kept: loss; bits, accuracy beside that by chance, perplexity and share of
codes used, where the objective names codes (`src/pretraining/codes.py`); of reconstructed spectra the loss beside that
of answering with their mean; of a teacher's layers the cosine beside that of their mean.

In the end every objective hears a tone in place of speech. All frames of it are the same, so there is nothing to find
out, and the training is refused or stopped: the line that says so is printed.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.made_up import hardware
from src.audio.io import SPEECH_RATE, save_waveform
from src.experiments.corpus.splits import split_table
from src.experiments.pretraining.pretrainer import pretrain_backbone
from src.experiments.pretraining.recipe import PRETEXT_TRAIN, PRETEXT_VAL, PretrainingRecipe
from src.pretraining.contract import PretrainingConfig
from src.pretraining.onwards import completed
from src.utils.dataset import FILE_COLUMNS, write_table
from src.utils.paths import absolute

SHOWN = {
    "bits": ("loss_bits", "", 1.0),
    "accuracy %": ("accuracy", "chance", 100.0),
    "perplexity": ("perplexity", "", 1.0),
    "codes used %": ("codes_used", "", 100.0),
    "spectra": ("mel_loss", "loss_of_mean", 1.0),
    "cosine": ("cosine", "cosine_of_mean", 1.0),
}
"""Column -> the sign, the sign of chance that stands behind it in brackets, and the factor on both."""
TONE_HERTZ = 500
"""32 samples a period: a whole number of them lies between two spectra, so that all are the same."""
TONE_SECONDS, CLIPS_OF_PERSON = 4, 8
TONE_SETTINGS = {"steps": 20, "batch_seconds": 16.0}


def show_health(options: argparse.Namespace) -> None:
    """Pretrain every objective from every seed, and print a row for each; then let each hear a tone."""
    with tempfile.TemporaryDirectory() as place:
        root = absolute(options.root) if options.root else Path(place)
        print(f"{options.hours_seen:g} hours seen, {options.front_end}, {options.size}; {hardware('auto')}")
        print(
            f"{'objective':10} {'seed':>4} {'minutes':>8} {'loss':>16}  " + "  ".join(f"{name:>24}" for name in SHOWN)
        )
        for objective in options.objectives.split(","):
            for seed in options.seeds.split(","):
                print(row_of(objective, int(seed), root, options), flush=True)
        print(f"A tone of {TONE_HERTZ} Hz in place of speech:")
        corpus = write_corpus(Path(place) / "tones", tone)
        for objective in options.objectives.split(","):
            recipe = recipe_of(corpus, {**settings_of(objective, options), **TONE_SETTINGS}, 1)
            print(f"{objective:10} {how_it_ends(recipe, Path(place))}", flush=True)


def settings_of(objective: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that flags ask for."""
    chosen = {
        name: getattr(options, name) for name in ("front_end", "size", "hours_seen", "batch_seconds", "precision")
    }
    return {**chosen, "objective": objective, "teacher": options.teacher if objective == "distill" else ""}


def recipe_of(dataset: Path, settings: dict[str, Any], seed: int) -> PretrainingRecipe:
    """Return what a pretraining is made from; it is not stopped early, so that all see as much."""
    config = PretrainingConfig.from_mapping({**settings, "patience": PretrainingConfig.validations})
    return PretrainingRecipe((dataset,), completed(config), seed=seed)


def row_of(objective: str, seed: int, root: Path, options: argparse.Namespace) -> str:
    """Pretrain; return the row, or the line in which it was stopped."""
    recipe = recipe_of(absolute(options.dataset), settings_of(objective, options), seed)
    started = time.perf_counter()
    try:
        found = pretrain_backbone(recipe, root=root).metrics
    except ValueError as error:
        return f"{objective:10} {seed:>4} {error}"
    minutes = (time.perf_counter() - started) / 60
    before, after = found["start"], found["held_out"]
    cells = [written(before, after, *shown) for shown in SHOWN.values()]
    losses = f"{before['loss']:.3f} -> {after['loss']:.3f}"
    return f"{objective:10} {seed:>4} {minutes:>8.1f} {losses:>16}  " + "  ".join(f"{cell:>24}" for cell in cells)


def written(before: dict[str, float], after: dict[str, float], sign: str, chance: str, factor: float) -> str:
    """Return a sign before and after, with chance behind it; empty where the objective has none.

    >>> written({"accuracy": 0.01}, {"accuracy": 0.25, "chance": 0.1}, "accuracy", "chance", 100)
    '1 -> 25 (10)'
    """
    if sign not in after:
        return ""
    told = f"{factor * before[sign]:.3g} -> {factor * after[sign]:.3g}"
    return f"{told} ({factor * after[chance]:.3g})" if chance else told


def how_it_ends(recipe: PretrainingRecipe, root: Path) -> str:
    """Pretrain; return the line in which it was stopped."""
    try:
        return f"was not stopped: {pretrain_backbone(recipe, root=root).metrics['words']}"
    except ValueError as error:
        return str(error)


def tone(_: int) -> np.ndarray:
    """Return the tone, however many there were before."""
    times = np.arange(TONE_SECONDS * SPEECH_RATE) / SPEECH_RATE
    return (0.5 * np.sin(2 * np.pi * TONE_HERTZ * times)).astype(np.float32)


def write_corpus(dataset: Path, sound: Callable[[int], np.ndarray]) -> Path:
    """Write a corpus of clips, `sound` of the number of each: of two people to learn from and another two held out."""
    for split, people in ((PRETEXT_TRAIN, (0, 1)), (PRETEXT_VAL, (2, 3))):
        rows = []
        for number in range(CLIPS_OF_PERSON * people[0], CLIPS_OF_PERSON * (people[1] + 1)):
            name = f"F{number // CLIPS_OF_PERSON:03d}"
            path = dataset / "real_voices" / f"Nobody_{name}" / f"{name}-{number:04d}.flac"
            path.parent.mkdir(parents=True, exist_ok=True)
            save_waveform(path, sound(number))
            rows.append([path.relative_to(dataset).as_posix(), "Nobody", name, "F", "bona-fide", ""])
        write_table(split_table(dataset, split), pd.DataFrame(rows, columns=FILE_COLUMNS))
    return dataset
