"""Slurm's jobs, as processes of this machine: submitit's local executor."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from src.engines import open_engine, slurm
from src.engines.contract import Call, Engine
from src.engines.slurm import SUBMITTED
from tests.engines import calls

HERE = Engine("slurm", workers=2, cluster="local")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm, "POLL_SECONDS", 0.1)


def nothing() -> None: ...


@pytest.mark.slow
def test_results_come_in_order_and_a_killed_call_is_made_again(tmp_path: Path) -> None:
    with open_engine(HERE, tmp_path, gpu=False) as cluster:
        assert cluster.n_workers == 2
        wanted = [Call(calls.add, (1, 2)), Call(calls.die_once, (tmp_path, 7)), Call(calls.count, (tmp_path, 8, 3))]
        assert cluster.run(wanted, nothing) == [3, 7, 3]
        assert cluster.run([Call(calls.add, (4, 5))], nothing) == [9]
    assert (tmp_path / "7.died").exists()
    assert list((tmp_path / "slurm").glob("*")) == [], "logs of what went well are removed"


@pytest.mark.slow
def test_an_error_of_a_call_is_raised_here_and_cancels_the_others(tmp_path: Path) -> None:
    long = Call(calls.count, (tmp_path, 1, 150, 0.1))
    seen: list[Any] = []
    with (
        pytest.raises(ValueError, match=r"`batch_seconds` must be above 0 .*, not -1\.$"),
        open_engine(HERE, tmp_path, gpu=False) as cluster,
    ):
        cluster.run([Call(calls.refuse), long], lambda: seen.extend(cluster._jobs.values()))  # type: ignore[attr-defined]
    assert not (tmp_path / "slurm" / SUBMITTED).exists()
    assert len({job.job_id for job in seen}) == 2
    for job in seen:
        assert job._process.wait(timeout=120) is not None  # where SIGINT is ignored, it ends by itself


class FakeJob:
    """A job that ends at once, without an answer."""

    def __init__(self, folder: Path, job_id: str) -> None:
        self.job_id = job_id
        self.paths = type("", (), {"result_pickle": folder / "none", "stderr": folder / "log"})()

    def done(self) -> bool:
        return True

    def stderr(self) -> str:
        return "srun: error\nout of memory\n"

    def cancel(self) -> None: ...


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], int]]:
    """Replace submitit's executor by one whose jobs die; return how many were submitted."""
    import submitit

    class Executor:
        submitted = 0

        def __init__(self, folder: Path, **_: object) -> None:
            self.folder = folder

        def update_parameters(self, **_: object) -> None: ...

        def map_array(self, function: object, *arguments: tuple[object, ...]) -> list[FakeJob]:
            Executor.submitted += len(arguments[0])
            return [FakeJob(self.folder, f"{Executor.submitted}_{n}") for n, _ in enumerate(arguments[0])]

    monkeypatch.setattr(submitit, "AutoExecutor", Executor)
    yield lambda: Executor.submitted


def test_a_call_that_dies_again_and_again_ends_in_one_line(tmp_path: Path, fake: Callable[[], int]) -> None:
    said = r"part 1 of 1 was lost 3 times \(out of memory; see .*log\): run the same command again; finished work is"
    with pytest.raises(ChildProcessError, match=said), open_engine(HERE, tmp_path, gpu=False) as cluster:
        cluster.run([Call(calls.add, (1, 1), "part 1 of 1")], nothing)
    assert fake() == 3


def test_what_a_killed_driver_left_in_the_queue_is_cancelled_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []
    queues = [["12_3", "99"], ["99"]]

    def ask(*command: str) -> str:
        asked.append(command)
        return " ".join(queues.pop(0)) if command[0] == "squeue" else ""

    monkeypatch.setattr("src.engines.slurm_commands.ask", ask)
    monkeypatch.setattr("src.engines.slurm_commands.time.sleep", lambda _: None)
    (tmp_path / "slurm").mkdir()
    (tmp_path / "slurm" / SUBMITTED).write_text(json.dumps(["12"]))
    with open_engine(HERE, tmp_path, gpu=False):
        assert asked[0] == ("scancel", "12")
        assert [command[0] for command in asked] == ["scancel", "squeue", "squeue"]
        assert not (tmp_path / "slurm" / SUBMITTED).exists()


def test_what_sbatch_says_against_the_jobs_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import submitit
    from submitit.core.utils import FailedJobError

    class Executor:
        def __init__(self, *_: object, **__: object) -> None: ...

        def update_parameters(self, **_: object) -> None: ...

        def map_array(self, *_: object) -> None:
            raise FailedJobError("sbatch: error: one\nsbatch: error: Batch job submission failed: Invalid account\n")

    monkeypatch.setattr(submitit, "AutoExecutor", Executor)
    with (
        pytest.raises(ValueError, match=r"^Slurm refuses the jobs: sbatch: error: .* failed: Invalid account$"),
        open_engine(HERE, tmp_path, gpu=False) as cluster,
    ):
        cluster.run([Call(calls.add, (1, 1))], nothing)
