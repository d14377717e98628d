"""Where the time of an extraction goes: reading, front end, transformer, statistics, writing; now and before.

    python -m benchmarks.stages --before=PATH

PATH is a checkout of an earlier edition, whose own code is measured in turn with this one's, each in a process of its
own, on the same clips and the same model of random weights. One batch follows another, with all threads on each, so
that a stage's seconds are its own; in an extraction, reading and writing go on beside the model, and every core has a
batch of its own, so the whole is quicker than the sum. The table holds the seconds that each stage takes for a minute
of sound.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

STAGES = ("read", "front end", "transformer", "statistics", "write", "else")
BATCH_SECONDS = 16


def main() -> None:
    """Measure each edition in turn and print the table."""
    options = read_options()
    if options.measure:
        print(json.dumps(measure(options.folder, options.precision)))
        return
    from benchmarks.made_up import draw_seconds, hardware, save_model, write_clips

    here = Path(__file__).resolve().parents[1]
    editions = {"before": options.before.resolve(), "now": here} if options.before else {"now": here}
    with tempfile.TemporaryDirectory() as place:
        folder, rng = Path(place), np.random.default_rng(7)
        minutes = write_clips(folder / "clips", draw_seconds(options.clips, 4.9, rng), rng) / 60
        save_model(folder / "model", "wav2vec2-base")
        print(f"wav2vec2-base, {options.precision}, {minutes:.1f} minutes of sound; {hardware('cpu')}")
        found: dict[str, list[dict[str, float]]] = {name: [] for name in editions}
        for _ in range(options.rounds):
            for name, root in editions.items():
                found[name].append(in_own_process(root, folder, options.precision))
    print(f"{'':12}" + "".join(f"{stage:>13}" for stage in (*STAGES, "all")))
    for name, rounds in found.items():
        seconds = [float(np.median([each[stage] for each in rounds])) / minutes for stage in STAGES]
        print(f"{name:12}" + "".join(f"{value:11.2f} s" for value in (*seconds, sum(seconds))))


def read_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="Where the time of an extraction goes.")
    parser.add_argument("--before", type=Path, default=None, help="a checkout of an earlier edition")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3, help="the median is printed")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, default=None, help=argparse.SUPPRESS)
    return parser.parse_args()


def in_own_process(root: Path, folder: Path, precision: str) -> dict[str, float]:
    """Measure the edition whose code lies in a folder."""
    command = [sys.executable, os.fspath(Path(__file__).resolve()), "--measure"]
    command += [f"--folder={folder}", f"--precision={precision}"]
    environment = {**os.environ, "PYTHONPATH": os.fspath(root)}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=root, env=environment)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(folder: Path, precision: str) -> dict[str, float]:
    """Return the seconds of each stage, after a batch to warm up; what is imported is an edition's own."""
    from src.audio.io import load_waveform
    from src.backbones import load_backbone, self_supervised
    from src.experiments.extraction.batches import gather_batches
    from src.utils.embedding_store import EmbeddingStore, Row

    backbone: Any = load_backbone("wav2vec2", str(folder / "model"), device="cpu", precision=precision)
    files = sorted((folder / "clips").rglob("*.flac"))
    lengths = {str(file): len(load_waveform(file)) for file in files}
    units = gather_batches(lengths, batch_samples=BATCH_SECONDS * 16_000, window_samples=1e9)
    batches = [[piece.file for piece in batch] for unit in units for batch in unit]
    backbone.statistics([load_waveform(Path(file)) for file in batches[-1]])  # which may replace parts of the model
    spent = dict.fromkeys(STAGES, 0.0)
    pool = timed(self_supervised.pool_frames, "statistics", spent)
    self_supervised.pool_frames = pool
    for part, stage in ((backbone.model.feature_extractor, "front end"), (backbone.model.encoder, "transformer")):
        part.forward = timed(part.forward, stage, spent)
    read, run = timed(load_waveform, "read", spent), timed(backbone.statistics, "else", spent)
    with tempfile.TemporaryDirectory() as place, EmbeddingStore(Path(place) / "store", backbone.identity()) as store:
        append = timed(store.append, "write", spent)
        for batch in batches:
            statistics, n_frames = run([read(Path(file)) for file in batch])
            append([Row(file, file, count) for file, count in zip(batch, n_frames, strict=True)], statistics)
    spent["transformer"] -= spent["statistics"]  # of each layer, as it is computed
    spent["else"] -= spent["front end"] + spent["transformer"] + spent["statistics"]
    return spent


def timed(function: Callable[..., Any], stage: str, spent: dict[str, float]) -> Callable[..., Any]:
    """Return a function that adds the seconds it takes to those of a stage."""

    def call(*arguments: Any, **options: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*arguments, **options)
        finally:
            spent[stage] += time.perf_counter() - started

    return call


if __name__ == "__main__":
    main()
