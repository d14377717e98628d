"""Pretrained speech models: waveforms of any lengths in one batch, every hidden layer's statistics out.

Here stands what all families share. A family adds its front end (`model_input.py`), which turns waveforms into the
model's input so that every clip gives the frames that it would give alone; `padding.py` says how. Statistics are taken
on the device as each layer is computed and cross to the host once a batch, while the next batch runs. "bf16" runs the
model in bfloat16 and keeps the statistics in float32; half precision (fp16) is not offered: published runs report NaN
with it.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from typing import Any

import numpy as np
import torch

from src.backbones.contract import Statistics, parse_layers
from src.backbones.model_input import ModelInput, Prepared
from src.backbones.padding import pool_frames
from src.backbones.pretrained import displayed_name, load_pretrained
from src.backbones.products import use_products, weights_of_products
from src.backbones.published import FAMILIES, choose_window
from src.utils.devices import (
    DTYPES,
    choose_device,
    choose_precision,
    counts_on,
    free_memory,
    keep_freed_memory,
    use_tf32,
)
from src.utils.registry import lookup

MOST_SECONDS = {"cpu": 16, "cuda": 512}
"""Larger batches are no faster: their arrays do not fit into a CPU's caches, and a GPU is busy already."""
MOST_SECONDS_OF_WINDOWS = 48
"""On a CPU, of models whose windows have one length: four of AST, one of Whisper (`benchmarks/fixed_windows.py`)."""
COPIES_OF_LARGEST_ARRAY = 8
"""How often the largest array (the output of the first convolution) fits into what a batch needs."""
MISMATCHED_MASKS = "Support for mismatched key_padding_mask"
"""The beginning of a warning."""
MODEL_INPUTS = {family: about.model_input for family, about in FAMILIES.items()}


class SelfSupervisedBackbone:
    """A frozen speech model; layer 0 enters the transformer, its last layer leaves it."""

    def __init__(
        self,
        family: str,
        name: str,
        *,
        device: torch.device,
        precision: str,
        layers: str | None = None,
        window: str | None = None,
    ) -> None:
        self.family, self.name, self.window = family, name, choose_window(family, window)
        self._pretrained = pretrained = load_pretrained(family, name)
        self.model, n_layers = pretrained.model, pretrained.config.num_hidden_layers
        self.device, self.precision, self.rate = device, precision, pretrained.rate
        self.layers = parse_layers(layers, n_layers + 1)
        self.dimension = pretrained.config.hidden_size
        self.model_input: ModelInput = lookup(MODEL_INPUTS, family, "family")(pretrained, device, self.window)
        self.min_samples = self.model_input.min_samples
        self.longest_seconds, self.padded_seconds = self.model_input.longest_seconds, self.model_input.padded_seconds
        self.batch_seconds = self._comfortable_seconds()
        self._closes = self.layers[-1] == n_layers  # the last layer is the model's own output
        holder, attribute = _holder_of_layers(self.model)
        self._layers = getattr(holder, attribute)[: max(1, self.layers[-1])]
        setattr(holder, attribute, self._layers)  # those above are never run
        self.model.to(device=device, dtype=DTYPES[precision]).eval()
        use_tf32(device, precision == "tf32")
        self._accelerated = False
        if device.type == "cpu":
            keep_freed_memory()

    def identity(self) -> dict[str, Any]:
        """Return what decides the numbers."""
        return {
            "backbone": self.family,
            "model": displayed_name(self.name),
            "digest": self._pretrained.digest,
            "precision": self.precision,
            "normalisation": self.model_input.normalisation,
            "rate": self.rate,
            "layers": list(self.layers),
            "dimension": self.dimension,
            **({"window": self.window} if self.window else {}),
            **({"random": True} if self._pretrained.random else {}),
        }

    def frames(self, waveform: np.ndarray) -> np.ndarray:
        """Return the frames of one waveform of shape (n,): shape (layers, t, d), float32."""
        return torch.cat(self._run([waveform], lambda frames, _: frames.float())[0]).cpu().numpy()

    def begin(self, waveforms: Sequence[np.ndarray]) -> Callable[[], Statistics]:
        """Start computing the statistics of b waveforms of any lengths; the function returned waits for them."""
        groups = self.model_input.grouped([len(waveform) for waveform in waveforms])
        if len(groups) > 1:
            return _in_order([self.begin([waveforms[place] for place in group]) for group in groups], groups)
        of_layers, n_frames = self._run(waveforms, pool_frames)
        pooled = torch.stack(of_layers, dim=1)
        if self.device.type != "cuda":
            return lambda: (pooled.numpy(), n_frames)
        on_host = torch.empty(pooled.shape, dtype=torch.float32, pin_memory=True)
        on_host.copy_(pooled, non_blocking=True)
        copied = torch.cuda.Event()
        copied.record(torch.cuda.current_stream(self.device))

        def wait() -> Statistics:
            copied.synchronize()
            return on_host.numpy(), n_frames

        return wait

    def statistics(self, waveforms: Sequence[np.ndarray]) -> Statistics:
        """Return the statistics of b waveforms of any lengths."""
        return self.begin(waveforms)()

    def twins(self, most: int, seconds: float) -> list["SelfSupervisedBackbone"]:
        """Return up to so many backbones of the same weights, this one first, each for a thread; on a GPU one.

        There are no more of them than there is memory for a batch of each, of as many seconds of sound.
        """
        if self.device.type != "cpu":
            return [self]
        self._accelerate()
        fitting = int(free_memory(self.device) / 2 / (self._bytes_of_second() * max(seconds, 1.0)))
        weights = [*self.model.parameters(), *self.model.buffers(), *weights_of_products(self.model)]
        shared = {id(weight): weight for weight in weights}
        return [self, *(deepcopy(self, dict(shared)) for _ in range(min(most, fitting) - 1))]

    @torch.inference_mode()
    def _run(
        self, waveforms: Sequence[np.ndarray], reduce: Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]
    ) -> tuple[list[torch.Tensor], list[int]]:
        """Run waveforms through the model; return `reduce(frames, lengths)` of every layer kept, and the lengths.

        Frames have the shape (b, t, d), t being the longest clip's; lengths (b,) are None where all are as long.
        """
        self._accelerate()
        prepared = self.model_input.prepare(waveforms)
        n_frames = prepared.n_frames
        lengths = counts_on(self.device, n_frames) if len(set(n_frames)) > 1 else None

        def reduced(hidden: torch.Tensor) -> torch.Tensor:
            return reduce(self.model_input.frames_of(hidden)[:, : max(n_frames)], lengths)

        return self.hidden_states(prepared, reduced), n_frames

    def _accelerate(self) -> None:
        """On a CPU, replace parts of the model by faster ones, before its first batch: until then it can be exported.

        With bfloat16, attention by plain products takes half of the time of the fused function there.
        """
        if self._accelerated or self.device.type != "cpu":
            return
        self._accelerated = True
        self.model_input.accelerate()
        use_products(self.model)
        if self.precision == "bf16":
            self.model.set_attn_implementation("eager")

    def hidden_states(self, prepared: Prepared, reduce: Callable[[torch.Tensor], torch.Tensor]) -> list[torch.Tensor]:
        """Call the model; return `reduce` of the hidden state of every layer that is kept, taken as it is computed."""
        mask = {} if prepared.mask is None else {"attention_mask": prepared.mask}
        reduced: dict[int, torch.Tensor] = {}
        _ignore_mismatched_masks()
        with self._watch(lambda layer, hidden: reduced.update({layer: reduce(hidden)})):
            output = self.model(prepared.inputs.to(DTYPES[self.precision]), **mask)
        if self._closes:
            # "layer" models end in a normalisation after their last layer
            reduced[self.layers[-1]] = reduce(output.last_hidden_state)
        return [reduced[layer] for layer in self.layers]

    @contextmanager
    def _watch(self, visit: Callable[[int, torch.Tensor], None]) -> Iterator[None]:
        """Call `visit(layer, frames)` for each kept layer as it is computed, but for the model's last."""
        kept = set(self.layers[:-1] if self._closes else self.layers)
        handles = []
        for number, layer in enumerate(self._layers):
            if number == 0 and 0 in kept:
                handles.append(layer.register_forward_pre_hook(lambda _, inputs: visit(0, inputs[0])))
            if number + 1 in kept:
                after = partial(_visit_output, visit, number + 1)
                handles.append(layer.register_forward_hook(after))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _comfortable_seconds(self) -> float:
        """Return how many seconds of audio half of the free memory holds, a power of two: equal from run to run."""
        fitting = free_memory(self.device) / 2 / self._bytes_of_second()
        most = MOST_SECONDS["cuda" if self.device.type == "cuda" else "cpu"]
        if self.padded_seconds:
            most = max(most, MOST_SECONDS_OF_WINDOWS)
        return min(most, 2.0 ** np.floor(np.log2(max(fitting, 1.0))))

    def _bytes_of_second(self) -> float:
        """Return how much memory a second of audio in a batch needs."""
        return COPIES_OF_LARGEST_ARRAY * self.model_input.numbers_a_second * DTYPES[self.precision].itemsize


def _ignore_mismatched_masks() -> None:
    """Let PyTorch not warn of WavLM's masks, which has no effect; for good, as threads share what is ignored."""
    if not any(about and about.pattern == MISMATCHED_MASKS for _, about, *_ in warnings.filters):
        warnings.filterwarnings("ignore", MISMATCHED_MASKS)


def _visit_output(visit: Callable[[int, torch.Tensor], None], layer: int, _: Any, __: Any, output: Any) -> None:
    visit(layer, output[0] if isinstance(output, tuple) else output)  # WavLM's layers also return a position bias


def _holder_of_layers(model: torch.nn.Module) -> tuple[torch.nn.Module, str]:
    """Return the module that holds a model's transformer layers, and the name under which it does."""
    for holder in (getattr(model, "encoder", model), model):
        for attribute in ("layers", "layer"):
            if isinstance(getattr(holder, attribute, None), torch.nn.ModuleList):
                return holder, attribute
    raise AssertionError(f"{type(model).__name__} has no transformer layers where they are looked for")


def _in_order(waits: Sequence[Callable[[], Statistics]], groups: Sequence[Sequence[int]]) -> Callable[[], Statistics]:
    """Return a function that waits for groups of clips and returns them in the order of the clips."""
    order = np.argsort([place for group in groups for place in group])

    def wait() -> Statistics:
        statistics, n_frames = zip(*(wait() for wait in waits), strict=True)
        counts = [count for of_group in n_frames for count in of_group]
        return np.concatenate(statistics)[order], [counts[place] for place in order]

    return wait


def load_family(
    family: str, name: str, *, device: str, precision: str, layers: str | None, window: str | None = None
) -> SelfSupervisedBackbone:
    """Load a model of a family onto a device; `load_backbone` says what the options mean and what is raised."""
    chosen = choose_device(device)
    return SelfSupervisedBackbone(
        family, name, device=chosen, precision=choose_precision(precision, chosen), layers=layers, window=window
    )
