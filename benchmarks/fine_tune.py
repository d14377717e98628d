"""How many clips a second fine-tuning trains on: bf16 with fused attention against float32 with plain attention.

    python -m benchmarks.fine_tune --device=cuda

The network is that of `fab FineTune --backbone=wav2vec2 --head=linear --freeze=features`, of the true shape with random
weights, on windows of noise. A step is forward, backward and AdamW. Every way trains in turn in every round, and its
fastest round counts: other work on the machine only ever slows one down. Ways:

- bf16, fused: autocast to bfloat16, PyTorch's scaled_dot_product_attention;
- fp32, plain: float32, attention with its whole matrix in memory ("eager").

The first step of each way is not counted.
"""

import argparse
import time
import warnings

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from benchmarks.made_up import hardware
from src.detectors.fine_tuned import FineTuned, FineTunedConfig
from src.utils.devices import choose_device

WAYS = {"bf16, fused": (torch.bfloat16, "sdpa"), "fp32, plain": (torch.float32, "eager")}
"""Name -> type of the products, transformers' name of the attention."""


def main() -> None:
    """Measure, and print the table."""
    options = read_options()
    torch.manual_seed(7)
    networks = {way: make_network(options, attention) for way, (_, attention) in WAYS.items()}
    print(f"{options.model} of {options.backbone}, windows of {options.seconds:g} s; {hardware(options.device)}")
    print(f"{'batch':>6}  " + "  ".join(f"{way:>12}" for way in WAYS) + "  ratio   (clips a second)")
    for batch in options.batches:
        rates = dict.fromkeys(WAYS, 0.0)
        for _ in range(options.rounds):
            for way, (kind, _) in WAYS.items():
                rates[way] = max(rates[way], clips_a_second(networks[way], kind, batch, options))
        first, second = rates.values()
        print(f"{batch:>6}  {first:>12.2f}  {second:>12.2f}  {first / second:>5.2f}", flush=True)


def make_network(options: argparse.Namespace, attention: str) -> nn.Module:
    """Return the network on its device, with an attention of transformers' name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that its weights are random
        detector = FineTuned(FineTunedConfig(backbone=options.backbone, model=options.model, seconds=options.seconds))
        network = detector.build()
    network.encoder.model.set_attn_implementation(attention)
    return network.to(choose_device(options.device)).train()


def clips_a_second(network: nn.Module, kind: torch.dtype, batch: int, options: argparse.Namespace) -> float:
    """Return how many clips a second a round of training steps takes in."""
    device = next(network.parameters()).device
    optimizer = torch.optim.AdamW([each for each in network.parameters() if each.requires_grad], lr=1e-5)
    waveforms = torch.randn(batch, round(16_000 * options.seconds), device=device)
    labels = torch.arange(batch, device=device) % 2
    started = 0.0
    for step in range(options.steps + 1):
        if step == 1:
            wait(device)
            started = time.perf_counter()
        with torch.autocast(device.type, dtype=kind, enabled=kind is not torch.float32):
            logits = network(waveforms).logits
        cross_entropy(logits.float(), labels).backward()
        optimizer.step()
        optimizer.zero_grad()
    wait(device)
    return batch * options.steps / (time.perf_counter() - started)


def wait(device: torch.device) -> None:
    """Wait until a GPU has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Measure fine-tuning.")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--backbone", default="wav2vec2")
    parser.add_argument("--model", default="random:base", help="random:base, a hub id or a folder")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--batches", type=int, nargs="+", default=[4, 16, 64])
    parser.add_argument("--steps", type=int, default=10, help="steps of a round")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
