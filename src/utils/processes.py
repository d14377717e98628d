"""Several processes that train one model, each on a device of its own, as `torchrun` or `accelerate launch` start them.

All of them run the same task on the same data. The first makes folders, writes and speaks; the others follow it. A task
that is started as usual is the first and only process, and nothing here has an effect on it.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
IN_PARTS = ("FSDP", "DEEPSPEED", "MEGATRON_LM")
"""What accelerate's configuration may ask for: a network that is spread over processes."""

if "LOCAL_RANK" in os.environ:  # read when torch is imported: its notes on gradients that are missing are of no use
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")


def n_processes() -> int:
    """Return how many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "LOCAL_RANK" in os.environ else 1


def own_number() -> int:
    """Return the number of this process among them, from 0."""
    return int(os.environ.get("RANK", "0")) if n_processes() > 1 else 0


def is_first() -> bool:
    """Tell whether this is the process that writes and speaks."""
    return own_number() == 0


def check_launcher() -> None:
    """Let the task decide what the configuration of `accelerate launch` would decide; refuse what it cannot be.

    Raises
    ------
    ValueError
        When it started one process in place of several, as it does without GPUs, or wants a network in parts.
    """
    if "ACCELERATE_DYNAMO_MODE" not in os.environ:  # which it always sets
        return
    if "LOCAL_RANK" not in os.environ and "MASTER_PORT" in os.environ:
        raise ValueError(
            "accelerate launch starts a single process where there are no GPUs: launch it by torchrun "
            "--nproc-per-node=N -m fabric instead."
        )
    for name in IN_PARTS:
        if os.environ.get(f"ACCELERATE_USE_{name}", "").lower() == "true":
            raise ValueError(f"Each process trains the whole network: launch it without {name} (accelerate config).")
    os.environ.update(ACCELERATE_MIXED_PRECISION="no", ACCELERATE_DYNAMO_BACKEND="NO")


def join_others() -> None:
    """Meet the other processes: by NCCL where there are GPUs, each on its own, else by gloo. Once is enough."""
    if n_processes() > 1:
        import torch
        from accelerate import PartialState

        PartialState(cpu=not torch.cuda.is_available())


def wait_for_all() -> None:
    """Wait until every process has come here."""
    if n_processes() > 1:
        gathered(None)


def gathered(value: T) -> list[T]:
    """Return the values of all processes, by their numbers, to each of them."""
    if n_processes() == 1:
        return [value]
    import torch

    join_others()
    values: list[Any] = [None] * n_processes()
    torch.distributed.all_gather_object(values, value)
    return values


def from_first(make: Callable[[], T]) -> T:
    """Return to every process what the first one makes."""
    return gathered(make() if is_first() else None)[0]  # type: ignore[return-value]


def made_by_all(make: Callable[[], T]) -> list[T]:
    """Return what the processes make, by their numbers, to each of them; bad input of one is an error of all."""
    if n_processes() == 1:
        return [make()]
    made: T | Exception
    try:
        made = make()
    except (ValueError, OSError) as error:
        made = error
    everywhere = gathered(made)
    for each in everywhere:
        if isinstance(each, Exception):
            raise each
    return everywhere  # type: ignore[return-value]


@contextmanager
def first_before_others() -> Iterator[None]:
    """Run a block in the first process, then in the others; where it fails in the first, it may fail in them too."""
    if not is_first():
        wait_for_all()
    try:
        yield
    finally:
        if is_first():
            wait_for_all()


@contextmanager
def own_place(folder: Path) -> Iterator[Path]:
    """Yield the folder to the first process; to each of the others one that vanishes, for what it writes the same."""
    if is_first():
        yield folder
    else:
        with tempfile.TemporaryDirectory() as place:
            yield Path(place)
