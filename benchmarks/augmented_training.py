"""How fast a detector trains on windows that a recipe distorts, beside windows as they are.

    python -m benchmarks.augmented_training --recipe=field --workers=2

The steps are those of `fab TrainDetector --detector=lcnn`: reading, distorting, forward, backward, AdamW. The clips are
made up: a minute of a voice, cut into clips of 5 s on average. Both ways train in turn in every round, and the fastest
epoch of each counts: other work on the machine only ever slows one down.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from benchmarks.made_up import MEAN_SECONDS, draw_seconds, hardware, write_clips
from src.detectors.contract import DetectorConfig
from src.detectors.lcnn import Lcnn, LcnnConfig
from src.detectors.training.clips import EpochBatches, TrainingClips, collate
from src.detectors.training.lesson import Training
from src.detectors.training.objectives import make_objective
from src.utils.waveform_table import WaveformTable


def main() -> None:
    """Measure, and print the table."""
    options = read_options()
    torch.manual_seed(7)
    with tempfile.TemporaryDirectory() as folder:
        seconds = draw_seconds(options.clips, MEAN_SECONDS, np.random.default_rng(7))
        write_clips(Path(folder), seconds, np.random.default_rng(7))
        table = table_of(Path(folder))
        rates = dict.fromkeys(("", options.recipe), 0.0)
        for epoch in range(options.rounds):
            for recipe in rates:
                config = LcnnConfig(augment=recipe, batch_size=options.batch)
                rates[recipe] = max(rates[recipe], windows_a_second(table, config, epoch, options))
    plain, augmented = rates.values()
    print(f"LCNN, batches of {options.batch}, {options.workers} workers; {hardware('cpu')}")
    found = f"as they are {plain:.2f}, {options.recipe} {augmented:.2f}; ratio {augmented / plain:.2f}"
    print(f"Windows a second: {found}")


def table_of(dataset: Path) -> WaveformTable:
    """Return the table of the clips of a corpus; every other one counts as a spoof."""
    paths = sorted(map(str, dataset.rglob("*.flac")))
    empty = np.full(len(paths), "")
    return WaveformTable(
        labels=np.arange(len(paths)) % 2,
        genders=np.full(len(paths), "F"),
        speakers=np.array([f"Nobody_F{number % 7:03d}" for number in range(len(paths))]),
        systems=empty,
        files=np.array(paths),
        paths=np.array(paths),
        segments=empty,
        originals=empty,
        teacher_scores=np.full(len(paths), np.nan),
    )


def windows_a_second(table: WaveformTable, config: DetectorConfig, epoch: int, options: argparse.Namespace) -> float:
    """Return how many windows a second an epoch of training steps takes in, its first step aside."""
    detector = Lcnn(config)
    objective = make_objective(config.loss, torch.ones(2), embedding_size=2)
    training = Training(detector.build(), objective, config).train()
    optimizer = torch.optim.AdamW(training.parameters(), lr=1e-4)
    batches = EpochBatches([[number] for number in range(len(table))], config.batch_size, seed=7)
    batches.set_epoch(epoch)
    clips = TrainingClips(table, config, seed=7)
    loader = DataLoader(clips, batch_sampler=batches, collate_fn=collate, num_workers=options.workers)
    started, n_windows = 0.0, 0
    for step, batch in enumerate(loader):
        training(**batch)["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()
        if step == 0:
            started = time.perf_counter()
        else:
            n_windows += len(batch["labels"])
    return n_windows / (time.perf_counter() - started)


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="field")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--clips", type=int, default=96)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
