"""However the work is divided and in whatever order it is done, the store equals that of a single run."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from itertools import pairwise, permutations
from pathlib import Path

import loky
import numpy as np
import pandas as pd
import pytest
import soundfile

from src.audio.io import SILENT, load_waveform
from src.backbones.clips import pool_windows
from src.backbones.contract import Statistics
from src.backbones.lfcc import Lfcc, lfcc
from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.splits import SplitShares, read_split, split_dataset
from src.experiments.extraction import local
from src.experiments.extraction.local import on_devices
from src.experiments.extraction.plan import make_plan
from src.experiments.extraction.requests import Extraction, Limits, Request, Share
from src.utils.dataset import read_rejected
from src.utils.embeddings import load_embeddings, read_journal
from tests.experiments.extraction.one_split import extract_one

SPLIT = "downstream_train"
ALL = Share()
SHARES = SplitShares(pretext=0, train=0.5, val=0.25)
THIRDS = [Share(((number, 3),)) for number in range(3)]
LIMITS = Limits(batch_seconds=1.5)


class Mixing(Lfcc):
    """Features that show with which others a clip was computed, and a record of the clips."""

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def statistics(self, waveforms: Sequence[np.ndarray]) -> Statistics:
        pooled, n_frames = super().statistics(waveforms)
        self.lengths += map(len, waveforms)
        return pooled + np.float32(sum(map(len, waveforms)) / 1000), n_frames


class Meeting(Mixing):
    """The same, waiting at its first batch until `guests` others have come to theirs."""

    def __init__(self, place: Path, guests: int) -> None:
        super().__init__()
        self.place, self.guests = place, guests

    def statistics(self, waveforms: Sequence[np.ndarray]) -> Statistics:
        (self.place / str(os.getpid())).touch()
        give_up = time.monotonic() + 60
        while len(list(self.place.iterdir())) < self.guests:
            assert time.monotonic() < give_up, "somebody did not come"
            time.sleep(0.01)
        return super().statistics(waveforms)


@pytest.fixture(scope="module")
def dataset(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a corpus of clips of several lengths, one of them long and one silent; not to be changed."""
    folder = tmp_path_factory.mktemp("shards") / "corpus"
    return vary(Path(shutil.copytree(prepared / "datasets" / "corpus", folder)))


def vary(dataset: Path) -> Path:
    """Give the clips of a corpus several lengths, and write its tables and splits."""
    paths = sorted(dataset.rglob("*.flac"))
    for number, path in enumerate(paths):
        waveform, rate = soundfile.read(path)
        soundfile.write(path, np.resize(waveform, 1600 + 800 * (number % 7)), rate)
    generate_tables(dataset)
    split_dataset(dataset, SHARES, seed=7)
    files = sorted(read_split(dataset, SPLIT)["file"])
    soundfile.write(dataset / files[0], np.random.default_rng(0).uniform(-0.5, 0.5, 70 * 16_000), 16_000)
    soundfile.write(dataset / files[1], np.zeros(2000), 16_000)
    return dataset


@pytest.fixture(scope="module")
def alone(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Extraction:
    """Return the store of a single run over all clips."""
    return run(dataset, tmp_path_factory.mktemp("alone"))


def run(
    dataset: Path, root: Path, share: Share = ALL, *, limits: Limits = LIMITS, backbone: Lfcc | None = None
) -> Extraction:
    return extract_one(dataset, SPLIT, backbone or Mixing(), root=root, limits=limits, share=share)


def assert_same(made: Path, expected: Path) -> None:
    """Compare two stores bit for bit, but for the order of their rows."""
    found, wanted = (load_embeddings(folder, pooling="mean+std") for folder in (made, expected))
    assert found.files.tolist() == wanted.files.tolist()
    np.testing.assert_array_equal(found.vectors, wanted.vectors)
    journals = [read_journal(folder).drop(columns="following").sort_values("file") for folder in (made, expected)]
    pd.testing.assert_frame_equal(*(journal.reset_index(drop=True) for journal in journals))
    assert (made / "meta.json").read_text() == (expected / "meta.json").read_text()
    indices = [pd.read_csv(folder / "index.csv").drop(columns="row") for folder in (made, expected)]
    pd.testing.assert_frame_equal(*indices)


@pytest.mark.slow
def test_three_processes_at_once_make_what_one_makes(dataset: Path, alone: Extraction, tmp_path: Path) -> None:
    place = tmp_path / "meeting"
    place.mkdir()
    backbones = [Meeting(place, guests=3) for _ in THIRDS]
    with loky.ProcessPoolExecutor(3) as processes:
        running = [
            processes.submit(run, dataset, tmp_path, share, backbone=backbone)
            for share, backbone in zip(THIRDS, backbones, strict=True)
        ]
        made = [future.result() for future in running]
    assert len(list(place.iterdir())) == 3
    assert all(each.n_computed for each in made)
    assert sum(each.n_computed for each in made) == alone.n_computed
    assert {each.n_clips for each in made} - {None} == {alone.n_clips}, "the share that ends last finishes"
    assert_same(made[0].folder, alone.folder)


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_shares_may_be_done_in_any_order(
    dataset: Path, alone: Extraction, tmp_path: Path, order: tuple[int, ...]
) -> None:
    made = [run(dataset, tmp_path, THIRDS[number]) for number in order]
    assert [each.n_clips for each in made] == [None, None, alone.n_clips]
    for each in made[:2]:
        line = f"{each.n_computed} clips computed into {each.folder}; it is complete once every other shard is written"
        assert str(each).startswith(line)
    assert str(made[2]).startswith(f"{alone.n_clips} clips in {made[2].folder}, {made[2].n_computed} of them computed")
    assert_same(made[0].folder, alone.folder)
    again = [run(dataset, tmp_path, share) for share in THIRDS]
    assert [(each.n_clips, each.n_computed) for each in again] == [(alone.n_clips, 0)] * 3


def test_an_unfinished_store_of_shares_cannot_be_read(dataset: Path, tmp_path: Path) -> None:
    made = run(dataset, tmp_path, THIRDS[1])
    with pytest.raises(FileNotFoundError, match=r"are not finished: .*fab GenerateEmbeddings"):
        load_embeddings(made.folder)


def test_shares_of_shares_and_a_run_without_shares_go_on_with_what_is_there(
    dataset: Path, alone: Extraction, tmp_path: Path
) -> None:
    parts = [Share(((1, 3), (number, 2))) for number in range(2)]
    computed = [run(dataset, tmp_path, share).n_computed for share in (THIRDS[0], *parts)]
    rest = run(dataset, tmp_path)
    assert sum(computed) + rest.n_computed == alone.n_computed
    assert_same(rest.folder, alone.folder)


def test_a_share_that_is_being_written_is_refused_and_others_are_not(dataset: Path, tmp_path: Path) -> None:
    class Nosy(Mixing):
        def statistics(self, waveforms: Sequence[np.ndarray]) -> Statistics:
            if not self.lengths:
                with pytest.raises(ValueError, match=r"Another process is writing .*; wait for it to end"):
                    run(dataset, tmp_path, THIRDS[0])
                run(dataset, tmp_path, THIRDS[2])
            return super().statistics(waveforms)

    made = run(dataset, tmp_path, THIRDS[0], backbone=Nosy())
    assert made.n_computed
    assert run(dataset, tmp_path, THIRDS[1]).n_clips == len(read_split(dataset, SPLIT)) - 1


@pytest.mark.parametrize("shares", [[ALL], THIRDS[::-1]], ids=["one", "three"])
def test_clips_added_to_a_finished_corpus_are_computed_and_no_others(
    make_corpus: Callable[..., Path], tmp_path: Path, shares: list[Share]
) -> None:
    dataset = vary(make_corpus(people=8, clips=2))
    before = set(read_split(dataset, SPLIT)["file"])
    for share in shares:
        run(dataset, tmp_path, share)
    person = (dataset / sorted(before)[-1]).parent
    lengths = [2222, 3333, 4444]
    for number, length in enumerate(lengths):
        soundfile.write(person / f"{person.name[-4:]}-9{number:03d}.flac", np.sin(np.arange(length)), 16_000)
    generate_tables(dataset)
    split_dataset(dataset, SHARES, seed=7)
    assert len(set(read_split(dataset, SPLIT)["file"]) - before) == len(lengths)
    spies = [Mixing() for _ in shares]
    made = [run(dataset, tmp_path, share, backbone=spy) for share, spy in zip(shares, spies, strict=True)]
    assert sorted(length for spy in spies for length in spy.lengths) == lengths
    assert made[-1].n_clips == len(before) + len(lengths) - 1, "the silent one is still left out"


def test_long_clips_go_through_in_windows_and_their_statistics_are_pooled(dataset: Path, tmp_path: Path) -> None:
    file, silent = sorted(read_split(dataset, SPLIT)["file"])[:2]
    made = run(dataset, tmp_path, backbone=Lfcc())
    index = pd.read_csv(made.folder / "index.csv").set_index("file")
    assert index["windows"].drop(file).eq(1).all()
    assert index["windows"][file] == 3
    whole = load_waveform(dataset / file)
    edges = [0, 373_333, 746_666, 1_120_000]
    statistics, n_frames = Lfcc().statistics([whole[start:stop] for start, stop in pairwise(edges)])
    pooled, total = pool_windows(statistics, n_frames)
    assert index["frames"][file] == total
    table = load_embeddings(made.folder, pooling="mean+std")
    np.testing.assert_array_equal(table.vectors[table.files == file][0], pooled.ravel())
    np.testing.assert_allclose(pooled[0, 0], lfcc(whole).mean(axis=0), atol=0.02)  # all but the frames across cuts
    assert read_rejected(dataset) == {silent: SILENT}
    with pytest.raises(ValueError, match=r"another kind: max_seconds is 30\.0 there, 20\.0 now\. Delete that folder"):
        run(dataset, tmp_path, limits=Limits(1.5, window_seconds=20.0))


@pytest.mark.slow
def test_devices_share_the_work_in_processes_of_their_own(dataset: Path, tmp_path: Path) -> None:
    splits = ["downstream_val", SPLIT]
    request = Request(dataset, splits, "lfcc", limits=LIMITS)
    made = on_devices(make_plan(request, root=tmp_path), ["cpu", "cpu"])
    for each, split in zip(made, splits, strict=True):
        single = extract_one(dataset, split, Lfcc(), root=tmp_path / "single", limits=LIMITS)
        assert (each.n_clips, each.n_computed, each.n_rejected) == (
            single.n_clips, single.n_computed, single.n_rejected,
        )  # fmt: skip
        assert_same(each.folder, single.folder)


def test_a_part_of_the_work_is_shared_among_devices(dataset: Path, tmp_path: Path) -> None:
    request = Request(dataset, [SPLIT], "lfcc", limits=LIMITS, share=THIRDS[1])
    (made,) = on_devices(make_plan(request, root=tmp_path), ["cpu", "cpu"])
    assert (made.n_clips, made.n_computed) == (None, run(dataset, tmp_path / "single", THIRDS[1]).n_computed)


def test_what_a_device_refuses_is_reported_in_one_line(dataset: Path, tmp_path: Path) -> None:
    plan = make_plan(Request(dataset, [SPLIT], "lfcc", limits=LIMITS), root=tmp_path)
    with pytest.raises(ValueError, match="lfcc runs on the CPU; leave out `device=cuda:1`") as caught:
        on_devices(plan, ["cpu", "cuda:1"])
    assert "\n" not in str(caught.value)


def test_a_device_whose_process_dies_ends_in_one_line(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "run_part", lambda _: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(ChildProcessError, match=r"One of the 2 extracting processes died \(SIGKILL\)") as caught:
        on_devices(make_plan(Request(dataset, [SPLIT], "lfcc"), root=tmp_path), ["cpu", "cpu"])
    assert "\n" not in str(caught.value)


def test_shares_that_would_batch_differently_leave_no_clip_to_nobody(dataset: Path, tmp_path: Path) -> None:
    """GPUs of unequal memory, or a GPU beside a CPU: the division must not depend on it."""
    for number, batch_seconds in enumerate((2.0, 4.0)):
        share = Share(((number, 2),))
        limits = Limits(batch_seconds=batch_seconds)
        made = extract_one(dataset, SPLIT, Lfcc(), root=tmp_path, limits=limits, share=share)
    assert (made.n_clips, made.n_rejected) == (len(read_split(dataset, SPLIT)) - 1, 1)
    assert not (made.folder / "sharing.json").exists()
