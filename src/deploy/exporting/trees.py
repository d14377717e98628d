"""Trees as tables: every clip walks down all trees at once, by one look-up a step.

All nodes of a forest stand in one table; a leaf is its own child, so that walking as many steps as the deepest tree has
brings every clip to its leaf, without a branch in the graph. A node compares the float32 number x with a float64
threshold t. Here t is float32 too: the greatest that is not above it, and x <= t has the same answer for every x.

A runtime that sums in another order moves x in its last digits, and x may then pass t: another leaf, another score.
`jump` tells by how much at most: a clip is sent to both sides of every threshold that lies within rounding of its
feature (`SLACK`), and the least and the greatest leaf that it can reach in each tree are summed.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

SLACK = 1e-3
"""How far rounding moves a feature, as a share of the range of its thresholds; 9e-4 of the deviation among clips at
most, measured for lfcc."""


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
        self.slack = SLACK * ranges(self.feature.numpy(), thresholds, self._inner())

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the sums, float64."""
        at = self.roots + torch.zeros_like(vectors[:, :1], dtype=torch.long)
        for _ in range(self.depth):
            goes_left = vectors.gather(1, self.feature[at]) <= self.threshold[at]
            at = self.below[2 * at + goes_left.long()]
        return self.value[at].sum(dim=1)

    def bounds(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Return the least and the greatest sum within rounding of vectors (b, d), (b,) each."""
        inner, (right, left) = self._inner(), self.below.numpy().reshape(-1, 2).T
        x, threshold = vectors.numpy()[:, self.feature.numpy()], self.threshold.numpy()
        reached = np.zeros(x.shape, bool)
        reached[:, self.roots.numpy()] = True
        for _ in range(self.depth):
            reached[:, left[inner]] = (reached & (x <= threshold + self.slack))[:, inner]
            reached[:, right[inner]] = (reached & (x > threshold - self.slack))[:, inner]
        leaves = reached & ~inner
        least = np.minimum.reduceat(np.where(leaves, self.value.numpy(), np.inf), self.roots.numpy(), axis=1)
        greatest = np.maximum.reduceat(np.where(leaves, self.value.numpy(), -np.inf), self.roots.numpy(), axis=1)
        return torch.from_numpy(least.sum(axis=1)), torch.from_numpy(greatest.sum(axis=1))

    def _inner(self) -> np.ndarray:
        """Return which nodes are no leaves, shape (nodes,)."""
        below = self.below.numpy().reshape(-1, 2)
        inner: np.ndarray = below[:, 0] != below[:, 1]
        return inner


class Trees(nn.Module):
    """The base: a score that grows with a sum of leaves."""

    def __init__(self, trees: list[Nodes]) -> None:
        super().__init__()
        self.walk = Walk(trees)

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the scores of vectors (b, d), shape (b,)."""
        return self.score(self.walk(vectors))

    def score(self, sums: Tensor) -> Tensor:
        """Return the scores of sums."""
        raise NotImplementedError

    def jump(self, vectors: Tensor) -> Tensor:
        """Return by how much rounding can move the scores of vectors (b, d), shape (b,)."""
        least, greatest = self.walk.bounds(vectors)
        return self.score(greatest) - self.score(least)


class Forest(Trees):
    """A random forest: the log-odds of the mean probability of bona fide, half a tree short of certainty."""

    def __init__(self, estimator: Any) -> None:
        super().__init__([_of_forest(each.tree_) for each in estimator.estimators_])
        self.n_trees = len(estimator.estimators_)

    def score(self, sums: Tensor) -> Tensor:
        """Return the scores of sums."""
        doubt = 0.5 / self.n_trees
        probability = (sums / self.n_trees).clamp(doubt, 1 - doubt)
        return (probability.log() - torch.log1p(-probability)).float()


class Boosted(Trees):
    """Boosted trees: the sum of their leaves and the score that the first of them started from."""

    def __init__(self, estimator: Any) -> None:
        super().__init__([_of_boosting(predictor.nodes) for (predictor,) in estimator._predictors])
        self.start = float(np.ravel(estimator._baseline_prediction)[0])

    def score(self, sums: Tensor) -> Tensor:
        """Return the scores of sums."""
        return (sums + self.start).float()


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


def ranges(feature: np.ndarray, threshold: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Return for every node how far the thresholds of its feature lie apart, shape (nodes,).

    >>> ranges(np.array([0, 1, 0]), np.array([1.0, 5.0, 4.0]), np.array([True, True, True])).tolist()
    [3.0, 0.0, 3.0]
    """
    least, greatest = np.full(feature.max() + 1, np.inf), np.full(feature.max() + 1, -np.inf)
    np.minimum.at(least, feature[inner], threshold[inner])
    np.maximum.at(greatest, feature[inner], threshold[inner])
    spans: np.ndarray = np.where(greatest >= least, greatest - least, 0.0)[feature]
    return spans


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
