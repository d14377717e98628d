"""How long a study takes as a user types it, now and in an earlier edition.

    python -m benchmarks.study_editions --before=FOLDER

FOLDER is a checkout of an earlier edition. Both run `fab OptimizeHyperparameters` in turn, each time a whole process
with the code of its own checkout, on the same random embeddings: as many clips to train on as to validate on. Other
flags of the task are passed on by --flags, such as --flags="--jobs=1". The table holds the median seconds of the
rounds, how many times as fast the study is now, and the lowest validation EER that each edition found.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.made_up import hardware
from benchmarks.study import dataset_of, whole_numbers, write_project

HERE = Path(__file__).resolve().parents[1]
TYPE_IT = """
import pathlib, runpy, sys

import src.utils.paths

root = src.utils.paths.ROOT = pathlib.Path(sys.argv.pop(1))
runpy.run_module("fabric", run_name="__main__", alter_sys=True)
"""
"""Runs fab with another folder for what the project computes than that of its code."""


def main() -> None:
    """Measure both editions in turn, study by study, and print the table."""
    options = read_options()
    editions = {"before": options.before.resolve(), "now": HERE}
    print(f"{options.dimension} dimensions, {options.trials} trials {options.flags}; {hardware('cpu')}")
    print(f"{'':4} {'clips':>7} {'before':>9} {'now':>9} {'ratio':>6} {'EER before':>10} {'now':>7}", flush=True)
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as place:
            root = Path(place)
            write_project(root, size, options.dimension)
            for classifier in options.classifiers:
                found = {name: ([], 0.0) for name in editions}
                for _ in range(options.rounds):
                    for name, code in editions.items():
                        seconds, eer = type_study(code, root, classifier, options)
                        found[name] = [*found[name][0], seconds], eer
                before, now = (statistics.median(seconds) for seconds, _ in found.values())
                eers = [eer for _, eer in found.values()]
                shown = f"{before:7.1f} s {now:7.1f} s {before / now:6.1f} {eers[0]:10.2%} {eers[1]:7.2%}"
                print(f"{classifier:4} {size:7,} {shown}", flush=True)


def read_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="How long a study takes, now and in an earlier edition.")
    parser.add_argument("--before", type=Path, required=True, help="a checkout of an earlier edition")
    parser.add_argument("--classifiers", type=lambda text: text.split(","), default=["lr"])
    parser.add_argument("--sizes", type=whole_numbers, default=[2_000], help="clips to train on, and to validate on")
    parser.add_argument("--dimension", type=int, default=768, help="dimensions of an embedding")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3, help="the median is printed")
    parser.add_argument("--flags", default="", help="further flags of OptimizeHyperparameters, such as --jobs=2")
    return parser.parse_args()


def type_study(code: Path, root: Path, classifier: str, options: argparse.Namespace) -> tuple[float, float]:
    """Run a new study by the code of an edition; return its seconds and the best validation EER."""
    asked = [f"--dataset={dataset_of(root)}", "--backbone=hubert", f"--classifier={classifier}"]
    task = ["OptimizeHyperparameters", *asked, f"--trials={options.trials}", *options.flags.split()]
    command = [sys.executable, "-c", TYPE_IT, os.fspath(root), *task]
    environment = {**os.environ, "PYTHONPATH": os.fspath(code)}
    started = time.perf_counter()
    subprocess.run(command, check=True, cwd=code, env=environment, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    newest = max((root / "runs").glob(f"{classifier}_study*"), key=lambda folder: folder.stat().st_mtime)
    return seconds, json.loads((newest / "best_hyperparameters.json").read_text())["best_validation_eer"]


if __name__ == "__main__":
    main()
