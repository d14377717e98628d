"""The training of a network on waveforms, by transformers' Trainer: epochs, checkpoints, resumption, several GPUs.

The Trainer brings gradient accumulation, bf16, several processes, logs and exact resumption. This file says what is
ours: the batches of an epoch, the loss, the learning rates, and that an epoch ends with the validation EER of whole
clips. The weights kept are those of the epoch with the lowest EER (of equals, the lower loss): that of clips or, of a
network that decides frames, the range EER of these.

A checkpoint is written at the end of every epoch and every few minutes within one. A training that was killed resumes
from the newest one and ends with the weights that it would have ended with.
"""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import torch
import transformers
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm
from transformers.integrations import TensorBoardCallback
from transformers.trainer_callback import PrinterCallback

from src.detectors.training.arguments import arguments_for
from src.detectors.training.checkpoints import Checkpoints, Progress
from src.detectors.training.clips import EpochBatches, TrainingClips, collate, units_of
from src.detectors.training.lesson import Lesson, Surroundings, load_weights, save_weights, split_weights
from src.detectors.training.scoring import Scored, WholeClips, score_clips
from src.detectors.training.sharpness import at_the_worst_point_nearby
from src.metrics.eer import eer_of
from src.metrics.localization import range_eer
from src.models.contract import cross_entropy
from src.utils.files import as_os_errors
from src.utils.processes import (
    first_before_others,
    from_first,
    gathered,
    is_first,
    n_processes,
    own_number,
    share_buffers,
    wait_for_all,
)

CHECKPOINT_SECONDS = 300.0
"""Least time between two checkpoints within an epoch."""


class OurTrainer(transformers.Trainer):
    """transformers' Trainer with our batches, learning rates and validation."""

    def __init__(self, lesson: Lesson, progress: Progress, arguments: transformers.TrainingArguments) -> None:
        self.lesson, self.progress = lesson, progress
        self.clips = TrainingClips(lesson.train, lesson.config, lesson.seed)
        self.held_out = WholeClips(lesson.val.paths.tolist(), lesson.config)
        super().__init__(
            model=lesson.training,
            args=arguments,
            train_dataset=self.clips,
            eval_dataset=self.held_out,
            data_collator=collate,
        )
        self.remove_callback(PrinterCallback)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Return the batches, an epoch at a time."""
        lesson = self.lesson
        units = units_of(lesson.train, paired=lesson.config.loss == "contrastive")
        self.batches = EpochBatches(units, lesson.config.batch_size, lesson.seed)
        loader = DataLoader(
            self.clips,
            batch_sampler=self.batches,
            collate_fn=collate,
            num_workers=self.args.dataloader_num_workers,
            pin_memory=self.args.device.type == "cuda",
        )
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
        """Return the loss of a batch, its gradients summed; sharpness-aware ones where the config asks for them."""
        if "error" in inputs:
            raise ValueError(inputs["error"])
        loss = super().training_step(model, inputs, num_items_in_batch)
        of_all = float(self.accelerator.reduce(loss.detach(), "mean"))
        if not math.isfinite(of_all):
            raise ValueError(
                f"The loss is not finite in epoch {len(self.progress.val_eers)}: train with a lower `learning_rate`"
                + (", or with `precision=fp32`." if self.lesson.config.precision == "bf16" else ".")
            )
        self.progress.add_loss(of_all * self.current_gradient_accumulation_steps)
        if self.lesson.config.sharpness:
            with at_the_worst_point_nearby(model, self.lesson.config.sharpness):
                super().training_step(model, inputs, num_items_in_batch)
        return loss

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Write the weights of a checkpoint, but for those that never change."""
        super()._save(output_dir, split_weights(self.lesson.training, self.lesson.unchanging)[0])

    def _save_checkpoint(self, *arguments: Any, **options: Any) -> None:
        """Write a checkpoint; where the disk is full, say so."""
        with as_os_errors(Path(str(self.args.output_dir))):
            super()._save_checkpoint(*arguments, **options)

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """End an epoch: the EER and the loss of whole validation clips, of which each process scores a part."""
        training, val = self.lesson.training, self.lesson.val
        share_buffers(training)
        mine = self.held_out.part(own_number(), n_processes())
        own = score_clips(training.network, training.objective, mine, workers=self.args.dataloader_num_workers)
        scored = Scored.joined(gathered(own))
        range_error = range_eer(val.with_truth(scored.frames))[0] if scored.frames else None
        scores = scored.scores
        self.progress.end_epoch(cross_entropy(val.labels, scores), eer_of(val.labels, scores), range_error)
        metrics = {"eval_eer": self.progress.val_eers[-1], "eval_loss": self.progress.val_losses[-1]}
        if range_error is not None:
            metrics["eval_range_eer"] = range_error
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


class Keeper(transformers.TrainerCallback):
    """Keeps best weights and checkpoints, tells the watch, and stops in time."""

    def __init__(self, trainer: OurTrainer, checkpoints: Checkpoints, around: Surroundings, bar: "tqdm[Any]") -> None:
        self.trainer, self.checkpoints, self.around, self.bar = trainer, checkpoints, around, bar
        self.saved = self.told = monotonic()
        self.start_epoch = getattr(trainer.lesson.training.network, "start_epoch", None)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Choose the epoch's batches, and let the network unfreeze what it unfreezes now."""
        epoch = len(self.trainer.progress.val_eers)
        self.trainer.batches.set_epoch(epoch)
        if self.start_epoch:
            self.start_epoch(epoch)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Ask for a checkpoint within a long epoch; one at its last step would lack the validation."""
        n_steps = max(1, math.ceil(state.max_steps / self.trainer.lesson.config.epochs))
        step = state.global_step % n_steps
        self._tell(f"step {step} of {n_steps}" if step else "validation")
        if step and from_first(lambda: monotonic() - self.saved >= CHECKPOINT_SECONDS):
            control.should_save = True

    def _tell(self, how_far: str) -> None:
        """Show how far an epoch has come, which may take hours, at most once a second."""
        if monotonic() - self.told >= 1 or how_far == "validation":
            self.told = monotonic()
            progress = self.trainer.progress
            self.bar.set_postfix_str(f"{how_far}, {progress.told()}" if progress.val_eers else how_far)

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Keep the weights where they are the best so far, and stop where there is no hope of better ones."""
        progress, lesson = self.trainer.progress, self.trainer.lesson
        epoch = len(progress.val_eers) - 1
        if progress.best == epoch and is_first():
            save_weights(lesson.training, self.checkpoints.best_weights(epoch), lesson.unchanging)
        self.bar.update()
        self.bar.set_postfix_str(progress.told())
        if self.bar.disable and is_first():  # no terminal: a line that stays
            tqdm.write(f"epoch {epoch + 1} of {lesson.config.epochs}: {progress.told()}")
        stops = self.around.watch(epoch, progress.val_eers[progress.best])
        if stops or progress.has_ended(lesson.config.epochs, lesson.config.patience):
            control.should_training_stop = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Mark the checkpoint as complete that all processes have just written to."""
        self.saved = monotonic()
        wait_for_all()
        if is_first():
            self.checkpoints.complete(state.global_step, self.trainer.progress)


def train_network(lesson: Lesson, recipe: str, around: Surroundings) -> Progress:
    """Train a network, or resume its training; its weights are then those of the best epoch.

    Parameters
    ----------
    lesson : Lesson
    recipe : str
        What identifies the training: a checkpoint of another one is refused.
    around : Surroundings

    Raises
    ------
    ValueError
        When a recording cannot be used, a checkpoint is of another recipe or damaged, or the loss is not finite.
    """
    checkpoints = Checkpoints(around.folder, recipe)
    with first_before_others():
        latest = checkpoints.latest()
    path, progress = latest or (None, Progress.nothing())
    config = lesson.config
    if not _was_stopped(progress, around) and not progress.has_ended(config.epochs, config.patience):
        shown = {"initial": len(progress.val_eers), "unit": "epoch", "disable": None if is_first() else True}
        with _quietly(), tqdm(total=config.epochs, **shown) as bar:
            trainer = OurTrainer(lesson, progress, arguments_for(lesson, around))
            trainer.add_callback(Keeper(trainer, checkpoints, around, bar))
            if around.curves and is_first():
                trainer.add_callback(_tensorboard(around.curves))
            trainer.train(resume_from_checkpoint=str(path) if path else None)
    wait_for_all()  # the first has written them
    load_weights(lesson.training, checkpoints.best_weights(progress.best), lesson.unchanging)
    wait_for_all()  # the first may remove them
    return progress


def _tensorboard(folder: Path) -> transformers.TrainerCallback:
    from torch.utils.tensorboard import SummaryWriter

    return TensorBoardCallback(SummaryWriter(str(folder)))


def _was_stopped(progress: Progress, around: Surroundings) -> bool:
    """Tell the watch of the epochs before a resumption; return whether it stops the training at one of them."""
    epochs = range(len(progress.val_eers))
    return any(around.watch(epoch, progress.val_eers[progress.best_until(epoch)]) for epoch in epochs)


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep the libraries' own reports to themselves."""
    transformers.utils.logging.set_verbosity_error()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module=r"torch|accelerate|transformers")
        yield
