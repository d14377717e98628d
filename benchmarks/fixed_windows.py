"""How many windows Whisper and AST should be given at once, and how fast they are beside wav2vec2.

    python -m benchmarks.fixed_windows

Their windows are fixed, 30 s and 10.24 s: a clip of 5 s costs a whole one, and clips of a batch share nothing but the
weights. In one run, in turn, for each number of threads: the same clips of one length, 1, 2, 4 and 8 at once, by models
of the shape of the published ones with random weights. A cell holds seconds of sound computed in a second, of the
fastest round; as all clips are as long, wav2vec2 pads nothing either.
"""

import argparse
import time
import warnings
from collections.abc import Sequence

import numpy as np
import torch

from benchmarks.made_up import MEAN_SECONDS, hardware
from src.audio.voices import draw_voice, speak
from src.backbones import load_backbone
from src.backbones.contract import Backbone

RATE = 16_000
BACKBONES = ("whisper", "ast", "wav2vec2")


def main() -> None:
    """Measure everything and print the table."""
    options = read_options()
    clips = draw_clips(max(options.at_once), options.seconds)
    print(f"{len(clips)} clips of {options.seconds:g} s, {options.precision}; {hardware('cpu')}")
    print(f"{'':10}{'threads':>8}" + "".join(f"{f'{width} at once':>11}" for width in options.at_once))
    for name in options.backbones:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".* has random weights")
            backbone = load_backbone(name, options.model, device="cpu", precision=options.precision)
        for threads in options.threads:
            torch.set_num_threads(threads)
            seconds = measure(backbone, clips, options.at_once, options.rounds)
            rates = "".join(f"{len(clips) * options.seconds / each:11.1f}" for each in seconds.values())
            print(f"{name:10}{threads:8}{rates}", flush=True)


def read_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="How many fixed windows should be computed at once.")
    parser.add_argument("--backbones", type=lambda text: text.split(","), default=list(BACKBONES))
    parser.add_argument("--model", default="random:base")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--seconds", type=float, default=MEAN_SECONDS, help="length of a clip, 10 at most")
    parser.add_argument("--at-once", type=whole_numbers, default=[1, 2, 4, 8])
    parser.add_argument("--threads", type=whole_numbers, default=[1, torch.get_num_threads()])
    parser.add_argument("--rounds", type=int, default=2, help="the fastest is printed")
    return parser.parse_args()


def whole_numbers(text: str) -> list[int]:
    """Read numbers separated by commas."""
    return [int(part) for part in text.split(",")]


def draw_clips(count: int, seconds: float) -> np.ndarray:
    """Return clips of synthetic speech, shape (count, n), float32."""
    rng = np.random.default_rng(7)
    n_samples = int(seconds * RATE)
    return speak(draw_voice("F", rng), count * seconds + 1, rng)[: count * n_samples].reshape(count, -1)


def measure(backbone: Backbone, clips: Sequence[np.ndarray], at_once: Sequence[int], rounds: int) -> dict[int, float]:
    """Return the least seconds that all clips took, so many at once; the first clip warms up."""
    backbone.statistics(clips[:1])
    taken: dict[int, list[float]] = {width: [] for width in at_once}
    for _ in range(rounds):
        for width, seconds in taken.items():
            started = time.perf_counter()
            for first in range(0, len(clips), width):
                backbone.statistics(clips[first : first + width])
            seconds.append(time.perf_counter() - started)
    return {width: min(seconds) for width, seconds in taken.items()}


if __name__ == "__main__":
    main()
