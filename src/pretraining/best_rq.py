"""BEST-RQ: the network names the random code of each masked frame's spectrum.

    two log-mel spectra of a frame (b, t, 160), standardised
      random projection             (b, t, 16)     never trained
      nearest of k random codes     (b, t)         by angle: both sides have length 1
    last hidden state of the encoder, masked frames
      linear map                    (m, k)         cross-entropy with the codes

Nothing of the quantiser is learnt, so it cannot collapse while it learns, and costs next to nothing. It collapses when
its input is not standardised: then all frames point the same way, and have the same few codes (`standardised.py`).
Projection and codes are drawn from the seed that the encoder's first weights are drawn from, and are saved.

The paper has 8,192 codes for 60,000 hours of speech, and spectra of 40 ms; the default of 512 suits hours.

C.-C. Chiu et al., "Self-supervised learning with random-projection quantizer for speech recognition", ICML 2022.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from src.pretraining.codes import predict_codes
from src.pretraining.contract import Objective, PretrainingConfig
from src.pretraining.spectra import LogMel
from src.pretraining.standardised import Standardised, frames_of

if TYPE_CHECKING:
    from src.pretraining.encoders import PretrainingEncoder

CODES = 512
CODE_WIDTH = 16
"""Numbers of a code, the paper's."""


class RandomQuantiser(nn.Module):
    """Standardised vectors (..., c) -> numbers of random codes (...); its tables are saved and never trained."""

    projection: Tensor
    codebook: Tensor

    def __init__(self, width: int, n_codes: int) -> None:
        super().__init__()
        self.register_buffer("projection", nn.init.xavier_uniform_(torch.empty(CODE_WIDTH, width)))
        self.register_buffer("codebook", normalize(torch.randn(n_codes, CODE_WIDTH), dim=1))

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the code with the smallest angle; that of largest cosine, as lengths do not matter to the order."""
        return (vectors @ self.projection.T @ self.codebook.T).argmax(dim=-1)


class BestRq(Objective):
    """Random codes of log-mel spectra, named by the encoder."""

    commonest: Tensor

    def __init__(self, encoder: "PretrainingEncoder", config: PretrainingConfig) -> None:
        super().__init__(encoder, config)
        n_codes = config.units or CODES
        self.log_mel = LogMel()
        self.standardised = Standardised(LogMel.width)
        self.quantiser = RandomQuantiser(LogMel.width, n_codes)
        self.register_buffer("commonest", torch.tensor(0))
        self.head = nn.Linear(encoder.width, n_codes)

    def start(self, clips: Iterable[np.ndarray]) -> None:
        """Measure mean and deviation of every band, and which code is the commonest."""
        spectra = self.standardised.learn(frames_of(clips, LogMel()))
        self.commonest.copy_(self.quantiser(spectra.to(self.commonest.device)).mode().values)

    def codes(self, clean: Tensor, n_frames: int) -> Tensor:
        """Return the codes of crops (b, n), shape (b, t); in float32, whatever the encoder computes in."""
        with torch.no_grad(), torch.autocast(clean.device.type, enabled=False):
            found: Tensor = self.quantiser(self.standardised(self.log_mel(clean, n_frames)))
        return found

    def forward(self, heard: Tensor, clean: Tensor, masks: Tensor, **drawn: Tensor) -> dict[str, Any]:
        """Return the cross-entropy of masked frames, its signs, and the last hidden state (b, t, d)."""
        hidden = self.encoder.hidden(heard, masks)[-1]
        codes = self.codes(clean, masks.shape[1])[masks]
        loss, signs = predict_codes(self.head(hidden[masks]), codes, self.commonest)
        return {"loss": loss, "signs": signs, "hidden": hidden}
