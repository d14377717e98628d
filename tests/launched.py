"""Several processes that work together, with the variables that `torchrun` sets; forked: nothing is imported anew."""

import socket
from pathlib import Path
from typing import Any

from src.detectors import DETECTORS
from tests.forked import finished, forked


def in_one_of_several(work: Any, *arguments: Any) -> None:
    """Do some work as one of the processes that a launcher has started."""
    from accelerate.state import AcceleratorState, GradientState

    AcceleratorState._reset_state(reset_partial_state=True)  # of trainings before the fork, which were alone
    GradientState._reset_state()
    DETECTORS["tiny"] = "tests.detectors.tiny:Tiny"
    work(*arguments)


def launch(root: Path, work: Any, *arguments: Any, count: int = 2) -> tuple[list[int], str]:
    """Do some work in several processes at once; return their exit codes and what they wrote."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sizes = {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
    variables = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), **sizes}
    output = root / "output.txt"
    output.write_text("")
    processes = [
        forked(
            in_one_of_several,
            work,
            root,
            *arguments,
            output=output,
            environment={**variables, "RANK": str(number), "LOCAL_RANK": str(number)},
        )
        for number in range(count)
    ]
    return [finished(process) for process in processes], output.read_text()
