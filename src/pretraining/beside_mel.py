"""How an objective is made: by its name, with reconstruction beside it where `mel_weight` asks for it.

    loss = loss of the objective + mel_weight * mean absolute difference from the spectra of masked frames (`mel.py`)

Both look at the same last hidden state, so that the spectra cost one more linear map. What is near to each other in
sound is near in hidden states then, which codes alone do not ask for.
"""

from collections.abc import Iterable
from itertools import tee
from typing import Any

import numpy as np
from torch import Tensor

from src.pretraining import objective_class
from src.pretraining.contract import Objective, PretrainingConfig
from src.pretraining.encoders import PretrainingEncoder
from src.pretraining.mel import Reconstruction


class BesideMel(Objective):
    """Reconstruction beside the objective that is the next base of a class: `class Both(BesideMel, BestRq)`."""

    def __init__(self, encoder: PretrainingEncoder, config: PretrainingConfig) -> None:
        super().__init__(encoder, config)
        self.reconstruction = Reconstruction(encoder.width)

    def start(self, clips: Iterable[np.ndarray]) -> None:
        """Let both learn from the clips."""
        for_objective, for_mel = tee(clips)
        super().start(for_objective)
        self.reconstruction.start(for_mel)

    def forward(self, heard: Tensor, clean: Tensor, masks: Tensor, **drawn: Tensor) -> dict[str, Any]:
        """Return the sum of both losses, and the signs of both."""
        found = super().forward(heard, clean, masks, **drawn)
        loss, signs = self.reconstruction(found["hidden"], clean, masks)
        return {**found, "loss": found["loss"] + self.config.mel_weight * loss, "signs": {**found["signs"], **signs}}


def make_objective(encoder: PretrainingEncoder, config: PretrainingConfig) -> Objective:
    """Return the objective of a pretraining, its first weights drawn from PyTorch's generator."""
    kind = objective_class(config.objective)
    if config.mel_weight:
        kind = type(f"{kind.__name__}BesideMel", (BesideMel, kind), {})
    return kind(encoder, config)
