"""How fast embeddings are extracted, compared with the plain way and with the limit of the hardware.

    python -m benchmarks.extract

In one run, one after another, on the same clips and a model of wav2vec2-base's shape with random weights:

(a) one clip at a time in float32, the last hidden state averaged, a file for each clip;
(t) transformers at its best: batches of clips of like lengths, padded by its own extractor, in the automatic precision;
    what it gives differs from what each clip gives alone, because padding changes the first normalisation;
(b) this project's engine in float32, every layer kept;
(c) the engine in its automatic precision;
(d) the same, stopping at layer 6;
(o) the engine in its automatic precision, with all cores on one batch after another, where (c) gives each core a batch.

Every measurement has its own process, which loads the model, warms up on a few clips, and then takes the time. The last
line holds the ratios. `benchmarks/stages.py` says where the time goes.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.made_up import (
    MEAN_SECONDS,
    SHAPES,
    SPLIT,
    draw_seconds,
    flops_of_second,
    hardware,
    save_model,
    write_clips,
)
from src.audio.io import SPEECH_RATE
from src.backbones import load_backbone
from src.backbones.self_supervised import MOST_SECONDS
from src.experiments.corpus.splits import read_split
from src.experiments.extraction.batches import gather_batches
from src.experiments.extraction.extract import extract
from src.experiments.extraction.plan import make_plan
from src.experiments.extraction.readers import read_ahead, read_lengths
from src.experiments.extraction.requests import Extraction, Request
from src.utils.devices import DTYPES, choose_device, choose_precision, use_tf32

VARIANTS = {
    "a": ("one clip at a time, fp32, last layer", "fp32", None),
    "t": ("transformers, batches of like lengths", "auto", None),
    "b": ("engine, fp32, every layer", "fp32", None),
    "c": ("engine, automatic precision, every layer", "auto", None),
    "d": ("engine, automatic precision, layers 0-6", "auto", "0-6"),
    "o": ("as (c), all cores on each batch", "auto", None),
}
"""Name -> what it is, precision, layers."""
WARM_UP_CLIPS = 8
GROWTH = (100, 1_000, 10_000)
GROWTH_SECONDS = 0.25


def main() -> None:
    """Measure everything and print the table."""
    options = read_options()
    if options.measure:
        print(json.dumps(MEASUREMENTS[options.measure](options)))
        return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        rng = np.random.default_rng(7)
        seconds = draw_seconds(options.clips, options.mean_seconds, rng)
        total = write_clips(folder / "clips", seconds, rng)
        write_clips(folder / "warm_up", draw_seconds(WARM_UP_CLIPS, options.mean_seconds, rng), rng)
        save_model(folder / "model", options.shape)
        print(f"{options.shape}, {options.clips} clips, {total / 60:.1f} minutes of sound; {hardware(options.device)}")
        found: dict[str, list[dict[str, Any]]] = {}
        with other_programs(options.beside):
            for _ in range(options.rounds):
                for name in ("limit", "decode", *VARIANTS):
                    found.setdefault(name, []).append(in_own_process(name, folder, options))
        medians = {name: median_of(results) for name, results in found.items()}
        print_table(medians, seconds, folder / "model")
        if options.growth:
            print_growth(folder, options, rng)
        print_ratios({name: medians[name]["seconds"] for name in VARIANTS})


def read_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="How fast embeddings are extracted.")
    parser.add_argument("--shape", default="wav2vec2-base", choices=SHAPES, help="shape of the model")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:1")
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--mean-seconds", type=float, default=MEAN_SECONDS, help="mean length of the clips")
    parser.add_argument("--rounds", type=int, default=2, help="the median is printed")
    parser.add_argument("--beside", type=int, default=0, help="other programs that keep a core each busy meanwhile")
    parser.add_argument("--growth", action="store_true", help="also how cost grows with the number of clips")
    parser.add_argument("--measure", default="", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, default=None, help=argparse.SUPPRESS)
    return parser.parse_args()


@contextmanager
def other_programs(count: int) -> Iterator[None]:
    """Keep so many cores busy inside the block."""
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def in_own_process(name: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Take one measurement in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.extract", f"--measure={name}", f"--folder={folder}"]
    command += [f"--shape={options.shape}", f"--device={options.device}"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure_transformers(options: argparse.Namespace) -> dict[str, Any]:
    """Measure transformers' own model: read, run, average, save; one clip after another, or batches of like lengths."""
    import soundfile
    from transformers import AutoFeatureExtractor, AutoModel

    device = choose_device(options.device)
    precision = choose_precision(VARIANTS[options.measure][1], device)
    use_tf32(device, precision == "tf32")
    model = AutoModel.from_pretrained(options.folder / "model", dtype=DTYPES[precision]).to(device).eval()
    extractor = AutoFeatureExtractor.from_pretrained(options.folder / "model", return_attention_mask=True)
    target = options.folder / options.measure
    target.mkdir(exist_ok=True)

    def extract_all(dataset: Path) -> None:
        files = read_split(dataset, SPLIT)["file"].tolist()
        for batch in [[file] for file in files] if options.measure == "a" else batches_of(dataset, files, device):
            waveforms = [soundfile.read(dataset / file, dtype="float32")[0] for file in batch]
            made = extractor(waveforms, sampling_rate=SPEECH_RATE, padding=True, return_tensors="pt").to(device)
            mask = {"attention_mask": made.attention_mask} if len(batch) > 1 else {}
            with torch.inference_mode():
                hidden = model(made.input_values.to(DTYPES[precision]), **mask).last_hidden_state
            counts = model._get_feat_extract_output_lengths(made.attention_mask.sum(dim=1)).tolist()
            for file, frames, count in zip(batch, hidden, counts, strict=True):
                np.save(target / f"{Path(file).stem}.npy", frames[:count].mean(dim=0).float().cpu().numpy())

    extract_all(options.folder / "warm_up")
    started = time.perf_counter()
    extract_all(options.folder / "clips")
    return {"seconds": time.perf_counter() - started, "precision": precision, **memory_used()}


def batches_of(dataset: Path, files: list[str], device: torch.device) -> list[list[str]]:
    """Return the batches of like lengths in which the engine computes clips."""
    lengths = {file: length.samples(SPEECH_RATE) for file, length in read_lengths(dataset, files).items()}
    most = MOST_SECONDS["cuda" if device.type == "cuda" else "cpu"] * SPEECH_RATE
    units = gather_batches(lengths, batch_samples=most, window_samples=1e9)
    return [[piece.file for piece in batch] for unit in units for batch in unit]


def measure_engine(options: argparse.Namespace) -> dict[str, Any]:
    """Measure planning and extraction, after a warm-up on a few clips."""
    _, precision, layers = VARIANTS[options.measure]
    family, _, _ = SHAPES[options.shape]
    model = str(options.folder / "model")
    backbone: Any = load_backbone(family, model, device=options.device, precision=precision, layers=layers)
    if options.measure == "o":
        backbone.twins = lambda *_: [backbone]

    def extract_all(dataset: Path, root: Path) -> tuple[Extraction, float]:
        started = time.perf_counter()
        request = Request(dataset, [SPLIT], family, model, options.device, precision, layers)
        (part,) = make_plan(request, root=root).splits
        return extract(part, backbone, request), time.perf_counter() - started

    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        extract_all(options.folder / "warm_up", Path(place))
        done, seconds = extract_all(options.folder / "clips", Path(place))
    return {
        "seconds": seconds,
        "waited": done.waited / seconds,
        "precision": backbone.identity()["precision"],
        "last_layer": backbone.layers[-1],
        **memory_used(),
    }


def measure_decoding(options: argparse.Namespace) -> dict[str, Any]:
    """Measure reading alone: the reading processes decode, check and hand over the clips, which are then dropped."""

    def read_all(dataset: Path) -> float:
        files = read_split(dataset, SPLIT)["file"].tolist()
        lengths = {file: length.samples(SPEECH_RATE) for file, length in read_lengths(dataset, files).items()}
        units = gather_batches(lengths, batch_samples=16 * 16_000, window_samples=1e9)
        batches = [batch for unit in units for batch in unit]
        started = time.perf_counter()
        for _ in read_ahead(dataset, batches, rate=SPEECH_RATE, min_samples=400):
            pass
        return time.perf_counter() - started

    read_all(options.folder / "warm_up")
    return {"seconds": read_all(options.folder / "clips")}


def measure_limit(options: argparse.Namespace) -> dict[str, Any]:
    """Measure the operations per second of large matrix products in fp32 and in the automatic precision."""
    device = choose_device(options.device)
    found: dict[str, Any] = {"seconds": 0.0}
    for precision in dict.fromkeys(("fp32", choose_precision("auto", device))):
        use_tf32(device, precision == "tf32")
        found[precision] = max(
            products_per_second(size, device, DTYPES[precision])
            for size in ((1024, 2048) if device.type == "cpu" else (4096, 8192))
        )
    return found


def products_per_second(size: int, device: Any, dtype: Any) -> float:
    """Return the highest rate of a square matrix product, in operations per second."""
    one, other = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    wait: Callable[[], None] = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    best = 0.0
    for _ in range(10):
        wait()
        started = time.perf_counter()
        torch.matmul(one, other)
        wait()
        best = max(best, 2 * size**3 / (time.perf_counter() - started))
    return best


MEASUREMENTS = {
    "a": measure_transformers,
    "t": measure_transformers,
    "b": measure_engine,
    "c": measure_engine,
    "d": measure_engine,
    "o": measure_engine,
    "decode": measure_decoding,
    "limit": measure_limit,
}


def memory_used() -> dict[str, float]:
    """Return the peak memory of this process in GB, and that on a GPU where there is one."""
    used = {"memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6}
    if torch.cuda.is_available():
        used["gpu_memory"] = torch.cuda.max_memory_allocated() / 1e9
    return used


def median_of(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the median of every number of several measurements."""
    return {
        key: float(np.median([result[key] for result in results])) if isinstance(value, float) else value
        for key, value in results[0].items()
    }


def print_table(found: dict[str, dict[str, Any]], clip_seconds: np.ndarray, model: Path) -> None:
    """Print a line for each way, with its share of the limit of matrix products at its precision."""
    from transformers import AutoConfig

    config, total = AutoConfig.from_pretrained(model), clip_seconds.sum()
    print(f"decoding alone: {total / found['decode']['seconds']:,.0f} x real time")
    limits = {key: value for key, value in found["limit"].items() if key != "seconds"}
    print("matrix products: " + ", ".join(f"{rate / 1e12:.2f} TFLOP/s in {name}" for name, rate in limits.items()))
    print(f"{'':44} {'x real time':>11} {'TFLOP/s':>8} {'of limit':>8} {'waited':>7} {'memory':>8}")
    for name, (what, _, _) in VARIANTS.items():
        result = found[name]
        last_layer = result.get("last_layer", config.num_hidden_layers)
        flops = sum(seconds * flops_of_second(config, seconds, last_layer) for seconds in clip_seconds)
        rate = flops / result["seconds"]
        share = rate / limits[result.get("precision", "fp32")]
        waited = f"{result['waited']:.1%}" if "waited" in result else ""
        memory = f"{result.get('gpu_memory', result['memory']):.1f} GB"
        line = f"{total / result['seconds']:11,.1f} {rate / 1e12:8.2f} {share:8.0%} {waited:>7} {memory:>8}"
        print(f"({name}) {what:40} {line}")


def print_growth(folder: Path, options: argparse.Namespace, rng: np.random.Generator) -> None:
    """Print the time per short clip in corpora of growing size."""
    (folder / "clips").rename(folder / "clips_of_the_table")
    for n_clips in GROWTH:
        write_clips(folder / "clips", np.full(n_clips, GROWTH_SECONDS), rng)
        result = in_own_process("c", folder, options)
        (folder / "clips").rename(folder / f"clips_{n_clips}")
        cost = 1000 * result["seconds"] / n_clips
        print(f"{n_clips:6,} clips of {GROWTH_SECONDS} s: {cost:.2f} ms per clip, {result['memory']:.2f} GB of memory")


def print_ratios(seconds: dict[str, float]) -> None:
    """Print the ratios as the last line."""
    print(
        f"ratios: b/a {seconds['a'] / seconds['b']:.2f}, c/a {seconds['a'] / seconds['c']:.2f}, "
        f"c/t {seconds['t'] / seconds['c']:.2f}, d/c {seconds['c'] / seconds['d']:.2f}, "
        f"c/o {seconds['o'] / seconds['c']:.2f} times as fast"
    )


if __name__ == "__main__":
    main()
