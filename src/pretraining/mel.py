"""Masked log-mel reconstruction: the network says what the spectra of masked frames were.

    last hidden state of the encoder (m, d), masked frames -> linear map (m, 160): two spectra of 80 bands

The loss is the mean absolute difference (L1) from the spectra, each band standardised (`standardised.py`): unlike
squares, it does not let a few loud onsets rule. Who answers with the mean of every band, which is 0, has the loss
`loss_of_mean`, the mean absolute value: 0.8 where bands are distributed normally. That is chance here; in silence it is
0, for there is nothing to find out.

With `mel_weight` above 0 this loss, times that weight, is added to that of any other objective (`beside_mel.py`).

A. T. Liu et al., "Mockingjay", ICASSP 2020, and "TERA", TASLP 2021: L1 of masked frames, spans of 70 to 85 ms.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from src.pretraining.codes import Result
from src.pretraining.contract import Objective, PretrainingConfig
from src.pretraining.spectra import LogMel
from src.pretraining.standardised import Standardised, frames_of

if TYPE_CHECKING:
    from src.pretraining.encoders import PretrainingEncoder


class Reconstruction(nn.Module):
    """Hidden states -> spectra of their frames, and how far these are from the true ones."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.log_mel = LogMel()
        self.standardised = Standardised(LogMel.width)
        self.head = nn.Linear(width, LogMel.width)

    def start(self, clips: Iterable[np.ndarray]) -> None:
        """Measure mean and deviation of every band."""
        self.standardised.learn(frames_of(clips, LogMel()))

    def forward(self, hidden: Tensor, clean: Tensor, masks: Tensor) -> Result:
        """Return the loss of masked frames, and that of answering with the mean.

        Parameters
        ----------
        hidden : torch.Tensor, shape (b, t, d)
        clean : torch.Tensor, shape (b, n)
        masks : torch.Tensor of bool, shape (b, t)
        """
        with torch.no_grad():
            wanted = self.standardised(self.log_mel(clean, masks.shape[1]))[masks]
        loss = l1_loss(self.head(hidden[masks]).float(), wanted)
        return loss, {"mel_loss": loss.detach(), "loss_of_mean": wanted.abs().mean()}


class Mel(Objective):
    """Reconstruction of masked log-mel spectra."""

    mask_span = 5

    def __init__(self, encoder: "PretrainingEncoder", config: PretrainingConfig) -> None:
        super().__init__(encoder, config)
        self.reconstruction = Reconstruction(encoder.width)

    def start(self, clips: Iterable[np.ndarray]) -> None:
        """Measure mean and deviation of every band."""
        self.reconstruction.start(clips)

    def forward(self, heard: Tensor, clean: Tensor, masks: Tensor, **drawn: Tensor) -> dict[str, Any]:
        """Return the loss of masked frames and its signs, and the last hidden state (b, t, d)."""
        hidden = self.encoder.hidden(heard, masks)[-1]
        loss, signs = self.reconstruction(hidden, clean, masks)
        return {"loss": loss, "signs": signs, "hidden": hidden}
