"""What transformers' Trainer is told of a training: how long, how fast, how often it saves, on which device."""

import math

import torch
import transformers

from src.detectors.training.lesson import Lesson, Surroundings
from src.utils.processes import n_processes

MOST_CHECKPOINTS = 2
SCHEDULERS = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}


def arguments_for(lesson: Lesson, around: Surroundings) -> transformers.TrainingArguments:
    """Return the arguments of a training."""
    config = lesson.config
    n_batches = max(1, len(lesson.train) // config.batch_size)
    steps = config.epochs * math.ceil(math.ceil(n_batches / n_processes()) / config.accumulate)
    arguments = transformers.TrainingArguments(
        output_dir=str(around.folder),
        num_train_epochs=config.epochs,
        per_device_train_batch_size=config.batch_size,
        gradient_accumulation_steps=config.accumulate,
        lr_scheduler_type=SCHEDULERS[config.schedule],
        warmup_steps=int(config.warmup * steps),
        bf16=config.precision == "bf16",
        use_cpu=not torch.cuda.is_available(),
        seed=lesson.seed,
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_strategy="epoch",
        save_total_limit=MOST_CHECKPOINTS,
        dataloader_num_workers=around.workers,
        remove_unused_columns=False,
        report_to=[],
        disable_tqdm=True,
        ddp_find_unused_parameters=True,
        logging_nan_inf_filter=False,
    )
    arguments._n_gpu = min(1, arguments.n_gpu)  # a process has one device; more GPUs take more processes
    return arguments
