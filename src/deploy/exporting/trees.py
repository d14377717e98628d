"""Trees as tables: every clip walks down all trees at once, by one look-up a step.

All nodes of a forest stand in one table; a leaf is its own child, so that walking as many steps as the deepest tree has
brings every clip to its leaf, without a branch in the graph. A node compares the float32 number x with a float64
threshold t. Here t is float32 too: the greatest that is not above it, and x <= t has the same answer for every x.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Nodes:
    """The nodes of a tree, shape (n,) each; the root is the first."""

    feature: np.ndarray
    threshold: np.ndarray
    """Left where the feature is not above it."""
    left: np.ndarray
    right: np.ndarray
    """Numbers of the children; a leaf's are its own."""
    value: np.ndarray
    """What a leaf adds to the sum."""


class Walk(nn.Module):
    """Vectors (b, d) -> sums of the leaves that they reach, (b,)."""

    feature: Tensor
    threshold: Tensor
    below: Tensor
    value: Tensor
    roots: Tensor

    def __init__(self, trees: list[Nodes]) -> None:
        super().__init__()
        sizes = [len(tree.feature) for tree in trees]
        roots = np.cumsum([0, *sizes[:-1]])
        self.depth = max(map(depth, trees))
        below = [np.stack([tree.right, tree.left], axis=1) + root for tree, root in zip(trees, roots, strict=True)]
        thresholds = floor_to_float32(np.concatenate([tree.threshold for tree in trees]))
        self.register_buffer("feature", torch.from_numpy(np.concatenate([tree.feature for tree in trees])).long())
        self.register_buffer("threshold", torch.from_numpy(thresholds))
        self.register_buffer("below", torch.from_numpy(np.concatenate(below).ravel()).long())
        self.register_buffer("value", torch.from_numpy(np.concatenate([tree.value for tree in trees])).double())
        self.register_buffer("roots", torch.from_numpy(roots).long())

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the sums, float64."""
        at = self.roots + torch.zeros_like(vectors[:, :1], dtype=torch.long)
        for _ in range(self.depth):
            goes_left = vectors.gather(1, self.feature[at]) <= self.threshold[at]
            at = self.below[2 * at + goes_left.long()]
        return self.value[at].sum(dim=1)


class Forest(nn.Module):
    """A random forest: the log-odds of the mean probability of bona fide, half a tree short of certainty."""

    def __init__(self, estimator: Any) -> None:
        super().__init__()
        self.walk = Walk([_of_forest(each.tree_) for each in estimator.estimators_])
        self.n_trees = len(estimator.estimators_)

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the scores of vectors (b, d), shape (b,)."""
        doubt = 0.5 / self.n_trees
        probability = (self.walk(vectors) / self.n_trees).clamp(doubt, 1 - doubt)
        return (probability.log() - torch.log1p(-probability)).float()


class Boosted(nn.Module):
    """Boosted trees: the sum of their leaves and the score that the first of them started from."""

    def __init__(self, estimator: Any) -> None:
        super().__init__()
        self.walk = Walk([_of_boosting(predictor.nodes) for (predictor,) in estimator._predictors])
        self.start = float(np.ravel(estimator._baseline_prediction)[0])

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the scores of vectors (b, d), shape (b,)."""
        return (self.walk(vectors) + self.start).float()


def depth(tree: Nodes) -> int:
    """Return how many steps lead from the root to the deepest leaf.

    >>> stump = Nodes(np.zeros(3, int), np.zeros(3), np.array([1, 1, 2]), np.array([2, 1, 2]), np.zeros(3))
    >>> depth(stump)
    1
    """
    level, steps = np.array([0]), 0
    while len(level := level[tree.left[level] != level]):
        level, steps = np.concatenate([tree.left[level], tree.right[level]]), steps + 1
    return steps


def floor_to_float32(numbers: np.ndarray) -> np.ndarray:
    """Return the greatest float32 that is not above each number.

    >>> bool(floor_to_float32(np.array([0.1]))[0] <= 0.1)
    True
    """
    with np.errstate(over="ignore"):
        rounded = numbers.astype(np.float32)
    return np.where(rounded > numbers, np.nextafter(rounded, np.float32(-np.inf)), rounded)


def _of_forest(tree: Any) -> Nodes:
    """Return a tree of scikit-learn's random forest; its leaves hold the share of each class."""
    own, is_leaf = np.arange(tree.node_count), tree.children_left < 0
    shares = tree.value[:, 0, :]
    return Nodes(
        np.where(is_leaf, 0, tree.feature),
        tree.threshold,
        np.where(is_leaf, own, tree.children_left),
        np.where(is_leaf, own, tree.children_right),
        shares[:, 1] / shares.sum(axis=1),
    )


def _of_boosting(nodes: np.ndarray) -> Nodes:
    """Return a tree of scikit-learn's histogram boosting."""
    own, is_leaf = np.arange(len(nodes)), nodes["is_leaf"].astype(bool)
    return Nodes(
        np.where(is_leaf, 0, nodes["feature_idx"]),
        nodes["num_threshold"],
        np.where(is_leaf, own, nodes["left"]),
        np.where(is_leaf, own, nodes["right"]),
        nodes["value"],
    )
