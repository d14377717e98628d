"""YAMNet: Google's classifier of sounds, which the original AUDIOS measured itself against.

waveforms (b, n) at 16 kHz, within [-1, 1]
-> log-mel energies (b, 64, t), t = 1 + (n - 400) // 160: frames of 25 ms every 10 ms, periodic Hann window,
   *magnitudes* of a transform of 512 points, 64 triangles evenly spaced in mel from 125 to 7500 Hz, log(sum + 0.001)
-> patches (b, p, 96, 64) of 0.96 s every 0.48 s, p = 1 + (n - 15,600) // 7,680
-> MobileNet v1 -> embeddings (b, p, 1024) -> scores of 521 classes of sound.

The slopes of the triangles are straight in mel = 1127 ln(1 + f / 700), not in hertz. Only complete patches count, and a
clip shorter than one is filled up with zeros, as the published code does. That code also fills up the last patch of a
longer clip; here up to 0.48 s at its end are left out instead, because silence that we add would be seen as sound.

The network is in the order of PyTorch: (patches, channels, time, mel). Each layer from the second is a 3 x 3 filter for
every channel, then a 1 x 1 convolution across channels; both end in a ReLU. Batch normalisation has been folded into
the kernels and biases. TensorFlow pads only as much as its "SAME" needs, and the odd place comes last: before a stride
of 2 nothing is added in front and one row behind, where PyTorch's `padding=1` would shift everything by one place.

A. Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision applications", arXiv
1704.04861, 2017; J. Gemmeke et al., "Audio Set: an ontology and human-labeled dataset for audio events", ICASSP 2017;
the code is by M. Plakal and D. Ellis.
"""

import textwrap
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad, relu

from src.backbones.front_ends import FilterBank, FrontEnd
from src.backbones.mel import hann

BANDS, LOW, HIGH = 64, 125.0, 7500.0
LOG_OFFSET = 1e-3
PATCH_FRAMES, PATCH_HOP = 96, 48
PATCH_SAMPLES = 15_600
"""400 + 95 x 160: what a patch is made of."""
LAYERS = (
    (32, 2), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
    (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1),
)  # fmt: skip
"""Channels and stride of layers 1 to 14."""
EMBEDDING = 1024
N_CLASSES = 521


def log_mel() -> FrontEnd:
    """Return YAMNet's front end: waveforms (b, n) -> log-mel energies (b, 64, t)."""
    return FrontEnd(FilterBank(hann(400), mel_filters(), exponent=1, floor=LOG_OFFSET))


def mel_filters() -> np.ndarray:
    """Return triangles that are straight in mel, shape (64, 257); the constant of the spectrum has no weight."""
    bins = _mel(np.fft.rfftfreq(512, 1 / 16_000))
    edges = np.linspace(_mel(np.array(LOW)), _mel(np.array(HIGH)), BANDS + 2)
    width = edges[1] - edges[0]
    filters = np.clip(np.minimum(bins - edges[:-2, None], edges[2:, None] - bins) / width, 0, None)
    filters[:, 0] = 0
    return filters


def _mel(hertz: np.ndarray) -> np.ndarray:
    mel: np.ndarray = 1127 * np.log(1 + hertz / 700)
    return mel


def cut_patches(energies: Tensor) -> Tensor:
    """Cut log-mel energies (b, 64, t) into patches (b, p, 96, 64)."""
    return energies.unfold(2, PATCH_FRAMES, PATCH_HOP).permute(0, 2, 3, 1)


class Convolution(nn.Module):
    """Layer 1: 3 x 3 filters on the patch itself."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv2d(1, channels, 3, stride)

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps (b, channels, time, mel)."""
        return relu(self.conv(pad_same(maps, self.stride)))


class Separable(nn.Module):
    """A 3 x 3 filter for every channel, then a 1 x 1 convolution across channels."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.depthwise = nn.Conv2d(channels, channels, 3, stride, groups=channels)
        self.pointwise = nn.Conv2d(channels, out, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps (b, out, time, mel)."""
        return relu(self.pointwise(relu(self.depthwise(pad_same(maps, self.stride)))))


def pad_same(maps: Tensor, stride: int) -> Tensor:
    """Pad the last two axes with zeros as TensorFlow's SAME does before 3 x 3 filters.

    The output has ceil(n / stride) places along an axis of n. What that needs goes half in front, the odd one behind.

    >>> pad_same(torch.ones(4, 4), stride=2).sum(dim=0).tolist(), pad_same(torch.ones(3, 3), stride=2).shape
    ([4.0, 4.0, 4.0, 4.0, 0.0], torch.Size([5, 5]))
    """
    sides: list[int] = []
    for n in (maps.shape[-1], maps.shape[-2]):
        total = max((-(-n // stride) - 1) * stride + 3 - n, 0)
        sides += [total // 2, total - total // 2]
    return pad(maps, sides)


class YamnetLayers(nn.Module):
    """The network on patches (b, 96, 64); its weights are named as in the published folder."""

    def __init__(self) -> None:
        super().__init__()
        channels = 0
        for number, (out, stride) in enumerate(LAYERS, start=1):
            layer = Separable(channels, out, stride) if channels else Convolution(out, stride)
            self.add_module(f"layer{number}", layer)
            channels = out
        self.classifier = nn.Linear(EMBEDDING, N_CLASSES)

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Return the means over time and mel after layers 13 and 14, both (b, 1024); the second is the embedding.

        `classifier` makes the logits of the classes of it.
        """
        maps, means = patches[:, None], []
        for number in range(1, len(LAYERS) + 1):
            maps = self.get_submodule(f"layer{number}")(maps)
            if number >= len(LAYERS) - 1:
                means.append(maps.mean(dim=(2, 3)))
        return means[0], means[1]


class YamnetPatches(nn.Module):
    """Front end and network: waveforms (b, n) -> the two means of every patch, (2, b, p, 1024)."""

    def __init__(self, layers: YamnetLayers) -> None:
        super().__init__()
        self.front_end, self.layers = log_mel(), layers

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return the means after layer 13 and after layer 14, the embedding, patch by patch."""
        filled = pad(waveforms, (0, max(0, PATCH_SAMPLES - waveforms.shape[1])))
        patches = cut_patches(self.front_end(filled))
        dtype = next(self.layers.parameters()).dtype
        means = torch.stack(self.layers(patches.flatten(0, 1).to(dtype)))
        return means.unflatten(1, patches.shape[:2])


def load_layers(folder: Path) -> YamnetLayers:
    """Read the network with the weights of a folder that `check_folder` of yamnet.py has passed.

    Raises
    ------
    ValueError
        When they are damaged or another network's; the message is one line.
    """
    from safetensors.torch import load_file

    path = folder / "model.safetensors"
    layers = YamnetLayers()
    try:
        layers.load_state_dict(load_file(path))  # copies into float32, whatever the file holds
    except Exception as error:
        reason = textwrap.shorten(str(error) or type(error).__name__, 200)
        raise ValueError(
            f"{path} does not hold YAMNet's weights ({reason}): it is damaged or of another kind; fetch it again."
        ) from None
    return layers
