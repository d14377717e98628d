"""Random forest on embeddings as they are; the score is the log-odds of the trees' mean probability."""

from src.models.random_forest.random_forest_model import RandomForest, RandomForestConfig

__all__ = ["RandomForest", "RandomForestConfig"]
