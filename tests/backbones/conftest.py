"""Speech models of random weights, small enough to make many, saved in folders as users have them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SaveModel = Callable[..., Path]
FAMILIES = {
    "wav2vec2": ("Wav2Vec2Config", "Wav2Vec2Model"),
    "hubert": ("HubertConfig", "HubertModel"),
    "wavlm": ("WavLMConfig", "WavLMModel"),
    "unispeech-sat": ("UniSpeechSatConfig", "UniSpeechSatModel"),
    "data2vec-audio": ("Data2VecAudioConfig", "Data2VecAudioModel"),
    "wav2vec2-conformer": ("Wav2Vec2ConformerConfig", "Wav2Vec2ConformerModel"),
}
"""Those that take waveforms."""
TINY = {
    "hidden_size": 16,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "conv_dim": (8,) * 7,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
}
SHAPES = {
    "base": {"num_hidden_layers": 12, "feat_extract_norm": "group", "do_stable_layer_norm": False},
    "large": {"num_hidden_layers": 24, "feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True},
}
"""The two kinds of model, as deep as the real ones; kernels and strides are the real ones too."""
SPECTRAL: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    "whisper": (
        "WhisperConfig",
        "WhisperModel",
        {
            "d_model": 16,
            "encoder_layers": 3,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 16,
            "decoder_layers": 1,
            "decoder_attention_heads": 2,
            "decoder_ffn_dim": 16,
            "num_mel_bins": 8,
            "max_source_positions": 100,
            "vocab_size": 8,
            "pad_token_id": 0,
            "bos_token_id": 0,
            "eos_token_id": 0,
            "decoder_start_token_id": 0,
            "begin_suppress_tokens": None,
            "init_std": 0.1,
        },
        {"feature_size": 8, "chunk_length": 2},
    ),
    "wav2vec2-bert": (
        "Wav2Vec2BertConfig",
        "Wav2Vec2BertModel",
        {
            "hidden_size": 16,
            "num_hidden_layers": 3,
            "num_attention_heads": 2,
            "intermediate_size": 16,
            "initializer_range": 0.1,
        },
        {},
    ),
    "ast": (
        "ASTConfig",
        "ASTModel",
        {
            "hidden_size": 16,
            "num_hidden_layers": 3,
            "num_attention_heads": 2,
            "intermediate_size": 16,
            "max_length": 156,
            "num_mel_bins": 48,
            "initializer_range": 0.1,
        },
        {"max_length": 156, "num_mel_bins": 48},
    ),
}
"""Those that take spectrograms -> classes, settings, and settings of the feature extractor; windows of 2 and 1.56 s."""
PUBLISHED = {
    "wav2vec2-base": ("wav2vec2", "base", {}),
    "hubert-base": ("hubert", "base", {}),
    "wavlm-base": ("wavlm", "base", {"do_normalize": False}),
    "hubert-large": ("hubert", "large", {}),
    "mhubert-147": ("hubert", "base", {"num_hidden_layers": 7, "conv_pos_batch_norm": True}),
    "xls-r": ("wav2vec2", "large", {}),
    "wavlm-large": ("wavlm", "large", {"conv_bias": False}),
    "unispeech-sat-base": ("unispeech-sat", "base", {"num_hidden_layers": 7}),
    "unispeech-sat-large": ("unispeech-sat", "large", {"num_hidden_layers": 7}),
    "data2vec-audio-base": ("data2vec-audio", "base", {"num_hidden_layers": 7, "num_conv_pos_embeddings": 5}),
    "wav2vec2-conformer-base": ("wav2vec2-conformer", "base", {"num_hidden_layers": 7}),
    "wav2vec2-conformer-rel-pos-large": ("wav2vec2-conformer", "large", {"num_hidden_layers": 7}),
}
"""Published models -> family, shape and other settings; `published` adds what all of them share."""
AS_PUBLISHED = {"num_conv_pos_embeddings": 128, "num_conv_pos_embedding_groups": 16, "initializer_range": 0.1}
"""The positional convolution reaches over 128 frames; weights as large as a width of 16 needs to pass signals on."""


@pytest.fixture(scope="session")
def save_model() -> SaveModel:
    """Return a function that saves a model: `save_model(folder, "hubert", "large", num_hidden_layers=2)`."""

    def save(
        folder: Path,
        family: str = "wav2vec2",
        shape: str = "base",
        *,
        do_normalize: bool = True,
        dtype: str = "float32",
        seed: int = 0,
        bias: float = 0.0,
        **options: Any,
    ) -> Path:
        import torch
        import transformers

        config_class, model_class = (getattr(transformers, name) for name in FAMILIES[family])
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            model = model_class(config_class(**{**TINY, **SHAPES[shape], **options}))
            for parameter in model.parameters():
                if parameter.ndim == 1:
                    parameter.data += bias * torch.randn(parameter.shape)
        model.to(getattr(torch, dtype)).save_pretrained(folder)
        transformers.Wav2Vec2FeatureExtractor(do_normalize=do_normalize).save_pretrained(folder)
        return folder

    return save


@pytest.fixture(scope="session")
def save_spectral() -> SaveModel:
    """Return a function that saves a model of spectrograms: `save_spectral(folder, "ast", head="ASTForAudio...")`."""

    def save(folder: Path, family: str, *, head: str = "", **options: Any) -> Path:
        import torch
        import transformers

        from src.backbones.published import FAMILIES as KNOWN

        config_class, model_class, settings, of_extractor = SPECTRAL[family]
        with torch.random.fork_rng([]):
            torch.manual_seed(0)
            model = getattr(transformers, head or model_class)(
                getattr(transformers, config_class)(**{**settings, **options})
            )
            for parameter in model.parameters():
                if parameter.ndim == 1 or not parameter.any():
                    parameter.data += 0.1 * torch.randn(parameter.shape)
        model.save_pretrained(folder)
        getattr(transformers, KNOWN[family].extractor)(**of_extractor).save_pretrained(folder)
        return folder

    return save


@pytest.fixture(scope="session", params=SPECTRAL)
def spectral(
    request: pytest.FixtureRequest, save_spectral: SaveModel, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """Return family and folder of a small model that takes spectrograms; not to be changed."""
    head = "WhisperForAudioClassification" if request.param == "whisper" else ""
    folder = tmp_path_factory.mktemp("spectral") / request.param
    return request.param, save_spectral(folder, request.param, head=head, vocab_size=8)


@pytest.fixture(scope="session")
def base(save_model: SaveModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a wav2vec2 whose first convolution is normalised over time; not to be changed."""
    return save_model(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="session")
def large(save_model: SaveModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a HuBERT with layer normalisation, which wants raw waveforms; not to be changed."""
    return save_model(tmp_path_factory.mktemp("models") / "large", "hubert", "large", do_normalize=False)


@pytest.fixture(scope="session")
def wavlm(save_model: SaveModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a WavLM, whose layers also return a position bias; not to be changed."""
    return save_model(tmp_path_factory.mktemp("models") / "wavlm", "wavlm", num_hidden_layers=3)


@pytest.fixture(scope="session", params=PUBLISHED)
def published(
    request: pytest.FixtureRequest, save_model: SaveModel, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """Return family and folder of a model built as a published one, only narrow; not to be changed.

    Its biases are not zero, as those of trained models are not: zeros would hide what padding does.
    """
    family, shape, options = PUBLISHED[request.param]
    folder = tmp_path_factory.mktemp("published") / request.param
    return family, save_model(folder, family, shape, bias=0.1, **{**AS_PUBLISHED, **options})
