"""Clips of different lengths in one batch, with the frames that each clip gives alone.

Padding is harmless where a frame depends on its own samples alone, and attention masks keep the padded frames out of
the transformer. What remains is the first convolution of some models ("group" models: wav2vec2-base, HuBERT-base,
WavLM-base): it is normalised by mean and variance over time, which padding changes, and with them every frame, by more
than a third. `ValidGroupNorm` takes both over the valid frames of each clip alone.

Alone, a clip ends in the zeros that a convolution over frames adds at its edge. In a batch, what earlier layers made
of the padding would stand there instead: the masks of attention do not reach it. Wav2vec2 and its like have one such
convolution, at the start, where padded frames are zeros already. Data2vec has five, one after another, and the
conformer has one in every layer: `ZeroedPadding` puts the zeros back.
"""

from collections.abc import Sequence

import torch


def count_frames(n_samples: int, kernels: Sequence[int], strides: Sequence[int]) -> int:
    """Return how many frames unpadded convolutions make of a waveform, one after another.

    >>> count_frames(16_000, (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2))
    49
    """
    for kernel, stride in zip(kernels, strides, strict=True):
        n_samples = (n_samples - kernel) // stride + 1
    return n_samples


def samples_of_one_frame(kernels: Sequence[int], strides: Sequence[int]) -> int:
    """Return the fewest samples that give a frame.

    >>> samples_of_one_frame((10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2))
    400
    """
    samples = 1
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
        samples = (samples - 1) * stride + kernel
    return samples


class ValidGroupNorm(torch.nn.Module):
    """A group normalisation over time that leaves padded frames out; set `lengths` before each call."""

    def __init__(self, norm: torch.nn.GroupNorm) -> None:
        super().__init__()
        self.norm = norm
        self.lengths: Sequence[int] | None = None
        """Valid frames of each clip; None where nothing is padded."""

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Normalise frames of shape (b, channels, t); those beyond a clip's length come back as they are."""
        if self.lengths is None:
            return self.norm(frames)
        for clip, length in enumerate(self.lengths):
            frames[clip : clip + 1, :, :length] = self.norm(frames[clip : clip + 1, :, :length])
        return frames


class ZeroedPadding:
    """Zeros beyond the end of each clip at the entry of every convolution over frames; set `lengths` before each call.

    Parameters
    ----------
    encoder : torch.nn.Module
        Its convolutions keep the number of frames: all of it that is wider than one frame is given zeros.
    """

    def __init__(self, encoder: torch.nn.Module) -> None:
        self.lengths: torch.Tensor | None = None
        """Valid frames of each clip, shape (b,); None where nothing is padded."""
        for module in encoder.modules():
            if isinstance(module, torch.nn.Conv1d) and module.kernel_size != (1,):
                self.watch(module)

    def watch(self, convolution: torch.nn.Module) -> None:
        """Give zeros to a convolution that takes the place of one of them, too."""
        convolution.register_forward_pre_hook(self._zero)

    def _zero(self, _: torch.nn.Module, inputs: tuple[torch.Tensor]) -> torch.Tensor | None:
        """Return frames of shape (b, channels, t) with zeros in the padding."""
        if self.lengths is None:
            return None
        frames = inputs[0]
        padded = torch.arange(frames.shape[-1], device=frames.device) >= self.lengths[:, None]
        return frames.masked_fill(padded[:, None], 0.0)


def pool_frames(frames: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
    """Return mean and standard deviation over the valid frames, computed in float32.

    Parameters
    ----------
    frames : torch.Tensor, shape (b, t, d)
    lengths : torch.Tensor, shape (b,), optional
        Valid frames of each clip; None when all are valid.

    Returns
    -------
    torch.Tensor, shape (b, 2, d)
    """
    frames = frames.float()
    counts: float | torch.Tensor = frames.shape[1]
    if lengths is None:
        mean = frames.sum(dim=1) / counts
        centred = frames - mean[:, None]
    else:
        valid = (torch.arange(frames.shape[1], device=frames.device) < lengths[:, None])[..., None]
        counts = lengths[:, None].float()
        mean = (frames * valid).sum(dim=1) / counts
        centred = (frames - mean[:, None]) * valid
    return torch.stack([mean, (centred.square().sum(dim=1) / counts).sqrt()], dim=1)
