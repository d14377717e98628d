"""One host, its task started, stopped and brought back; a script stands for the task."""

import _thread
import io
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fabric import Connection

from src.remote.hosts import Host
from src.remote.order import Order
from src.remote.visit import Visit
from tests.remote.conftest import Server

CORPUS = "datasets/corpus"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a project with the code that a host needs and an empty corpus."""
    root = tmp_path / "project"
    for folder in (CORPUS, "embeddings", "runs", "src/remote"):
        (root / folder).mkdir(parents=True)
    (root / "fabfile.py").touch()
    shutil.copy(Path(__file__).parents[2] / "src/remote/job.sh", root / "src/remote")
    return root


@pytest.fixture
def there(servers: list[Server]) -> Path:
    """Return the folder of the project on the host."""
    folder = servers[0].home / "visited"
    shutil.rmtree(folder, ignore_errors=True)
    return folder


Visitor = Callable[..., Visit]


@pytest.fixture
def visitor(root: Path, there: Path, servers: list[Server], known: Path) -> Iterator[Visitor]:
    """Return what reaches the host for a task, which is a shell script."""
    made: list[Visit] = []

    def visit(script: str, order: Order | None = None) -> Visit:
        python = root / "python"
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)
        connection = Connection(servers[0].address, connect_kwargs={"key_filename": str(servers[0].key)})
        host, lines = Host(connection, "~/visited"), list[str]()
        made.append(Visit(host, order or Order(("Task",)), root, root, lines.append, "1", str(python)))
        made[-1].reach()
        return made[-1]

    yield visit
    for each in made:
        each.host.connection.close()


def said(visit: Visit) -> str:
    return str(visit.say.__self__[-1])  # type: ignore[attr-defined]


def test_a_task_that_is_stopped_ends_tells_so_and_is_started_by_the_next_call(visitor: Visitor, root: Path) -> None:
    at_work = "trap 'echo stopped at clip 7; exit 130' INT; echo works; while :; do sleep 0.1; done"
    visitor(at_work).begin()
    stopping = visitor(at_work)
    assert stopping.running.endswith(" Task")
    stopping.stop()
    assert said(stopping).endswith("stopped at clip 7")
    again = visitor("echo resumed")
    assert not again.is_there
    again.begin()
    echo = io.StringIO()
    assert again.follow(echo) == 0
    assert echo.getvalue() == "resumed\n"


def test_of_two_calls_at_once_one_starts_and_the_other_is_told(visitor: Visitor) -> None:
    first, second = visitor("sleep 20"), visitor("sleep 20", Order(("Another",)))
    first.begin()
    with pytest.raises(ValueError, match="another call has started a task there meanwhile"):
        second.begin()
    visitor("").stop()


def test_ctrl_c_ends_the_following_at_once_and_the_task_goes_on(visitor: Visitor) -> None:
    visit = visitor("sleep 60")
    visit.begin()
    begun = time.monotonic()
    threading.Timer(1, _thread.interrupt_main).start()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # processes of pytest-xdist ignore it
    try:
        with pytest.raises(KeyboardInterrupt, match="the task goes on there"):
            visit.follow(io.StringIO())
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - begun < 20
    assert visitor("sleep 60").running
    visitor("sleep 60").stop()


def test_links_of_a_corpus_in_storage_go_as_links(visitor: Visitor, root: Path, there: Path) -> None:
    (root / CORPUS / "source.json").write_text("{}")
    (root / CORPUS / "1.flac").symlink_to(".fetched/ab/none-7.flac")
    visitor("", Order(("Task",), {CORPUS: root / CORPUS})).begin()
    assert str((there / CORPUS / "1.flac").readlink()) == ".fetched/ab/none-7.flac"


def test_a_job_that_cannot_write_its_notes_is_told(visitor: Visitor, there: Path) -> None:
    visit = visitor("")
    (there / visit.notes / "group").mkdir(parents=True)
    with pytest.raises(ValueError, match="group"):
        visit.begin()


def test_a_run_that_was_missing_when_the_task_failed_is_sent_when_it_is_there(
    visitor: Visitor, root: Path, there: Path
) -> None:
    order = Order(("Task",), runs={"runs/run0": root / "runs/run0"})
    failing = visitor("exit 2", Order(("Task",)))
    failing.begin()
    assert failing.follow(io.StringIO()) == 2
    (root / "runs/run0").mkdir()
    (root / "runs/run0/metrics.json").write_text("{}")
    visitor("test -e runs/run0/metrics.json", order).begin()
    assert (there / "runs/run0/metrics.json").read_text() == "{}"


def test_a_finished_store_completes_what_a_share_left_there(visitor: Visitor, root: Path, there: Path) -> None:
    order = Order(("Task",), {CORPUS: root / CORPUS}, backbones=("lfcc",))
    for folder, rows in ((root, "one\ntwo\n"), (there, "one\n")):
        (folder / "embeddings/corpus/lfcc/test").mkdir(parents=True)
        (folder / "embeddings/corpus/lfcc/test/journal.csv").write_text(rows)
    (there / ".remote").mkdir()
    visitor("", order).begin()
    assert (there / "embeddings/corpus/lfcc/test/journal.csv").read_text() == "one\n", "neither is finished"
    (root / "embeddings/corpus/lfcc/test/index.csv").touch()
    order = Order(("Next",), order.corpora, backbones=("lfcc",))
    visitor("", order).begin()
    assert (there / "embeddings/corpus/lfcc/test/journal.csv").read_text() == "one\ntwo\n"


def test_a_run_that_an_earlier_task_began_there_comes_whole(visitor: Visitor, root: Path, there: Path) -> None:
    begun = visitor("mkdir -p runs/run4 && echo 1 >runs/run4/seed; exit 130")
    begun.begin()
    assert begun.follow(io.StringIO()) == 130
    resumed = visitor("echo 2 >runs/run4/metrics", Order(("Task", "--resume=run4")))
    resumed.begin()
    assert resumed.follow(io.StringIO()) == 0
    resumed.bring()
    assert {path.name for path in (root / "runs/run4").iterdir()} == {"seed", "metrics"}


def test_what_a_task_makes_at_once_is_younger_than_its_start(visitor: Visitor, there: Path) -> None:
    visit = visitor("echo 1 >runs/metrics")
    visit.begin()
    assert visit.follow(io.StringIO()) == 0
    started, made = (there / name for name in (f"{visit.notes}/started", "runs/metrics"))
    assert made.stat().st_mtime - started.stat().st_mtime > 0.05, "a tick of a file system is 10 ms at most"


def test_a_folder_with_something_else_is_refused(visitor: Visitor, there: Path) -> None:
    there.mkdir()
    (there / "README.md").write_text("mine")
    with pytest.raises(ValueError, match="something else than this project"):
        visitor("")
