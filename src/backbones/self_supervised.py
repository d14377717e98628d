"""Self-supervised speech models: waveforms of any lengths in one batch, every hidden layer's statistics out.

Every clip gives the frames that it would give alone; `padding.py` says how. Statistics are taken on the device as each
layer is computed and cross to the host once a batch, while the next batch runs. "bf16" runs the model in bfloat16 and
keeps the statistics in float32; half precision (fp16) is not offered: published runs report NaN with it.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch

from src.backbones.contract import Statistics, parse_layers
from src.backbones.padding import ValidGroupNorm, count_frames, pool_frames, samples_of_one_frame
from src.backbones.pretrained import displayed_name, load_pretrained
from src.utils.devices import DTYPES, choose_device, choose_precision, free_memory, keep_freed_memory, use_tf32

NORMALISATION_EPSILON = 1e-7
MOST_SECONDS = {"cpu": 16, "cuda": 512}
"""Larger batches are no faster: their arrays do not fit into a CPU's caches, and a GPU is busy already."""
COPIES_OF_FIRST_CONVOLUTION = 8
"""How often the output of the first convolution, by far the largest array, fits into what a batch needs."""


class SelfSupervisedBackbone:
    """A frozen speech model; layer 0 enters the transformer, its last layer leaves it."""

    def __init__(
        self, family: str, name: str, *, device: torch.device, precision: str, layers: str | None = None
    ) -> None:
        pretrained = load_pretrained(family, name)
        config, self.model = pretrained.config, pretrained.model
        self.family, self.name, self._digest = family, name, pretrained.digest
        self.normalise, self.rate = pretrained.normalise, pretrained.rate
        self.device, self.precision = device, precision
        self.layers = parse_layers(layers, config.num_hidden_layers + 1)
        self.dimension = config.hidden_size
        self._kernels, self._strides = config.conv_kernel, config.conv_stride
        self.min_samples = samples_of_one_frame(self._kernels, self._strides)
        self.batch_seconds = self._comfortable_seconds(config.conv_dim[0])
        self._closes = self.layers[-1] == config.num_hidden_layers  # the last layer is the model's own output
        encoder = self.model.encoder
        encoder.layers = encoder.layers[: max(1, self.layers[-1])]  # those above are never run
        self._norm = self._normalise_valid_frames_only()
        self.model.to(device=device, dtype=DTYPES[precision]).eval()
        use_tf32(device, precision == "tf32")
        if device.type == "cpu":
            keep_freed_memory()

    def identity(self) -> dict[str, Any]:
        """Return what decides the numbers."""
        return {
            "backbone": self.family,
            "model": displayed_name(self.name),
            "digest": self._digest,
            "precision": self.precision,
            "normalisation": "zero mean, unit variance" if self.normalise else "none",
            "rate": self.rate,
            "layers": list(self.layers),
            "dimension": self.dimension,
        }

    def frames(self, waveform: np.ndarray) -> np.ndarray:
        """Return the frames of one waveform of shape (n,): shape (layers, t, d), float32."""
        return torch.cat(self._run([waveform], torch.Tensor.float)).cpu().numpy()

    def begin(self, waveforms: Sequence[np.ndarray]) -> Callable[[], Statistics]:
        """Start computing the statistics of b waveforms of any lengths; the function returned waits for them."""
        n_frames = [count_frames(len(waveform), self._kernels, self._strides) for waveform in waveforms]
        lengths = torch.tensor(n_frames, device=self.device) if len(set(n_frames)) > 1 else None
        pooled = torch.stack(self._run(waveforms, partial(pool_frames, lengths=lengths)), dim=1)
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

    @torch.inference_mode()
    def _run(
        self, waveforms: Sequence[np.ndarray], reduce: Callable[[torch.Tensor], torch.Tensor]
    ) -> list[torch.Tensor]:
        """Run waveforms through the model; return `reduce` of the frames (b, t, d) of every layer that is kept."""
        samples = [len(waveform) for waveform in waveforms]
        inputs = self._pad(waveforms)
        mask = None
        if len({count_frames(n, self._kernels, self._strides) for n in samples}) > 1:
            mask = _valid(samples, inputs)
        if self._norm is not None:
            first = [count_frames(n, self._kernels[:1], self._strides[:1]) for n in samples]
            self._norm.lengths = first if len(set(samples)) > 1 else None
        reduced: dict[int, torch.Tensor] = {}
        with self._watch(lambda layer, frames: reduced.update({layer: reduce(frames)})), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask")  # WavLM's, of no effect
            output = self.model(inputs.to(DTYPES[self.precision]), attention_mask=mask)
        if self._closes:
            # "layer" models end in a normalisation after their last layer
            reduced[self.layers[-1]] = reduce(output.last_hidden_state)
        return [reduced[layer] for layer in self.layers]

    def _pad(self, waveforms: Sequence[np.ndarray]) -> torch.Tensor:
        """Return waveforms on the device, normalised if the model needs it, with zeros at the end: shape (b, n)."""
        samples = [len(waveform) for waveform in waveforms]
        batch = torch.zeros(len(samples), max(samples), pin_memory=self.device.type == "cuda")
        for row, waveform in zip(batch, waveforms, strict=True):
            row[: len(waveform)] = torch.from_numpy(np.asarray(waveform, dtype=np.float32))
        batch = batch.to(self.device, non_blocking=True)
        if not self.normalise:
            return batch
        counts = torch.tensor(samples, device=self.device)[:, None]
        centred = batch - batch.sum(dim=1, keepdim=True) / counts
        if len(set(samples)) > 1:
            centred *= _valid(samples, batch)
        variance = centred.square().sum(dim=1, keepdim=True) / counts
        return centred / (variance + NORMALISATION_EPSILON).sqrt()

    @contextmanager
    def _watch(self, visit: Callable[[int, torch.Tensor], None]) -> Iterator[None]:
        """Call `visit(layer, frames)` for each kept layer as it is computed, but for the model's last."""
        kept = set(self.layers[:-1] if self._closes else self.layers)
        handles = []
        for number, layer in enumerate(self.model.encoder.layers):
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

    def _normalise_valid_frames_only(self) -> ValidGroupNorm | None:
        """Replace the normalisation over time by `ValidGroupNorm`, where the model has one."""
        first = self.model.feature_extractor.conv_layers[0]
        if not isinstance(getattr(first, "layer_norm", None), torch.nn.GroupNorm):
            return None
        first.layer_norm = ValidGroupNorm(first.layer_norm)
        return first.layer_norm

    def _comfortable_seconds(self, channels: int) -> float:
        """Return how many seconds of audio half of the free memory holds, a power of two: equal from run to run."""
        bytes_of_second = self.rate / self._strides[0] * channels * DTYPES[self.precision].itemsize
        fitting = free_memory(self.device) / 2 / (COPIES_OF_FIRST_CONVOLUTION * bytes_of_second)
        most = MOST_SECONDS["cuda" if self.device.type == "cuda" else "cpu"]
        return min(most, 2.0 ** np.floor(np.log2(max(fitting, 1.0))))


def _visit_output(visit: Callable[[int, torch.Tensor], None], layer: int, _: Any, __: Any, output: Any) -> None:
    visit(layer, output[0] if isinstance(output, tuple) else output)  # WavLM's layers also return a position bias


def _valid(samples: Sequence[int], batch: torch.Tensor) -> torch.Tensor:
    """Return which samples of a padded batch (b, n) are valid."""
    lengths = torch.tensor(samples, device=batch.device)
    return torch.arange(batch.shape[1], device=batch.device) < lengths[:, None]


def load_family(family: str, name: str, *, device: str, precision: str, layers: str | None) -> SelfSupervisedBackbone:
    """Load a model of a family onto a device; `load_backbone` says what the options mean and what is raised."""
    chosen = choose_device(device)
    return SelfSupervisedBackbone(
        family, name, device=chosen, precision=choose_precision(precision, chosen), layers=layers
    )
