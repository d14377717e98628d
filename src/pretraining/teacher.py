"""A model that was trained before, and that another one learns from: the frames of one of its layers, never trained.

Waveforms (b, n) -> frames (b, t, d), in float32 whatever the student computes in. A teacher with convolutions on the
waveform has a frame less than a student on log-mel, for nothing is padded; its last frame then stands for two. Frame i
of both stands for the same 20 ms.
"""

import torch
from torch import Tensor

from src.backbones.pretrained import family_of, load_pretrained
from src.backbones.published import FINE_TUNABLE
from src.pretraining.encoders import PretrainingEncoder, encoder_of


class Teacher:
    """A layer of a frozen model; no module, so that its weights are not among those of who holds it."""

    def __init__(self, encoder: PretrainingEncoder, layer: int) -> None:
        self.layer = layer
        self.width = encoder.width
        self._encoder = encoder.eval().requires_grad_(False)

    @property
    def depth(self) -> int:
        """How many transformer layers the model has."""
        return len(self._encoder.layers())

    def __call__(self, waveforms: Tensor, n_frames: int) -> Tensor:
        """Return the frames of waveforms (b, n), shape (b, n_frames, d)."""
        return self.hidden(waveforms, n_frames)[self.layer]

    def hidden(self, waveforms: Tensor, n_frames: int) -> list[Tensor]:
        """Return the frames of all layers, depth + 1 of shape (b, n_frames, d)."""
        self._encoder.to(waveforms.device)
        with torch.no_grad(), torch.autocast(waveforms.device.type, enabled=False):
            hidden = self._encoder.hidden(waveforms)
        places = torch.arange(n_frames, device=waveforms.device).clamp(max=hidden[0].shape[1] - 1)
        return [frames[:, places] for frames in hidden]


def read_teacher(folder: str, layer: int) -> Teacher:
    """Load a teacher.

    Parameters
    ----------
    folder : str
        Folder or hub id of a model on waveforms, or of Whisper's encoder.
    layer : int
        Of its hidden states: 0 enters the first transformer layer, -1 is the last.

    Raises
    ------
    FileNotFoundError
        When there is no such model.
    ValueError
        When it is of another family, damaged, or has no such layer.
    """
    family = family_of(folder)
    if family not in FINE_TUNABLE:
        raise ValueError(f"The `teacher` {folder} is of the family {family}: give one of {', '.join(FINE_TUNABLE)}.")
    loaded = load_pretrained(family, folder)
    encoder = encoder_of(loaded.model, loaded.extractor)
    n_layers = len(encoder.layers()) + 1
    if not -n_layers <= layer < n_layers:
        raise ValueError(
            f"`teacher_layer` must be 0 to {n_layers - 1}, or -1 for the last, not {layer}: {folder} has no other."
        )
    return Teacher(encoder, layer)
