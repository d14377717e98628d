"""What the size small stands for in tests: encoders that are trained in a second."""

import pytest

from src.pretraining import encoders

SMALLER = {
    "SMALL_CONV": {
        "conv_dim": (16,) * 7,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 2,
        "num_codevectors_per_group": 8,
        "codevector_dim": 8,
        "proj_codevector_dim": 8,
    },
    "SMALL_MEL": {"d_model": 16, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 32},
}
"""What "small" stands for in tests."""


def smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let encoders of the size small be tiny."""
    for name, settings in SMALLER.items():
        monkeypatch.setattr(encoders, name, settings)
