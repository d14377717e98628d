"""The k nearest neighbours of each class in scaled embeddings; the score says whose are nearer."""

from src.models.knn.knn_model import NearestNeighbours, NearestNeighboursConfig

__all__ = ["NearestNeighbours", "NearestNeighboursConfig"]
