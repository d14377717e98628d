"""Ray: what is refused before it is asked, and a cluster of three made-up machines of which two are killed."""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from src.engines import open_engine, ray
from src.engines.contract import Call, Engine
from src.engines.ray import RayCluster, Room, room_of
from src.experiments.corpus.splits import DOWNSTREAM
from src.experiments.extraction import clusters
from src.experiments.extraction.clusters import open_cluster
from src.experiments.extraction.engines import extract_splits
from src.experiments.extraction.requests import Limits, Request
from src.utils.embeddings import read_journal
from src.utils.paths import embeddings_folder
from tests.engines import calls
from tests.engines.calls import GO, extract_together, wait_until
from tests.experiments.extraction.test_shards import assert_same

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("nodes", "workers", "gpu", "room"),
    [
        ([{"CPU": 16.0, "GPU": 4.0}] * 2, 0, True, Room(8, 4, 1)),
        ([{"CPU": 16.0, "GPU": 4.0}] * 2, 2, True, Room(2, 16, 1)),
        ([{"CPU": 16.0, "GPU": 4.0}] * 2, 0, False, Room(2, 16, 0)),
        ([{"CPU": 8.0}, {"memory": 1.0}], 0, True, Room(1, 8, 0)),
        ([{"CPU": 8.0}, {"CPU": 6.0}], 4, True, Room(4, 3, 0)),
        ([{"CPU": 128.0}], 1, False, Room(1, 16, 0)),
        ([{"GPU": 8.0}, {"CPU": 16.0, "GPU": 4.0}], 0, True, Room(4, 4, 1)),
        ([{"GPU": 8.0}, {"CPU": 16.0}], 0, True, Room(1, 16, 0)),
    ],
)
def test_calls_are_spread_over_gpus_or_nodes(nodes: Any, workers: int, gpu: bool, room: Room) -> None:
    assert room_of(nodes, workers, gpu) == room


@pytest.mark.parametrize(
    ("nodes", "workers", "room", "said"),
    [
        ([{"CPU": 16.0, "GPU": 4.0}] * 2, 99, Room(8, 4, 1), "8 GPUs: 8 work at a time, not `workers=99`"),
        ([{"CPU": 1.0}] * 3, 50, Room(3, 1, 0), "3 CPUs: 3 work at a time, not `workers=50`"),
    ],
)
def test_workers_for_whom_there_is_no_room_are_told(nodes: Any, workers: int, room: Room, said: str) -> None:
    with pytest.warns(UserWarning, match=rf"^The Ray cluster has {said}\.$"):
        assert room_of(nodes, workers, gpu=True) == room


def test_a_cluster_without_cpus_is_refused() -> None:
    with pytest.raises(ValueError, match="The Ray cluster has no CPUs: add a node to it"):
        room_of([{"memory": 1.0}], 0, gpu=True)


@pytest.fixture
def silent() -> Iterator[str]:
    """Return the address of something that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1:1", r"No Ray cluster can be reached at 127.0.0.1:1 \(Connection refused\)\."),
        ("ray://127.0.0.1:1", r"No Ray cluster can be reached at ray://127.0.0.1:1 \(Connection refused\)\."),
        ("host", "`address` must be auto, host:port or ray://host:port, not 'host'"),
        ("host:0", "`address` must be auto, host:port"),
        ("http://host:1", "`address` must be auto, host:port"),
    ],
)
def test_an_address_without_a_cluster_is_refused_at_once(address: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=said), open_engine(Engine("ray", address=address), tmp_path, gpu=False):
        pass


@pytest.mark.slow
def test_what_is_no_cluster_is_given_up(silent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "CONNECT_SECONDS", 1.0)
    with (
        pytest.raises(ValueError, match=rf"^No Ray cluster answered at {silent} within 1 s \(see .*ray\.log\)\.$"),
        open_engine(Engine("ray", address=silent), tmp_path, gpu=False),
    ):
        pass


def test_another_version_of_ray_or_python_is_told_in_one_line(tmp_path: Path) -> None:
    from concurrent.futures import Future

    from ray._private.utils import check_version_info

    with pytest.raises(RuntimeError) as caught:
        check_version_info({"ray_version": "2.9.0", "python_version": "3.9.1"}, "node")
    answer: Future[Any] = Future()
    answer.set_result(" ".join(str(caught.value).split()))
    here = rf"Ray [\d.]+ on Python {sys.version_info[0]}\.{sys.version_info[1]}\.\d+"
    with pytest.raises(
        ValueError, match=rf"^The cluster at a:1 runs Ray 2\.9\.0 on Python 3\.9\.1, this machine {here}"
    ):
        ray._connected(answer, "a:1", tmp_path / "log")


@dataclass(frozen=True)
class Machines:
    """The cluster of a process beside this one."""

    process: "subprocess.Popen[str]"
    address: str
    killed: list[int] = field(default_factory=list)

    def kill(self, number: int) -> None:
        assert self.process.stdin and self.process.stdout
        self.killed.append(number)
        self.process.stdin.write(f"kill {number}\n")
        self.process.stdin.flush()
        while self.process.stdout.readline().strip() != "killed":
            pass


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    command = [sys.executable, str(Path(__file__).with_name("ray_cluster.py")), "3"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout
        address = next(line.split()[1] for line in process.stdout if line.startswith("address"))
        yield Machines(process, address)


@dataclass
class Killing:
    """A cluster of which a machine is killed when all machines are half-way through a part."""

    cluster: RayCluster
    meeting: Path
    kill: Callable[[], None]

    @property
    def n_workers(self) -> int:
        return self.cluster.n_workers

    def run(self, calls: Sequence[Call], follow: Callable[[], None]) -> list[Any]:
        def look() -> None:
            follow()
            halfway = [attempt for attempt in self.meeting.glob("*-*") if attempt.read_text()]
            if len(halfway) == self.n_workers and not (self.meeting / GO).exists():
                self.kill()
                wait_until(lambda: not all(is_alive(attempt) for attempt in halfway))
                (self.meeting / GO).touch()

        together = [Call(extract_together, (self.meeting, *call.arguments), call.name) for call in calls]
        return self.cluster.run(together, look)


def is_alive(attempt: Path) -> bool:
    """Return whether the process that makes an attempt at a part is running."""
    try:
        return bool(psutil.Process(int(attempt.name.partition("-")[2])).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.mark.slow
def test_a_store_is_that_of_one_process_though_a_machine_is_killed_halfway(
    machines: Machines, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(clusters, "PARTS_PER_WORKER", 1)  # all machines are at work when one is killed
    dataset = prepared / "datasets" / "corpus"
    request = Request(dataset, DOWNSTREAM, "lfcc", limits=Limits(batch_seconds=2.0))
    n_clips = sum(len(read_journal(embeddings_folder(prepared, dataset, "lfcc", split))) for split in DOWNSTREAM)
    with open_cluster(Engine("ray", address=machines.address), request, root=tmp_path) as cluster:
        assert isinstance(cluster, RayCluster)
        assert cluster.n_workers == 3
        assert cluster.run([Call(calls.add, (number, 1)) for number in range(5)], lambda: None) == [1, 2, 3, 4, 5]
        meeting = tmp_path / "meeting"
        meeting.mkdir()
        killing = Killing(cluster, meeting, lambda: machines.kill(1))
        made = list(extract_splits(request, root=tmp_path, cluster=killing))
        assert machines.killed == [1]
        attempts = [attempt.name.partition("-")[0] for attempt in meeting.glob("*-*")]
        assert len(attempts) == 4 and set(attempts) == {"0", "1", "2"}, "one part was made again"
        with pytest.raises(ValueError, match="`batch_seconds` must be above 0"):
            cluster.run([Call(calls.refuse), Call(calls.count, (tmp_path, 9, 600, 0.1))], lambda: None)
    assert sum(each.n_computed for each in made) == n_clips
    for each, split in zip(made, DOWNSTREAM, strict=True):
        assert_same(each.folder, embeddings_folder(prepared, dataset, "lfcc", split))


@pytest.mark.slow
def test_a_cluster_that_has_lost_all_its_machines_is_not_waited_for_for_ever(
    machines: Machines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(ray, "PATIENCE", 1.0)
    left = {0, 1, 2} - set(machines.killed)

    def kill_all() -> None:
        if (tmp_path / "1.txt").exists():
            while left:
                machines.kill(left.pop())

    said = (
        r"^The Ray cluster has lost all nodes with 1 CPU, and none came back within 1 s: add a node \(ray start "
        r"--address=...\) and run the same command again; finished work is kept\.$"
    )
    with (
        pytest.raises(ChildProcessError, match=said),
        open_engine(Engine("ray", address=machines.address), tmp_path, gpu=False) as cluster,
    ):
        cluster.run([Call(calls.count, (tmp_path, 1, 6000, 0.1))], kill_all)
