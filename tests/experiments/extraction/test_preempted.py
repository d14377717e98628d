"""An extraction by jobs, one of which is preempted: the store is that of one process.

The jobs are processes of this machine. submitit hears the signal by which Slurm announces a preemption, and puts the
job into the queue again as it is.
"""

import re
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from src.engines import slurm
from src.engines.contract import Call, Engine
from src.engines.slurm import SlurmCluster
from src.experiments.corpus.splits import DOWNSTREAM
from src.experiments.extraction import clusters
from src.experiments.extraction.clusters import open_cluster
from src.experiments.extraction.engines import extract_splits
from src.experiments.extraction.requests import Request
from src.utils.embeddings import read_journal
from src.utils.paths import embeddings_folder
from tests.experiments.extraction.test_shards import assert_same


class Preempting:
    """Jobs of which the first to hold a share of a store is preempted."""

    def __init__(self, cluster: SlurmCluster, locks: Callable[[], list[Path]]) -> None:
        self.cluster, self.locks = cluster, locks
        self.n_workers = cluster.n_workers
        self.preempted: Any = None
        self.log = ""

    def run(self, calls: Sequence[Call], follow: Callable[[], None]) -> list[Any]:
        def look() -> None:
            follow()
            for lock in self.locks()[:1]:
                found = re.search(r"(\d+)-of-", lock.name)
                assert found
                job = self.cluster._jobs.get(int(found[1]))
                if job and not self.preempted:
                    self.preempted = job
                    for task in psutil.Process(job._process.pid).children():
                        task.send_signal(signal.SIGUSR2)
            if self.preempted:
                with suppress(FileNotFoundError):
                    self.log = self.preempted.paths.stderr.read_text() + self.preempted.paths.stdout.read_text()

        return self.cluster.run(calls, look)


@pytest.mark.slow
def test_a_store_is_that_of_one_process_though_a_job_is_preempted(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(clusters, "PARTS_PER_WORKER", 2)
    dataset = prepared / "datasets" / "corpus"
    request = Request(dataset, DOWNSTREAM, "lfcc")
    folders = [embeddings_folder(tmp_path, dataset, "lfcc", split) for split in DOWNSTREAM]
    with open_cluster(Engine("slurm", workers=1, cluster="local"), request, root=tmp_path) as cluster:
        assert isinstance(cluster, SlurmCluster)
        jobs = Preempting(cluster, lambda: sorted(folders[0].glob(".lock-*-of-2")))
        made = list(extract_splits(request, root=tmp_path, cluster=jobs))
    assert jobs.preempted
    assert "preempted" in jobs.log or "timed-out" in jobs.log
    assert "Requeued job" in jobs.log
    for each, split in zip(made, DOWNSTREAM, strict=True):
        finished = embeddings_folder(prepared, dataset, "lfcc", split)
        assert each.n_computed == len(read_journal(finished))
        assert_same(each.folder, finished)
