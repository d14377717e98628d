"""The front end of Whisper, of which the encoder alone is used: it turns speech into frames, and transcribes nothing.

Log-mel of 80 bands every 10 ms, then two convolutions (the second of stride 2) make a frame every 20 ms. The encoder
takes windows of 30 s and no mask: shorter clips are padded with silence, which the encoder attends to, as it did in
training. So every clip costs 30 s of computation, and any clips share a batch. Statistics are over the frames of the
clip alone, ceil(ceil(n / 160) / 2) of n samples: padding frames hold values ten times as large as any of speech.

`window="own"` computes each clip in a window of its own length, rounded up to whole frames. It is faster, and the
embeddings differ (by 30 % in the last layer of whisper-base for a clip of 3 s), so stores of the two never mix.
Only clips of equal numbers of frames share a batch then.

A. Radford et al., "Robust speech recognition via large-scale weak supervision", ICML 2023.
"""

from collections.abc import Sequence

import numpy as np
import torch

from src.backbones.model_input import ModelInput, Prepared
from src.backbones.pretrained import Pretrained

POSITIONS_A_SECOND = 100
"""The first convolution, of stride 1, makes the most frames; the layers above make half as many, four times as wide."""


class WhisperInput(ModelInput):
    """Log-mel spectrograms, shape (b, 80, 3000), or as long as the clips where the window is their own."""

    def __init__(self, pretrained: Pretrained, device: torch.device, window: str = "") -> None:
        super().__init__(pretrained, device, window)
        self._hop = self.extractor.hop_length
        self._most_frames = self.config.max_source_positions
        self.min_samples = self.extractor.n_fft
        self.longest_seconds = float(self.extractor.chunk_length)
        self.padded_seconds = 0.0 if window == "own" else self.longest_seconds
        self.numbers_a_second = 2 * POSITIONS_A_SECOND * self.config.d_model
        self._positions = self.model.embed_positions.weight.detach()

    def prepare(self, waveforms: Sequence[np.ndarray]) -> Prepared:
        """Return the log-mel of the clips, in each of which the loudest point sets what counts as silence."""
        n_frames = [self.count_frames(len(waveform)) for waveform in waveforms]
        window = self._most_frames
        if self.window == "own":
            (window,) = set(n_frames)
            self._fit_window(window)
        computed = self.extractor(
            list(waveforms),
            sampling_rate=self.rate,
            padding="max_length",
            max_length=window * 2 * self._hop,
            return_tensors="pt",
            device=str(self.device),
        )
        return Prepared(computed.input_features.to(self.device), None, n_frames)

    def count_frames(self, n_samples: int) -> int:
        """Return how many frames belong to a clip; raise ValueError when it is longer than a window."""
        if n_samples > self.longest_seconds * self.rate:
            raise ValueError(
                f"Whisper takes at most {self.longest_seconds:g} s at once, not {n_samples / self.rate:g} s: "
                "`clip_statistics` cuts longer clips into windows."
            )
        n_mels = -(-n_samples // self._hop)
        return -(-n_mels // 2)

    def grouped(self, samples: Sequence[int]) -> list[list[int]]:
        """Return all clips as one group, or in their own windows a group for each number of frames."""
        if self.window != "own":
            return super().grouped(samples)
        groups: dict[int, list[int]] = {}
        for place, n_samples in enumerate(samples):
            groups.setdefault(self.count_frames(n_samples), []).append(place)
        return list(groups.values())

    def _fit_window(self, n_frames: int) -> None:
        """Let the encoder take windows of `n_frames` frames: it checks their number, and adds that many positions."""
        self.model.config.max_source_positions = n_frames
        positions = self._positions[:n_frames].to(self.device, self.model.conv1.weight.dtype)
        self.model.embed_positions = torch.nn.Embedding.from_pretrained(positions)
