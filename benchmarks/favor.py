"""How close FAVOR+ comes to exact attention, and how its time grows with the number of frames.

    python -m benchmarks.favor

The first table holds the error of one head by the number of random features: the root mean squared difference to exact
attention over that of its output, median of several draws of the directions. Columns are named by the standard
deviation of queries and keys and by the kind of directions: the farther queries and keys spread, the sharper is
attention, and the harder to estimate. A training starts at about 0.5.

The second table holds the time of a forward pass by the number of frames, each way in turn in every round, the least of
all rounds. On a CPU it is processor time, summed over threads, which other work on the machine disturbs least:

- FAVOR+, `src.detectors.favor.favor_attention`;
- fused: PyTorch's `scaled_dot_product_attention`, which computes exact attention in blocks;
- plain: softmax(query key^T / sqrt(d)) value, with the whole matrix in memory (1 GB a head for 16,000 frames, twice).

Two pictures, favor_error.png and favor_time.png, show the same.
"""

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from benchmarks.made_up import hardware
from src.detectors.favor import draw_directions, favor_attention
from src.utils.devices import choose_device, keep_freed_memory
from src.visualize.style import BLACK, DPI, GREEN, GREY, ORANGE, PURPLE, SKY, new_figure

SEED = 7
FRAMES_OF_ERROR = 512
CASES = {
    "0.25, orthogonal": (0.25, True, GREEN),
    "0.25, independent": (0.25, False, PURPLE),
    "0.5, orthogonal": (0.5, True, ORANGE),
    "1, orthogonal": (1.0, True, SKY),
}
"""Name -> standard deviation of queries and keys, whether directions are orthogonal, colour."""
WAYS = {"FAVOR+": GREEN, "fused": ORANGE, "plain": PURPLE}
"""Name of a way in the table and the picture -> colour."""
Errors = dict[str, list[float]]
Times = dict[str, list[float]]


def main() -> None:
    """Measure both, print the tables and draw the pictures."""
    options = read_options()
    shape = f"{options.heads} head{'s' * (options.heads > 1)} of {options.dimension}"
    print(f"{shape}, {torch.get_num_threads()} thread(s); {hardware(options.device)}")
    errors = measure_errors(options)
    print_errors(options.features, errors)
    with torch.inference_mode():
        times = measure_times(options)
    print_times(options.frames, times)
    options.folder.mkdir(parents=True, exist_ok=True)
    error_figure(options.features, errors).savefig(options.folder / "favor_error.png", dpi=DPI)
    time_figure(options.frames, times).savefig(options.folder / "favor_time.png", dpi=DPI)


def read_options() -> argparse.Namespace:
    """Return the options of the command line."""
    numbers = {"type": lambda text: [int(part) for part in text.split(",")]}
    parser = argparse.ArgumentParser(description="How close FAVOR+ comes to exact attention, and how its time grows.")
    parser.add_argument("--features", **numbers, default=[16, 32, 64, 128, 256, 512, 1024], help="of the errors")
    parser.add_argument("--draws", type=int, default=15, help="of the directions, for each error")
    parser.add_argument("--frames", **numbers, default=[1_000, 2_000, 4_000, 8_000, 16_000], help="of the times")
    parser.add_argument("--timed-features", type=int, default=256, help="of FAVOR+ where it is timed")
    parser.add_argument("--rounds", type=int, default=5, help="of the times")
    parser.add_argument("--heads", type=int, default=1)
    parser.add_argument("--dimension", type=int, default=64, help="of a head")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder", type=Path, default=Path(), help="where the pictures are written")
    return parser.parse_args()


def measure_errors(options: argparse.Namespace) -> Errors:
    """Return the median relative error of each case, by the number of features."""
    source = torch.Generator().manual_seed(SEED)
    shape = (3, 1, 1, FRAMES_OF_ERROR, options.dimension)
    query, key, value = torch.randn(shape, generator=source)
    found: Errors = {}
    for name, (spread, orthogonal, _) in CASES.items():
        inputs = spread * query, spread * key, value
        exact = scaled_dot_product_attention(*inputs)
        found[name] = []
        for features in options.features:
            drawn = [directions(features, options.dimension, orthogonal, source) for _ in range(options.draws)]
            away = [float((favor_attention(*inputs, each) - exact).norm() / exact.norm()) for each in drawn]
            found[name].append(float(np.median(away)))
    return found


def directions(features: int, dimension: int, orthogonal: bool, source: torch.Generator) -> Tensor:
    """Draw directions, orthogonal in groups or independent of each other."""
    if orthogonal:
        return draw_directions(features, dimension, source)
    return torch.randn(features, dimension, generator=source)


def measure_times(options: argparse.Namespace) -> Times:
    """Return the least seconds of each way, by the number of frames."""
    device = choose_device(options.device)
    if device.type == "cpu":
        keep_freed_memory()  # of all ways; otherwise most of the time is spent asking for memory
    source = torch.Generator().manual_seed(SEED)
    fixed = draw_directions(options.timed_features, options.dimension, source).to(device)
    ways: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
        "FAVOR+": lambda query, key, value: favor_attention(query, key, value, fixed),
        "fused": scaled_dot_product_attention,
        "plain": plain_attention,
    }
    found: Times = {name: [] for name in ways}
    for frames in options.frames:
        inputs = torch.randn(3, 1, options.heads, frames, options.dimension, generator=source).to(device).unbind()
        for way in ways.values():
            seconds(way, inputs)  # not counted: the first pass asks for memory
        rounds = [[seconds(way, inputs) for way in ways.values()] for _ in range(options.rounds)]
        for name, least in zip(ways, np.min(rounds, axis=0), strict=True):
            found[name].append(float(least))
    return found


def plain_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return exact attention by its formula."""
    scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
    return scores.softmax(dim=-1) @ value


def seconds(way: Callable[..., Tensor], inputs: tuple[Tensor, ...]) -> float:
    """Return the seconds of a forward pass."""
    clock = time.process_time if inputs[0].device.type == "cpu" else time.perf_counter
    started = clock()
    way(*inputs).sum().item()  # the sum waits for a GPU
    return clock() - started


def print_errors(features: list[int], errors: Errors) -> None:
    """Print the first table."""
    print(f"\n{'error':>8}" + "".join(f"{name:>20}" for name in errors))
    for number, count in enumerate(features):
        print(f"{count:8,}" + "".join(f"{100 * column[number]:18.1f} %" for column in errors.values()))


def print_times(frames: list[int], times: Times) -> None:
    """Print the second table, with ratios, and the exponent g by which seconds grow as n^g over the longer half."""
    print(f"\n{'frames':>8}" + "".join(f"{name:>12}" for name in times) + f"{'fused/FAVOR+':>15}{'plain/FAVOR+':>15}")
    for number, count in enumerate(frames):
        favor, fused, plain = (column[number] for column in times.values())
        line = "".join(f"{1000 * value:9.1f} ms" for value in (favor, fused, plain))
        print(f"{count:8,}{line}{fused / favor:15.1f}{plain / favor:15.1f}")
    middle = len(frames) // 2
    if middle < len(frames) - 1:
        longer = math.log(frames[-1] / frames[middle])
        growth = (math.log(column[-1] / column[middle]) / longer for column in times.values())
        print(f"{'growth':>8}" + "".join(f"{exponent:12.2f}" for exponent in growth))


def error_figure(features: list[int], errors: Errors) -> Figure:
    """Draw the errors by the number of features, beside 1 / sqrt(features)."""
    figure, axes = new_figure()
    for name, values in errors.items():
        axes.plot(features, 100 * np.array(values), color=CASES[name][2], marker="o", label=name)
    first = next(iter(errors.values()))[-1] * features[-1] ** 0.5
    slope = 100 * first / np.sqrt(features)
    axes.plot(features, slope, color=GREY, linestyle=":", zorder=0, label="falls as 1 / √features")
    axes.set(xlabel="random features", ylabel="error against exact attention (%)", xscale="log", yscale="log")
    _plain_ticks(axes, features)
    title = "standard deviation of queries and keys, kind of directions"
    figure.legend(title=title, loc="outside lower center", ncols=3, frameon=False)
    return figure


def time_figure(frames: list[int], times: Times) -> Figure:
    """Draw the seconds by the number of frames."""
    figure, axes = new_figure()
    labels = {"FAVOR+": "FAVOR+", "fused": "exact, fused", "plain": "exact, plain"}
    for name, values in times.items():
        axes.plot(frames, values, color=WAYS[name], marker="o", label=labels[name])
    for power, style, words in ((1, ":", "grows as n"), (2, "--", "grows as n²")):
        start = times["FAVOR+" if power == 1 else "fused"][-1]
        line = start * (np.array(frames) / frames[-1]) ** power
        axes.plot(frames, line, color=BLACK, linewidth=0.8, linestyle=style, zorder=0, label=words)
    axes.set(xlabel="frames", ylabel="seconds of a forward pass (CPU: processor time)", xscale="log", yscale="log")
    _plain_ticks(axes, frames)
    axes.legend(frameon=False)
    return figure


def _plain_ticks(axes: Axes, places: list[int]) -> None:
    """Write numbers in full at the places measured, and at the ticks of the other axis."""
    axes.set_xticks(places, [f"{place:,}" for place in places])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


if __name__ == "__main__":
    main()
