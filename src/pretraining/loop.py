"""The loop of a pretraining, by transformers' Trainer: steps, signs of health, early stop, checkpoints, resumption.

`src/learning` holds what it shares with the training of detectors, and so what makes an interrupted pretraining end
with the weights that it would have ended with. This file says what is its own: it counts steps, not epochs; each step
sees a batch that follows from the seed and its number; a few times in each stretch between two validations, a row of
signs is judged (`health.py`), and ends the pretraining where it has collapsed; a validation is the loss on held-out
speech, always the same crops under the same masks. The weights kept are those of the lowest such loss, and some
validations without a lower one end it. Where none is lower than that of the start, the pretraining has failed.
"""

from collections.abc import Callable
from time import monotonic
from typing import Any

import pandas as pd
import torch
from safetensors.torch import load_file
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from src.learning.arguments import arguments_for
from src.learning.checkpoints import Checkpoints
from src.learning.randomness import draw_apart
from src.learning.trainer import BaseKeeper, BaseTrainer, quietly
from src.learning.weights import save_weights
from src.models.contract import Workspace
from src.pretraining.health import Health
from src.pretraining.lesson import PretrainingLesson
from src.pretraining.progress import PretrainingProgress
from src.pretraining.speech import ReadAhead
from src.utils.processes import first_before_others, gathered, is_first, n_processes, own_number, wait_for_all

ROWS = 5
"""Rows of signs between two validations."""


class PretrainingTrainer(BaseTrainer):
    """transformers' Trainer, with the batches, signs and validations of a pretraining."""

    lesson: PretrainingLesson
    progress: PretrainingProgress

    def __init__(self, lesson: PretrainingLesson, progress: PretrainingProgress, workspace: Workspace) -> None:
        self.lesson, self.progress = lesson, progress
        self.n_steps = lesson.n_steps
        config = lesson.config
        self.health = Health(int(config.warmup * self.n_steps), lesson.training.objective.remedy)
        if progress.health:
            self.health.with_state(progress.health)
        own = {"max_steps": self.n_steps, "per_device_train_batch_size": 1}
        never = dict.fromkeys(("eval_strategy", "save_strategy", "logging_strategy"), "no")  # the Keeper says when
        arguments = arguments_for(
            config, self.n_steps, workspace.folder, seed=lesson.seed, workers=workspace.workers, **own, **never
        )
        self.batches = ReadAhead(lesson.crops, self.n_steps * lesson.batches_a_step)
        super().__init__(arguments, train_dataset=self.batches, eval_dataset=self.batches)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Return the batches of the whole pretraining, each an item of its own."""
        return self.prepared(dataset=self.batches, batch_size=1, collate_fn=_the_only_one)

    def compute_loss(self, model: nn.Module, inputs: dict[str, Any], *_: Any, **__: Any) -> torch.Tensor:
        """Return the loss of a batch, and note its signs."""
        found = model(**inputs)
        names = sorted(found["signs"])
        if names:
            values = torch.stack([found["signs"][name].detach().float() for name in names])
            values = self.accelerator.reduce(values, "mean")
            self.health.add(dict(zip(names, values.tolist(), strict=True)))
        loss: torch.Tensor = found["loss"]
        return loss

    def note_loss(self, loss: float) -> None:
        """Note the loss of a batch."""
        self.health.add({"loss": loss})

    def log(self, logs: dict[str, float], *arguments: Any, **options: Any) -> None:
        """Note the norm of the gradient and the learning rate, which the Trainer knows; a row may end here."""
        super().log(logs, *arguments, **options)
        if "learning_rate" not in logs:  # what it says of the whole training, at its end
            return
        found = {"gradient_norm": logs.get("grad_norm"), "learning_rate": logs["learning_rate"]}
        self.health.add({name: float(value) for name, value in found.items() if value is not None})
        if not self.control.should_evaluate:
            self.end_row()

    def end_row(self, held_out_loss: float | None = None) -> str:
        """End a row of signs; return what it says in words."""
        step = self.state.global_step
        return self.health.end_row(step, self.lesson.hours_after(step), held_out_loss)

    def held_out_signs(self) -> dict[str, float]:
        """Return the loss on held-out speech, and its signs, of which each process measures a part."""
        training = self.lesson.training
        training.eval()
        found = []
        with torch.inference_mode():
            for batch in self.lesson.held_out[own_number() :: n_processes()]:
                inputs: Any = self._prepare_inputs(batch)
                output = training(**inputs)
                signs = {"loss": output["loss"], **output["signs"]}
                found.append(({name: sign.item() for name, sign in signs.items()}, int(batch["masks"].sum())))
        training.train()
        parts = [each for of_process in gathered(found) for each in of_process]
        total = sum(count for _, count in parts)
        return {name: sum(signs[name] * count for signs, count in parts) / total for name in parts[0][0]}

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """End a stretch: the loss on held-out speech."""
        signs = self.held_out_signs()
        loss = signs["loss"]
        config = self.lesson.config
        self.progress.end_validation(loss, self.state.global_step, patience=config.patience, n_steps=self.n_steps)
        if self.progress.best == self.progress.n_validated - 1:
            self.progress.best_signs = signs
        self.words = self.end_row(loss)
        metrics = {"eval_loss": loss}
        super().log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


class Keeper(BaseKeeper):
    """Sets what changes with the steps, says when to validate, and keeps best weights and checkpoints."""

    trainer: PretrainingTrainer

    def __init__(
        self,
        trainer: PretrainingTrainer,
        checkpoints: Checkpoints[PretrainingProgress],
        told: Callable[[pd.DataFrame], None],
        bar: "tqdm[Any]",
    ) -> None:
        super().__init__(trainer, checkpoints)
        self.told, self.bar, self.shown = told, bar, monotonic()
        self.stretch = max(1, -(-trainer.n_steps // trainer.lesson.config.validations))
        self.row = max(1, self.stretch // ROWS)

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Let each process draw its own noise; measure where a new pretraining begins, for the first row of signs.

        The weights that it begins with are no candidate. When it is resumed, the states of the generators that its
        checkpoint holds come back after this.
        """
        draw_apart(self.trainer.lesson.seed)
        self.trainer.lesson.training.objective.start_step(state.global_step, self.trainer.n_steps)
        if not self.trainer.health.rows:
            signs = self.trainer.held_out_signs()
            self.trainer.health.add(signs)
            self.trainer.end_row(signs["loss"])

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Tell the objective which step it is."""
        self.trainer.lesson.training.objective.start_step(state.global_step, self.trainer.n_steps)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Ask for a row, a validation, or a checkpoint, where it is time."""
        step, is_last = state.global_step, state.global_step >= self.trainer.n_steps
        self.bar.update()
        control.should_evaluate = is_last or step % self.stretch == 0
        control.should_log = control.should_evaluate or step % self.row == 0
        control.should_save = is_last or self.wants_checkpoint()

    def on_log(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Show the row before."""
        if self.trainer.health.rows:
            self.bar.set_postfix_str(self.trainer.health.words())

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Keep the weights where they are the best so far, and stop where there is no hope of better ones."""
        progress, lesson = self.trainer.progress, self.trainer.lesson
        last = progress.n_validated - 1
        if progress.best == last and is_first():
            save_weights(lesson.training, self.checkpoints.best_weights(last))
        self.told(self.trainer.health.table())
        line = f"held-out loss {progress.held_out_losses[-1]:.4g}, {self.trainer.words}"
        if self.bar.disable and is_first():  # no terminal: a line that stays
            tqdm.write(f"step {state.global_step} of {self.trainer.n_steps}: {line}")
        if progress.ended:
            control.should_training_stop = control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Mark a checkpoint as complete, with the signs so far."""
        self.trainer.progress.health = self.trainer.health.state()
        super().on_save(args, state, control)


def pretrain(
    lesson: PretrainingLesson, recipe: str, workspace: Workspace, told: Callable[[pd.DataFrame], None]
) -> PretrainingProgress:
    """Pretrain, or resume it; the weights are then those of the lowest loss on held-out speech.

    Parameters
    ----------
    lesson : PretrainingLesson
    recipe : str
        What identifies the pretraining: a checkpoint of another one is refused.
    workspace : Workspace
    told : callable
        Called with the table of signs after every validation, and when it ends.

    Raises
    ------
    ValueError
        When a recording cannot be used, a checkpoint is of another recipe or damaged, or the pretraining has collapsed
        or has learnt nothing.
    """
    checkpoints = Checkpoints(workspace.folder, recipe, PretrainingProgress)
    with first_before_others():
        latest = checkpoints.latest()
    path, progress = latest or (None, PretrainingProgress())
    if not progress.ended:
        start = int(path.name.split("-")[1]) if path else 0
        shown = {"initial": start, "unit": "step", "disable": None if is_first() else True}
        with quietly(), tqdm(total=lesson.n_steps, **shown) as bar:
            trainer = PretrainingTrainer(lesson, progress, workspace)
            trainer.add_callback(Keeper(trainer, checkpoints, told, bar))
            try:
                trainer.train(resume_from_checkpoint=str(path) if path else None)
            finally:
                told(trainer.health.table())
    _require_gain(lesson, progress)
    wait_for_all()  # the first has written them
    lesson.training.load_state_dict(load_file(checkpoints.best_weights(progress.best)))
    wait_for_all()  # the first may remove them
    return progress


def _require_gain(lesson: PretrainingLesson, progress: PretrainingProgress) -> None:
    """Raise ValueError where the best weights are no better than those that the pretraining began with."""
    start, lowest = progress.health["rows"][0]["held_out_loss"], progress.held_out_losses[progress.best]
    if lowest >= lesson.training.objective.worst_loss(start):
        raise ValueError(
            f"The pretraining has learnt nothing: the held-out loss was {start:.4g} at its start and {lowest:.4g} at "
            "best after it. Set `learning_rate` lower, or `steps` (or `hours_seen`) higher."
        )


def _the_only_one(items: list[dict[str, Any]]) -> dict[str, Any]:
    return items[0]
