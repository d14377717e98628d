"""Run folders get numbers of their own whoever asks, are found by number, and say where they come from."""

import json
import multiprocessing
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from importlib.metadata import version
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import pytest

from src.experiments.runs import provenance
from src.experiments.runs.artefacts import read_array, read_hyperparameters, save_array, save_figure
from src.experiments.runs.folders import find_run, find_study, new_numbered_folder
from src.experiments.runs.names import RunName, StudyName, existing_numbers
from src.experiments.runs.provenance import code_version, describe_origin, now
from src.utils.files import write_json

N_PROCESSES, N_EACH = 8, 8

INPUTS = {"corpus": "c", "backbone": "lfcc", "classifier": "svm", "layer": 0, "pooling": "mean", "seed": 7, "C": 2.0}


def take_folders(parent: Path, start: Barrier) -> None:
    """Make folders as soon as all processes are there; leave in each who made it."""
    start.wait()
    for _ in range(N_EACH):
        folder = new_numbered_folder(parent, "run")
        with (folder / "owner.txt").open("x") as owner:  # fails where another process was given the same folder
            owner.write(str(os.getpid()))


def finished(folder: Path) -> Path:
    """Make a folder that looks like a finished run."""
    folder.mkdir(parents=True)
    write_json(folder / "metrics.json", {})
    return folder


def found(root: Path, name: str) -> Path:
    return find_run(root, RunName.parse(name))


@pytest.mark.slow
def test_64_folders_asked_for_at_once_get_64_numbers(tmp_path: Path) -> None:
    """Fault 5: numbers were counted, and 64 parallel starts gave 22 folders."""
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(N_PROCESSES)
    processes = [context.Process(target=take_folders, args=(tmp_path / "runs", start)) for _ in range(N_PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * N_PROCESSES
    assert existing_numbers(tmp_path / "runs", "run") == list(range(N_PROCESSES * N_EACH))
    owners = [path.read_text() for path in (tmp_path / "runs").glob("run*/owner.txt")]
    assert sorted(map(owners.count, set(owners))) == [N_EACH] * N_PROCESSES


def test_the_number_of_a_deleted_folder_is_not_given_again(tmp_path: Path) -> None:
    """Fault 5: after a deletion the count was the number of a folder that was there."""
    folders = [new_numbered_folder(tmp_path, "run") for _ in range(5)]
    shutil.rmtree(folders[2])
    assert new_numbered_folder(tmp_path, "run") == tmp_path / "run5"
    assert existing_numbers(tmp_path, "run") == [0, 1, 3, 4, 5]


def test_a_number_taken_between_looking_and_making_is_left_to_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        (tmp_path / f"run{number}").mkdir()
    monkeypatch.setattr("src.experiments.runs.folders.existing_numbers", lambda *_: [])
    assert new_numbered_folder(tmp_path, "run") == tmp_path / "run3"


def test_only_names_of_prefix_and_number_count(tmp_path: Path) -> None:
    for name in ("run2", "run10", "run", "run3x", "xrun7", "svm_study4", "run-1", "run007", "run00"):
        (tmp_path / name).mkdir()
    assert existing_numbers(tmp_path, "run") == [2, 10]
    assert existing_numbers(tmp_path, "svm_study") == [4]
    assert existing_numbers(tmp_path / "absent", "run") == []
    assert new_numbered_folder(tmp_path, "run") == tmp_path / "run11"


def test_a_study_that_is_not_there_lists_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no study 0 of svm; there are no studies yet\. fab Optimize.*=svm"):
        find_study(tmp_path, StudyName("svm", 0))
    for name in ("svm_study0", "svm_study3", "mlp_study1"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    assert find_study(tmp_path, StudyName("svm", 3)) == tmp_path / "runs" / "svm_study3"
    with pytest.raises(FileNotFoundError, match=r"no study 1 of svm; studies there: 0, 3\."):
        find_study(tmp_path, StudyName("svm", 1))


def test_a_run_that_is_not_there_lists_those_that_are(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    with pytest.raises(FileNotFoundError, match=r"no run 0 in .*runs; there are no runs yet"):
        found(tmp_path, "run0")
    for number in range(25):
        finished(runs / f"run{number}")
    finished(runs / "svm_study0" / "run4")
    assert found(tmp_path, "run4") == runs / "run4"
    assert found(tmp_path, "svm_study0/run4") == runs / "svm_study0" / "run4"
    with pytest.raises(FileNotFoundError, match=r"no run 99 in .*runs; runs there: \.\.\., [0-9, ]+\.$"):
        found(tmp_path, "run99")
    with pytest.raises(FileNotFoundError, match=r"no run 5 in .*svm_study0; runs there: 4\."):
        found(tmp_path, "svm_study0/run5")


def test_a_run_that_did_not_finish_is_refused(tmp_path: Path) -> None:
    (finished(tmp_path / "runs" / "run0") / "metrics.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"run0 did not finish \(no metrics.json\); train it again\."):
        found(tmp_path, "run0")
    (tmp_path / "runs" / "run0" / "checkpoints").mkdir()
    with pytest.raises(FileNotFoundError, match=r"resume it with fab TrainDetector --resume=run0\."):
        found(tmp_path, "run0")


def test_the_study_of_a_detector_is_begun_with_its_own_flag(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"fab OptimizeHyperparameters --detector=lcnn makes one"):
        find_study(tmp_path, StudyName("lcnn", 0))


def test_a_study_without_a_run_number_stands_for_its_best_run(tmp_path: Path) -> None:
    study = tmp_path / "runs" / "rf_study0"
    for number in range(3):
        finished(study / f"run{number}")
    with pytest.raises(FileNotFoundError, match=r"rf_study0 has no finished trial yet; resume"):
        found(tmp_path, "rf_study0")
    write_json(study / "best_hyperparameters.json", {"best_trial_number": 1})
    assert found(tmp_path, "rf_study0") == study / "run1"
    assert found(tmp_path, "rf_study0/run2") == study / "run2"


@pytest.mark.parametrize(
    ("noted", "dataset"), [({}, "datasets/my voices"), ({"dataset": "/disk/my voices"}, "/disk/my voices")]
)
def test_a_best_run_that_is_not_here_is_named_with_the_command_that_trains_it(
    noted: dict[str, str], dataset: str, tmp_path: Path
) -> None:
    study = tmp_path / "runs" / "svm_study0"
    study.mkdir(parents=True)
    inputs = {"corpus": "my voices", "backbone": "lfcc", "classifier": "svm", "seed": 3}
    write_json(study / "best_hyperparameters.json", {"best_trial_number": 4, "best_hyperparameters": inputs, **noted})
    with pytest.raises(FileNotFoundError, match="run 4, is not here") as error:
        found(tmp_path, "svm_study0")
    typed = shlex.split(str(error.value).partition("here with ")[2].rstrip("."))
    flags = [f"--dataset={dataset}", "--backbone=lfcc", "--classifier=svm", "--seed=3"]
    assert typed == ["fab", "TrainModel", *flags, f"--hyperparameters={study / 'best_hyperparameters.json'}"]


def test_what_a_run_leaves_is_whole_or_not_there(tmp_path: Path) -> None:
    write_json(tmp_path / "hyperparameters.json", INPUTS)
    assert read_hyperparameters(tmp_path) == INPUTS
    save_array(tmp_path / "a.npy", np.arange(3.0))
    assert np.load(tmp_path / "a.npy", allow_pickle=False).tolist() == [0, 1, 2]
    assert read_array(tmp_path / "a.npy").tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="allow_pickle=False"):
        save_array(tmp_path / "objects.npy", np.array([{}, None]))

    class Unwilling:
        def savefig(self, path: Path, dpi: int) -> None:
            path.write_bytes(b"half a picture")
            raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space"):
        save_figure(tmp_path / "picture.png", Unwilling())  # type: ignore[arg-type]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npy", "hyperparameters.json"]


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Return a function that runs git in the test's folder, which lies in no checkout and hears no settings."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    code_version.cache_clear()

    def run(*arguments: str) -> str:
        command = ["git", "-C", str(tmp_path), "-c", "user.name=A", "-c", "user.email=a@b.c", *arguments]
        code_version.cache_clear()
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    yield run
    code_version.cache_clear()


def test_the_code_version_is_the_commit_and_tells_of_changes(git: Callable[..., str], tmp_path: Path) -> None:
    assert code_version(tmp_path) == "unknown (no git checkout)"
    git("init")
    (tmp_path / "code.py").write_text("1")
    git("add", ".")
    git("commit", "-m", "first")
    commit = git("rev-parse", "HEAD")
    assert len(commit) == 40
    assert code_version(tmp_path) == commit
    (tmp_path / "code.py").write_text("2")
    code_version.cache_clear()
    assert code_version(tmp_path) == f"{commit}+changes"


def test_the_code_version_is_that_of_the_codes_own_folder(git: Callable[..., str], tmp_path: Path) -> None:
    code, data = tmp_path / "code", tmp_path / "data"
    for folder in (code, data):
        folder.mkdir()
    git("init")
    (code / "code.py").write_text("1")
    git("add", ".")
    git("commit", "-m", "first")
    (data / "clip.wav").write_text("changed")
    assert code_version(code) == git("rev-parse", "HEAD"), "data beside it are no changes of it"
    assert code_version(data) == "unknown (no git checkout)", "it lies in a checkout that does not track it"


def test_a_machine_without_git_is_no_obstacle(
    git: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("init")
    monkeypatch.setenv("PATH", "")
    assert code_version(tmp_path) == "unknown (no git checkout)"


def test_the_origin_says_code_versions_data_seed_command_machine_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/somewhere/bin/fab", "TrainModel", "--dataset=my voices"])
    monkeypatch.setattr(provenance, "PACKAGES", ("numpy", "optuna", "a-package-nobody-made"))
    monkeypatch.setattr(provenance, "WHERE_USED", ("av", "no-package-that-is-used"))
    monkeypatch.setitem(sys.modules, "av", None)
    started = now()
    origin = describe_origin(seed=11, data={"digest": "abc"}, started=started)
    assert json.loads(json.dumps(origin, allow_nan=False)) == origin
    assert origin["packages"] == {"numpy": version("numpy"), "optuna": version("optuna"), "av": version("av")}
    assert origin["seed"] == 11
    assert origin["code"] == code_version()
    assert origin["data"] == {"digest": "abc"}
    assert origin["command"] == "fab TrainModel '--dataset=my voices'"
    assert origin["machine"]["cores"] == os.cpu_count()
    assert all(origin["machine"][key] for key in ("system", "processor"))
    times = [datetime.fromisoformat(origin[key]) for key in ("started", "ended")]
    assert origin["started"] == started
    assert times[0] <= times[1]
    assert all(time.tzinfo is not None for time in times)
