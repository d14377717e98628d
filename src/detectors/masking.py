"""SpecAugment: in training, a band of frequencies and a stretch of time of every clip's features are hidden.

A network that must decide without them does not come to rely on one tell-tale band or moment. The paper masks with
zeros because its features have zero mean; here the masked values become the mean of their band over the clip, which is
the same for such features and right for others. The paper's warping of time, which it found to matter least, is left
out.

D. Park et al., "SpecAugment: a simple data augmentation method for automatic speech recognition", Interspeech 2019.
"""

import torch
from torch import Tensor, nn


class SpecAugment(nn.Module):
    """Hide one band and one stretch of each clip's features, (b, features, t) -> (b, features, t).

    Both widths are drawn evenly, from 0 to `bands` features and 0 to `frames` frames, then their places. In evaluation,
    and with zeros for both, features pass as they are.

    >>> masking = SpecAugment(bands=8, frames=20)
    >>> features = torch.randn(2, 80, 100)
    >>> bool((masking.eval()(features) == features).all()), bool((masking.train()(features) == features).all())
    (True, False)
    """

    def __init__(self, bands: int, frames: int) -> None:
        super().__init__()
        self.bands, self.frames = bands, frames

    def forward(self, features: Tensor) -> Tensor:
        """Return the features, masked in training."""
        if not self.training or self.bands == self.frames == 0:
            return features
        n_clips, n_bands, n_frames = features.shape
        band = _stretches(n_clips, n_bands, self.bands)[:, :, None]
        stretch = _stretches(n_clips, n_frames, self.frames)[:, None, :]
        hidden = (band | stretch).to(features.device)
        return torch.where(hidden, features.mean(dim=2, keepdim=True), features)


def _stretches(n_clips: int, length: int, most: int) -> Tensor:
    """Draw a stretch of at most `most` places for each clip; return which of the `length` places it covers.

    The draws are made on the CPU, so that a seed gives the same masks on every device.
    """
    widths = (torch.rand(n_clips, 1) * (min(most, length) + 1)).floor()
    starts = (torch.rand(n_clips, 1) * (length - widths + 1)).floor()
    places = torch.arange(length)
    return (places >= starts) & (places < starts + widths)
