"""One score from the calibrated scores of several runs; it is a log-likelihood ratio as they are."""

from src.models.fusion.fusion_model import Fusion, FusionConfig

__all__ = ["Fusion", "FusionConfig"]
