"""The positional convolution of wav2vec2 and its like on a CPU, by Fourier transforms of blocks of frames.

Each frame is a weighted sum of the 128 frames around it, all channels of a group together: for wav2vec2-base 4.7
million products a frame, two thirds of what a transformer layer takes. After a Fourier transform over time a
convolution is one small product of matrices for each frequency: a fraction of the work. Blocks of frames overlap by the
length of the kernel, and what wraps around at their ends is dropped ("overlap-save"), so the result is the plain sum
but for rounding. Transforms are float32, whatever the precision of the model.
"""

from math import ceil
from typing import Any

import torch
from torch.nn.functional import pad

BLOCK_OF_KERNELS = 2
"""Length of a block, in kernels: longer ones waste more on short clips, shorter ones overlap more."""
LONG = 64
"""Kernels from here on are long enough to gain by it."""


class LongConvolution(torch.nn.Module):
    """A frozen convolution in groups, without stride or dilation: (b, in, t) -> (b, out, t').

    Parameters
    ----------
    convolution : torch.nn.Conv1d
        Its weights are read once.
    """

    _weight: torch.Tensor
    """Its spectrum, (frequencies, groups, in, out)."""
    _bias: torch.Tensor | None

    def __init__(self, convolution: torch.nn.Conv1d) -> None:
        super().__init__()
        weight = convolution.weight.detach().double()
        self._groups, self._kernel, self._padding = convolution.groups, weight.shape[2], int(convolution.padding[0])
        self._block = BLOCK_OF_KERNELS * self._kernel
        spectrum = torch.fft.rfft(weight, n=self._block).conj()  # a convolution of networks does not reverse its kernel
        by_group = spectrum.unflatten(0, (self._groups, -1))
        self.register_buffer("_weight", by_group.permute(3, 0, 2, 1).to(torch.complex64).contiguous(), persistent=False)
        self.register_buffer("_bias", None if convolution.bias is None else convolution.bias.detach(), persistent=False)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Return the sums, in the precision of `frames`."""
        n_clips, _, n_frames = frames.shape
        count = n_frames + 2 * self._padding - self._kernel + 1
        step = self._block - self._kernel + 1
        n_blocks = ceil(count / step)
        beyond = (n_blocks - 1) * step + self._block - self._padding - n_frames
        blocks = pad(frames.float(), (self._padding, beyond)).unfold(2, self._block, step)  # (b, in, blocks, block)
        spectra = torch.fft.rfft(blocks).unflatten(1, (self._groups, -1))
        rows = spectra.permute(4, 1, 0, 3, 2).flatten(2, 3)  # (frequencies, groups, b blocks, in of a group)
        products = torch.matmul(rows, self._weight).unflatten(2, (n_clips, n_blocks))
        sums = torch.fft.irfft(products.permute(2, 1, 4, 3, 0), n=self._block)  # (b, groups, out, blocks, block)
        made = sums[..., :step].flatten(3, 4).flatten(1, 2)[..., :count].to(frames.dtype)
        return made if self._bias is None else made + self._bias[:, None]


def use_long_convolutions(model: torch.nn.Module) -> list[LongConvolution]:
    """Let `LongConvolution` take the place of every convolution of a frozen model whose kernel is long enough.

    Returns
    -------
    list of LongConvolution
        Those that were put in. What was hooked to the convolutions before is not hooked to them.
    """
    made: list[LongConvolution] = []
    owner: Any
    for owner in list(model.modules()):
        for name, layer in list(owner.named_children()):
            if isinstance(layer, torch.nn.Conv1d) and _is_long(layer):
                made.append(LongConvolution(layer))
                setattr(owner, name, made[-1])
    return made


def _is_long(layer: torch.nn.Conv1d) -> bool:
    is_plain = layer.stride == layer.dilation == (1,) and layer.padding_mode == "zeros"
    return is_plain and layer.kernel_size[0] >= LONG and not isinstance(layer.padding, str)
