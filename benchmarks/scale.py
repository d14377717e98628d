"""What an extraction over 10,000 hours costs on 1, 8 and 64 GPUs: a simulation of slow nodes and of preemptions.

    python -m benchmarks.scale

The work is divided into parts, as `GenerateEmbeddings --num-shards=` divides it. A worker (a GPU with its cores) takes
the next part whenever it is free, starts the model, and computes. Nodes differ in speed, and some are slow; a worker
may be preempted at any moment: what it wrote is kept, the batch under way is lost, and after a wait in the queue the
part goes on on another node, with a new start. The survey before (headers, fingerprints) and the index after are done
by one machine, and no worker shortens them.

Wall time is from the first header to the index. GPU hours are those in which workers hold a GPU: starts, lost batches
and computing, not the waiting. Both are medians of many rounds with a seed; in brackets what nine of ten rounds stay
below.
"""

import argparse
import heapq
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

GPUS = (1, 8, 64)
PARTS_EACH = (1, 4)
RATES = (500, 2000, 5000)
ROUNDS, SEED = 200, 7
SECONDS_AN_HOUR = 3600


@dataclass(frozen=True)
class Job:
    """An extraction and where it runs. What is not measured is an assumption, and says so."""

    hours: float = 10_000
    """Of sound."""
    rate: float = 2000
    """Seconds of sound that a GPU of usual speed computes in a second: an assumption, until it is measured."""
    clip_seconds: float = 4.9
    """Mean of CETUC + Fake Voices."""
    clips_surveyed: float = 5_500
    """In a second, headers and fingerprints: measured, 182 s of a processor for a million (docs/benchmarks.md)."""
    clips_indexed: float = 13_500
    """In a second: measured, 74 s of a processor for a million (docs/benchmarks.md)."""
    start: float = 60
    """Seconds until a worker computes (imports, model, its part of the plan): an assumption."""
    queue: float = 300
    """Seconds that a preempted worker waits for another GPU, on average: an assumption."""
    preemptions: float = 0.1
    """An hour and worker: an assumption."""
    spread: float = 0.1
    """Standard deviation of the logarithm of the nodes' speeds: an assumption."""
    slow: float = 0.05
    """Share of the nodes that have half the speed (a busy disk, a hot GPU): an assumption."""
    batch: float = 80
    """Seconds of sound in a batch, which a preemption loses; two more may wait to be written."""

    @property
    def alone(self) -> float:
        """Seconds of survey and index, on one machine."""
        clips = self.hours * SECONDS_AN_HOUR / self.clip_seconds
        return clips / self.clips_surveyed + clips / self.clips_indexed


@dataclass(frozen=True)
class Spent:
    """What one round took, in hours."""

    wall: float
    gpu: float


def main() -> None:
    """Simulate every case and print the tables."""
    options = read_options()
    job = Job(hours=options.hours)
    print(f"{job.hours:,.0f} hours; survey and index, on one machine: {job.alone / SECONDS_AN_HOUR:.2f} hours\n")
    print("| × real time | GPUs | parts a GPU | wall time, hours | GPU hours |\n|---|---|---|---|---|")
    for rate, n_gpus, parts in product(options.rates, GPUS, options.parts):
        print(row_of(replace(job, rate=rate), n_gpus, parts))


def read_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="What an extraction costs on 1, 8 and 64 GPUs.")
    parser.add_argument("--hours", type=float, default=Job.hours, help="hours of sound (default 10000)")
    parser.add_argument("--rates", type=_numbers, default=RATES, help="× real time of a GPU (default 500,2000,5000)")
    parser.add_argument("--parts", type=_numbers, default=PARTS_EACH, help="parts a GPU (default 1,4)")
    return parser.parse_args()


def row_of(job: Job, n_gpus: int, parts_each: int) -> str:
    """Return a row of the table."""
    rng = np.random.default_rng(SEED)
    rounds = [simulate(job, n_gpus, n_gpus * parts_each, rng) for _ in range(ROUNDS)]
    cells = [
        "{:.2f} ({:.2f})".format(*np.quantile([getattr(spent, name) for spent in rounds], [0.5, 0.9]))
        for name in ("wall", "gpu")
    ]
    return f"| {job.rate:,.0f} | {n_gpus} | {parts_each} | {' | '.join(cells)} |"


def simulate(job: Job, n_workers: int, n_parts: int, rng: np.random.Generator) -> Spent:
    """Return what one round took.

    Parameters
    ----------
    job : Job
    n_workers : int
        GPUs.
    n_parts : int
        Equal parts of the work; a worker that is free takes the next one.
    rng : np.random.Generator
    """
    speeds = [draw_speed(job, rng) for _ in range(n_workers)]
    free = [(0.0, worker) for worker in range(n_workers)]
    gpu, end = 0.0, 0.0
    for _ in range(n_parts):
        at, worker = heapq.heappop(free)
        waited, held, speeds[worker] = compute_part(job, job.hours * SECONDS_AN_HOUR / n_parts, speeds[worker], rng)
        gpu += held
        end = max(end, at + waited + held)
        heapq.heappush(free, (at + waited + held, worker))
    return Spent((job.alone + end) / SECONDS_AN_HOUR, gpu / SECONDS_AN_HOUR)


def compute_part(job: Job, sound: float, speed: float, rng: np.random.Generator) -> tuple[float, float, float]:
    """Return the seconds that a part waits in the queue and holds a GPU, and the speed of the node it ended on.

    Parameters
    ----------
    job : Job
    sound : float
        Seconds of the part.
    speed : float
        Of the node, where 1 is usual.
    rng : np.random.Generator
    """
    waited, held, left = 0.0, 0.0, sound
    while True:
        needed = job.start + left / (job.rate * speed)
        lasts = rng.exponential(SECONDS_AN_HOUR / job.preemptions) if job.preemptions else np.inf
        if lasts >= needed:
            return waited, held + needed, speed
        done = max(0.0, (lasts - job.start) * job.rate * speed - rng.uniform(0, 3 * job.batch))
        left -= min(left, max(0.0, done))
        held += lasts
        waited += rng.exponential(job.queue)
        speed = draw_speed(job, rng)


def draw_speed(job: Job, rng: np.random.Generator) -> float:
    """Return the speed of a node, where 1 is usual."""
    speed = float(np.exp(job.spread * rng.standard_normal()))
    return speed / 2 if rng.random() < job.slow else speed


def _numbers(typed: str) -> tuple[int, ...]:
    return tuple(int(part) for part in typed.split(","))


if __name__ == "__main__":
    main()
