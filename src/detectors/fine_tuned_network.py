"""The network of fine-tuning: an encoder, one of its layers or a mix of them, and a head on it."""

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from src.detectors.contract import Output
from src.detectors.freezing import trained_parts
from src.detectors.heads import HEADS, HeadShape
from src.detectors.heads.pooling import LayerMix
from src.detectors.pretrained_encoder import Hidden, PretrainedEncoder
from src.utils.registry import lookup

if TYPE_CHECKING:
    from src.detectors.fine_tuned import FineTunedConfig


class FineTunedNetwork(nn.Module):
    """An encoder and a head on it: waveforms (b, n) -> Output.

    The head computes in float32 even where the encoder runs in bfloat16: it costs little, and scores of eight bits of
    precision would be equal for many clips.
    """

    takes_lengths: ClassVar[bool] = True

    def __init__(self, encoder: PretrainedEncoder, config: "FineTunedConfig") -> None:
        super().__init__()
        n_layers = encoder.n_layers + 1
        if not -1 <= config.layer < n_layers:
            raise ValueError(f"`layer` must be one of 0 to {n_layers - 1}, or -1 for the last, not {config.layer}.")
        if config.layer != -1:
            encoder.keep_layers_for(config.layer)
        shape = HeadShape(encoder.dimension, n_layers, config.head_size, config.attention_heads, config.dropout)
        self.encoder, self._config, self.gradual = encoder, config, config.gradual
        self.head = lookup(HEADS, config.head, "head")(shape)
        self.mix = LayerMix(n_layers, normalise=True) if config.layer_weights else None
        encoder.train_only(trained_parts(config.freeze, encoder.n_layers))

    @property
    def frame_seconds(self) -> float:
        """Time that a frame stands for, in seconds: frame i for [i, i + 1) x `frame_seconds`."""
        return self.encoder.frame_seconds

    def start_epoch(self, epoch: int) -> None:
        """Freeze and unfreeze what the epoch, from 0, wants; the same whether or not the training was interrupted."""
        config, n_layers = self._config, self.encoder.n_layers
        self.encoder.train_only(trained_parts(config.freeze, n_layers, gradual=self.gradual, epoch=epoch))

    def forward(self, waveforms: torch.Tensor, lengths: torch.Tensor | None = None) -> Output:
        """Return the decision on windows.

        Parameters
        ----------
        waveforms : torch.Tensor, shape (b, n)
            At 16 kHz.
        lengths : torch.Tensor, shape (b,), optional
            Valid samples of each window, zeros follow them; the decision does not depend on the zeros then.
        """
        hidden, valid = self.encoder(waveforms, lengths)
        kind = waveforms.device.type
        if waveforms.is_meta or not torch.is_autocast_enabled(kind):
            return self.decide(hidden, valid)
        with torch.autocast(kind, enabled=False):
            return self.decide([layer.float() for layer in hidden], valid)

    def decide(self, hidden: Hidden, valid: torch.Tensor | None) -> Output:
        """Return the decision on the hidden states of all layers, each (b, t, d); `valid` (b, t) frames count."""
        frames = self.mix(hidden) if self.mix else hidden[self._config.layer]
        output: Output = self.head(hidden if self.head.takes_layers else frames, valid)
        return output
