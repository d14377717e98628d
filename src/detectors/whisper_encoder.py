"""Whisper's encoder under a head: log-mel of a window, two convolutions, transformer layers, differentiable.

Shapes for windows of 4 s and whisper-base: waveforms (b, 64000) -> log-mel (b, 80, 400), one spectrum every 10 ms ->
convolutions (b, 512, 200), the second of stride 2 -> 6 layers -> 7 hidden states (b, 200, 512). A window of n samples
has t = ceil(ceil(n / 160) / 2) frames; zeros fill its last one. The spectrum at 10 i ms has its middle there, so frame
i lies around 20 i ms, where the stretch begins that it decides, [i, i + 1) x `frame_seconds`.

The window is the detector's own, 4 s and not the 30 s that Whisper was trained with: positions are cut to its frames,
and a window costs 4 s of computation. A store computes 30 s unless it is made with `window=own`, because others share
and compare its numbers. Here nobody does: the head, and whatever is trained of the encoder, learn with the very windows
that they see later. A frozen encoder gives what the backbone with `window=own` gives for a clip of a window's length.

Zeros behind a shorter clip are silence to Whisper, which knows no mask: it attends to them, as in its training. The
head looks at the clip's own frames alone.

A. Radford et al., "Robust speech recognition via large-scale weak supervision", ICML 2023.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.functional import pad

from src.backbones.whisper_log_mel import FFT, HOP, WhisperLogMel
from src.detectors.field_of_view import RATE, check_window
from src.detectors.pretrained_encoder import Hidden, PretrainedEncoder, Source, first_of_rows
from src.detectors.pruning import Block


class WhisperEncoder(PretrainedEncoder):
    """The encoder of a Whisper model; `Source.normalise` is of no meaning to it.

    Masked frames are those of the spectrogram, as in Whisper's own training with SpecAugment: they become zero.
    """

    min_samples = FFT
    frame_seconds = 2 * HOP / RATE

    def __init__(self, source: Source, *, mask_frames: float = 0.0) -> None:
        super().__init__(source, mask_frames=mask_frames)
        self.model.layerdrop = 0.0
        self.log_mel = WhisperLogMel(self.model.config.num_mel_bins)
        self.most_frames = int(self.model.config.max_source_positions)

    def features(self) -> list[nn.Module]:
        """Return the two convolutions."""
        return [self.model.conv1, self.model.conv2]

    def layers(self) -> list[nn.Module]:
        """Return the transformer layers."""
        return list(self.model.layers)

    def blocks(self) -> list[Block]:
        """Return the attention and the feed-forward matrices of each layer."""
        layers: list[Any] = self.layers()
        return [Block(each.self_attn, each.fc1, each.fc2) for each in layers]

    def _set_layers(self, layers: list[nn.Module]) -> None:
        self.model.layers = nn.ModuleList(layers)

    def never_trained(self) -> Iterator[nn.Parameter]:
        """Yield the positions: they are sines, and were not trained either."""
        yield from self.model.embed_positions.parameters()

    def count_frames(self, n_samples: int) -> int:
        """Return how many frames so many samples give."""
        return -(-n_samples // (2 * HOP))

    def forward(
        self, waveforms: torch.Tensor, lengths: torch.Tensor | None = None
    ) -> tuple[Hidden, torch.Tensor | None]:
        """Return the hidden states of all layers, and which frames are valid; the base class tells their shapes."""
        check_window(waveforms, self.min_samples)
        n_clips, n_samples = waveforms.shape
        n_frames = self.count_frames(n_samples)
        if n_frames > self.most_frames:
            longest = self.most_frames * self.frame_seconds
            raise ValueError(
                f"Whisper takes windows of at most {longest:g} s, not {n_samples / RATE:g} s: choose `seconds`."
            )
        log_mel = self.log_mel(pad(waveforms, (0, n_frames * 2 * HOP - n_samples)))
        masked = self.masked_frames(n_clips, n_frames, waveforms.device)
        if masked is not None:
            log_mel = log_mel.masked_fill(masked.repeat_interleave(2, dim=1)[:, None], 0.0)
        with positions_of(self.model, n_frames):
            output = self.model(log_mel, output_hidden_states=True)
        hidden = [*output.hidden_states[:-1], output.last_hidden_state]  # the last one is normalised
        counts = [n_frames] if lengths is None else [max(1, self.count_frames(int(n))) for n in lengths.tolist()]
        return hidden, first_of_rows(counts, n_frames, waveforms.device) if min(counts) < n_frames else None


@contextmanager
def positions_of(model: Any, n_frames: int) -> Iterator[None]:
    """Let the model take so many frames: it checks their number, and adds a position for each that it knows of."""
    config, positions = model.config, model.embed_positions
    whole = config.max_source_positions
    config.max_source_positions = positions.num_embeddings = int(n_frames)  # a tensor while it is traced
    try:
        yield
    finally:
        config.max_source_positions = positions.num_embeddings = whole
