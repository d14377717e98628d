"""Tiny encoders of random weights, and made-up speech for them."""

from functools import cache

import numpy as np
import torch
import transformers
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from src.audio.voices import draw_voice, speak
from src.pretraining.beside_mel import make_objective
from src.pretraining.contract import Objective, PretrainingConfig
from src.pretraining.encoders import ConvEncoder, MelEncoder, PretrainingEncoder
from src.pretraining.masks import draw_masks

SMALL = {"num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 64, "hidden_size": 32}
SMALL_POSITIONS = {"num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2, "conv_dim": (16,) * 7}


def tiny_encoder(front_end: str) -> PretrainingEncoder:
    """Return an encoder of one layer of 32 numbers, without dropout."""
    if front_end == "mel":
        settings = {"d_model": 32, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 64}
        model = WhisperEncoder(transformers.WhisperConfig(**settings, dropout=0.0))
        return MelEncoder(model, transformers.WhisperFeatureExtractor())
    dropouts = {"hidden_dropout": 0.0, "attention_dropout": 0.0, "feat_proj_dropout": 0.0, "activation_dropout": 0.0}
    config = transformers.HubertConfig(**SMALL, **SMALL_POSITIONS, **dropouts)
    return ConvEncoder(transformers.HubertModel(config), transformers.Wav2Vec2FeatureExtractor(do_normalize=True))


def tiny_objective(front_end: str = "mel", seed: int = 7, **settings: object) -> Objective:
    """Return an objective around a tiny encoder, both drawn from the seed; it has not started."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make_objective(tiny_encoder(front_end), PretrainingConfig.from_mapping(settings))


@cache
def crops(n_crops: int = 8, seconds: int = 2) -> torch.Tensor:
    """Return made-up speech, (b, n); nobody may change it."""
    rng = np.random.default_rng(5)
    speech = [speak(draw_voice("FM"[number % 2], rng), seconds, rng) for number in range(n_crops)]
    return torch.from_numpy(np.stack(speech)).float()


def masks_of(objective: Objective, waveforms: torch.Tensor, step: int = 0) -> torch.Tensor:
    """Return masks of the objective's own share and span, (b, t)."""
    shape = len(waveforms), objective.encoder.count_frames(waveforms.shape[1])
    return torch.from_numpy(draw_masks((7, step), shape, objective.mask_share, objective.mask_span))
