"""What a detector's training minimises, and the score that goes with it.

An objective looks at the `Output` of a network. It holds weights of its own where the loss compares an embedding with
directions that it learns (am-softmax, oc-softmax); these belong to the detector as its network does, because the score
is taken from them.

    cross-entropy   of the two logits; the score is their difference, the log-odds of bona fide
    focal           cross-entropy that counts sure decisions less (Lin et al. 2017, equation 5)
    am-softmax      cosine to a direction for each class, less a margin (Wang et al. 2018)
    oc-softmax      cosine to one direction for bona fide, margins on either side (Zhang et al. 2021)
    contrastive     cross-entropy, and embeddings of a class are drawn together (Khosla et al. 2020, equation 2)
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax, logsigmoid, normalize, softplus

from src.audio.io import SPEECH_RATE
from src.detectors.contract import BONA_FIDE, Output
from src.detectors.training.clips import CELL_SAMPLES, IGNORED

CELL_SECONDS = CELL_SAMPLES / SPEECH_RATE

FOCUS = 2.0
"""Exponent gamma of the focal loss, the paper's."""
SCALE, MARGIN = 20.0, 0.9
"""Of am-softmax and oc-softmax, as Zhang et al. 2021 use them for speech."""
SPOOF_MARGIN = 0.2
TEMPERATURE = 0.1
CONTRAST = 0.5
"""Weight of the contrastive part beside the cross-entropy."""
SOFTNESS = 2.0
"""Temperature at which a student follows its teacher (Hinton et al. 2015)."""


class Objective(nn.Module):
    """Cross-entropy; the base of the others."""

    def __init__(self, class_weights: torch.Tensor) -> None:
        super().__init__()
        self.class_weights: torch.Tensor
        self.register_buffer("class_weights", class_weights, persistent=False)

    def forward(self, output: Output, labels: torch.Tensor) -> torch.Tensor:
        """Return the loss of a batch, a scalar; `labels` (b,) are 0 or 1."""
        return cross_entropy(output.logits, labels, weight=self.class_weights)

    def scores(self, output: Output) -> torch.Tensor:
        """Return the scores of windows, shape (b,): higher = more bona fide."""
        return output.logits[:, BONA_FIDE] - output.logits[:, 1 - BONA_FIDE]

    def log_odds(self, output: Output) -> torch.Tensor:
        """Return the scores as log-odds of bona fide, shape (b,): on the scale of a teacher's."""
        return self.scores(output)

    def _mean(self, losses: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the mean of losses (b,), each weighed by its class."""
        weights = self.class_weights[labels]
        return (weights * losses).sum() / weights.sum()


class Focal(Objective):
    """Cross-entropy times (1 - p) ** 2, p the probability of the right class."""

    def forward(self, output: Output, labels: torch.Tensor) -> torch.Tensor:
        """Return the loss of a batch."""
        log_p = log_softmax(output.logits, dim=1).gather(1, labels[:, None]).squeeze(1)
        return self._mean(-((1 - log_p.exp()) ** FOCUS) * log_p, labels)


class AmSoftmax(Objective):
    """Additive margin: the cosine to the direction of a clip's class counts less by a margin."""

    def __init__(self, class_weights: torch.Tensor, size: int) -> None:
        super().__init__(class_weights)
        self.directions = nn.Parameter(nn.init.xavier_normal_(torch.empty(2, size)))

    def forward(self, output: Output, labels: torch.Tensor) -> torch.Tensor:
        """Return the loss of a batch."""
        margins = MARGIN * nn.functional.one_hot(labels, 2)
        return cross_entropy(SCALE * (self._cosines(output) - margins), labels, weight=self.class_weights)

    def scores(self, output: Output) -> torch.Tensor:
        """Return the difference of the two cosines, shape (b,)."""
        cosines = self._cosines(output)
        return cosines[:, BONA_FIDE] - cosines[:, 1 - BONA_FIDE]

    def log_odds(self, output: Output) -> torch.Tensor:
        """Return those of the softmax without a margin, shape (b,)."""
        return SCALE * self.scores(output)

    def _cosines(self, output: Output) -> torch.Tensor:
        return normalize(output.embedding, dim=1) @ normalize(self.directions, dim=1).T


class OcSoftmax(Objective):
    """One class: bona fide lies close to a direction, whatever is spoofed does not."""

    def __init__(self, class_weights: torch.Tensor, size: int) -> None:
        super().__init__(class_weights)
        self.direction = nn.Parameter(nn.init.kaiming_uniform_(torch.empty(1, size), a=0.25))

    def forward(self, output: Output, labels: torch.Tensor) -> torch.Tensor:
        """Return the loss of a batch."""
        cosines = self.scores(output)
        excess = torch.where(labels == BONA_FIDE, MARGIN - cosines, cosines - SPOOF_MARGIN)
        return self._mean(softplus(SCALE * excess), labels)

    def scores(self, output: Output) -> torch.Tensor:
        """Return the cosine to the direction of bona fide, shape (b,)."""
        return normalize(output.embedding, dim=1) @ normalize(self.direction, dim=1)[0]

    def log_odds(self, output: Output) -> torch.Tensor:
        """Return how far the cosine lies from the middle of both margins, on the scale of the loss, shape (b,)."""
        return SCALE * (self.scores(output) - (MARGIN + SPOOF_MARGIN) / 2)


class Contrastive(Objective):
    """Cross-entropy, and every embedding is to be nearer to those of its class than to the others of the batch."""

    def forward(self, output: Output, labels: torch.Tensor) -> torch.Tensor:
        """Return the loss of a batch."""
        return super().forward(output, labels) + CONTRAST * supervised_contrast(output.embedding, labels)


def supervised_contrast(embeddings: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the supervised contrastive loss of a batch; zero where no clip has another of its class.

    Parameters
    ----------
    embeddings : torch.Tensor, shape (b, e)
    labels : torch.Tensor, shape (b,)

    P. Khosla et al., "Supervised contrastive learning", NeurIPS 2020, equation 2.
    """
    directions = normalize(embeddings, dim=1)
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    logits = (directions @ directions.T / TEMPERATURE).masked_fill(itself, float("-inf"))
    log_p = log_softmax(logits, dim=1).masked_fill(itself, 0.0)
    alike = (labels[:, None] == labels) & ~itself
    has_alike = alike.any(dim=1)
    if not has_alike.any():
        return embeddings.sum() * 0.0
    return -((log_p * alike).sum(dim=1)[has_alike] / alike.sum(dim=1)[has_alike]).mean()


def distillation(scores: torch.Tensor, teacher_scores: torch.Tensor) -> torch.Tensor:
    """Return how far a student's scores (b,) are from its teacher's, as Kullback-Leibler divergence at SOFTNESS.

    G. Hinton et al., "Distilling the knowledge in a neural network", 2015; the factor keeps its gradients as large as
    those of the labels.
    """
    student, teacher = scores / SOFTNESS, teacher_scores / SOFTNESS
    student_log_p = torch.stack([logsigmoid(-student), logsigmoid(student)], dim=1)
    teacher_log_p = torch.stack([logsigmoid(-teacher), logsigmoid(teacher)], dim=1)
    return SOFTNESS**2 * kl_div(student_log_p, teacher_log_p, reduction="batchmean", log_target=True)


def frame_labels(cell_labels: torch.Tensor, frame_seconds: float, n_frames: int) -> torch.Tensor:
    """Return the labels of frames, shape (b, t): spoof where one of a frame's cells is, IGNORED where none is a clip's.

    Parameters
    ----------
    cell_labels : torch.Tensor, shape (b, cells)
        Of every 10 ms: 0 spoof, 1 bona fide, IGNORED (negative) behind the end of a clip.
    frame_seconds : float
        Frame i stands for the time from i to i + 1 times this.
    n_frames : int
    """
    cells = cell_labels.shape[1]
    first = torch.arange(n_frames) * frame_seconds / CELL_SECONDS
    starts = first.round().long().clamp(max=cells - 1).tolist()
    ends = (first + frame_seconds / CELL_SECONDS).round().long().clamp(max=cells).tolist()
    known = cell_labels.where(cell_labels >= 0, 2)
    lowest = [known[:, start : max(end, start + 1)].amin(dim=1) for start, end in zip(starts, ends, strict=True)]
    labels = torch.stack(lowest, dim=1)
    return labels.where(labels < 2, IGNORED)


def frame_loss(frame_logits: torch.Tensor, labels: torch.Tensor, class_weights: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy of the frames (b, t, 2) that have a label; zero where none has."""
    if not (labels >= 0).any():
        return frame_logits.sum() * 0.0
    return cross_entropy(frame_logits.flatten(0, 1), labels.flatten(), weight=class_weights, ignore_index=IGNORED)


def make_objective(loss: str, class_weights: torch.Tensor, embedding_size: int) -> Objective:
    """Return the objective of a loss, one of `LOSSES`."""
    if loss in ("am-softmax", "oc-softmax"):
        kind = AmSoftmax if loss == "am-softmax" else OcSoftmax
        return kind(class_weights, embedding_size)
    return {"cross-entropy": Objective, "focal": Focal, "contrastive": Contrastive}[loss](class_weights)
