"""transformers' Trainer as every training of ours uses it: epochs of detectors, steps of pretraining.

The Trainer brings gradient accumulation, bf16, several processes, logs and exact resumption. What is ours: a batch may
be an error of one line, a loss that is not finite ends the training, checkpoints are written every few minutes and
marked as complete, and what never changes is not written again and again. A training that was killed resumes from the
newest complete checkpoint and ends with the weights that it would have ended with.
"""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import torch
import transformers
from accelerate.data_loader import prepare_data_loader
from torch import nn
from torch.utils.data import DataLoader
from transformers.integrations import TensorBoardCallback
from transformers.trainer_callback import PrinterCallback

from src.learning.arguments import Settings
from src.learning.checkpoints import Checkpoints, Progress
from src.learning.weights import split_weights
from src.utils.files import as_os_errors
from src.utils.processes import from_first, gathered, is_first, n_processes, wait_for_all

CHECKPOINT_SECONDS = 300.0
"""Least time between two checkpoints where nothing else asks for one."""


class Lesson(Protocol):
    """What is trained, and how."""

    @property
    def training(self) -> nn.Module:
        """A batch in, a dict with its `loss` out."""

    @property
    def config(self) -> Settings:
        """How weights are changed."""

    @property
    def groups(self) -> list[dict[str, Any]]:
        """Parameters, and the factor `scale` on their learning rate."""

    @property
    def unchanging(self) -> str:
        """How the names of weights begin that a training never changes."""


class BaseTrainer(transformers.Trainer):
    """transformers' Trainer, with our learning rates and checks."""

    lesson: Lesson
    progress: Progress

    def __init__(self, arguments: transformers.TrainingArguments, **data: Any) -> None:
        super().__init__(model=self.lesson.training, args=arguments, **data)
        self.remove_callback(PrinterCallback)

    def prepared(self, *, shared: bool = False, **options: Any) -> DataLoader[Any]:
        """Return a loader of batches, of which each process gets its own or, `shared`, its rows of every one."""
        loader = DataLoader(
            num_workers=self.args.dataloader_num_workers,
            pin_memory=self.args.device.type == "cuda",
            **options,
        )
        if shared and n_processes() > 1:  # to accelerate it is one process: the batches are divided already
            return prepare_data_loader(loader, self.args.device, 1, 0, put_on_device=True)
        prepared: DataLoader[Any] = self.accelerator.prepare(loader)
        return prepared

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """Return AdamW; vectors (biases, norms) do not decay."""
        if self.optimizer is None:
            config = self.lesson.config
            groups = []
            for group in self.lesson.groups:
                rate = config.learning_rate * group["scale"]
                matrices = [parameter for parameter in group["params"] if parameter.ndim > 1]
                vectors = [parameter for parameter in group["params"] if parameter.ndim <= 1]
                groups.append({"params": matrices, "lr": rate, "weight_decay": config.weight_decay})
                groups.append({"params": vectors, "lr": rate, "weight_decay": 0.0})
            self.optimizer = torch.optim.AdamW([group for group in groups if group["params"]])
        return self.optimizer

    def training_step(self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        """Return the loss of a batch, its gradients summed, and note it."""
        self._check(inputs.get("error"))
        loss = super().training_step(model, inputs, num_items_in_batch)
        of_all = float(self.accelerator.reduce(loss.detach(), "mean"))
        if not math.isfinite(of_all):
            raise ValueError(
                f"The loss is not finite in {self.where()}: train with a lower `learning_rate`"
                + (", or with `precision=fp32`." if self.lesson.config.precision == "bf16" else ".")
            )
        self.note_loss(of_all * self.current_gradient_accumulation_steps)
        return loss

    def _check(self, error: str | None) -> None:
        """Raise ValueError where this batch, or the share of it that another process has, cannot be used."""
        if n_processes() > 1:
            has_one = torch.tensor(float(error is not None), device=self.args.device)
            if self.accelerator.reduce(has_one, "sum") > 0:
                error = next(filter(None, gathered(error)))
        if error is not None:
            raise ValueError(error)

    def note_loss(self, loss: float) -> None:
        """Note the loss of a batch."""
        raise NotImplementedError

    def where(self) -> str:
        """Say how far the training has come, for an error."""
        return f"step {self.state.global_step}"

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Write the weights of a checkpoint, but for those that never change."""
        super()._save(output_dir, split_weights(self.lesson.training, self.lesson.unchanging)[0])

    def _save_checkpoint(self, *arguments: Any, **options: Any) -> None:
        """Write a checkpoint; where the disk is full, say so."""
        with as_os_errors(Path(str(self.args.output_dir))):
            super()._save_checkpoint(*arguments, **options)


class BaseKeeper(transformers.TrainerCallback):
    """Keeps checkpoints."""

    def __init__(self, trainer: BaseTrainer, checkpoints: Checkpoints[Any]) -> None:
        self.trainer, self.checkpoints = trainer, checkpoints
        self.saved = monotonic()

    def wants_checkpoint(self) -> bool:
        """Tell whether it is time for another checkpoint, by the clock of the first process."""
        return from_first(lambda: monotonic() - self.saved >= CHECKPOINT_SECONDS)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Mark the checkpoint as complete that all processes have just written to."""
        self.saved = monotonic()
        wait_for_all()
        if is_first():
            self.checkpoints.complete(state.global_step, self.trainer.progress)


def tensorboard(folder: Path) -> transformers.TrainerCallback:
    """Return what writes curves for TensorBoard."""
    from torch.utils.tensorboard import SummaryWriter

    return TensorBoardCallback(SummaryWriter(str(folder)))


@contextmanager
def quietly() -> Iterator[None]:
    """Keep the libraries' own reports to themselves."""
    transformers.utils.logging.set_verbosity_error()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module=r"torch|accelerate|transformers")
        yield
