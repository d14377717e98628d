"""What `accelerate launch` sets for its processes decides nothing that the task decides; what cannot be is refused."""

import os

import pytest

from src.utils.processes import check_launcher


def launched(monkeypatch: pytest.MonkeyPatch, *flags: str) -> None:
    """Set the variables that `accelerate launch` sets for a process that it starts without GPUs."""
    from accelerate.commands.launch import launch_command_parser
    from accelerate.utils.launch import prepare_simple_launcher_cmd_env

    usual = ["--cpu", "--num_machines=1", "--num_cpu_threads_per_process=1", "--dynamo_backend=inductor"]
    arguments = launch_command_parser().parse_args([*usual, *flags, "-m", "fabric"])
    for name, value in prepare_simple_launcher_cmd_env(arguments)[1].items():
        monkeypatch.setenv(name, value)


def test_precision_and_compilation_are_the_tasks_own(monkeypatch: pytest.MonkeyPatch) -> None:
    launched(monkeypatch, "--num_processes=1", "--mixed_precision=bf16")
    assert os.environ["ACCELERATE_MIXED_PRECISION"] == "bf16"
    check_launcher()
    assert (os.environ["ACCELERATE_MIXED_PRECISION"], os.environ["ACCELERATE_DYNAMO_BACKEND"]) == ("no", "NO")


def test_one_process_in_place_of_several_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    launched(monkeypatch, "--num_processes=2", "--mixed_precision=no")
    with pytest.raises(ValueError, match="starts a single process where there are no GPUs: launch it by torchrun"):
        check_launcher()
    monkeypatch.setenv("LOCAL_RANK", "0")  # torchrun below it
    check_launcher()


def test_a_network_in_parts_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    launched(monkeypatch, "--num_processes=1", "--mixed_precision=no")
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(ValueError, match="without FSDP"):
        check_launcher()


def test_other_launchers_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCELERATE_DYNAMO_MODE", "ACCELERATE_MIXED_PRECISION"):
        monkeypatch.delenv(name, raising=False)
    check_launcher()
    assert "ACCELERATE_MIXED_PRECISION" not in os.environ
