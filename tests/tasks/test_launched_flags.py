"""What torchrun makes of the flags of a task: of each it takes those for its own whose names begin so."""

import pytest
from torch.distributed.run import get_args_parser

from src.tasks import detectors, pretraining
from src.tasks.command_line import TAKES, TASKS_OF_SEVERAL

assert detectors and pretraining, "imported for the flags of their tasks"


def reaches_the_task(flag: str, *module: str) -> bool:
    """Tell whether a flag that is typed behind a task is handed on by torchrun."""
    try:
        options = get_args_parser().parse_args(["--nproc-per-node=2", *module, "Task", flag])
    except SystemExit:
        return False
    return bool(options.training_script == "fabric" and options.training_script_args == ["Task", flag])


@pytest.mark.parametrize("task", TASKS_OF_SEVERAL)
def test_all_flags_but_log_are_handed_on_and_log_behind_two_dashes(task: str) -> None:
    flags = [f"--{name.replace('_', '-')}=x" for name in TAKES[task]]
    assert [flag for flag in flags if not reaches_the_task(flag, "-m", "fabric")] == ["--log=x"] * ("--log=x" in flags)
    assert all(reaches_the_task(flag, "-m", "--", "fabric") for flag in flags)
