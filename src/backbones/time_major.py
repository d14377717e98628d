"""The convolutions of the wav2vec2 family on a CPU, with frames as rows: windows of samples times a matrix.

A library's convolution wants channels as rows. The first one has a single input channel, so that its inner loop is ten
numbers long, and layer norms and the transformer want frames as rows, so that arrays are turned over again and again.
Here frames are rows from the start: the windows of a layer overlap in memory, k frames of c channels each, s frames
apart, and a layer is one product of these windows (t, k c) and its weights (k c, out), with GELU on the way out.

One clip follows another, as two seconds of sound are enough for a processor; so nothing is padded, and a clip gives the
same numbers whatever stands beside it.

"Group" models (wav2vec2-base and its like) bring each channel of the first layer to zero mean and unit variance over
time. Both follow from the windows x alone: the channel w x has the mean w E[x] and the variance w Cov[x] w, with a
covariance of 10 x 10 numbers. So the deviation becomes part of the weights, the mean is taken off the windows, and
two passes over an array of 512 numbers for every five samples are saved. Taken off the products, the mean would leave
little of what bfloat16 keeps of a quiet clip with an offset.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import GroupNorm
from torch.nn.utils.rnn import pad_sequence

from src.backbones.padding import ValidGroupNorm
from src.backbones.products import Product, is_gelu, product_now


class TimeMajorConvolutions(torch.nn.Module):
    """The convolutions of a frozen model, in place of transformers' own; set `samples` before each call.

    Parameters
    ----------
    encoder : torch.nn.Module
        transformers' feature encoder of the model: a list of layers, each a convolution without padding, perhaps a
        normalisation, and an activation.
    """

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self._layers = torch.nn.ModuleList(map(_as_products, encoder.conv_layers))
        self.samples: Sequence[int] = ()
        """Of each clip, without padding."""

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Return frames, (b, n) -> (b, channels, t), with zeros beyond the end of each clip."""
        clips = [self._frames(waveform[:count]) for waveform, count in zip(waveforms, self.samples, strict=True)]
        return pad_sequence(clips, batch_first=True).transpose(1, 2)

    def _frames(self, waveform: torch.Tensor) -> torch.Tensor:
        frames = waveform[:, None]
        for layer in self._layers:
            frames = layer(frames)
        return frames


class Layer(torch.nn.Module):
    """One convolution, its normalisation of each frame where it has one, and its activation: (t, in) -> (t', out)."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self._kernel, self._stride = layer.conv.kernel_size[0], layer.conv.stride[0]
        self._product = Product(_as_rows(layer.conv), layer.conv.bias)
        self._norm, self._activation = getattr(layer, "layer_norm", None), layer.activation
        if self._norm is None:
            self._activation = self._product.absorb(layer.activation)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Return the frames of the next layer."""
        made = self._product(windows(frames, self._kernel, self._stride))
        return self._activation(made if self._norm is None else self._norm(made))


class NormalisedLayer(torch.nn.Module):
    """A first layer whose channels are brought to zero mean and unit variance over time: (n, 1) -> (t, out)."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self._kernel, self._stride = layer.conv.kernel_size[0], layer.conv.stride[0]
        self._weight = _as_rows(layer.conv).double()
        norm = getattr(layer.layer_norm, "norm", layer.layer_norm)
        self._scale, self._shift, self._epsilon = norm.weight.detach().double(), norm.bias.detach().double(), norm.eps
        self._is_gelu, self._activation = is_gelu(layer.activation), layer.activation

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Return the frames of the next layer; a bias of the convolution is cancelled by the normalisation."""
        inputs = windows(frames, self._kernel, self._stride)
        rows = inputs.double()
        centred = rows - rows.mean(dim=0)
        covariance = centred.T @ centred / len(rows)
        variance = ((self._weight @ covariance) * self._weight).sum(dim=1)
        scale = self._scale / (variance + self._epsilon).sqrt()
        weight = (self._weight * scale[:, None]).to(frames.dtype)
        made = product_now(centred.to(frames.dtype), weight, self._shift.to(frames.dtype), gelu=self._is_gelu)
        return made if self._is_gelu else self._activation(made)


def windows(frames: torch.Tensor, kernel: int, stride: int) -> torch.Tensor:
    """Return the windows of a convolution over frames of shape (t, c): a view of shape (t', kernel c).

    >>> windows(torch.arange(5.0)[:, None], 3, 2)
    tensor([[0., 1., 2.],
            [2., 3., 4.]])
    """
    width, count = frames.shape[1], (len(frames) - kernel) // stride + 1
    return frames.as_strided((count, kernel * width), (stride * width, 1))


def _as_rows(convolution: torch.nn.Conv1d) -> torch.Tensor:
    """Return weights (out, in, k) in the order in which the numbers of a window lie: (out, k in)."""
    return convolution.weight.detach().transpose(1, 2).flatten(1)


def _as_products(layer: Any) -> torch.nn.Module:
    over_time = isinstance(getattr(layer, "layer_norm", None), GroupNorm | ValidGroupNorm)
    return NormalisedLayer(layer) if over_time else Layer(layer)
