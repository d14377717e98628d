"""The multi-layer perceptron, in PyTorch.

Its scaling is part of the network and saved with it. Every epoch shuffles the training clips and ends with the
validation EER; the weights kept are those of the epoch with the lowest EER (of equals, the lower loss), so the EER that
is reported is that of the weights saved.

Two techniques make few epochs enough. The learning rate rises to its peak and falls to almost zero along a cosine
(Smith and Topin 2019, "one cycle"). And every clip is blended with another of its batch, embeddings and labels alike,
in shares drawn from Beta(mixup, mixup) (Zhang et al. 2018, "mixup"): no blend occurs twice, which reduces overfitting.

Both tables lie on the device, scaled, during the whole training; a batch is a choice of rows. With a learnt mix of the
layers of a store (`network.py`) that is layers times the memory: 10,000 clips x 13 layers x 768 numbers are 0.4 GB,
once as they were read and once scaled.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from src.metrics.eer import eer_of
from src.models.balance import check_class_weight, suggest_class_weight
from src.models.contract import Config, History, Watch, check_range, keep_going, reading_weights
from src.models.mlp.network import Network
from src.models.mlp.steps import optimizer_of
from src.models.scaling import SCALINGS, check_scaling
from src.utils.devices import choose_device
from src.utils.embeddings import EmbeddingTable
from src.utils.files import atomic_path

if TYPE_CHECKING:
    import optuna

BEST, FINAL = "best_model.safetensors", "final_model.safetensors"
SCORING_BATCH = 65_536
"""Vectors scored at a time."""
FEW_CLIPS = 2_000
"""Training clips below which a search tries small batches: large ones would leave too few steps an epoch."""
ENOUGH_SEEN, FEWEST_EPOCHS, MOST_EPOCHS = 120_000, 12, 40
"""A trial of a search trains on so many clips in total; the epochs follow from that, within these bounds."""


@dataclass(frozen=True)
class MlpConfig(Config):
    """Hyperparameters of the MLP."""

    trials: ClassVar[int] = 100
    hidden_size: int = 256
    n_hidden_layers: int = 2
    dropout: float = 0.2
    mixup: float = 0.4
    """Both parameters of the Beta distribution of the shares in which two clips are blended; 0 = no blending."""
    learning_rate: float = 1e-3
    """At its peak."""
    weight_decay: float = 1e-3
    batch_size: int = 64
    epochs: int = 40
    """At most."""
    patience: int = 20
    """Epochs after the best one (lowest validation EER; of equals, the lower loss) at which training stops."""
    scaling: str = "standard"
    class_weight: str = "balanced"
    """Whether both classes weigh the same: "balanced" or "none"."""

    def __post_init__(self) -> None:
        check_range("hidden_size", self.hidden_size, 1, 65_536)
        check_range("n_hidden_layers", self.n_hidden_layers, 0, 20)
        check_range("dropout", self.dropout, 0, 0.95)
        check_range("mixup", self.mixup, 0, 100)
        check_range("learning_rate", self.learning_rate, 1e-8, 10)
        check_range("weight_decay", self.weight_decay, 0, 10)
        check_range("batch_size", self.batch_size, 1, 1_000_000)
        check_range("epochs", self.epochs, 1, 100_000)
        check_range("patience", self.patience, 1, 100_000)
        check_scaling(self.scaling)
        check_class_weight(self.class_weight)

    @classmethod
    def search_space(cls, trial: "optuna.Trial", n_clips: int = 0) -> Self:
        """Let a trial choose all but the patience and the epochs, which follow from the number of clips."""
        epochs = ENOUGH_SEEN // n_clips if n_clips else MOST_EPOCHS
        batch_sizes = (16, 32, 64, 128) if 0 < n_clips < FEW_CLIPS else (64, 128, 256, 512)
        return cls(
            hidden_size=trial.suggest_categorical("hidden_size", (64, 128, 256)),
            n_hidden_layers=trial.suggest_int("n_hidden_layers", 1, 3),
            dropout=trial.suggest_float("dropout", 0.0, 0.6),
            mixup=trial.suggest_categorical("mixup", (0.0, 0.2, 0.4, 0.8)),
            learning_rate=trial.suggest_float("learning_rate", 3e-4, 1e-2, log=True),
            weight_decay=trial.suggest_float("weight_decay", 1e-4, 10.0, log=True),
            batch_size=trial.suggest_categorical("batch_size", batch_sizes),
            epochs=min(MOST_EPOCHS, max(FEWEST_EPOCHS, epochs)),
            scaling=trial.suggest_categorical("scaling", SCALINGS),
            class_weight=suggest_class_weight(trial),
        )


class Mlp:
    """The MLP behind the contract of all classifiers; on CUDA where there is one."""

    Config = MlpConfig
    takes = "embeddings"
    mixes_layers = True
    uses_gpu = True
    files = (BEST, FINAL)

    def __init__(self, config: MlpConfig, *, seed: int = 7) -> None:
        self.config = config
        self.seed = seed
        self.device = choose_device("auto")
        self.network: Network
        self._final_state: dict[str, torch.Tensor]

    def fit(self, train: EmbeddingTable, val: EmbeddingTable, watch: Watch = keep_going) -> History:
        """Train on `train`, at most until `watch` stops it; keep the weights of the epoch that is best on `val`."""
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(self.seed)
            return self._fit(train, val, watch)

    def scores(self, vectors: np.ndarray) -> np.ndarray:
        """Return the logits of bona fide, shape (n,), of vectors (n, d), or (n, layers, d) where it mixes layers."""
        return self._scores_of(self._scaled_parts(vectors))

    @property
    def layer_weights(self) -> np.ndarray | None:
        """The weights of the layers in the mix that was learnt, shape (layers,); None without a mix."""
        return self.network.layer_weights()

    def save(self, folder: Path) -> None:
        """Write the weights kept and those of the last epoch."""
        from safetensors.torch import save

        for name, state in ((BEST, _state(self.network)), (FINAL, self._final_state)):
            with atomic_path(folder / name) as temporary:
                temporary.write_bytes(save(state))

    @classmethod
    def load(cls, folder: Path, config: MlpConfig) -> Self:
        """Read the weights kept."""
        from safetensors.torch import load_file

        classifier = cls(config)
        with reading_weights(folder / BEST):
            state = load_file(folder / BEST)
            classifier.network = Network.of_state(state, config).to(classifier.device)
        return classifier

    def _fit(self, train: EmbeddingTable, val: EmbeddingTable, watch: Watch) -> History:
        self.network = Network(train.vectors.shape[1:], self.config)
        self.network.learn_scaling(train.vectors, self.config.scaling, always=train.of_several_stores)
        self.network.to(self.device)
        vectors, val_vectors = (self._scaled(table.vectors) for table in (train, val))
        labels = vectors.new_tensor(train.labels)
        optimizer, schedule = optimizer_of(self.network, self.config, len(labels))
        balance = (labels == 0).sum() / (labels == 1).sum()
        if self.config.class_weight == "none":
            balance = torch.ones_like(balance)
        curves: list[tuple[float, float, float]] = []
        best, kept = 0, _state(self.network)
        for epoch in range(self.config.epochs):
            train_loss = self._epoch(vectors, labels, balance, optimizer, schedule)
            val_scores = self._scores_of(val_vectors.split(self._rows_at_once(val_vectors.shape)))
            curves.append((train_loss, _loss(val_scores, val.labels, float(balance)), eer_of(val.labels, val_scores)))
            if epoch == 0 or (curves[epoch][2], curves[epoch][1]) < (curves[best][2], curves[best][1]):
                best, kept = epoch, _state(self.network)
            if watch(epoch, curves[best][2]) or epoch - best >= self.config.patience:
                break
        self._final_state = _state(self.network)
        self.network.load_state_dict(kept)
        train_losses, val_losses, val_eers = np.array(curves).T
        return History(train_losses, val_losses, val_eers, best)

    def _scaled(self, vectors: np.ndarray) -> torch.Tensor:
        """Return vectors scaled, on the device; scaled part by part, so that no second copy of them is needed."""
        scaled = self.network.mean.new_empty(vectors.shape)
        start = 0
        for part in self._scaled_parts(vectors):
            scaled[start : start + len(part)] = part
            start += len(part)
        return scaled

    def _scaled_parts(self, vectors: np.ndarray) -> Iterator[torch.Tensor]:
        size = self._rows_at_once(vectors.shape)
        for start in range(0, max(len(vectors), 1), size):
            yield self.network.scale(self.network.mean.new_tensor(vectors[start : start + size]))  # a copy

    def _rows_at_once(self, shape: tuple[int, ...]) -> int:
        """Return how many clips are scaled or scored at a time: fewer where each has several vectors."""
        return SCORING_BATCH if len(shape) == 2 else max(1, SCORING_BATCH // shape[1])

    def _scores_of(self, parts: Iterable[torch.Tensor]) -> np.ndarray:
        """Return the logits of scaled vectors that lie on the device."""
        self.network.eval()
        with torch.inference_mode():
            logits = [self.network(part).cpu() for part in parts]
        return torch.cat(logits).numpy().astype(np.float64)

    def _epoch(
        self,
        vectors: torch.Tensor,
        labels: torch.Tensor,
        balance: torch.Tensor,
        optimizer: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LRScheduler,
    ) -> float:
        """Go through the training clips once, in a new order; return the mean loss."""
        self.network.train()
        total = torch.zeros((), device=self.device)
        order, shares = torch.randperm(len(labels)).to(self.device), self._draw_shares(len(labels))
        for batch, share in zip(order.split(self.config.batch_size), shares.split(self.config.batch_size), strict=True):
            other = batch.roll(1)  # random partners: batches come in random order
            inputs = torch.lerp(vectors[other], vectors[batch], share.view(-1, *[1] * (vectors.ndim - 1)))
            wanted = torch.lerp(labels[other], labels[batch], share)
            loss = binary_cross_entropy_with_logits(self.network(inputs), wanted, pos_weight=balance)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.detach() * len(batch)
        return float(total) / len(labels)

    def _draw_shares(self, n_clips: int) -> torch.Tensor:
        """Draw the share of each clip in its blend, shape (n,)."""
        if not self.config.mixup:
            return torch.ones(n_clips, device=self.device)
        return torch.distributions.Beta(self.config.mixup, self.config.mixup).sample((n_clips,)).to(self.device)


def _loss(scores: np.ndarray, labels: np.ndarray, balance: float) -> float:
    """Return the mean cross-entropy in nats, bona fide clips weighted by `balance` as in training."""
    losses = np.logaddexp(0.0, -(2 * labels - 1) * scores)
    return float((losses * np.where(labels == 1, balance, 1.0)).mean())


def _state(network: Network) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}
