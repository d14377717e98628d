"""The training of a network on waveforms, by transformers' Trainer: epochs, checkpoints, resumption, several GPUs.

`src/learning` holds what it shares with other trainings. This file says what is a detector's: the batches of an epoch,
and that an epoch ends with the validation EER of whole clips (`validation.py`). The weights kept are those of the epoch
with the lowest EER (of equals, the lower loss): that of clips or, of a network that decides frames, the range EER of
these.

A checkpoint is written at the end of every epoch and every few minutes within one. A training that was killed resumes
from the newest one and ends with the weights that it would have ended with.
"""

import math
from time import monotonic
from typing import Any

import torch
import transformers
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from src.detectors.training.arguments import arguments_of
from src.detectors.training.clips import EpochBatches, TrainingClips, collate, units_of
from src.detectors.training.lesson import Lesson, Surroundings, load_weights
from src.detectors.training.progress import Progress
from src.detectors.training.scoring import Scored, score_clips
from src.detectors.training.sharpness import at_the_worst_point_nearby
from src.detectors.training.validation import ValidationClips
from src.learning.checkpoints import Checkpoints
from src.learning.randomness import draw_apart
from src.learning.trainer import BaseKeeper, BaseTrainer, quietly, tensorboard
from src.learning.weights import save_weights
from src.learning.whole_batch import normalised_over_all
from src.metrics.eer import eer_of
from src.metrics.localization import range_eer
from src.models.contract import cross_entropy
from src.utils.processes import (
    first_before_others,
    is_first,
    made_by_all,
    n_processes,
    own_number,
    wait_for_all,
)


class OurTrainer(BaseTrainer):
    """transformers' Trainer with our batches, learning rates and validation."""

    lesson: Lesson
    progress: Progress

    def __init__(self, lesson: Lesson, progress: Progress, arguments: transformers.TrainingArguments) -> None:
        self.lesson, self.progress = lesson, progress
        self.clips = TrainingClips(lesson.train, lesson.config, lesson.seed)
        self.held_out = ValidationClips(lesson.val, lesson.config, lesson.seed)
        super().__init__(arguments, train_dataset=self.clips, eval_dataset=self.held_out, data_collator=collate)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Return the batches, an epoch at a time."""
        lesson = self.lesson
        units = units_of(lesson.train, paired=lesson.config.loss == "contrastive")
        self.batches = EpochBatches(units, lesson.config.batch_size, lesson.seed)
        return self.prepared(shared=True, dataset=self.clips, batch_sampler=self.batches, collate_fn=collate)

    def training_step(self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        """Return the loss of a batch, its gradients summed; sharpness-aware ones where the config asks for them."""
        loss = super().training_step(model, inputs, num_items_in_batch)
        if self.lesson.config.sharpness:
            with at_the_worst_point_nearby(model, self.lesson.config.sharpness):
                transformers.Trainer.training_step(self, model, inputs, num_items_in_batch)
        return loss

    def note_loss(self, loss: float) -> None:
        """Note the loss of a batch."""
        self.progress.add_loss(loss)

    def where(self) -> str:
        """Say how far the training has come, for an error."""
        return f"epoch {len(self.progress.val_eers)}"

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """End an epoch: the EER and the loss of whole validation clips, of which each process scores a part."""
        training, val = self.lesson.training, self.held_out.table
        mine = self.held_out.part(own_number(), n_processes())
        how = {"workers": self.args.dataloader_num_workers}
        parts = made_by_all(lambda: score_clips(training.network, training.objective, mine, **how))
        scored = Scored.joined(parts)
        range_error = range_eer(val.with_truth(scored.frames))[0] if scored.frames else None
        scores = scored.scores
        self.progress.end_epoch(cross_entropy(val.labels, scores), eer_of(val.labels, scores), range_error)
        metrics = {"eval_eer": self.progress.val_eers[-1], "eval_loss": self.progress.val_losses[-1]}
        if range_error is not None:
            metrics["eval_range_eer"] = range_error
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


class Keeper(BaseKeeper):
    """Keeps best weights and checkpoints, tells the watch, and stops in time."""

    trainer: OurTrainer

    def __init__(
        self, trainer: OurTrainer, checkpoints: Checkpoints[Progress], around: Surroundings, bar: "tqdm[Any]"
    ) -> None:
        super().__init__(trainer, checkpoints)
        self.around, self.bar, self.told = around, bar, monotonic()
        self.start_epoch = getattr(trainer.lesson.training.network, "start_epoch", None)

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Let each process draw its own dropout."""
        draw_apart(self.trainer.lesson.seed)

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
        if step and self.wants_checkpoint():
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
    checkpoints = Checkpoints(around.folder, recipe, Progress)
    with first_before_others():
        latest = checkpoints.latest()
    path, progress = latest or (None, Progress.nothing())
    config = lesson.config
    if not _was_stopped(progress, around) and not progress.has_ended(config.epochs, config.patience):
        shown = {"initial": len(progress.val_eers), "unit": "epoch", "disable": None if is_first() else True}
        with quietly(), tqdm(total=config.epochs, **shown) as bar:
            trainer = OurTrainer(lesson, progress, arguments_of(lesson, around))
            trainer.add_callback(Keeper(trainer, checkpoints, around, bar))
            if around.curves and is_first():
                trainer.add_callback(tensorboard(around.curves))
            with normalised_over_all(lesson.training.network):
                trainer.train(resume_from_checkpoint=str(path) if path else None)
    wait_for_all()  # the first has written them
    load_weights(lesson.training, checkpoints.best_weights(progress.best), lesson.unchanging)
    wait_for_all()  # the first may remove them
    return progress


def _was_stopped(progress: Progress, around: Surroundings) -> bool:
    """Tell the watch of the epochs before a resumption; return whether it stops the training at one of them."""
    epochs = range(len(progress.val_eers))
    return any(around.watch(epoch, progress.val_eers[progress.best_until(epoch)]) for epoch in epochs)
