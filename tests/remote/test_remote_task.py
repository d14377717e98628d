"""fab -H HOST Remote, from the command line to the stores and runs here, against a real sshd on the loopback."""

import os
import re
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from src.remote.visit import NOTES
from src.utils.embeddings import load_embeddings, read_journal
from tests.remote.conftest import Server
from tests.typed import run_fab

SPLITS = ("downstream_train", "downstream_val", "downstream_test")
EXTRACT = "GenerateEmbeddings --backbone=lfcc --batch-seconds=0.6 --dataset=datasets/corpus"
COPIED = re.compile(r"(?:sent|brought) (\d+) (?:of \d+ )?files, (\S+)")


class Caller:
    """Somebody who types fab -H ... Remote, and reads what it says."""

    def __init__(
        self, root: Path, key: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.root, self._key, self._monkeypatch, self._capsys = root, key, monkeypatch, capsys

    def __call__(self, hosts: str, task: str, *flags: str) -> tuple[int, str, str]:
        """Return exit code, output and errors."""
        words = ["-i", str(self._key), "-H", hosts, "Remote", f"--python={sys.executable}", f"--task={task}", *flags]
        code = run_fab(words, self.root, self._monkeypatch)
        output, error = self._capsys.readouterr()
        assert "Traceback" not in error
        return code, output, error


@pytest.fixture
def corpus_alone(prepared: Path, tmp_path: Path) -> Path:
    """Return a project that has the corpus and no embeddings yet."""
    shutil.copytree(prepared / "datasets", tmp_path / "project" / "datasets")
    return tmp_path / "project"


@pytest.fixture
def caller(
    corpus_alone: Path,
    servers: list[Server],
    known: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Caller]:
    for server in servers:
        shutil.rmtree(server.home / "audios", ignore_errors=True)
    yield Caller(corpus_alone, servers[0].key, monkeypatch, capsys)


def store(root: Path, split: str) -> Path:
    return root / "embeddings" / "corpus" / "lfcc" / split


def assert_same_stores(root: Path, other: Path) -> None:
    for split in SPLITS:
        here, there = (load_embeddings(store(each, split), pooling="mean+std") for each in (root, other))
        assert here.files.tolist() == there.files.tolist()
        np.testing.assert_array_equal(here.vectors, there.vectors)


def stop_half_way(server: Server) -> int:
    """Wait until some rows are written, hold the task where it is, and cut the connection; return its process group."""
    home, end = server.home / "audios", time.monotonic() + 60
    while not len(read_journal(store(home, SPLITS[0]))):
        assert time.monotonic() < end
        time.sleep(0.001)
    (note,) = (home / NOTES).glob("*/group")
    os.killpg(int(note.read_text()), signal.SIGSTOP)
    assert server.cut()
    return int(note.read_text())


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["Remote", "--task=EmbeddingsInfo"], "On which host? Call it so: fab -H"),
        (["-H", "127.0.0.1:1", "Remote", "--task=EmbeddingsInfo"], "127.0.0.1:1 cannot be reached"),
        (["-H", "127.0.0.1:1", "Remote"], "What shall run there?"),
        (["-H", "127.0.0.1:1", "Remote", "--task=Remote"], "there is no task 'Remote'"),
        (["-H", "127.0.0.1:1", "Remote", "--task=DatasetInfo --job=2"], "DatasetInfo has no flag '--job=2'"),
        (["-H", "a,b", "Remote", "--task=EmbeddingsInfo"], "cannot be shared by 2 hosts"),
        (["-H", "a,a", "Remote", "--task=GenerateEmbeddings"], "Name each host once"),
    ],
)
def test_what_cannot_run_anywhere_ends_in_one_line(
    flags: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_fab(flags, tmp_path, monkeypatch) == 2
    output, error = capsys.readouterr()
    assert (output, error.count("\n")) == ("", 1)
    assert error.startswith("Remote: ") and told in error


@pytest.mark.slow
def test_a_task_outlives_the_line_and_its_stores_come_back_once(
    caller: Caller, servers: list[Server], prepared: Path
) -> None:
    server, groups = servers[0], list[int]()
    cutting = threading.Thread(target=lambda: groups.append(stop_half_way(server)))
    cutting.start()
    code, output, error = caller(server.address, EXTRACT)
    cutting.join()
    n_rows = len(read_journal(store(server.home / "audios", SPLITS[0])))
    assert 0 < n_rows < len(load_embeddings(store(prepared, SPLITS[0])).files), "the line was cut half-way"
    assert (code, error.count("\n")) == (2, 1)
    assert "lost; the task goes on there: the same command follows it again" in error
    assert not (caller.root / "embeddings").exists()

    other = caller(server.address, "EmbeddingsInfo")
    assert other[0] == 2
    assert "is at work in ~/audios, on GenerateEmbeddings" in other[2]

    os.killpg(groups[0], signal.SIGCONT)
    code, output, error = caller(server.address, EXTRACT)
    assert (code, error) == (0, "")
    assert "is at work on it" in output or "ended it while nobody looked" in output
    assert "sent" not in output
    assert_same_stores(caller.root, prepared)

    code, output, _ = caller(server.address, EXTRACT)
    assert code == 0
    assert COPIED.findall(output) == [("0", "0"), ("0", "0")], output


@pytest.mark.slow
def test_several_hosts_share_a_task_and_their_stores_become_one(
    caller: Caller, servers: list[Server], prepared: Path
) -> None:
    hosts = ",".join(server.address for server in servers)
    code, output, error = caller(hosts, EXTRACT)
    assert (code, error) == (0, "")
    assert_same_stores(caller.root, prepared)
    written = [len(read_journal(store(server.home / "audios", SPLITS[0]))) for server in servers]
    assert min(written) > 0
    assert sum(written) == len(read_journal(store(caller.root, SPLITS[0])))
    assert not list(caller.root.rglob(".remote"))
    code, output, _ = caller(hosts, EXTRACT)
    assert code == 0
    assert COPIED.findall(output) == [("0", "0")] * 4, output


@pytest.mark.slow
def test_runs_come_back_under_numbers_that_are_free_here(
    project: Path,
    servers: list[Server],
    known: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The stores that a training needs go along; a task that fails ends with its own exit code."""
    caller, server = Caller(project, servers[0].key, monkeypatch, capsys), servers[0]
    (project / "runs" / "run0").mkdir(parents=True)
    code, _, error = caller(
        server.address, "TrainModel --backbone=lfcc --classifier=lr --dataset=datasets/corpus", "--folder=~/other"
    )
    assert (code, error) == (0, "")
    run = project / "runs" / "run1"
    made = server.home / "other" / "runs" / "run1"
    assert {path.name for path in run.iterdir()} == {path.name for path in made.iterdir()}
    assert (run / "metrics.json").read_bytes() == (made / "metrics.json").read_bytes()
    assert list((project / "runs" / "run0").iterdir()) == []
    code, _, error = caller(server.address, "TestModel --run=run7 --dataset=datasets/corpus", "--folder=~/other")
    assert code == 2
    assert error.splitlines()[-1].startswith("Remote: TestModel ended with exit code 2")
