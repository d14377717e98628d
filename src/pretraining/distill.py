"""Distillation: a small network learns to answer as the hidden layers of a large one do, which was trained before.

    crop (b, n), clean      -> layers of the frozen teacher     (b, t, k, e), each number standardised: the targets
    the same, or augmented  -> last hidden state of the student (b, t, d)
                            -> a linear map for each layer      (b, t, k, e): the answers

With k = 3 layers, at a third, two thirds and the end of the teacher's depth (4, 8 and 12 of 12, as in the paper; 2, 4
and 6 of whisper-base); `teacher_layer` names a single one in their place. The loss is the paper's, its mean over layers
and frames in place of their sum,

    mean |answer - target|  -  log sigmoid(cosine of answer and target)

with L1 taken over the e numbers of a frame. Targets are standardised, unlike in the paper, by what is measured on some
speech beforehand (`standardised.py`): a few numbers of Whisper's hidden states are a hundred times as large as the
others, and L1 would see nothing else.

All frames count, and nothing need be masked: the targets are the teacher's, not the student's own. With `mask_share`
the student does not hear so many of the frames, and answers for them too.

Signs: the cosine of each layer (`cosine_1` is the lowest), their mean, and `cosine_of_mean`, which is the cosine that
always answering with the batch's mean target would have: chance. The teacher is not among the weights.

H.-J. Chang, S. Yang, H. Lee, "DistilHuBERT: speech representation learning by layer-wise distillation of hidden-unit
BERT", ICASSP 2022, equation 1 with lambda = 1.
"""

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, logsigmoid

from src.audio.io import SPEECH_RATE
from src.backbones.pretrained import displayed_name, model_digest
from src.pretraining.contract import Objective, PretrainingConfig
from src.pretraining.standardised import Standardised, frames_of
from src.pretraining.teacher import read_teacher

if TYPE_CHECKING:
    from src.pretraining.encoders import PretrainingEncoder

LOOKED_AT = 400.0
"""Seconds of speech by which targets are standardised: 20,000 frames of up to 2,304 numbers."""


class Distill(Objective):
    """Layers of a teacher, answered from the last layer of the student."""

    def __init__(self, encoder: "PretrainingEncoder", config: PretrainingConfig) -> None:
        super().__init__(encoder, config)
        if not config.teacher:
            raise ValueError("`objective` distill needs a `teacher`: name the folder of a pretrained model.")
        self.teacher = read_teacher(config.teacher, config.teacher_layer)
        self.layers = [self.teacher.layer] if config.teacher_layer != -1 else thirds_of(self.teacher.depth)
        width = len(self.layers) * self.teacher.width
        self.standardised = Standardised(width)
        self.heads = nn.Linear(encoder.width, width)

    def describe(self) -> dict[str, Any]:
        """Return whom the model was distilled from."""
        folder = self.config.teacher
        return {
            "distilled_from": displayed_name(folder),
            "teacher_digest": model_digest(folder),
            "teacher_layers": self.layers,
        }

    def start(self, clips: Iterable[np.ndarray]) -> None:
        """Measure mean and deviation of every number of the targets."""
        self.standardised.learn(frames_of(_some(clips), self._of_teacher))

    def targets(self, clean: Tensor, n_frames: int) -> Tensor:
        """Return the standardised layers of the teacher for crops (b, n), shape (b, t, k, e), float32."""
        with torch.no_grad(), torch.autocast(clean.device.type, enabled=False):
            return self._by_layer(self.standardised(self._of_teacher(clean, n_frames)))

    def forward(self, heard: Tensor, clean: Tensor, masks: Tensor, **drawn: Tensor) -> dict[str, Any]:
        """Return the loss, its signs, and the last hidden state (b, t, d)."""
        hidden = self.encoder.hidden(heard, masks if self.config.mask_share else None)[-1]
        answers = self._by_layer(self.heads(hidden)).float()
        wanted = self.targets(clean, hidden.shape[1])
        cosines = cosine_similarity(answers, wanted, dim=-1)
        loss = (answers - wanted).abs().mean() - logsigmoid(cosines).mean()
        of_mean = cosine_similarity(wanted.mean(dim=(0, 1), keepdim=True), wanted, dim=-1)
        signs = {f"cosine_{place}": each for place, each in enumerate(cosines.detach().mean(dim=(0, 1)), start=1)}
        signs |= {"cosine": cosines.detach().mean(), "cosine_of_mean": of_mean.mean()}
        return {"loss": loss, "signs": signs, "hidden": hidden}

    def _of_teacher(self, waveforms: Tensor, n_frames: int) -> Tensor:
        """Return the chosen layers of the teacher side by side, shape (b, t, k e)."""
        hidden = self.teacher.hidden(waveforms, n_frames)
        return torch.cat([hidden[layer] for layer in self.layers], dim=-1)

    def _by_layer(self, side_by_side: Tensor) -> Tensor:
        return side_by_side.unflatten(-1, (len(self.layers), self.teacher.width))


def thirds_of(depth: int) -> list[int]:
    """Return the layers at a third, two thirds and the end of so many.

    >>> thirds_of(12), thirds_of(6), thirds_of(2)
    ([4, 8, 12], [2, 4, 6], [1, 2])
    """
    return sorted({math.ceil(depth * part / 3) for part in (1, 2, 3)})


def _some(clips: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield clips until there is enough speech to measure means and deviations by."""
    seconds = 0.0
    for clip in clips:
        yield clip
        seconds += len(clip) / SPEECH_RATE
        if seconds >= LOOKED_AT:
            return
