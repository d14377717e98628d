"""What transformers' Trainer is told of the training of a detector, which lasts for epochs."""

import math

import transformers

from src.detectors.training.lesson import Lesson, Surroundings
from src.learning.arguments import arguments_for
from src.utils.processes import n_processes


def arguments_of(lesson: Lesson, around: Surroundings) -> transformers.TrainingArguments:
    """Return the arguments of a training."""
    config = lesson.config
    n_batches = max(1, len(lesson.train) // config.batch_size)
    steps = config.epochs * math.ceil(n_batches / config.accumulate)
    return arguments_for(
        config,
        steps,
        around.folder,
        seed=lesson.seed,
        workers=around.workers,
        num_train_epochs=config.epochs,
        per_device_train_batch_size=math.ceil(config.batch_size / n_processes()),
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_strategy="epoch",
    )
