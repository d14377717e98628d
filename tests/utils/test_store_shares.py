"""Several processes write one store, each its share of the clips, in any order; one that dies hurts no other."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.utils.embedding_store import EmbeddingStore, Row
from src.utils.embeddings import JOURNAL_COLUMNS, layer_file, load_embeddings, read_journal

LAYERS, WIDTH = [0, 1, 4], 3
IDENTITY = {"model": "drawn", "digest": "of drawn", "precision": "fp32", "layers": LAYERS, "dimension": WIDTH}
ROW_BYTES = 2 * WIDTH * 4
FILES = [f"real_voices/João, o Moço_M001/{clip:02d}.wav" for clip in range(12)]
CLIPS = pd.DataFrame(
    [[file, "João, o Moço", "M001", "M", "bona-fide", ""] for file in FILES],
    columns=["file", "speaker", "id", "gender", "label", "system"],
)
PRINTS = {file: f"{crc32(file.encode()):x}" for file in FILES}
SHARES = ["0-of-3", "1-of-3", "2-of-3"]


def draw(files: Sequence[str]) -> np.ndarray:
    """Return statistics of shape (b, 3, 2, 3), always the same for the same file."""
    shape = (len(LAYERS), 2, WIDTH)
    drawn = [np.random.default_rng(crc32(file.encode())).standard_normal(shape) for file in files]
    return np.stack(drawn).astype(np.float32)


def append(store: EmbeddingStore, files: Sequence[str]) -> None:
    store.append([Row(file, PRINTS[file], len(file)) for file in files], draw(files))


def assert_whole(folder: Path) -> None:
    """Compare every value of every layer, and the store's files, with what they must hold."""
    for place, layer in enumerate(LAYERS):
        table = load_embeddings(folder, layer, "mean+std")
        np.testing.assert_array_equal(table.vectors, draw(FILES)[:, place].reshape(len(FILES), -1))
        assert table.files.tolist() == FILES
        assert layer_file(folder, layer).stat().st_size == len(read_journal(folder)) * ROW_BYTES
    content = (folder / "journal.csv").read_bytes()
    assert content == read_journal(folder).to_csv(index=False, header=False, lineterminator="\n").encode()


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_shares_may_write_by_turns_and_in_any_order(data: st.DataObject) -> None:
    """Each opens when it first writes, while others are at work; only the last finds the store complete."""
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        folder = Path(place)
        batches = {
            share: [
                FILES[start : start + 2] for start in data.draw(st.permutations(range(number * 4, number * 4 + 4, 2)))
            ]
            for number, share in enumerate(SHARES)
        }
        turns = data.draw(st.permutations([share for share in SHARES for _ in batches[share]]))
        stores: dict[str, EmbeddingStore] = {}
        for n_written, share in enumerate(turns):
            if share not in stores:
                stores[share] = stack.enter_context(EmbeddingStore(folder, IDENTITY, share))
                assert len(stores[share].waiting(PRINTS)) == len(FILES) - 2 * n_written
            append(stores[share], batches[share].pop())
            asked = stores[data.draw(st.sampled_from(sorted(stores)))]
            assert asked.finish(CLIPS, PRINTS) == (len(FILES) if n_written == len(turns) - 1 else None)
        assert_whole(folder)
        assert read_journal(folder)["file"].duplicated().sum() == 0
        assert all(store.finish(CLIPS, PRINTS) == len(FILES) for store in stores.values())


def test_a_store_is_not_finished_until_every_share_is_written(tmp_path: Path) -> None:
    with EmbeddingStore(tmp_path, IDENTITY, "0-of-2") as first:
        append(first, FILES[:6])
        assert first.finish(CLIPS, PRINTS) is None
    with pytest.raises(FileNotFoundError, match=r"are not finished: .*fab GenerateEmbeddings"):
        load_embeddings(tmp_path)
    with EmbeddingStore(tmp_path, IDENTITY, "1-of-2") as second:
        assert second.waiting(PRINTS) == FILES[6:]
        append(second, FILES[6:11])
        assert second.finish(CLIPS, PRINTS) is None
        append(second, FILES[11:])
        assert second.finish(CLIPS, PRINTS) == 12
    assert_whole(tmp_path)


def test_what_another_share_left_out_is_not_waited_for(tmp_path: Path) -> None:
    with EmbeddingStore(tmp_path, IDENTITY, "0-of-2") as first, EmbeddingStore(tmp_path, IDENTITY, "1-of-2") as second:
        append(second, FILES[6:])
        append(first, FILES[1:6])
        assert second.finish(CLIPS, PRINTS) is None
        first.leave_out({FILES[0]: "mute"}, PRINTS)
        assert second.finish(CLIPS, PRINTS) == 11
    assert load_embeddings(tmp_path).files.tolist() == FILES[1:]


def test_a_share_has_one_writer_and_other_shares_have_theirs(tmp_path: Path) -> None:
    with EmbeddingStore(tmp_path, IDENTITY, "0-of-2") as first:
        append(first, FILES[:6])
        for _ in range(2):
            with (
                pytest.raises(ValueError, match=r"Another process is writing .*; wait for it to end"),
                EmbeddingStore(tmp_path, IDENTITY, "0-of-2"),
            ):
                pass
        with EmbeddingStore(tmp_path, IDENTITY, "1-of-2") as second:
            append(second, FILES[6:])
    with EmbeddingStore(tmp_path, IDENTITY, "0-of-2") as first:
        assert first.waiting(PRINTS) == []
        assert first.finish(CLIPS, PRINTS) == 12
    assert_whole(tmp_path)


def test_a_share_of_another_kind_is_refused_and_the_other_goes_on(tmp_path: Path) -> None:
    with EmbeddingStore(tmp_path, IDENTITY, "0-of-2") as first:
        with (
            pytest.raises(ValueError, match="another kind: layers is 0-1,4 there, 0 now"),
            EmbeddingStore(tmp_path, {**IDENTITY, "layers": [0]}, "1-of-2"),
        ):
            pass
        append(first, FILES)
        assert first.finish(CLIPS, PRINTS) == 12
    assert_whole(tmp_path)


def test_of_a_clip_that_was_written_twice_the_last_row_counts(tmp_path: Path) -> None:
    with EmbeddingStore(tmp_path, IDENTITY, "all") as one, EmbeddingStore(tmp_path, IDENTITY, "0-of-2") as other:
        one.append([Row(file, PRINTS[file], 1) for file in FILES[:8]], 0 * draw(FILES[:8]))
        append(other, FILES[6:])
        append(one, FILES[:6])
        assert one.finish(CLIPS, PRINTS) == 12
    assert len(read_journal(tmp_path)) == 8 + 6 + 6
    assert_whole(tmp_path)
    index = pd.read_csv(tmp_path / "index.csv")
    assert index["row"].tolist() == [*range(14, 20), *range(8, 14)]
    assert index["frames"].tolist() == [len(file) for file in FILES]


def torn_layers(folder: Path) -> None:
    """Leave vectors without lines: all of one layer, half a row of the next, nothing of the last."""
    with layer_file(folder, 0).open("ab") as file:
        file.write(bytes(3 * ROW_BYTES))
    with layer_file(folder, 1).open("ab") as file:
        file.write(b"torn" * (ROW_BYTES // 8))


def half_a_batch(folder: Path) -> None:
    """Leave the vectors of a batch of three and the lines of its first two clips."""
    for layer in LAYERS:
        with layer_file(folder, layer).open("ab") as file:
            file.write(bytes(3 * ROW_BYTES))
    lines = [
        f'"{file}",{PRINTS[file]},9,1,00000000,{following}\n' for file, following in zip(FILES, (2, 1), strict=False)
    ]
    with (folder / "journal.csv").open("ab") as journal:
        journal.write("".join(lines).encode())


def half_a_line(folder: Path) -> None:
    """Leave a batch whose last line has no end; that of its last clip is whole but for the line's end."""
    half_a_batch(folder)
    with (folder / "journal.csv").open("ab") as journal:
        journal.write(f'"{FILES[2]}",{PRINTS[FILES[2]]},9,1,00000000,0'.encode())


Remains = Callable[[Path], None]
MOMENTS = pytest.mark.parametrize("leave_remains", [torn_layers, half_a_batch, half_a_line])


@MOMENTS
def test_what_a_dead_share_left_is_cut_off_by_whoever_writes_next(tmp_path: Path, leave_remains: Remains) -> None:
    """One that was at work all the time, and one that comes later."""
    with EmbeddingStore(tmp_path, IDENTITY, "0-of-3") as survivor:
        append(survivor, FILES[4:8])
        leave_remains(tmp_path)
        append(survivor, FILES[8:])
        assert read_journal(tmp_path)["file"].tolist() == FILES[4:]
        leave_remains(tmp_path)
        with EmbeddingStore(tmp_path, IDENTITY, "1-of-3") as newcomer:
            assert newcomer.waiting(PRINTS) == FILES[:4], "the dead one's batch is not there"
            append(newcomer, FILES[:2])
        leave_remains(tmp_path)
        append(survivor, FILES[2:4])
        assert survivor.finish(CLIPS, PRINTS) == 12
    assert read_journal(tmp_path)["file"].tolist() == [*FILES[4:], *FILES[:4]]
    assert_whole(tmp_path)


@MOMENTS
def test_finishing_cuts_off_what_a_dead_share_left(tmp_path: Path, leave_remains: Remains) -> None:
    with EmbeddingStore(tmp_path, IDENTITY) as store:
        append(store, FILES)
        leave_remains(tmp_path)
        assert store.finish(CLIPS, PRINTS) == 12
    assert_whole(tmp_path)
    leave_remains(tmp_path)
    with EmbeddingStore(tmp_path, IDENTITY) as store:
        assert store.waiting(PRINTS) == []
        assert store.finish(CLIPS, PRINTS) == 12
    assert_whole(tmp_path)


@MOMENTS
def test_readers_do_not_see_what_a_dead_share_left(tmp_path: Path, leave_remains: Remains) -> None:
    with EmbeddingStore(tmp_path, IDENTITY) as store:
        append(store, FILES[3:])
        leave_remains(tmp_path)
        journal = read_journal(tmp_path)
    assert journal["file"].tolist() == FILES[3:]
    assert journal.columns.tolist() == JOURNAL_COLUMNS


WRITE = f"""
import os, sys
from pathlib import Path
from zlib import crc32
import numpy as np
from src.utils import store_rows
from src.utils.embedding_store import EmbeddingStore, Row

def draw(file):
    return np.random.default_rng(crc32(file.encode())).standard_normal({(len(LAYERS), 2, WIDTH)})

def half(path, lines):
    text = "".join(",".join(map(str, line)) + "\\n" for line in lines)
    with path.open("ab") as file:
        file.write(text.encode()[:-9])
    print("dying", flush=True)
    sys.stdin.readline()
    os._exit(9)

folder, share, deadly, *files = sys.argv[1:]
with EmbeddingStore(Path(folder), {IDENTITY!r}, share) as store:
    print("open", flush=True)
    sys.stdin.readline()
    for file in files:
        if file == deadly:
            store_rows.append_lines = half
        store.append([Row(file, f"{{crc32(file.encode()):x}}", len(file))], np.stack([draw(file)]))
"""


class Writer(subprocess.Popen):
    """A process that opens a store, waits for a signal, and writes clips one by one; it may die in one of them."""

    def __init__(self, folder: Path, share: str, files: Sequence[str], *, deadly: str = "") -> None:
        command = [sys.executable, "-c", WRITE, str(folder), share, deadly, *files]
        repository = Path(__file__).resolve().parents[2]
        super().__init__(command, cwd=repository, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def hears(self) -> str:
        assert self.stdout is not None
        return self.stdout.readline()

    def say_go(self) -> None:
        assert self.stdin is not None
        self.stdin.write("go\n")
        self.stdin.flush()


def test_real_processes_write_one_store_at_the_same_time(tmp_path: Path) -> None:
    with ExitStack() as stack:
        parts = [FILES[number::3] * 10 for number in range(3)]
        writers = [stack.enter_context(Writer(tmp_path, *part)) for part in zip(SHARES, parts, strict=True)]
        assert [writer.hears() for writer in writers] == ["open\n"] * 3
        for writer in writers:
            writer.say_go()
        assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert sorted(read_journal(tmp_path)["file"]) == sorted(FILES * 10)
    with EmbeddingStore(tmp_path, IDENTITY) as store:
        assert store.waiting(PRINTS) == []
        assert store.finish(CLIPS, PRINTS) == 12
    assert_whole(tmp_path)


def test_a_process_that_dies_while_it_writes_stops_nobody(tmp_path: Path) -> None:
    """It has the turn, and half of its line is in the journal."""
    with EmbeddingStore(tmp_path, IDENTITY, "1-of-3") as survivor:
        append(survivor, FILES[6:8])
        with Writer(tmp_path, "0-of-3", FILES[:6], deadly=FILES[2]) as writer:
            assert writer.hears() == "open\n"
            writer.say_go()
            assert writer.hears() == "dying\n"
            writer.kill()
            assert writer.wait() == -9
        append(survivor, FILES[8:])
        assert survivor.finish(CLIPS, PRINTS) is None
    assert read_journal(tmp_path)["file"].tolist() == [*FILES[6:8], *FILES[:2], *FILES[8:]]
    with EmbeddingStore(tmp_path, IDENTITY, "0-of-3") as successor:
        assert successor.waiting(PRINTS) == FILES[2:6]
        append(successor, FILES[2:6])
        assert successor.finish(CLIPS, PRINTS) == 12
    assert_whole(tmp_path)
