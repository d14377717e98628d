"""What heads do to frames and layers: the mean over the valid frames, and learnt weights for the layers."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import layer_norm

MIX_RATE = 30.0
"""Learning rate of the weights of the layers, as a factor on the head's: they must move by whole units to choose one,
where other weights move by hundredths. At the head's own rate they stay nearly equal in a training of a few epochs."""


class LayerMix(nn.Module):
    """A sum of all layers whose weights are learnt (Peters et al. 2018; Yang et al. 2021, "SUPERB").

    The weights are a softmax, so they are positive and sum to one; they begin equal. L + 1 parameters.

    With `normalise`, each frame of each layer is brought to zero mean and unit variance before, which Peters et al.
    found to help: the layers of Whisper differ by a factor of six, and the largest would hide the others.
    """

    def __init__(self, n_layers: int, *, normalise: bool = False) -> None:
        super().__init__()
        self.normalise = normalise
        self.logits = nn.Parameter(torch.zeros(n_layers))

    def weights(self) -> torch.Tensor:
        """Return the weight of every layer, shape (L + 1,)."""
        return self.logits.softmax(dim=0)

    def forward(self, hidden: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return the weighted sum of hidden states (b, t, d), of that shape."""
        weights = self.weights()
        if self.normalise:
            hidden = [layer_norm(layer, layer.shape[-1:]) for layer in hidden]
        mixed = weights[0] * hidden[0]
        for weight, layer in zip(weights[1:], hidden[1:], strict=True):  # stacked, they would be copied
            mixed = mixed + weight * layer
        return mixed


def mean_over_frames(frames: torch.Tensor, valid: torch.Tensor | None) -> torch.Tensor:
    """Return the mean of the valid frames (b, t, d) of each clip: shape (b, d).

    >>> frames = torch.tensor([[[2.0], [4.0], [9.0]]])
    >>> mean_over_frames(frames, torch.tensor([[True, True, False]]))
    tensor([[3.]])
    """
    if valid is None:
        return frames.mean(dim=1)
    kept = valid[..., None]
    return torch.where(kept, frames, 0.0).sum(dim=1) / kept.sum(dim=1)


def logits_of(log_odds: torch.Tensor) -> torch.Tensor:
    """Return the two logits, spoof and bona fide, that stand for log-odds of bona fide: (...,) -> (..., 2).

    (-z / 2, z / 2): their difference is z and the softmax gives sigmoid(z), so the cross-entropy of the two is the
    binary cross-entropy of z.
    """
    return torch.stack([-log_odds / 2, log_odds / 2], dim=-1)
