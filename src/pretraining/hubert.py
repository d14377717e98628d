"""HuBERT: the network names the unit of each masked frame, and units are what k-means found beforehand.

    crop (b, n)                -> 39 MFCC of a frame, or a layer of a teacher   (b, t, c)
                               -> the nearest of k centres                      (b, t)     the unit of a frame
    last hidden state (b, t, d) -> linear map -> directions of masked frames    (m, e)
                                  cosine to the learnt direction of each unit   (m, k), divided by 0.1
                                  cross-entropy with the units

In the first iteration units are those of MFCC, coarse and nearly phonetic; in the second those of a layer of the model
that came out of the first (`teacher`, `teacher_layer`), which are better. The centres are saved with the objective.

The loss starts near log2 k bits and is at about half of that when a training went well (6.7 -> 3.3 with 100 units). The
defaults of 100 and 500 units, of e = 256 and of masks are the paper's; only masked frames count.

W.-N. Hsu et al., "HuBERT: Self-supervised speech representation learning by masked prediction of hidden units", TASLP
2021, equations 1 to 4.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from src.pretraining.codes import predict_codes
from src.pretraining.contract import LOOK_FOR_SILENCE, Objective, PretrainingConfig
from src.pretraining.spectra import Mfcc
from src.pretraining.standardised import frames_of
from src.pretraining.teacher import Teacher, read_teacher
from src.pretraining.units import learn_units, nearest_units

if TYPE_CHECKING:
    from src.pretraining.encoders import PretrainingEncoder

UNITS_OF_MFCC, UNITS_OF_TEACHER = 100, 500
DIRECTION_WIDTH = 256
"""e, numbers of a unit's direction."""
TEMPERATURE = 0.1


class UnitHead(nn.Module):
    """Hidden states (m, d) -> logits of units (m, k): cosines to their directions, divided by the temperature."""

    def __init__(self, width: int, n_units: int) -> None:
        super().__init__()
        self.projection = nn.Linear(width, DIRECTION_WIDTH)
        self.directions = nn.Parameter(torch.empty(n_units, DIRECTION_WIDTH).uniform_())

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the logits, float32: bf16 would round them to steps of 0.06."""
        projected = self.projection(hidden).float()
        with torch.autocast(hidden.device.type, enabled=False):
            return normalize(projected, dim=-1) @ normalize(self.directions, dim=-1).T / TEMPERATURE


class Hubert(Objective):
    """Units of MFCC or of a teacher's layer, named by the encoder."""

    mask_share = 0.57

    centres: Tensor
    commonest: Tensor

    def __init__(self, encoder: "PretrainingEncoder", config: PretrainingConfig) -> None:
        super().__init__(encoder, config)
        self.teacher = read_teacher(config.teacher, config.teacher_layer) if config.teacher else None
        n_units = config.units or (UNITS_OF_TEACHER if self.teacher else UNITS_OF_MFCC)
        self.mfcc = Mfcc()
        width = self.teacher.width if self.teacher else Mfcc.width
        self.register_buffer("centres", torch.zeros(n_units, width))
        self.register_buffer("commonest", torch.tensor(0))
        self.head = UnitHead(encoder.width, n_units)
        self._seed = int(torch.randint(2**31, ()))

    def start(self, clips: Iterable[np.ndarray]) -> None:
        """Learn the units, from the seed that the first weights are drawn from."""
        frames = frames_of(clips, self.teacher or Mfcc())
        centres = learn_units(frames, len(self.centres), self._seed)
        self.centres.copy_(centres)
        self.commonest.copy_(nearest_units(frames, centres).mode().values)

    @property
    def remedy(self) -> str:
        """Return what to do where it has collapsed: with few units, one of them may hold nearly all frames."""
        return f"{LOOK_FOR_SILENCE}, set `units` {'higher' if len(self.centres) < UNITS_OF_MFCC else 'lower'}."

    def units(self, clean: Tensor, n_frames: int) -> Tensor:
        """Return the units of crops (b, n), shape (b, t); in float32, whatever the encoder computes in."""
        source: Teacher | Mfcc = self.teacher or self.mfcc
        with torch.no_grad(), torch.autocast(clean.device.type, enabled=False):
            return nearest_units(source(clean, n_frames), self.centres)

    def forward(self, heard: Tensor, clean: Tensor, masks: Tensor, **drawn: Tensor) -> dict[str, Any]:
        """Return the cross-entropy of masked frames, its signs, and the last hidden state (b, t, d)."""
        hidden = self.encoder.hidden(heard, masks)[-1]
        units = self.units(clean, masks.shape[1])[masks]
        loss, signs = predict_codes(self.head(hidden[masks]), units, self.commonest)
        return {"loss": loss, "signs": signs, "hidden": hidden}
