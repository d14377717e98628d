"""The card of one run of each kind, on a small corpus: to be read by a human eye, and checked by the hub's own code.

    python -m benchmarks.cards --output=cards

makes a project of its own in that folder with the corpus of `fab Demo` (made-up voices; no download), trains and tests
a small run of each kind there, and writes one card for each: every classifier on lfcc, one of them with a system left
out, a detector, a fine-tuned tiny model of random weights, a study's best, a fusion. The numbers mean nothing. With
`--dataset=` the runs are of another corpus that has tables and splits.

It prints, for each card: the run, its size, results in its model index, and how often it says unknown.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from huggingface_hub import ModelCard

from src.utils.paths import ROOT, absolute

LFCC = "--backbone=lfcc --pooling=mean+std"
TASKS = (
    *(f"TrainModel DATASET {LFCC} --classifier={name}" for name in ("lr", "svm", "mlp", "rf", "gb", "knn")),
    "TrainDetector DATASET --detector=lcnn --epochs=1 --seconds=1 --set=channels=8",
    "FineTune DATASET --backbone=wav2vec2 --model=MODEL --epochs=1 --seconds=1",
    "OptimizeHyperparameters DATASET --backbone=lfcc --classifier=lr --trials=3",
    *(f"TestModel --run=run{number}" for number in (0, 1, 2, 3, 4, 6, 7)),
    "TestModel --run=lr_study0",
    "FuseRuns --runs=run0,run1,run6",
    "TestModel --run=run8",
    f"CrossValidate DATASET {LFCC} --classifier=lr --folds=3",
    "StressTest --run=run0 --effects=mp3",
)
"""What is typed; run5 (knn) is left untested on purpose."""
RUNS = (*(f"run{number}" for number in range(9)), "lr_study0")


def main() -> None:
    """Train, test, write the cards and print the table."""
    options = read_options()
    project = absolute(options.output) / "project"
    dataset = absolute(options.dataset) if options.dataset else project / "datasets" / "demo"
    copy_code(project)
    if not options.dataset:
        make_corpus(dataset)
    fab(project, f"GenerateEmbeddings --dataset={dataset} --backbone=lfcc")
    model = tiny_model(project / "tiny")
    for task in TASKS:
        fab(project, task.replace("DATASET", f"--dataset={dataset}").replace("MODEL", str(model)))
    print(f"{'run':12} {'bytes':>7} {'results':>7} {'unknown':>7}")
    for name in RUNS:
        path = project.parent / f"{name}.md"
        fab(project, f"ModelCard --run={name} --output={path}")
        card = ModelCard.load(path)
        counts = (len(str(card)), len(card.data.eval_results or []), card.text.count("unknown"))
        print(f"{name:12} {counts[0]:>7} {counts[1]:>7} {counts[2]:>7}", flush=True)


def read_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="Write the card of one run of each kind.")
    parser.add_argument("--output", required=True, help="folder for the cards, and for a project that makes the runs")
    parser.add_argument("--dataset", default="", help="a corpus with tables and splits (default: made-up voices)")
    return parser.parse_args()


def copy_code(project: Path) -> None:
    """Copy the code into a project of its own, so that its runs are not among the user's."""
    project.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ROOT / "fabfile.py", project / "fabfile.py")
    shutil.copytree(ROOT / "src", project / "src", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))


def make_corpus(dataset: Path) -> None:
    """Make made-up voices and split them by person."""
    from src.experiments.corpus.catalogue import add_duration, generate_tables
    from src.experiments.corpus.splits import SplitShares, split_dataset
    from src.experiments.demo import make_demo_corpus

    make_demo_corpus(dataset, jobs=1)
    generate_tables(dataset)
    add_duration(dataset, jobs=1)
    split_dataset(dataset, SplitShares(pretext=0, train=0.5, val=0.25), seed=7)


def tiny_model(folder: Path) -> Path:
    """Save a wav2vec2 of random weights that is small enough for any machine; return its folder."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    torch.manual_seed(7)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    positions = {"num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2}
    config = Wav2Vec2Config(conv_dim=(16,) * 7, **sizes, **positions)
    Wav2Vec2Model(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


def fab(project: Path, typed: str) -> None:
    """Run a task of the project; end with its words where it fails."""
    command = [sys.executable, "-m", "fabric", *typed.split()]
    environment = {**os.environ, "TQDM_DISABLE": "1", "PYTHONPATH": str(project)}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"fab {typed}: {done.stdout}{done.stderr}")


if __name__ == "__main__":
    main()
