"""A real process is really killed, and the next one resumes from what it left behind."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from src.backbones.contract import Statistics
from src.backbones.lfcc import Lfcc
from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.splits import SplitShares, read_split, split_dataset
from src.experiments.extraction.requests import Limits, Share
from src.experiments.extraction.writer import BATCHES_BEHIND
from src.utils import store_rows
from src.utils.embeddings import layer_file, load_embeddings, read_journal
from src.utils.paths import embeddings_folder
from tests.experiments.extraction.one_split import extract_one
from tests.forked import FORK, forked, kill

SPLIT = "downstream_train"
REPOSITORY = Path(__file__).resolve().parents[3]
CLIPS_OF_A_BATCH = 4
BEFORE = 3
"""Batches that are written before the process stops moving."""


def extract_and_hang(dataset: Path, root: Path, moment: str, n_shares: int, go: Event, hanging: Event) -> None:
    """Once told to go, extract the first share, and stop moving at the fourth batch."""
    append_lines, n_written = store_rows.append_lines, 0

    def hang() -> None:
        hanging.set()
        threading.Event().wait()

    def append_and_hang(path: Path, lines: list[str]) -> None:
        nonlocal n_written
        if n_written == BEFORE:
            if moment == "tearing":
                append_lines(path, lines[:-1])
            hang()  # vectors are written, their lines are not, or not all
        append_lines(path, lines)
        n_written += 1

    class Hanging(Lfcc):
        calls = 0

        def statistics(self, waveforms: Sequence[np.ndarray]) -> Statistics:
            self.calls += 1
            if self.calls > BEFORE and moment == "computing":
                while n_written < BEFORE:
                    time.sleep(0.001)
                hang()
            return super().statistics(waveforms)

    store_rows.append_lines = append_and_hang  # type: ignore[assignment]
    limits, share = Limits(CLIPS_OF_A_BATCH * 0.5), Share(((0, n_shares),))
    go.wait()
    extract_one(dataset, SPLIT, Hanging(), root=root, limits=limits, share=share)


@contextmanager
def hanging_extraction(dataset: Path, root: Path, moment: str, n_shares: int = 1) -> Iterator[Callable[[], None]]:
    """Start a process that waits; yield what lets it extract (the first share) until it hangs; kill it at the end."""
    go, hanging = FORK.Event(), FORK.Event()
    process = forked(extract_and_hang, dataset, root, moment, n_shares, go, hanging)

    def until_it_hangs() -> None:
        go.set()
        assert hanging.wait(60)

    try:
        yield until_it_hangs
    finally:
        kill(process)


@pytest.mark.parametrize("moment", ["computing", "writing", "tearing"])
def test_a_killed_extraction_is_taken_up_by_the_next(prepared: Path, tmp_path: Path, moment: str) -> None:
    """Fault 7: no resume. While the first process lives, a second is refused."""
    dataset = prepared / "datasets" / "corpus"
    undisturbed = embeddings_folder(prepared, dataset, "lfcc", SPLIT)
    with hanging_extraction(dataset, tmp_path, moment) as until_it_hangs:
        until_it_hangs()
        with pytest.raises(ValueError, match=r"Another process is writing .*; wait for it to end"):
            extract_one(dataset, SPLIT, Lfcc(), root=tmp_path)
        with pytest.raises(FileNotFoundError, match=r"are not finished: .*fab GenerateEmbeddings"):
            load_embeddings(embeddings_folder(tmp_path, dataset, "lfcc", SPLIT))
    folder = embeddings_folder(tmp_path, dataset, "lfcc", SPLIT)
    assert len(read_journal(folder)) == BEFORE * CLIPS_OF_A_BATCH
    n_batches = BEFORE if moment == "computing" else BEFORE + 1
    assert layer_file(folder, 0).stat().st_size == n_batches * CLIPS_OF_A_BATCH * 2 * 120 * 4
    torn = {"computing": 0, "writing": 0, "tearing": CLIPS_OF_A_BATCH - 1}[moment]
    assert len((folder / "journal.csv").read_text().splitlines()) == BEFORE * CLIPS_OF_A_BATCH + torn
    made = extract_one(dataset, SPLIT, Lfcc(), root=tmp_path)
    assert made.n_computed == made.n_clips - BEFORE * CLIPS_OF_A_BATCH
    assert_same(folder, undisturbed)


@pytest.mark.parametrize("moment", ["writing", "tearing"])
def test_what_a_killed_share_left_is_cut_off_by_another_that_continues(
    prepared: Path, tmp_path: Path, moment: str
) -> None:
    dataset = prepared / "datasets" / "corpus"

    class Killing(Lfcc):
        killed = False

        def statistics(self, waveforms: Sequence[np.ndarray]) -> Statistics:
            if not self.killed:
                until_it_hangs()
                other.close()  # and so it is killed
                self.killed = True
            return super().statistics(waveforms)

    limits = Limits(CLIPS_OF_A_BATCH * 0.5)
    made = []
    with ExitStack() as other:  # it is forked before this process has threads at work
        until_it_hangs = other.enter_context(hanging_extraction(dataset, tmp_path, moment, n_shares=2))
        for number, backbone in [(1, Killing()), (0, Lfcc())]:
            share = Share(((number, 2),))
            made.append(extract_one(dataset, SPLIT, backbone, root=tmp_path, limits=limits, share=share))
    n_written = BEFORE * CLIPS_OF_A_BATCH
    assert [each.n_clips for each in made] == [None, n_written + sum(each.n_computed for each in made)]
    assert_same(made[1].folder, embeddings_folder(prepared, dataset, "lfcc", SPLIT))


def assert_same(made: Path, expected: Path) -> None:
    """Compare two stores value for value."""
    for pooling in ("mean", "std"):
        found, wanted = (load_embeddings(folder, pooling=pooling) for folder in (made, expected))
        np.testing.assert_array_equal(found.vectors, wanted.vectors)
        assert found.files.tolist() == wanted.files.tolist()
        assert found.labels.tolist() == wanted.labels.tolist()
    journals = [read_journal(folder).set_index("file") for folder in (made, expected)]
    columns = ["fingerprint", "frames", "windows", "checksum"]
    pd.testing.assert_frame_equal(*(journal[columns].sort_index() for journal in journals))
    assert (made / "meta.json").read_text() == (expected / "meta.json").read_text()


N_KILLS = 20
MOST_SECONDS = 0.12
BATCH_SECONDS = 0.5
EXTRACT_AND_DIE = f"""
# Extracts again and again, each time in a new process that is killed a random while after its first batch, then once
# to the end; says of each process how many batches it computed and how many of these were written (at once: a child
# must not inherit a line that was not written yet).
import json, os, random, signal, sys, threading, time
from pathlib import Path
import numpy as np
from src.backbones import lfcc
from src.experiments.extraction import readers
from src.experiments.extraction.requests import Limits
from src.utils.embeddings import read_journal
from src.utils.paths import embeddings_folder
from tests.forked import FORK, forked, kill
from tests.experiments.extraction.one_split import extract_one

readers.n_readers = lambda: 1  # each start is quicker
dataset, root, log, n_kills = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
folder = embeddings_folder(root, dataset, "lfcc", "{SPLIT}")
log.touch()

class Slow(lfcc.Lfcc):
    # the features, slowly; they show with which others a clip was computed
    def __init__(self, delay):
        self.delay = delay

    def statistics(self, waveforms):
        if self.delay is not None:
            threading.Timer(self.delay, os.kill, (os.getpid(), signal.SIGKILL)).start()
            self.delay = None
        time.sleep(0.012)  # so long that all kills together cannot finish the work
        pooled, n_frames = super().statistics(waveforms)
        with log.open("a") as file:
            file.write(f"{{len(waveforms)}}\\n")
        return pooled + np.float32(sum(map(len, waveforms)) / 1000), n_frames

def n_written():
    return int((read_journal(folder)["following"] == "0").sum())

random = random.Random(7)
delays = [random.uniform(0, {MOST_SECONDS}) for _ in range(n_kills)]
for delay in [*delays, None]:
    n_computed, n_before = len(log.read_text().splitlines()), n_written()
    if not (child := os.fork()):
        extract_one(dataset, "{SPLIT}", Slow(delay), root=root, limits=Limits({BATCH_SECONDS}))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(json.dumps([status, len(log.read_text().splitlines()) - n_computed, n_written() - n_before]), flush=True)
"""


@pytest.fixture
def varied(make_corpus: Callable[..., Path]) -> Path:
    """Return a corpus of short clips of many lengths."""
    dataset = make_corpus(people=8, clips=25)
    for number, path in enumerate(sorted(dataset.rglob("*.flac"))):
        waveform, rate = soundfile.read(path)
        soundfile.write(path, waveform[: 800 + 160 * (number % 31)], rate)
    generate_tables(dataset)
    split_dataset(dataset, SplitShares(pretext=0, train=0.7, val=0.2), seed=7)
    return dataset


@pytest.mark.slow
def test_an_extraction_killed_over_and_over_ends_as_if_uninterrupted(varied: Path, tmp_path: Path) -> None:
    """Fault 7: no resume. No kill costs more than the batches that were under way."""

    def extract_and_die(name: str, n_kills: int) -> list[list[int]]:
        command = [sys.executable, "-c", EXTRACT_AND_DIE, varied, tmp_path / name, tmp_path / f"{name}.log"]
        done = subprocess.run(
            [*map(str, command), str(n_kills)], cwd=REPOSITORY, capture_output=True, text=True, check=True
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    ((status, n_batches, n_written),) = extract_and_die("undisturbed", 0)
    assert (status, n_written) == (0, n_batches)
    *killed, last = extract_and_die("killed", N_KILLS)
    assert [status for status, *_ in killed] == [9] * N_KILLS
    assert last[0] == 0
    assert sum(n_written for *_, n_written in [*killed, last]) == n_batches, "no batch is written twice"
    assert 0 < sum(n_written for *_, n_written in killed) < n_batches, "kills came while there was something to do"
    for _, n_computed, n_written in killed:
        assert n_written <= n_computed <= n_written + BATCHES_BEHIND + 1
    made, undisturbed = (
        embeddings_folder(tmp_path / name, varied, "lfcc", SPLIT) for name in ("killed", "undisturbed")
    )
    assert_same(made, undisturbed)
    assert len(read_journal(made)) == len(read_split(varied, SPLIT))
