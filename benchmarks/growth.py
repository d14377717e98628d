"""How the time and the memory of every step grow with the number of clips.

    python -m benchmarks.growth --largest=100000

Corpora of 1,000, 10,000, ... clips are made up (`growth_corpus.py`), one after another, and every step is run on each
as its task runs it (`growth_steps.py`), in a process of its own, which is waited for from its start to its end: the
imports of Python, one to five seconds, are part of what a user waits for. Memory is that of the process and its
children together (proportional set size, sampled five times a second), or the maximum resident set of the process
where that is more.

The exponent between two sizes is log(t2 / t1) / log(n2 / n1): 1 where ten times the clips take ten times as long, 1.08
to 1.12 for n log n, 2 where each clip is compared with each. It is that of the processor's seconds, of all processes of
a step together, which other work on the machine hardly changes. A million clips take 6 GB of disk and about an hour.
"""

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psutil

from benchmarks.growth_corpus import write_corpus
from benchmarks.growth_steps import SMALL, STEPS
from benchmarks.peak import memory_of

SMALLEST, FACTOR, LARGEST = 1_000, 10, 100_000
CLIPS_OF_SMALL = 200
SAMPLES_PER_SECOND = 5


@dataclass(frozen=True)
class Cost:
    """What a step cost at one size."""

    seconds: float
    """From its start to its end."""
    of_processors: float
    """Seconds of processors, of all its processes together."""
    memory: float
    """In bytes, at its peak."""


def main() -> None:
    """Measure every step at every size and print the table after each size."""
    options = read_options()
    if options.step:
        STEPS[options.step](options.root)
        return
    sizes = sizes_up_to(options.largest)
    costs: dict[int, dict[str, Cost]] = {}
    for n_clips in sizes:
        with tempfile.TemporaryDirectory(dir=options.place) as folder:
            costs[n_clips] = costs_at(n_clips, Path(folder))
        print(table_of(costs), flush=True)
    from benchmarks.made_up import hardware  # imports PyTorch: a child counts the memory that its parent had as its own

    print(f"\n{hardware('cpu')}")


def read_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="How the cost of every step grows with the number of clips.")
    parser.add_argument("--largest", type=int, default=LARGEST, help="clips of the largest corpus (default 100000)")
    parser.add_argument("--place", type=Path, default=None, help="folder for the corpora (default: the system's)")
    parser.add_argument("--step", default="", choices=["", *STEPS], help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.largest < SMALLEST:
        parser.error(f"--largest must be {SMALLEST} or more, not {options.largest}")
    return options


def sizes_up_to(largest: int) -> list[int]:
    """Return the sizes that are measured: 1,000, 10,000, ... and the largest itself."""
    n_powers = int(math.log(largest / SMALLEST, FACTOR) + 1e-9) + 1
    return sorted({*(SMALLEST * FACTOR**power for power in range(n_powers)), largest})


def costs_at(n_clips: int, root: Path) -> dict[str, Cost]:
    """Make a corpus and measure every step on it, one after another."""
    started = time.perf_counter()
    write_corpus(root / "corpus", n_clips)
    write_corpus(root / SMALL, CLIPS_OF_SMALL)
    print(f"{n_clips:,} clips, made in {time.perf_counter() - started:.0f} s", flush=True)
    costs = {}
    for step in STEPS:
        costs[step] = run_step(step, root)
        print(f"  {step}: {written(costs[step])}", flush=True)
    return costs


def run_step(step: str, root: Path) -> Cost:
    """Run a step in a process of its own; return what it cost.

    Raises
    ------
    CalledProcessError
        When it fails.
    """
    command = [sys.executable, "-m", "benchmarks.growth", f"--step={step}", f"--root={root}"]
    started, peak, busy = time.perf_counter(), 0.0, dict[int, float]()
    running = subprocess.Popen(command)
    process = psutil.Process(running.pid)
    while True:
        pid, status, usage = os.wait4(running.pid, os.WNOHANG)
        if pid:
            break
        peak = max(peak, memory_of(process))
        busy |= busy_seconds(process)
        time.sleep(1 / SAMPLES_PER_SECOND)
    seconds = time.perf_counter() - started
    running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        raise subprocess.CalledProcessError(running.returncode, command)
    return Cost(seconds, sum(busy.values()), max(peak, usage.ru_maxrss * 1024))


def busy_seconds(process: psutil.Process) -> dict[int, float]:
    """Return the seconds of processors that a process and its children, by their numbers, have used until now."""
    found = {}
    with suppress(psutil.Error):  # one has ended
        for each in (process, *process.children(recursive=True)):
            times = each.cpu_times()
            found[each.pid] = times.user + times.system
    return found


def table_of(costs: Mapping[int, Mapping[str, Cost]]) -> str:
    """Return the cost of every step at every size, and the exponents between sizes, in Markdown."""
    sizes = sorted(costs)
    pairs = list(pairwise(sizes))
    heads = [f"{size:,}" for size in sizes] + [f"exponent to {larger:,}" for _, larger in pairs]
    lines = [f"| step | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for step in costs[sizes[0]]:
        cells = [written(costs[size][step]) for size in sizes]
        cells += [f"{exponent(smaller, larger, step, costs):.2f}" for smaller, larger in pairs]
        lines.append(f"| {step} | {' | '.join(cells)} |")
    return "\n".join(lines)


def exponent(smaller: int, larger: int, step: str, costs: Mapping[int, Mapping[str, Cost]]) -> float:
    """Return g where the time of a step grows as n^g from one size to the next."""
    return math.log(costs[larger][step].of_processors / costs[smaller][step].of_processors) / math.log(larger / smaller)


def written(cost: Cost) -> str:
    """Return a cost as a cell: seconds waited, seconds of processors, gigabytes.

    >>> written(Cost(123.4, 61.72, 1.25e9))
    '123 s (62), 1.2 GB'
    """
    waited, busy = (
        f"{number:,.0f}" if number >= 30 else f"{number:.1f}" for number in (cost.seconds, cost.of_processors)
    )
    return f"{waited} s ({busy}), {cost.memory / 1e9:.1f} GB"


if __name__ == "__main__":
    main()
