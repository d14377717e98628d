"""How fast a study finds hyperparameters, compared with the plain way.

    python -m benchmarks.study

In one run, one after another, on the same random embeddings, and with the same number of trials:

- plain, mlp: fixed batches of 64 in each of 50 epochs, Adam, validation after every epoch;
- plain, svm: scikit-learn's StandardScaler and its SVC with an RBF kernel, scored on validation data (not with a linear
  kernel, which takes minutes for 6,000 of these clips);
- ours: `optimize_hyperparameters` from the store on disk to the run folders, with as many processes as asked for.

Both draw hyperparameters by Optuna's TPE; ours tries no networks of 512 units, which took longer and were no better.
Every measurement has its own process. The table holds seconds, the best validation EER (the lowest of any epoch, for
the plain way too), how many times as fast ours is, and the exponent g by which seconds grow as n^g from the size above.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.made_up import draw_embeddings, hardware, write_embeddings
from src.experiments.inputs.contract import read_training_data
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.studies.search import Search
from src.experiments.studies.tuner import Effort, optimize_hyperparameters
from src.metrics.eer import eer_of
from src.utils.embeddings import EmbeddingTable

PLAIN_BATCH, PLAIN_EPOCHS = 64, 50
WAYS = ("plain", "ours")
SEED = 7
INPUT = Embeddings("hubert", layer=0)


def main() -> None:
    """Measure everything and print the table."""
    options = read_options()
    if options.measure:
        print(json.dumps(measure(options)))
        return
    print(f"{options.dimension} dimensions, {options.trials} trials, {options.jobs} jobs; {hardware('cpu')}")
    print(f"{'':4} {'clips':>7} {'plain':>9} {'ours':>9} {'ratio':>6} {'EER plain':>10} {'ours':>7} {'growth':>11}")
    before: dict[str, tuple[int, list[dict[str, float]]]] = {}
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as place:
            write_project(Path(place), size, options.dimension)
            for classifier in options.classifiers:
                found = [in_own_process(way, classifier, Path(place), options) for way in WAYS]
                print(table_line(classifier, size, found, before.get(classifier)), flush=True)
                before[classifier] = size, found


def read_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="How fast a study finds hyperparameters.")
    parser.add_argument(
        "--sizes", type=whole_numbers, default=[2_000, 6_000, 20_000], help="clips to train on, and to validate on"
    )
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--classifiers", type=lambda text: text.split(","), default=["mlp", "svm"])
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes of this project's way")
    parser.add_argument("--dimension", type=int, default=768, help="dimensions of an embedding")
    parser.add_argument("--measure", default="", choices=["", *WAYS], help=argparse.SUPPRESS)
    parser.add_argument("--classifier", default="", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, default=None, help=argparse.SUPPRESS)
    return parser.parse_args()


def whole_numbers(text: str) -> list[int]:
    """Read numbers separated by commas."""
    return [int(part) for part in text.split(",")]


def write_project(root: Path, size: int, dimension: int) -> None:
    """Write a training and a validation split of `size` clips each, with their stores.

    With few validation clips, the lowest EER of a study would be that of the luckiest epoch, not of the best one.
    """
    for seed, split in enumerate(("downstream_train", "downstream_val")):
        drawn = draw_embeddings(size, dimension, np.random.default_rng(1 + seed))
        write_embeddings(root, dataset_of(root), split, *drawn)


def dataset_of(root: Path) -> Path:
    """Return the folder of the corpus."""
    return root / "datasets" / "drawn"


def in_own_process(way: str, classifier: str, folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """Take one measurement in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.study", f"--measure={way}", f"--classifier={classifier}"]
    command += [f"--folder={folder}", f"--trials={options.trials}", f"--jobs={options.jobs}"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Measure one way, including reading the embeddings."""
    started = time.perf_counter()
    if options.measure == "ours":
        search = Search(dataset_of(options.folder), INPUT, options.classifier, SEED)
        eer = optimize_hyperparameters(search, Effort(options.trials, options.jobs), root=options.folder).best_eer
    else:
        eer = plain_study(options)
    return {"seconds": time.perf_counter() - started, "eer": eer}


def plain_study(options: argparse.Namespace) -> float:
    """Return the lowest EER that a plain study finds."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    data = read_training_data(INPUT.open(dataset_of(options.folder), options.folder))
    train: Callable[..., float] = {"mlp": plain_mlp, "svm": plain_svm}[options.classifier]
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=SEED))
    study.optimize(lambda trial: train(trial, data.train, data.val), n_trials=options.trials)
    return study.best_value


def plain_svm(trial: Any, train: EmbeddingTable, val: EmbeddingTable) -> float:
    """Train scikit-learn's SVC as its user guide advises; return the validation EER."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    cost = trial.suggest_float("C", 1e-3, 1e3, log=True)
    gamma = trial.suggest_float("gamma", 1e-2, 1e1, log=True)
    svc = SVC(C=cost, gamma=gamma / train.vectors.shape[1], class_weight="balanced", random_state=SEED)
    classifier = make_pipeline(StandardScaler(), svc).fit(train.vectors, train.labels)
    return eer_of(val.labels, classifier.decision_function(val.vectors))


def plain_mlp(trial: Any, train: EmbeddingTable, val: EmbeddingTable) -> float:
    """Train a perceptron in the usual loop of tutorials; return the lowest validation EER of its epochs."""
    import torch
    from sklearn.preprocessing import StandardScaler
    from torch import nn

    torch.manual_seed(SEED)
    width, dropout = (
        trial.suggest_categorical("hidden_size", (64, 128, 256, 512)),
        trial.suggest_float("dropout", 0, 0.6),
    )
    layers: list[nn.Module] = []
    sizes = [train.vectors.shape[1]] + [width] * trial.suggest_int("n_hidden_layers", 1, 3)
    for size_in, size_out in pairwise(sizes):
        layers += [nn.Linear(size_in, size_out), nn.ReLU(), nn.Dropout(dropout)]
    network = nn.Sequential(*layers, nn.Linear(width, 1))
    rate, decay = (trial.suggest_float(*about, log=True) for about in (("rate", 1e-4, 1e-2), ("decay", 1e-5, 1e-1)))
    steps = torch.optim.Adam(network.parameters(), lr=rate, weight_decay=decay)
    scaler = StandardScaler().fit(train.vectors)
    inputs, val_inputs = (torch.from_numpy(scaler.transform(table.vectors)) for table in (train, val))
    order = torch.randperm(len(inputs))
    labels = torch.tensor(train.labels).float()
    batches = [(inputs[chosen], labels[chosen]) for chosen in order.split(PLAIN_BATCH)]
    eers = []
    for _ in range(PLAIN_EPOCHS):
        network.train()
        for batch, wanted in batches:
            steps.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(network(batch)[:, 0], wanted).backward()
            steps.step()
        network.eval()
        with torch.no_grad():
            eers.append(eer_of(val.labels, network(val_inputs)[:, 0].numpy()))
    return min(eers)


def table_line(
    classifier: str, size: int, found: list[dict[str, float]], before: tuple[int, list[dict[str, float]]] | None
) -> str:
    """Return the line of one classifier and size; growth is shown from the second size on."""
    plain, ours = found
    growth = ""
    if before:
        exponents = (
            math.log(now["seconds"] / earlier["seconds"]) / math.log(size / before[0])
            for now, earlier in zip(found, before[1], strict=True)
        )
        growth = " / ".join(f"{exponent:.2f}" for exponent in exponents)
    seconds = f"{plain['seconds']:7.1f} s {ours['seconds']:7.1f} s {plain['seconds'] / ours['seconds']:6.1f}"
    return f"{classifier:4} {size:7,} {seconds} {plain['eer']:10.2%} {ours['eer']:7.2%} {growth:>11}"


if __name__ == "__main__":
    main()
