"""A plan that other machines carry out: it travels as a folder, and the store is that of one process."""

import shutil
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import pytest
from filelock import FileLock

from src.engines.contract import Call, Engine
from src.experiments.corpus.copies import Augmenting
from src.experiments.corpus.splits import DOWNSTREAM
from src.experiments.extraction import clusters
from src.experiments.extraction.clusters import extract_part, folder_of, on_cluster, open_cluster
from src.experiments.extraction.copies import extract_copies
from src.experiments.extraction.engines import extract_splits
from src.experiments.extraction.following import Follower
from src.experiments.extraction.local import in_one_process
from src.experiments.extraction.plan import Plan, SplitPlan, make_plan
from src.experiments.extraction.requests import CopiesOf, Extraction, Limits, Request, Share
from src.experiments.extraction.travel import read_plan, write_plan
from src.utils.embeddings import read_journal
from src.utils.paths import OWNER, corpus_folder
from tests.backbones import conftest as models
from tests.experiments.extraction.test_shards import assert_same, vary
from tests.typed import run_fab

save_model = models.save_model
LIMITS = Limits(batch_seconds=1.5)


class Here:
    """An engine whose only machine is this process; it may lose calls after they have written."""

    def __init__(self, n_workers: int = 2, lose: int = 0) -> None:
        self.n_workers, self._lose = n_workers, lose
        self.names: list[str] = []

    def run(self, calls: Sequence[Call], follow: Callable[[], None]) -> list[Any]:
        results = []
        for number, call in enumerate(calls):
            for _ in range(2 if number < self._lose else 1):
                result = call.function(*call.arguments)
            results.append(result)
            self.names.append(call.name)
            follow()
        return results


@pytest.fixture(scope="module")
def dataset(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a corpus of clips of several lengths, one of them long and one silent; not to be changed."""
    folder = tmp_path_factory.mktemp("clusters") / "corpus"
    return vary(Path(shutil.copytree(prepared / "datasets" / "corpus", folder)))


@pytest.fixture(scope="module")
def alone(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Extraction]:
    """Return what one process makes of all splits."""
    request = Request(dataset, DOWNSTREAM, "lfcc", limits=LIMITS)
    return list(in_one_process(make_plan(request, root=tmp_path_factory.mktemp("alone"))))


def plan_of(dataset: Path, root: Path, **options: Any) -> Plan:
    plan = make_plan(Request(dataset, DOWNSTREAM, "lfcc", limits=LIMITS, **options), root=root)
    folder_of(plan.request, root).mkdir(parents=True, exist_ok=True)
    return plan


def assert_equal(one: SplitPlan, other: SplitPlan) -> None:
    pd.testing.assert_frame_equal(one.clips, other.clips)
    assert list(one.fingerprints.items()) == list(other.fingerprints.items())
    assert list(one.lengths.items()) == list(other.lengths.items()), "batches follow the order"
    assert (one.folder, one.split, one.waiting) == (other.folder, other.split, other.waiting)


def test_a_plan_travels_whole(dataset: Path, tmp_path: Path) -> None:
    copies = CopiesOf(dataset, "field", 1, 7)
    options = {"model": "random:base", "layers": "0-3", "share": Share(((1, 2),)), "window": "own", "patience": 3.0}
    plan = plan_of(dataset, tmp_path)
    half_done = replace(plan.splits[0], waiting=plan.splits[0].waiting[::2], lengths=dict(plan.splits[0].lengths))
    for file in plan.splits[0].waiting[1::2]:
        del half_done.lengths[file]
    seeks_slowly = plan.splits[0].waiting[0]
    half_done.lengths[seeks_slowly] = replace(half_done.lengths[seeks_slowly], in_one_pass=True)
    plan = replace(plan, request=replace(plan.request, copies=copies, **options), splits=(half_done, *plan.splits[1:]))
    read = read_plan(write_plan(plan, tmp_path))
    assert (read.request, read.root, read.is_known_kind) == (plan.request, plan.root, plan.is_known_kind)
    for one, other in zip(read.splits, plan.splits, strict=True):
        assert_equal(one, other)


@pytest.mark.parametrize("lose", [0, 3], ids=["none lost", "three lost"])
def test_the_store_is_that_of_one_process(
    dataset: Path, alone: list[Extraction], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lose: int
) -> None:
    monkeypatch.setattr(clusters, "PARTS_PER_WORKER", 2)
    cluster = Here(lose=lose)
    made = on_cluster(plan_of(dataset, tmp_path), cluster)
    assert cluster.names == [f"part {number} of 4" for number in range(1, 5)]
    for one, other in zip(made, alone, strict=True):
        assert (one.n_clips, one.n_computed, one.n_rejected) == (other.n_clips, other.n_computed, other.n_rejected)
        assert_same(one.folder, other.folder)
        assert list(one.folder.glob(".lock-*-of-*")) == []
    assert list(folder_of(plan_of(dataset, tmp_path).request, tmp_path).glob("plan-*")) == []


def test_what_is_finished_is_skipped_whoever_computed_it(
    dataset: Path, alone: list[Extraction], tmp_path: Path
) -> None:
    by_hand = plan_of(dataset, tmp_path, share=Share(((0, 2),)))
    computed = sum(made.n_computed for made in in_one_process(by_hand))
    assert computed > 0
    plan = plan_of(dataset, tmp_path)
    made = on_cluster(plan, Here(n_workers=1))
    assert sum(each.n_computed for each in made) + computed == sum(each.n_computed for each in alone)
    for one, other in zip(made, alone, strict=True):
        assert len(read_journal(one.folder)) == other.n_computed, "nothing was computed twice"
        assert_same(one.folder, other.folder)
    request = replace(plan.request, splits=DOWNSTREAM)
    again = list(extract_splits(request, root=tmp_path, cluster=Here()))
    assert [(each.n_clips, each.n_computed) for each in again] == [(each.n_clips, 0) for each in alone]


def test_there_are_more_parts_than_workers_and_no_more_than_clips(dataset: Path, tmp_path: Path) -> None:
    class Counting(Here):
        def run(self, calls: Sequence[Call], follow: Callable[[], None]) -> list[Any]:
            self.names = [call.name for call in calls]
            raise KeyboardInterrupt

    plan = plan_of(dataset, tmp_path)
    for n_workers, n_parts in ((3, 12), (1000, plan.n_waiting)):
        counting = Counting(n_workers)
        with pytest.raises(KeyboardInterrupt):
            on_cluster(plan, counting)
        assert len(counting.names) == n_parts
    assert list(folder_of(plan.request, tmp_path).glob("plan-*")) == []


def test_augmented_copies_are_computed_by_engines_too(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = [Path(shutil.copytree(prepared, tmp_path / name)) for name in ("one", "other")]
    how = Augmenting(
        '[{"probability": 1, "one_of": [{"effect": "white", "parameters": {"snr": {"from": 0, "to": 9}}}]}]'
    )
    made = []
    monkeypatch.setattr(clusters, "PARTS_PER_WORKER", 2)
    for root, cluster in zip(roots, (None, Here(n_workers=1)), strict=True):
        request = Request(root / "datasets" / "corpus", DOWNSTREAM[:1], "lfcc")
        folder_of(request, root).mkdir(parents=True, exist_ok=True)
        with joblib.parallel_config(backend="sequential"):
            made += extract_copies(request, how, root=root, cluster=cluster)
    assert made[0].n_clips == made[1].n_clips
    assert_same(made[1].folder, made[0].folder)


def test_networks_are_computed_by_parts_too(
    prepared: Path, tmp_path: Path, save_model: models.SaveModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "PARTS_PER_WORKER", 3)
    model = save_model(tmp_path / "tiny", num_hidden_layers=2)
    stores = []
    for name, cluster in (("one", None), ("other", Here(n_workers=1))):
        root = tmp_path / name
        request = Request(prepared / "datasets" / "corpus", DOWNSTREAM[1:2], "wav2vec2", str(model), "cpu")
        folder_of(request, root).mkdir(parents=True, exist_ok=True)
        (made,) = extract_splits(request, root=root, cluster=cluster)
        stores.append(made.folder)
    assert_same(stores[1], stores[0])


def test_a_machine_without_the_corpus_or_the_plan_says_which_it_is(dataset: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(dataset, tmp_path / "moved"))
    place = write_plan(plan_of(moved, tmp_path), tmp_path)
    moved.rename(tmp_path / "elsewhere")
    with pytest.raises(FileNotFoundError, match=rf"The machine {socket.gethostname()} has no folder {moved}: all mach"):
        extract_part(place, 0, 2)
    with pytest.raises(FileNotFoundError, match=r"has no folder .*gone: all machines need the corpus, and the project"):
        extract_part(tmp_path / "gone", 0, 2)


def test_the_progress_is_read_from_what_journals_gain(dataset: Path, tmp_path: Path) -> None:
    plan = plan_of(dataset, tmp_path)
    follower = Follower(plan, "2 workers")
    follower.look()
    assert not any(follower.seen.values())
    for number in range(2):
        list(in_one_process(plan.part(number, 2, "cpu")))
        follower.look()
        for part in plan.splits:
            assert follower.seen[part.folder] == set(read_journal(part.folder)["file"])
    journal = plan.splits[0].folder / "journal.csv"
    journal.write_bytes(b"")  # as after a crash of the machine
    follower.look()
    assert follower.seen[plan.splits[0].folder]
    follower.close()


def test_an_engine_is_refused_what_it_cannot_do(dataset: Path, tmp_path: Path) -> None:
    request = Request(dataset, DOWNSTREAM, "lfcc")
    for change, said in (
        ({"share": Share(((0, 2),))}, "`engine=ray` divides the work itself: leave out `shard` and `num_shards`"),
        ({"device": "cuda:1"}, "With `engine=ray`, `device` must be auto, cpu or cuda, not cuda:1"),
        ({"backbone": "wave"}, "Unknown backbone 'wave'"),
        ({"dataset": tmp_path / "none"}, "none"),
    ):
        with (
            pytest.raises((ValueError, FileNotFoundError), match=said),
            open_cluster(Engine("ray"), replace(request, **change), root=tmp_path),
        ):
            pass
    nowhere = Engine("ray", address="127.0.0.1:1")
    with pytest.raises(ValueError, match="No Ray cluster can be"), open_cluster(nowhere, request, root=tmp_path):
        pass
    assert not (corpus_folder(tmp_path, dataset) / OWNER).exists(), "a start that is refused does not claim a name"
    folder = folder_of(request, tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    with (
        FileLock(folder / ".lock"),
        pytest.raises(ValueError, match="Another engine is extracting with lfcc for the same corpus; wait for it"),
        open_cluster(Engine("ray"), request, root=tmp_path),
    ):
        pass


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--engine=ray --address=127.0.0.1:1", "No Ray cluster can be reached at 127.0.0.1:1 (Connection refused)."),
        ("--engine=ray --address=here", "--address must be auto, host:port or ray://host:port, not 'here'."),
        ("--engine=slurm --workers=2", "There is no Slurm on this machine (no sinfo): start the task on a login node"),
        ("--engine=slurm", "--engine=slurm must be told how many jobs may run at a time: give --workers."),
        ("--workers=2", "--workers is for --engine=slurm and --engine=ray."),
    ],
)
def test_the_task_refuses_in_one_line(
    prepared: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], flags: str, said: str
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert run_fab(f"GenerateEmbeddings --dataset=datasets/corpus --backbone=mfcc {flags}", prepared, monkeypatch) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1
    assert told[0].startswith(f"GenerateEmbeddings: {said}")
