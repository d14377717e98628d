"""The encoders that are pretrained: transformers' own models, of which frames can be masked and all layers come out.

    waveforms (b, n) -> features (b, t, c): local, a frame of 20 ms sees little more than itself
                     -> hidden states (b, t, d), L + 1 of them: each frame sees all others

    front end   model             features                                              GenerateEmbeddings
    conv        Wav2Vec2Model,    seven convolutions on the waveform, as published      --backbone=wav2vec2, hubert
                HubertModel
    mel         WhisperEncoder    log-mel, gelu(conv2(gelu(conv1(.)))), as published    --backbone=whisper --window=own

Small: c = d = 256, 4 layers of 4 heads and a feed-forward part of 1024; tiny: d = 216, and c = 128 of convolutions, so
that a mel encoder in float16 has less than 5 MB; base: as wav2vec2-base and whisper-base. The mel front end computes a
twentieth of what the convolutions do. `save` writes what `--model=` reads.

Masked frames are replaced by one learnt vector in front of the transformer: wav2vec2 has it among its weights
(`masked_spec_embed`), Whisper knows none, so there it is the encoder's own. Whisper's two convolutions look 30 ms to
either side, so there the spectra under a mask are replaced as well, in front of them: the frames beside a mask would
tell what lies under it. Layers are never dropped, and transformers itself masks nothing here: it would draw from global
state.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn
from torch.nn.functional import gelu, layer_norm, pad
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from src.audio.io import SPEECH_RATE
from src.backbones.padding import count_frames
from src.backbones.published import FAMILIES
from src.backbones.whisper_log_mel import HOP, WhisperLogMel
from src.pretraining.contract import PretrainingConfig

NORMALISATION_EPSILON = 1e-7
SMALL_CONV = {
    "conv_dim": (256,) * 7,
    "hidden_size": 256,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 1024,
}
TINY_CONV = {
    "conv_dim": (128,) * 7,
    "hidden_size": 216,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 864,
    "num_conv_pos_embedding_groups": 8,
}
TINY_MEL = {"d_model": 216, "encoder_layers": 4, "encoder_attention_heads": 4, "encoder_ffn_dim": 864}
SMALL_MEL = {"d_model": 256, "encoder_layers": 4, "encoder_attention_heads": 4, "encoder_ffn_dim": 1024}


class PretrainingEncoder(nn.Module, ABC):
    """A model that is pretrained, and how its waveforms are prepared."""

    front_end: str
    frame_seconds = 0.02
    width: int
    """Size d of the hidden states."""
    feature_width: int
    """Size c of the features."""
    masks_spectra = False
    """Whether features depend on the masks: else those beside a mask would tell what lies under it."""

    def __init__(self, model: Any, extractor: Any) -> None:
        super().__init__()
        self.model, self.extractor = model, extractor

    @property
    def family(self) -> str:
        """The backbone that reads what `save` writes."""
        return str(self.model.config.model_type)

    @abstractmethod
    def count_frames(self, n_samples: int) -> int:
        """Return how many frames t so many samples give."""

    @abstractmethod
    def features(self, waveforms: torch.Tensor, masks: torch.Tensor | None = None) -> torch.Tensor:
        """Return the local features of waveforms (b, n) at 16 kHz: shape (b, t, c); `masks` as in `contextual`."""

    @abstractmethod
    def normalised(self, features: torch.Tensor) -> torch.Tensor:
        """Return features (b, t, c) on one scale, as a quantiser needs them."""

    @abstractmethod
    def contextual(self, features: torch.Tensor, masks: torch.Tensor | None = None) -> list[torch.Tensor]:
        """Return the hidden states of all layers, L + 1 of shape (b, t, d), as the backbone of its name numbers them.

        Parameters
        ----------
        features : torch.Tensor, shape (b, t, c)
        masks : torch.Tensor of bool, shape (b, t), optional
            Frames that are replaced by a learnt vector.
        """

    def hidden(self, waveforms: torch.Tensor, masks: torch.Tensor | None = None) -> list[torch.Tensor]:
        """Return the hidden states of waveforms (b, n); see `contextual`."""
        return self.contextual(self.features(waveforms, masks), masks)

    @abstractmethod
    def layers(self) -> list[nn.Module]:
        """Return the L transformer layers, the lowest first."""

    def save(self, folder: Path) -> None:
        """Write the model as `--model=` reads it."""
        transformers.utils.logging.disable_progress_bar()
        self.model.save_pretrained(folder)
        self.extractor.save_pretrained(folder)


class ConvEncoder(PretrainingEncoder):
    """Wav2vec2, HuBERT and their like."""

    front_end = "conv"

    def __init__(self, model: Any, extractor: Any) -> None:
        super().__init__(model, extractor)
        config = model.config
        config.layerdrop = 0.0
        config.mask_time_prob = config.mask_time_prob or 0.05  # else the learnt vector would not be read back
        if not hasattr(model, "masked_spec_embed"):
            model.masked_spec_embed = nn.Parameter(torch.empty(config.hidden_size).uniform_())
        self.width, self.feature_width = config.hidden_size, config.conv_dim[-1]
        self._kernels, self._strides = config.conv_kernel, config.conv_stride
        self._normalises = bool(extractor.do_normalize)

    def count_frames(self, n_samples: int) -> int:
        """Return how many frames so many samples give; the convolutions are not padded."""
        return count_frames(n_samples, self._kernels, self._strides)

    def features(self, waveforms: torch.Tensor, masks: torch.Tensor | None = None) -> torch.Tensor:
        """Return the output of the convolutions; waveforms are normalised where the model was published so."""
        if self._normalises:
            centred = waveforms - waveforms.mean(dim=1, keepdim=True)
            variance = centred.square().mean(dim=1, keepdim=True)
            waveforms = centred / (variance + NORMALISATION_EPSILON).sqrt()
        found: torch.Tensor = self.model.feature_extractor(waveforms)
        return found.transpose(1, 2)

    def normalised(self, features: torch.Tensor) -> torch.Tensor:
        """Return features after the normalisation with which the model projects them, which has weights."""
        norm = getattr(self.model.feature_projection, "layer_norm", None)
        found: torch.Tensor = norm(features) if norm is not None else layer_norm(features, features.shape[-1:])
        return found

    def contextual(self, features: torch.Tensor, masks: torch.Tensor | None = None) -> list[torch.Tensor]:
        """Return the hidden states of all layers; the last is that behind a final normalisation, where there is one."""
        projected = self.model.feature_projection(features)
        frames = projected[0] if isinstance(projected, tuple) else projected  # some return the features as well
        if masks is not None:
            frames = torch.where(masks[..., None], self.model.masked_spec_embed.to(frames.dtype), frames)
        with entering(self.layers()) as hidden:
            last = self.model.encoder(frames, return_dict=True).last_hidden_state
        return [*hidden, last]

    def layers(self) -> list[nn.Module]:
        """Return the transformer layers."""
        return list(self.model.encoder.layers)


class MelEncoder(PretrainingEncoder):
    """The encoder of a Whisper model, in windows as long as what it is given."""

    front_end = "mel"
    masks_spectra = True

    def __init__(self, model: Any, extractor: Any) -> None:
        super().__init__(model, extractor)
        model.layerdrop = 0.0
        self.log_mel = WhisperLogMel(model.config.num_mel_bins)
        self.width = self.feature_width = model.config.d_model
        self.mask_vector = nn.Parameter(torch.empty(self.width).uniform_())

    def count_frames(self, n_samples: int) -> int:
        """Return how many frames so many samples give; zeros fill the last one."""
        return -(-n_samples // (2 * HOP))

    def features(self, waveforms: torch.Tensor, masks: torch.Tensor | None = None) -> torch.Tensor:
        """Return the output of the two convolutions on the log-mel spectrogram, which is 0 where frames are masked."""
        n_samples = waveforms.shape[1]
        spectra = self.log_mel(pad(waveforms, (0, self.count_frames(n_samples) * 2 * HOP - n_samples)))
        if masks is not None:
            spectra = spectra.masked_fill(masks.repeat_interleave(2, dim=1)[:, None], 0.0)
        return gelu(self.model.conv2(gelu(self.model.conv1(spectra)))).transpose(1, 2)

    def normalised(self, features: torch.Tensor) -> torch.Tensor:
        """Return features, each of zero mean and unit variance over the clip, as the other front end's first are.

        Without that frames of speech lie close together, and a quantiser gives most of them the same units.
        """
        centred = features - features.mean(dim=1, keepdim=True)
        return centred / (centred.square().mean(dim=1, keepdim=True) + NORMALISATION_EPSILON).sqrt()

    def contextual(self, features: torch.Tensor, masks: torch.Tensor | None = None) -> list[torch.Tensor]:
        """Return the hidden states of all layers; the last is normalised."""
        if masks is not None:
            features = torch.where(masks[..., None], self.mask_vector.to(features.dtype), features)
        frames = features + self.model.embed_positions.weight[: features.shape[1]]
        hidden = [nn.functional.dropout(frames, self.model.dropout, self.training)]
        for layer in self.model.layers:
            output = layer(hidden[-1], *_nothing_for(layer))
            hidden.append(output[0] if isinstance(output, tuple) else output)
        return [*hidden[:-1], self.model.layer_norm(hidden[-1])]

    def layers(self) -> list[nn.Module]:
        """Return the transformer layers."""
        return list(self.model.layers)


@contextmanager
def entering(layers: list[nn.Module]) -> Iterator[list[torch.Tensor]]:
    """Yield a list that fills with what enters each layer while the block runs them."""
    hidden: list[torch.Tensor] = []

    def note(_: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        hidden.append(given[0] if given else named["hidden_states"])

    hooks = [layer.register_forward_pre_hook(note, with_kwargs=True) for layer in layers]
    try:
        yield hidden
    finally:
        for hook in hooks:
            hook.remove()


def new_encoder(config: PretrainingConfig) -> PretrainingEncoder:
    """Return an encoder of random weights, drawn from PyTorch's state: whoever begins a pretraining seeds it."""
    if config.front_end == "mel":
        sizes = {"tiny": TINY_MEL, "base": FAMILIES["whisper"].sizes["base"]}
        settings = sizes.get(config.size, SMALL_MEL)
        model = WhisperEncoder(transformers.WhisperConfig(**settings))
        return MelEncoder(model, transformers.WhisperFeatureExtractor())
    family = "hubert" if config.objective == "hubert" else "wav2vec2"
    settings = {"tiny": TINY_CONV, "base": FAMILIES[family].sizes["base"]}.get(config.size, SMALL_CONV)
    conv_model = transformers.AutoModel.from_config(transformers.AutoConfig.for_model(family, **settings))
    extractor = transformers.Wav2Vec2FeatureExtractor(sampling_rate=SPEECH_RATE, do_normalize=True)
    return ConvEncoder(conv_model, extractor)


def encoder_of(model: Any, extractor: Any) -> PretrainingEncoder:
    """Return the encoder around a model that was loaded."""
    return (MelEncoder if model.config.model_type == "whisper" else ConvEncoder)(model, extractor)


def _nothing_for(layer: nn.Module) -> list[None]:
    """Return None for each argument that a layer needs beside hidden states: masks, of which versions differ."""
    needed = [
        about
        for about in inspect.signature(layer.forward).parameters.values()
        if about.default is about.empty and about.kind is about.POSITIONAL_OR_KEYWORD
    ]
    return [None] * (len(needed) - 1)
