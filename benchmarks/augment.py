"""What effects cost: hours of audio a minute through each of them and through the recipe `field`, beside reading.

    python -m benchmarks.augment --dataset=datasets/release

Clips of the corpus are read and then changed, in one process and one thread, in rounds that take turns with each
other; the median processor time counts. Of the recipe each clip draws steps of its own; the people of the corpus are
the babble. Rooms are computed before the clock runs, as a training computes each of them once. An effect is asked for
its middle strength. On the fly, `field` costs a training of S seconds of work for each second of sound the share field
/ (S + read).
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from src.audio.augment import EFFECTS
from src.audio.augment.contract import check_machine, find_effect
from src.audio.augment.recipes import read_recipe
from src.audio.augment.sources import Sources
from src.audio.augment.steps import Step, apply_steps, make_step
from src.audio.io import SPEECH_RATE, load_waveform
from src.utils.dataset import read_files
from src.utils.labels import parse_label

SEED = 7


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description="What effects cost beside reading the clips.")
    parser.add_argument("--dataset", type=Path, default=Path("datasets/release"))
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--recipe", default="field")
    options = parser.parse_args()
    files = read_files(options.dataset)
    people = tuple(files["file"][[parse_label(word) == 1 for word in files["label"]]])
    sources = Sources(options.dataset, people)
    chosen = np.linspace(0, len(files) - 1, min(options.clips, len(files))).astype(int)
    paths = [options.dataset / file for file in files["file"].iloc[chosen]]
    clips = [load_waveform(path) for path in paths]
    ways = ways_of(paths, clips, options.recipe, sources)
    for way in ways.values():
        way()
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, way in ways.items():
            started = time.process_time()
            way()
            taken[name].append(time.process_time() - started)
    print_table({name: float(np.median(times)) for name, times in taken.items()}, sum(map(len, clips)) / SPEECH_RATE)


def ways_of(
    paths: list[Path], clips: list[np.ndarray], recipe: str, sources: Sources
) -> dict[str, Callable[[], object]]:
    """Return what is timed, by name: reading, the recipe, and every effect that can be had."""
    rng = np.random.default_rng(SEED)
    drawn = [read_recipe(recipe).draw(rng, sources) for _ in clips]

    def by_recipe() -> None:
        for steps, clip in zip(drawn, clips, strict=True):
            apply_steps(steps, clip, SPEECH_RATE, sources)

    def by(step: Step) -> Callable[[], object]:
        return lambda: [apply_steps([step], clip, SPEECH_RATE, sources) for clip in clips]

    ways: dict[str, Callable[[], object]] = {"reading": lambda: list(map(load_waveform, paths)), recipe: by_recipe}
    for name in EFFECTS:
        effect = find_effect(name)
        try:
            check_machine(name)
            step = make_step(name, SEED, (), **effect.strengths[len(effect.strengths) // 2])
            count = int(step.parameters[effect.how_many]) if effect.how_many else 1
            recordings = sources.draw(effect.draws, count, rng) if effect.draws else ()
        except ValueError as error:
            print(f"left out: {error}")
            continue
        ways[name] = by(Step(name, step.parameters, SEED, recordings))
    return ways


def print_table(taken: dict[str, float], seconds: float) -> None:
    """Print milliseconds for each second of sound, hours of audio a minute, and the ratio to reading."""
    print(f"{seconds:.0f} s of sound\n{'':<22}{'ms a second':>12}{'hours a minute':>16}{'reading =':>11}")
    for name, time_taken in taken.items():
        hours = seconds / 60 / max(time_taken, 1e-9)
        print(f"{name:<22}{1000 * time_taken / seconds:12.2f}{hours:16.1f}{time_taken / taken['reading']:11.1f}")


if __name__ == "__main__":
    main()
