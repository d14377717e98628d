"""Backbones as modules: what a backbone gives for one clip at a time, as one graph for every length.

All clips of a batch have the same length, so nothing is padded and no mask is needed: a clip gives the frames that it
gives alone. `hidden` of every module returns the frames (b, t, d) of the layers that the run's backbone keeps.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, pad

from src.backbones.clip_by_clip import SpectralBackbone
from src.backbones.contract import Backbone
from src.backbones.front_ends import front_end
from src.backbones.model_input import Prepared
from src.backbones.padding import pool_frames
from src.backbones.self_supervised import SelfSupervisedBackbone
from src.backbones.waveforms import NORMALISATION_EPSILON, WaveformInput
from src.backbones.whisper import WhisperInput
from src.backbones.yamnet import PATCH_SAMPLES, YamnetBackbone
from src.deploy.exporting.sizes import larger, smaller
from src.deploy.exporting.spectra import Features, LogMel, exportable

FEWEST_SAMPLES_OF_WAVEFORM_MODELS = 720
"""Two frames: the graphs of these models are made for more than one."""


class Frames(nn.Module):
    """The base: waveforms (b, n) -> frames (b, t, d) of every layer kept."""

    min_samples: int

    def forward(self, waveforms: Tensor) -> list[Tensor]:
        """Return the frames, the lowest layer first."""
        raise NotImplementedError


class OfSpectrum(Frames):
    """Spectral features: lfcc, mfcc, logmel and cqcc."""

    def __init__(self, backbone: SpectralBackbone) -> None:
        super().__init__()
        self.features, self.min_samples = Features(front_end(backbone.name, torch.float64)), backbone.min_samples

    def forward(self, waveforms: Tensor) -> list[Tensor]:
        """Return the one layer there is."""
        return [self.features(waveforms).transpose(1, 2)]


class OfYamnet(Frames):
    """YAMNet's patches; a clip shorter than one is filled up with zeros."""

    def __init__(self, backbone: YamnetBackbone) -> None:
        super().__init__()
        self.patches, self.layers, self.min_samples = (
            exportable(backbone.patches),
            backbone.layers,
            backbone.min_samples,
        )

    def forward(self, waveforms: Tensor) -> list[Tensor]:
        """Return the patches of the layers kept."""
        missing = larger(PATCH_SAMPLES - waveforms.shape[1], 0)
        means = self.patches(pad(waveforms, (0, missing)))
        return [means[layer] for layer in self.layers]


class OfWaveforms(Frames):
    """wav2vec2, HuBERT, WavLM and their like."""

    def __init__(self, backbone: SelfSupervisedBackbone) -> None:
        super().__init__()
        self.model, self.min_samples = backbone.model, FEWEST_SAMPLES_OF_WAVEFORM_MODELS
        self.model.config.layerdrop = 0.0
        self._backbone = [backbone]  # in a list: it is no module of ours
        self._normalise = backbone.model_input.normalisation != "none"

    def forward(self, waveforms: Tensor) -> list[Tensor]:
        """Return the hidden states kept, of waveforms that are brought to zero mean and unit variance if need be."""
        if self._normalise:
            centred = waveforms - waveforms.mean(dim=1, keepdim=True)
            variance = centred.square().mean(dim=1, keepdim=True)
            waveforms = centred / (variance + NORMALISATION_EPSILON).sqrt()
        return self._backbone[0].hidden_states(Prepared(waveforms, None, []), lambda frames: frames)


class OfWhisper(Frames):
    """Whisper's encoder on windows of 30 s filled up with silence, or on windows of the clip's own length.

    Silence is all that lies behind a clip, so its spectrum is not computed: it is the floor of the clip's log-mel. And
    the highest layer is computed for the clip's own frames alone: they attend to the silence, but nobody reads the
    frames of the silence there. For 4 s of 30 that spares most of this layer.
    """

    def __init__(self, backbone: SelfSupervisedBackbone) -> None:
        super().__init__()
        self.encoder, self.min_samples = backbone.model, backbone.min_samples
        self.log_mel = LogMel(torch.from_numpy(backbone.model_input.extractor.mel_filters))
        self.layers, self._closes = backbone.layers, backbone.layers[-1] == self.encoder.config.encoder_layers
        self._pair = 2 * backbone.model_input.extractor.hop_length
        self._window = 0 if backbone.window == "own" else int(backbone.longest_seconds * backbone.rate)

    def forward(self, waveforms: Tensor) -> list[Tensor]:
        """Return the hidden states kept, of the clip's own frames."""
        n_frames = (waveforms.shape[1] + self._pair - 1) // self._pair
        frames = gelu(self.encoder.conv1(self.spectrum(waveforms, n_frames)))
        frames = gelu(self.encoder.conv2(frames)).transpose(1, 2)
        frames = frames + self.encoder.embed_positions.weight[: frames.shape[1]]
        hidden, highest = [frames], self.layers[-1]
        for number in range(1, highest + 1):
            layer = self.encoder.layers[number - 1]
            hidden.append(_transformed(layer, hidden[-1], n_frames if number == highest else hidden[-1].shape[1]))
        if self._closes:
            hidden[-1] = self.encoder.layer_norm(hidden[-1])
        return [hidden[layer][:, :n_frames] for layer in self.layers]

    def spectrum(self, waveforms: Tensor, n_frames: int) -> Tensor:
        """Return the log-mel of the window, (b, bands, positions)."""
        n_samples = waveforms.shape[1]
        if not self._window:
            return self.log_mel(pad(waveforms, (0, n_frames * self._pair - n_samples)))
        heard = smaller(self._window, (n_frames + 2) * self._pair)  # the last frame of analysis does not meet the clip
        log_mel = self.log_mel(pad(waveforms, (0, heard - n_samples)))
        floor = log_mel.amin(dim=(1, 2), keepdim=True)
        silence = floor.expand(-1, log_mel.shape[1], 2 * self._window // self._pair - log_mel.shape[2])
        return torch.cat([log_mel, silence], dim=2)


def _transformed(layer: Any, frames: Tensor, n_frames: Any) -> Tensor:
    """Return what a layer of Whisper makes of the first `n_frames` of frames (b, t, d), which attend to all."""
    normed = layer.self_attn_layer_norm(frames)
    attended = layer.self_attn(normed[:, :n_frames], key_value_states=normed, attention_mask=None)[0]
    frames = frames[:, :n_frames] + attended
    opened: Tensor = layer.activation_fn(layer.fc1(layer.final_layer_norm(frames)))
    return frames + layer.fc2(opened)


class Pooled(nn.Module):
    """Waveforms (b, n) -> what a store keeps of them: (b, k d), or (b, layers, k d) of a mix of layers.

    Parameters
    ----------
    frames : Frames
    statistics : sequence of int
        The k statistics of the pooling: 0 the mean, 1 the deviation.
    mixes : bool
        Whether the classifier is given all layers.
    """

    def __init__(self, frames: Frames, statistics: tuple[int, ...], *, mixes: bool) -> None:
        super().__init__()
        self.frames, self.statistics, self.mixes = frames, statistics, mixes

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return the vectors."""
        of_layers = []
        for hidden in self.frames(waveforms):
            pooled = pool_frames(hidden, None)
            of_layers.append(torch.cat([pooled[:, number] for number in self.statistics], dim=1))
        return torch.stack(of_layers, dim=1) if self.mixes else of_layers[0]


def frames_module(backbone: Backbone) -> Frames:
    """Return a backbone as a module; ValueError where its front end is no graph."""
    if isinstance(backbone, SpectralBackbone):
        return OfSpectrum(backbone)
    if isinstance(backbone, YamnetBackbone):
        return OfYamnet(backbone)
    if isinstance(backbone, SelfSupervisedBackbone):
        for kind, make in OF_INPUTS.items():
            if isinstance(backbone.model_input, kind):
                return make(backbone)
    name = str(backbone.identity()["backbone"])
    raise ValueError(f"Embeddings of {name} cannot be exported: its features are computed by another library's code.")


OF_INPUTS: dict[type, Callable[[SelfSupervisedBackbone], Frames]] = {
    WaveformInput: OfWaveforms,
    WhisperInput: OfWhisper,
}
"""What prepares a model's input -> the module of such models."""
