"""Speech models of random weights, narrow and with few layers, for the tests of encoders."""

from pathlib import Path
from typing import Any

import torch
import transformers

from src.detectors.pretrained_encoder import Source
from tests.backbones.conftest import AS_PUBLISHED, FAMILIES, SHAPES, SPECTRAL, TINY


def small_model(family: str = "wav2vec2", shape: str = "base", **options: Any) -> Any:
    """Return a model of random weights, whose biases are not zero: zeros would hide what padding does."""
    config_class, model_class = (getattr(transformers, name) for name in FAMILIES[family])
    settings = {**TINY, **SHAPES[shape], **AS_PUBLISHED, "num_hidden_layers": 3, **options}
    if family == "data2vec-audio":
        settings["num_conv_pos_embeddings"] = 5  # here the number of convolutions, not their width
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        model = model_class(config_class(**settings))
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.data += 0.1 * torch.randn(parameter.shape)
    return model.eval()


def save_small(folder: Path, family: str = "wav2vec2", shape: str = "base", **options: Any) -> Path:
    """Save a model as users have it, and return its folder."""
    small_model(family, shape, **options).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=family != "wavlm").save_pretrained(folder)
    return folder


def save_small_whisper(folder: Path) -> Path:
    """Save a Whisper encoder alone, with windows of up to 2 s, and return its folder."""
    config_class, model_class, settings, of_extractor = SPECTRAL["whisper"]
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        encoder = getattr(transformers, model_class)(getattr(transformers, config_class)(**settings)).encoder
        for parameter in encoder.parameters():
            if parameter.ndim == 1:
                parameter.data += 0.1 * torch.randn(parameter.shape)
    encoder.save_pretrained(folder)
    transformers.WhisperFeatureExtractor(**of_extractor).save_pretrained(folder)
    return folder


def source(family: str = "wav2vec2", shape: str = "base", **options: Any) -> Source:
    """Return a model as if it had been loaded."""
    return Source(small_model(family, shape, **options), normalise=True, digest="sha256:1")


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    """Return noise that a test may ask for again."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
