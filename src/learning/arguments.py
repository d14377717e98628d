"""What transformers' Trainer is told of any training: how fast it learns, where it writes, on which device."""

from pathlib import Path
from typing import Any, Protocol

import torch
import transformers

MOST_CHECKPOINTS = 2
SCHEDULERS = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}


class Settings(Protocol):
    """What a config says of how weights are changed."""

    @property
    def learning_rate(self) -> float:
        """At its peak."""

    @property
    def weight_decay(self) -> float:
        """Of matrices; vectors (biases, norms) do not decay."""

    @property
    def warmup(self) -> float:
        """Part of all steps in which the learning rate rises to its peak."""

    @property
    def schedule(self) -> str:
        """One of SCHEDULERS."""

    @property
    def accumulate(self) -> int:
        """Batches whose gradients are summed before a step."""

    @property
    def precision(self) -> str:
        """Either fp32, or bf16 by autocast."""


def arguments_for(
    config: Settings, steps: int, folder: Path, *, seed: int, workers: int, **own: Any
) -> transformers.TrainingArguments:
    """Return the arguments of a training.

    Parameters
    ----------
    config : Settings
    steps : int
        How often weights change, of which the warm-up is a part.
    folder : Path
        Where checkpoints are kept.
    seed, workers : int
        Processes that read recordings.
    **own
        What else there is to say: how long it lasts, when it validates and saves.
    """
    arguments = transformers.TrainingArguments(
        output_dir=str(folder),
        gradient_accumulation_steps=config.accumulate,
        lr_scheduler_type=SCHEDULERS[config.schedule],
        warmup_steps=int(config.warmup * steps),
        bf16=config.precision == "bf16",
        use_cpu=not torch.cuda.is_available(),
        seed=seed,
        save_total_limit=MOST_CHECKPOINTS,
        dataloader_num_workers=workers,
        remove_unused_columns=False,
        report_to=[],
        disable_tqdm=True,
        ddp_find_unused_parameters=True,
        logging_nan_inf_filter=False,
        **own,
    )
    arguments._n_gpu = min(1, arguments.n_gpu)  # a process has one device; more GPUs take more processes
    return arguments
