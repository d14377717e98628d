"""Gradient-boosted trees on embeddings as they are; the score is their sum, the log-odds of bona fide."""

from src.models.gradient_boosting.gradient_boosting_model import GradientBoosting, GradientBoostingConfig

__all__ = ["GradientBoosting", "GradientBoostingConfig"]
