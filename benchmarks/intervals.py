"""How fast an EER is resampled over people, compared with the plain way.

    python -m benchmarks.intervals

In one run, one after another, on the same random scores:

- plain: the trials of the people drawn are copied, and their EER is computed again;
- ours: the trials are sorted once, and each draw is a set of weights.

Times are given per draw; the plain way makes few draws, since they are slow.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

from benchmarks.made_up import hardware
from src.metrics.bootstrap import Resamplings, Trials
from src.metrics.eer import detection_error_curve, equal_error_point
from src.metrics.resampled import resample_eer

SEPARATION = 3.0
"""Distance between the means of the classes, in standard deviations within a person."""


def main() -> None:
    """Measure both ways and print them."""
    options = read_options()
    rng = np.random.default_rng(7)
    people = rng.integers(0, options.people, options.trials)
    labels = (rng.random(options.trials) < 0.1).astype(int)
    offsets = rng.standard_normal((2, options.people))
    scores = SEPARATION * labels + offsets[labels, people] + rng.standard_normal(options.trials)
    trials = Trials(labels, people)
    few, many = (trials.draw(np.random.default_rng(7), n) for n in (options.plain_draws, options.draws))
    plain, ours = (seconds(way, scores, drawn) for way, drawn in ((resample_by_copies, few), (resample_eer, many)))
    per_draw = plain / options.plain_draws, ours / options.draws
    print(f"{options.trials:,} trials of {options.people} people; {hardware('cpu')}")
    print(f"plain: {1000 * per_draw[0]:.2f} ms per draw")
    print(f"ours: {1000 * per_draw[1]:.2f} ms per draw, {options.draws} draws in {ours:.1f} s")
    print(f"ratio: {per_draw[0] / per_draw[1]:.1f} times as fast")


def read_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="How fast an EER is resampled over people.")
    parser.add_argument("--trials", type=int, default=71_000)
    parser.add_argument("--people", type=int, default=67)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--plain-draws", type=int, default=50)
    return parser.parse_args()


def seconds(way: Callable[[np.ndarray, Resamplings], np.ndarray], scores: np.ndarray, drawn: Resamplings) -> float:
    """Return the seconds that one way takes."""
    started = time.perf_counter()
    way(scores, drawn)
    return time.perf_counter() - started


def resample_by_copies(scores: np.ndarray, drawn: Resamplings) -> np.ndarray:
    """Return the EER of every draw; each trial is copied as often as its person was drawn."""
    found = []
    for weights in drawn.weights_of_people:
        chosen = np.repeat(np.arange(len(scores)), weights[drawn.person])
        found.append(equal_error_point(*detection_error_curve(drawn.labels[chosen], scores[chosen]))[0])
    return np.array(found)


if __name__ == "__main__":
    main()
