"""A detector from waveform to score: its windows, its network and its objective as one module without branches.

A detector looks at windows of one length: a longer clip is cut into the fewest that cover it, spread evenly, whose
scores are averaged; a shorter one is repeated, or padded with zeros (`src/detectors/training/windows.py`). The same
cutting is done here by arithmetic on the number of samples, so that one graph serves every length: window k of m begins
at round(k (n - l) / (m - 1)), m = ceil(n / l), and sample j of it is sample (start + j) mod n of the clip, which
repeats what is too short.

A fine-tuned model is told where zeros begin, and gives a clip the decision that it gives the clip alone. Here all clips
have one length, so the zeros are cut off in place of being masked: before models on waveforms, and behind Whisper,
which hears them.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from src.deploy.exporting.frames import FEWEST_SAMPLES_OF_WAVEFORM_MODELS
from src.deploy.exporting.sizes import larger, smaller
from src.detectors.contract import DetectorConfig, Output
from src.detectors.fine_tuned_network import FineTunedNetwork
from src.detectors.heads.frame import Frame, Standardise
from src.detectors.training.objectives import Objective
from src.detectors.training.windows import LEVEL, window_samples
from src.detectors.whisper_encoder import WhisperEncoder


class OnWindows(nn.Module):
    """Waveforms (b, n) -> scores (b,), the mean over the windows of each."""

    min_samples = 1

    def __init__(self, network: nn.Module, objective: Objective, config: DetectorConfig) -> None:
        super().__init__()
        self.network, self.objective = network, objective
        self.length, self.repeats = window_samples(config.seconds), config.padding == "repeat"
        self.pre_emphasis, self.even_level = config.pre_emphasis, config.even_level

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return the scores."""
        n_samples = waveforms.shape[1]
        count = (n_samples + self.length - 1) // self.length
        own = self.length if self.repeats else smaller(n_samples, self.length)
        if not self.repeats:
            waveforms = pad(waveforms, (0, larger(self.length - n_samples, 0)))
        windows = waveforms[:, self.places(n_samples, count)].flatten(0, 1)
        scores = self.objective.scores(self.decide(self.conditioned(windows, own), own))
        return scores.unflatten(0, (-1, count)).mean(dim=1)

    def places(self, n_samples: Any, count: Any) -> Tensor:
        """Return which sample of a clip stands where in its windows, shape (count, length)."""
        numbers = torch.arange(count, dtype=torch.float64)
        starts = (numbers * (n_samples - self.length) / numbers.amax(0).clamp(min=1)).round().long()
        places = starts[:, None] + torch.arange(self.length)
        return places - places // n_samples * n_samples if self.repeats else places

    def conditioned(self, windows: Tensor, own: Any) -> Tensor:
        """Return windows as the network sees them: pre-emphasised and brought to one level where it was trained so."""
        if self.pre_emphasis:
            emphasised = windows[:, 1:] - self.pre_emphasis * windows[:, :-1]
            windows = torch.cat([windows[:, :1], emphasised], dim=1)
        if self.even_level:
            level = windows[:, :own].double().square().mean(dim=1, keepdim=True).sqrt().float()
            windows = windows * torch.where(level > 0, LEVEL / level.clamp(min=1e-30), 1.0)
        return windows

    def decide(self, windows: Tensor, own: Any) -> Output:
        """Return what the network says of windows (b, length), of which the first `own` samples are the clips'."""
        output: Output = self.network(windows)
        return output


class OfFineTuned(OnWindows):
    """A fine-tuned model, which does not look at the zeros behind a clip."""

    network: FineTunedNetwork

    def __init__(self, network: FineTunedNetwork, objective: Objective, config: DetectorConfig) -> None:
        super().__init__(network, objective, config)
        self.hears_zeros = isinstance(network.encoder, WhisperEncoder)
        if not self.hears_zeros and not self.repeats:
            self.min_samples = FEWEST_SAMPLES_OF_WAVEFORM_MODELS
        self.all_valid = isinstance(network.head, Frame)
        if self.all_valid:
            network.head.standardise = Everywhere(network.head.standardise)

    def decide(self, windows: Tensor, own: Any) -> Output:
        """Return what the network says of the clips' own samples."""
        if not (self.hears_zeros or self.repeats):
            windows = windows[:, :own]
        hidden, _ = self.network.encoder(windows)
        if self.hears_zeros:
            hidden = [layer[:, : self.network.encoder.count_frames(own)] for layer in hidden]  # type: ignore[operator]
        valid = torch.ones_like(hidden[-1][..., 0], dtype=torch.bool) if self.all_valid else None
        return self.network.decide(hidden, valid)


class Everywhere(nn.Module):
    """The standardisation of the head "frame" where all frames are valid: it needs no choice among them."""

    def __init__(self, standardise: Standardise) -> None:
        super().__init__()
        self.norm = standardise.norm

    def forward(self, frames: Tensor, valid: Tensor | None) -> Tensor:
        """Return frames (b, t, d), standardised."""
        normed: Tensor = self.norm(frames.transpose(1, 2))
        return normed.transpose(1, 2)


def windows_module(network: nn.Module, objective: Objective, config: DetectorConfig) -> OnWindows:
    """Return a detector's network with its windows and its objective, in front of the calibration."""
    kind = OfFineTuned if isinstance(network, FineTunedNetwork) else OnWindows
    return kind(network, objective, config)  # type: ignore[arg-type]
