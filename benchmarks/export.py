"""What an exported run costs and keeps: size, differences, speed against the run itself, EER before and after.

    python -m benchmarks.export --runs=run0,svm_study0 --model=FOLDER

Every run is exported to ONNX with weights of 32 bits and of eight, into a folder that is removed. Both files and the
run score the same clips: differences are the largest over clips of synthetic speech, in batches of 1 and 8, at 0.5, 4
and 30 s (`--most-clips=1` leaves out the batches of 8: AASIST sees all windows of eight clips of 30 s at once, which
takes more than 24 GB). Speed is that of one clip of 4 s: all in turn, round after round, so that what else the machine
does hits all alike; a time is the median of the rounds. EERs are those of the run's validation clips, which the files
score one by one. "eager" is the module that is exported, by PyTorch in float32; the run itself may compute in bf16, and
has faster convolutions and products.
"""

import argparse
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch

from benchmarks.made_up import hardware
from src.audio.io import SPEECH_RATE
from src.deploy.exporting.checking import Check, compare, made_up_clips
from src.deploy.exporting.formats import Run
from src.deploy.exporting.int8 import to_int8
from src.deploy.exporting.module import Exportable, run_module
from src.deploy.exporting.onnx_file import ONNX, open_file
from src.deploy.exporting.validation import Agreement, validate
from src.deploy.judge import Judge, open_judge
from src.experiments.runs.names import RunName
from src.experiments.training.trained import Trained, read_trained
from src.utils.paths import ROOT

SECONDS_OF_CLIPS, BATCHES = (0.5, 4.0, 30.0), (1, 8)
SECONDS = 4.0


def main() -> None:
    """Export the runs, and print the table."""
    options = read_options()
    torch.set_num_threads(options.threads)
    print(f"Exports of {options.runs}; {hardware('cpu')}, {options.threads} threads, {options.rounds} rounds")
    heads = f"{'run':24} {'way':10} {'MB':>7} {'ms of 4 s':>10} {'x run':>7} {'x eager':>8} {'EER %':>7}   "
    print(f"{heads}largest difference at\n{' ' * len(heads)}{' '.join(_titles(options.most_clips))}")
    for name in options.runs.split(","):
        trained = read_trained(options.root, RunName.parse(name))
        for row in rows_of(trained, options):
            print(row, flush=True)


def rows_of(trained: Trained, options: argparse.Namespace) -> list[str]:
    """Return the rows of a run: itself, its file, and its file with weights of eight bits where it has any."""
    judge = open_judge(trained, root=options.root, model=options.model, device="cpu")
    exportable = run_module(trained, options.root, options.model)
    with tempfile.TemporaryDirectory() as folder:
        paths = {"fp32": Path(folder) / "fp32.onnx", "int8": Path(folder) / "int8.onnx"}
        ONNX.write(exportable, paths["fp32"])
        paths["int8"].write_bytes(paths["fp32"].read_bytes())
        refusal = ""
        try:
            to_int8(paths["int8"])
        except ValueError as error:
            refusal = str(error)
            del paths["int8"]
        runs = {kind: open_file(path, options.threads) for kind, path in paths.items()}
        times = in_turn({"itself": judge_one(judge), "eager": eagerly(exportable), **runs}, options.rounds)
        rows = [_row(trained, "itself", "", times, _own_eer(trained), []), _row(trained, "eager", "", times, "-", [])]
        for kind, run in runs.items():
            size = f"{paths[kind].stat().st_size / 1e6:.1f}"
            found = validate(run, trained, exportable)
            checks = compare(run, judge, exportable, _sizes(options.most_clips))
            eer = f"{100 * found.eer_after:.2f}" if isinstance(found, Agreement) else "-"
            rows.append(_row(trained, kind, size, times, eer, checks))
    return [*rows, f"{trained.name!s:24} int8       {refusal}"] if refusal else rows


def in_turn(runs: dict[str, Run], rounds: int) -> dict[str, float]:
    """Return the median seconds that each takes for one clip of 4 s."""
    clip = made_up_clips(1, round(SECONDS * SPEECH_RATE))
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            started = time.perf_counter()
            run(clip)
            if number:  # the first round warms up
                times[name].append(time.perf_counter() - started)
    return {name: statistics.median(taken) for name, taken in times.items()}


def judge_one(judge: Judge) -> Run:
    """Return the run itself as a function of waveforms (1, n)."""
    return lambda waveforms: judge.score(list(waveforms))


def eagerly(exportable: Exportable) -> Run:
    """Return a run's module in float32 as a function of waveforms (1, n)."""

    def run(waveforms: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return np.asarray(exportable.module(torch.from_numpy(waveforms)))

    return run


def _sizes(most_clips: int) -> dict[float, tuple[int, ...]]:
    batches = tuple(clips for clips in BATCHES if clips <= most_clips)
    return dict.fromkeys(SECONDS_OF_CLIPS, batches)


def _titles(most_clips: int) -> list[str]:
    sizes = _sizes(most_clips)
    return [f"{clips} x {seconds:g} s".rjust(9) for seconds, batches in sizes.items() for clips in batches]


def _own_eer(trained: Trained) -> str:
    """Return the EER that a run's own scores of its validation clips have, in per cent."""
    return f"{100 * float(trained.metrics['eer']):.2f}"


def _row(trained: Trained, kind: str, size: str, times: dict[str, float], eer: str, checks: list[Check]) -> str:
    differences = " ".join(f"{check.difference:9.1e}" for check in checks)
    faster = f"{times['itself'] / times[kind]:>7.2f} {times['eager'] / times[kind]:>8.2f}"
    return (
        f"{trained.name!s:24} {kind:10} {size:>7} {1000 * times[kind]:>10.1f} {faster} {eer:>7}   {differences}"
    ).rstrip()


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--runs", required=True, help="runs, separated by commas")
    parser.add_argument("--root", type=Path, default=ROOT, help="folder that holds runs/ (default: the project)")
    parser.add_argument("--model", help="folder of the backbone's model, where the runs' was a local one")
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch and onnxruntime (default 2)")
    parser.add_argument("--rounds", type=int, default=11, help="timed rounds (default 11)")
    parser.add_argument("--most-clips", type=int, choices=BATCHES, default=8, help="in a batch (default 8)")
    options = parser.parse_args()
    if options.rounds < 1 or options.threads < 1:
        parser.error("--rounds and --threads must be 1 or more.")
    return options


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
