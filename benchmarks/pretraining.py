"""Hours of speech that pretraining sees in an hour, on the waveform and on log-mel, in fp32 and in bf16.

    python -m benchmarks.pretraining
    python -m benchmarks.pretraining --steps=1 --batch-seconds=8    (to try it)

A step is the objective forward and backward, and AdamW, on made-up speech that lies in memory: reading recordings is
not counted, it takes place in other processes. The encoders are new ones of the size asked for. All ways take a step in
turn in every round, and the fastest round counts: other work on the machine only ever slows one down.

Operations are those of all matrix products and convolutions of a step, forward and backward, as PyTorch's
flop_counter counts them (a multiplication and an addition are two). The limit is the fastest square matrix product of
the same precision, measured in the same rounds.

    python -m benchmarks.pretraining --health --dataset=datasets/speech --hours-seen=2

shows instead what every objective learns from the pretext splits of a corpus: see `benchmarks/pretraining_health.py`.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.extract import products_per_second
from benchmarks.fine_tune import wait
from benchmarks.made_up import hardware
from src.audio.voices import draw_voice, speak
from src.pretraining import OBJECTIVES
from src.pretraining.beside_mel import make_objective
from src.pretraining.contract import SIZES, Objective, PretrainingConfig
from src.pretraining.encoders import new_encoder
from src.pretraining.masks import draw_masks
from src.utils.devices import DTYPES, choose_device, use_tf32

WAYS = [(front_end, precision) for front_end in ("conv", "mel") for precision in ("fp32", "bf16")]
SEED = 7


@dataclass
class Measured:
    """What was found out about one way."""

    parameters: int
    operations: float
    """Of a step."""
    seconds: float = float("inf")
    """Of the fastest step."""


def main() -> None:
    """Measure, and print the table."""
    options = read_options()
    if options.health:
        from benchmarks.pretraining_health import show_health

        show_health(options)
        return
    device = choose_device(options.device)
    use_tf32(device, False)
    steps = {way: prepare(*way, options, device) for way in WAYS}
    found = {way: Measured(step.parameters, count_operations(step)) for way, step in steps.items()}
    for step in steps.values():
        seconds_of(step, device)  # memory is claimed, kernels are chosen
    limits = dict.fromkeys(("fp32", "bf16"), 0.0)
    for _ in range(options.steps):
        for precision in limits:
            limits[precision] = max(limits[precision], limit_of(precision, device))
        for way, step in steps.items():
            found[way].seconds = min(found[way].seconds, seconds_of(step, device))
    print_table(options, found, limits)


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--device", default="auto", help="cuda, cpu or auto (default auto)")
    parser.add_argument("--objective", default="best-rq", choices=tuple(OBJECTIVES))
    parser.add_argument("--size", default="small", choices=tuple(filter(None, SIZES)))
    parser.add_argument("--batch-seconds", type=float, default=16.0, help="of speech in a step (default 16)")
    parser.add_argument("--steps", type=int, default=5, help="rounds, in which each way takes a step (default 5)")
    health = parser.add_argument_group("what objectives learn")
    health.add_argument("--health", action="store_true", help="pretrain every objective, in place of timing steps")
    health.add_argument("--dataset", default="datasets/release", help="corpus with pretext splits")
    health.add_argument("--hours-seen", type=float, default=1.0, help="of speech, by each pretraining (default 1)")
    health.add_argument("--objectives", default="wav2vec2,hubert,best-rq,mel", help="separated by commas")
    health.add_argument("--seeds", default="1,2,3", help="separated by commas (default 1,2,3)")
    health.add_argument("--front-end", default="mel", choices=("mel", "conv"))
    health.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    health.add_argument("--teacher", default="", help="folder of the model that the objective distill follows")
    health.add_argument("--root", default="", help="keeps runs/ with the pretrainings (default: they are dropped)")
    return parser.parse_args()


@dataclass(frozen=True)
class Step:
    """A training step of one way, taken when called."""

    objective: Objective
    optimizer: torch.optim.Optimizer
    precision: str
    batch: dict[str, Tensor]

    @property
    def parameters(self) -> int:
        """How many numbers the model has, which a pretraining leaves behind."""
        return sum(each.numel() for each in self.objective.encoder.model.parameters())

    def __call__(self) -> None:
        """Forward, backward, AdamW."""
        device = self.batch["heard"].device
        with torch.autocast(device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            loss = self.objective(**self.batch)["loss"]
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


def prepare(front_end: str, precision: str, options: argparse.Namespace, device: torch.device) -> Step:
    """Return a step on a batch of crops of 4 s; its objective has learnt what it learns before the first one."""
    settings = {"objective": options.objective, "front_end": front_end, "size": options.size}
    config = PretrainingConfig.from_mapping(settings)
    rng = np.random.default_rng(SEED)
    n_crops = max(1, round(options.batch_seconds / config.crop_seconds))
    crops = np.stack([speak(draw_voice("FM"[i % 2], rng), config.crop_seconds, rng) for i in range(n_crops)])
    torch.manual_seed(SEED)
    objective = make_objective(new_encoder(config), config)
    objective.start(crops)
    shape = n_crops, objective.encoder.count_frames(crops.shape[1])
    masks = draw_masks((SEED,), shape, objective.mask_share, objective.mask_span)
    arrays = {"heard": crops, "clean": crops, "masks": masks, **objective.draw(rng, masks)}
    batch = {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}
    objective.to(device).train()
    return Step(objective, torch.optim.AdamW(objective.parameters(), lr=1e-4), precision, batch)


def count_operations(step: Step) -> float:
    """Return the operations of a step, with plain attention: the fused kernels of a CPU are not counted."""
    model = step.objective.encoder.model
    attention = model.config._attn_implementation
    model.set_attn_implementation("eager")
    with FlopCounterMode(display=False) as counter:
        step()
    model.set_attn_implementation(attention)
    return float(counter.get_total_flops())


def seconds_of(step: Callable[[], Any], device: torch.device) -> float:
    """Return how long a step takes."""
    wait(device)
    started = time.perf_counter()
    step()
    wait(device)
    return time.perf_counter() - started


def limit_of(precision: str, device: torch.device) -> float:
    """Return the operations per second of a large matrix product."""
    sizes = (1024, 2048) if device.type == "cpu" else (4096, 8192)
    return max(products_per_second(size, device, DTYPES[precision]) for size in sizes)


def print_table(options: argparse.Namespace, found: dict[tuple[str, str], Measured], limits: dict[str, float]) -> None:
    """Print a line for each way."""
    print(f"{options.objective}, {options.size}, batches of {options.batch_seconds:g} s; {hardware(options.device)}")
    print("matrix products: " + ", ".join(f"{rate / 1e12:.3g} TFLOP/s in {name}" for name, rate in limits.items()))
    print(f"{'':12} {'parameters':>12} {'s a step':>9} {'hours an hour':>14} {'GFLOP a speech s':>18} {'of limit':>9}")
    for (front_end, precision), way in found.items():
        share = way.operations / way.seconds / limits[precision]
        print(
            f"{front_end + ', ' + precision:12} {way.parameters:>12,} {way.seconds:>9.3g} "
            f"{options.batch_seconds / way.seconds:>14,.4g} {way.operations / options.batch_seconds / 1e9:>18.3g} "
            f"{share:>9.1%}"
        )


if __name__ == "__main__":
    main()
