"""The families of pretrained speech models: what is published of each, and which of our files prepares its input.

A family is a row of `FAMILIES`. Families that take waveforms share one front end; the others name their own. The
sizes are those that are published; `random_weights.py` makes models of these shapes without a download. This file
imports neither torch nor transformers, so that a finished store is quickly compared with what is asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RANDOM = "random:"
"""What `model` begins with to get random weights: random:base or random:large."""

_BASE = {"num_hidden_layers": 12, "hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072}
_LARGE = {"num_hidden_layers": 24, "hidden_size": 1024, "num_attention_heads": 16, "intermediate_size": 4096}
_GROUP = {"feat_extract_norm": "group", "conv_bias": False}
_LAYER = {"feat_extract_norm": "layer", "conv_bias": True}
_OF_WAV2VEC2 = {
    "base": {**_BASE, **_GROUP, "do_stable_layer_norm": False},
    "large": {**_LARGE, **_LAYER, "do_stable_layer_norm": True},
}
"""Base as wav2vec2-base, HuBERT-base and their like; large as wav2vec2-large-lv60, XLS-R 300M and HuBERT-large."""


@dataclass(frozen=True)
class Family:
    """What AUDIOS has to know of a family before a model of it is loaded."""

    default: str
    """Hub id of the model that is taken when none is named."""
    sizes: Mapping[str, Mapping[str, Any]]
    """Size -> settings of transformers' configuration, where they are not its defaults."""
    model_type: str = ""
    """Transformers' name of the family, where it is not ours."""
    extractor: str = "Wav2Vec2FeatureExtractor"
    """Transformers' class that prepares its waveforms."""
    model_input: str = "src.backbones.waveforms:WaveformInput"
    """Our own, which prepares batches so that they give what every clip gives alone."""
    depth: str = "num_hidden_layers"
    width: str = "hidden_size"
    """Names of the two settings in the model's config.json."""
    part: str = ""
    """Transformers' class ("module:class") of the part that is used, where that is not the whole model."""
    prefix: str = ""
    """What the keys of that part begin with in files of the whole model, as a regular expression."""
    windows: tuple[str, ...] = ()
    """What `window` may be; the first is the default."""


FAMILIES = {
    "wav2vec2": Family("facebook/wav2vec2-base", _OF_WAV2VEC2),
    "hubert": Family("facebook/hubert-large-ls960-ft", _OF_WAV2VEC2),
    "wavlm": Family("microsoft/wavlm-base", {**_OF_WAV2VEC2, "large": {**_OF_WAV2VEC2["large"], "conv_bias": False}}),
    "unispeech-sat": Family("microsoft/unispeech-sat-base", _OF_WAV2VEC2),
    "data2vec-audio": Family("facebook/data2vec-audio-base", {"base": _BASE, "large": _LARGE}),
    "wav2vec2-conformer": Family(
        "facebook/wav2vec2-conformer-rel-pos-large",
        {"base": {**_BASE, **_GROUP, "hidden_act": "swish"}, "large": {**_LARGE, **_LAYER, "hidden_act": "swish"}},
    ),
    "wav2vec2-bert": Family(
        "facebook/w2v-bert-2.0",
        {"large": _LARGE},
        extractor="SeamlessM4TFeatureExtractor",
        model_input="src.backbones.wav2vec2_bert:Wav2Vec2BertInput",
    ),
    "whisper": Family(
        "openai/whisper-base",
        {
            "base": {"encoder_layers": 6, "d_model": 512, "encoder_attention_heads": 8, "encoder_ffn_dim": 2048},
            "large": {"encoder_layers": 32, "d_model": 1280, "encoder_attention_heads": 20, "encoder_ffn_dim": 5120},
        },
        extractor="WhisperFeatureExtractor",
        model_input="src.backbones.whisper:WhisperInput",
        depth="encoder_layers",
        width="d_model",
        part="transformers.models.whisper.modeling_whisper:WhisperEncoder",
        prefix=r"^(model\.)?encoder\.",
        windows=("30 s", "own"),
    ),
    "ast": Family(
        "MIT/ast-finetuned-audioset-10-10-0.4593",
        {"base": _BASE},
        model_type="audio-spectrogram-transformer",
        extractor="ASTFeatureExtractor",
        model_input="src.backbones.spectrogram_transformer:AstInput",
    ),
}
"""Name of a backbone -> its family."""
OF_WAVEFORMS = tuple(family for family, about in FAMILIES.items() if about.model_input == Family.model_input)
"""Families whose models take waveforms themselves."""
FINE_TUNABLE = (*OF_WAVEFORMS, "whisper")
"""Families that FineTune puts a head on."""
PARTS = {family: about.part for family, about in FAMILIES.items() if about.part}
"""Family -> transformers' class of the part of the model that is used, where that is not the whole."""


def model_type(family: str) -> str:
    """Return transformers' name of a family.

    >>> model_type("hubert"), model_type("ast")
    ('hubert', 'audio-spectrogram-transformer')
    """
    return FAMILIES[family].model_type or family


def random_size(family: str, name: str) -> str:
    """Return the size that `model=random:...` asks for; empty when the name is a model's.

    >>> random_size("hubert", "random:large"), random_size("hubert", "facebook/hubert-base-ls960")
    ('large', '')

    Raises
    ------
    ValueError
        When no such size is published.
    """
    if not name.startswith(RANDOM):
        return ""
    size, sizes = name.removeprefix(RANDOM), FAMILIES[family].sizes
    if size not in sizes:
        allowed = " or ".join(f"`model={RANDOM}{known}`" for known in sizes)
        raise ValueError(f"There is no random {family} of the size '{size}': give {allowed}.")
    return size


def choose_window(family: str, window: str | None) -> str:
    """Return the window that is asked for, or the family's default; empty for a family without windows.

    >>> choose_window("whisper", None), choose_window("hubert", None)
    ('30 s', '')

    Raises
    ------
    ValueError
        When the family has no windows to choose from, or no such window.
    """
    windows = FAMILIES[family].windows
    if not window:
        return windows[0] if windows else ""
    if window not in windows:
        raise ValueError(f"Unknown `window` '{window}' of {family}; allowed: {', '.join(windows)}.")
    return window
