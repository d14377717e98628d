"""Multi-layer perceptron on standardised embeddings; the score is its logit."""

from src.models.mlp.mlp_model import Mlp, MlpConfig

__all__ = ["Mlp", "MlpConfig"]
