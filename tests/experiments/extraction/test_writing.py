import errno
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from src.audio.io import SILENT
from src.backbones.clips import pool_windows
from src.backbones.contract import Statistics
from src.experiments.extraction.batches import Piece, cut
from src.experiments.extraction.readers import Sound
from src.experiments.extraction.writer import BATCHES_BEHIND, BatchWriter, Progress
from src.utils.embedding_store import EmbeddingStore
from src.utils.embeddings import LEFT_OUT, layer_file, read_journal, read_left_out

IDENTITY = {"model": "drawn", "digest": "of drawn", "precision": "fp32", "layers": [0, 1], "dimension": 3}
RATE = 10


class Prints(dict[str, str]):
    """The fingerprint of any recording: its name."""

    def __missing__(self, file: str) -> str:
        return file


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddingStore]:
    with EmbeddingStore(tmp_path / "store", IDENTITY) as store:
        yield store


def writer_of(store: EmbeddingStore, progress: Progress | None = None) -> BatchWriter:
    return BatchWriter(store, Prints(), progress or Progress("test", 9, 90.0), RATE)


def sounds_of(*files: str, silent: bool = False) -> list[Sound]:
    return [Sound(Piece(file), np.ones(20, np.float32), silent=silent) for file in files]


def statistics_of(sounds: Sequence[Sound]) -> np.ndarray:
    """Return the statistics of a batch's sounds, different for each piece: shape (b, 2, 2, 3)."""
    seeds = [(int.from_bytes(sound.piece.file.encode()), sound.piece.window) for sound in sounds if not sound.reason]
    drawn = [np.random.default_rng(seed).uniform(0.1, 1, (2, 2, 3)) for seed in seeds]
    return np.array(drawn, dtype=np.float32)


def computed(sounds: Sequence[Sound]) -> Callable[[], Statistics]:
    statistics = statistics_of(sounds)
    return lambda: (statistics, [5 + sound.piece.window for sound in sounds if not sound.reason])


def written(store: EmbeddingStore) -> dict[str, np.ndarray]:
    """Return what the store holds: file -> statistics (layers, 2, d)."""
    files = read_journal(store.folder)["file"]
    layers = [np.fromfile(layer_file(store.folder, layer), "<f4").reshape(-1, 2, 3) for layer in (0, 1)]
    return dict(zip(files, np.stack(layers, axis=1), strict=True))


def left_out(store: EmbeddingStore) -> list[tuple[str, str]]:
    """Return all lines of what was left out."""
    path = store.folder / LEFT_OUT
    table = pd.read_csv(path, names=["file", "fingerprint", "reason"]) if path.exists() else pd.DataFrame()
    assert len(table) == len(read_left_out(store.folder)), "a clip is left out once"
    return [(file, reason) for file, _, reason in table.itertuples(index=False)]


def test_batches_are_written_in_order_with_their_statistics(store: EmbeddingStore) -> None:
    batches = [sounds_of("a", "b"), sounds_of("c"), sounds_of("d", "e", "f"), sounds_of("g")]
    with writer_of(store) as writer:
        for sounds in batches:
            writer.write(sounds, computed(sounds))
    found = written(store)
    assert list(found) == list("abcdefg")
    assert writer.n_written == 7
    for sounds in batches:
        np.testing.assert_array_equal([found[sound.piece.file] for sound in sounds], statistics_of(sounds))
    journal = read_journal(store.folder)
    assert journal["following"].tolist() == ["1", "0", "0", "2", "1", "0", "0"]
    assert set(journal["frames"]) == {"5"}
    assert set(journal["windows"]) == {"1"}


def test_no_more_than_a_few_batches_are_behind(store: EmbeddingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    done = 0
    append = store.append

    def count(*batch: Any) -> None:
        nonlocal done
        append(*batch)
        done += 1

    monkeypatch.setattr(store, "append", count)
    with writer_of(store) as writer:
        for number in range(1, 31):
            sounds = sounds_of(f"{number}")
            writer.write(sounds, computed(sounds))
            assert done >= number - BATCHES_BEHIND
    assert done == 30


@pytest.mark.parametrize("n_before", [0, 1, 4])
def test_an_error_of_the_thread_stops_the_run(
    store: EmbeddingStore, monkeypatch: pytest.MonkeyPatch, n_before: int
) -> None:
    append = store.append

    def fill_the_disk(rows: Any, statistics: np.ndarray) -> None:
        if rows[0].file == str(n_before):
            raise OSError(errno.ENOSPC, "No space left on device")
        append(rows, statistics)

    monkeypatch.setattr(store, "append", fill_the_disk)
    started = 0
    with pytest.raises(OSError, match="No space left on device"), writer_of(store) as writer:
        for number in range(100):
            started += 1
            sounds = sounds_of(str(number))
            writer.write(sounds, computed(sounds))
    assert started <= n_before + 2 * BATCHES_BEHIND, "it is told soon"
    assert list(written(store))[:n_before] == [str(number) for number in range(n_before)]


def test_an_error_of_the_last_batch_is_raised_at_the_end(store: EmbeddingStore) -> None:
    def fail() -> Statistics:
        raise RuntimeError("the GPU fell off the bus")

    with pytest.raises(RuntimeError, match="fell off the bus"), writer_of(store) as writer:
        writer.write(sounds_of("a"), computed(sounds_of("a")))
        writer.write(sounds_of("b"), fail)
    assert list(written(store)) == ["a"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_was_computed_before_another_error_is_written(store: EmbeddingStore, error: type[BaseException]) -> None:
    with pytest.raises(error, match="elsewhere"), writer_of(store) as writer:
        for name in "abc":
            writer.write(sounds_of(name), computed(sounds_of(name)))
        raise error("elsewhere")
    assert list(written(store)) == ["a", "b", "c"]


def test_what_stopped_the_run_is_raised_and_not_what_followed(
    store: EmbeddingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store, "append", fail)
    with pytest.raises(ValueError, match="elsewhere"), writer_of(store) as writer:
        writer.write(sounds_of("a"), computed(sounds_of("a")))
        raise ValueError("elsewhere")


def windows(file: str, n_windows: int, bad: Sequence[int] = (), silent: Sequence[int] = ()) -> list[Sound]:
    pieces = cut(file, 20 * n_windows, 20)
    return [
        Sound(piece, np.empty(0, np.float32), reason="unreadable (lost sync)")
        if piece.window in bad
        else Sound(piece, np.ones(20, np.float32), silent=piece.window in silent)
        for piece in pieces
    ]


def write_all(store: EmbeddingStore, sounds: Sequence[Sound], sizes: Sequence[int]) -> BatchWriter:
    """Write sounds in batches of given sizes."""
    remaining = iter(sounds)
    with writer_of(store) as writer:
        for size in sizes:
            batch = [next(remaining) for _ in range(size)]
            usable = [sound for sound in batch if not sound.reason]
            writer.write(batch, computed(batch) if usable else None)
    assert not list(remaining)
    return writer


@pytest.mark.parametrize("sizes", [(4,), (1, 3), (2, 2), (3, 1), (1, 1, 1, 1)])
def test_windows_of_a_clip_meet_again_over_several_batches(store: EmbeddingStore, sizes: Sequence[int]) -> None:
    sounds = windows("long", 4, silent=[1, 3])
    assert write_all(store, sounds, sizes).n_written == 1
    pooled, n_frames = pool_windows(statistics_of(sounds), [5, 6, 7, 8])
    np.testing.assert_array_equal(written(store)["long"], pooled)
    line = read_journal(store.folder).iloc[0]
    assert (line["frames"], line["windows"], n_frames) == ("26", "4", 26)
    assert left_out(store) == []


def test_a_clip_is_not_written_before_its_last_window(store: EmbeddingStore) -> None:
    write_all(store, windows("long", 4)[:3], (2, 1))
    assert written(store) == {}


@pytest.mark.parametrize("sizes", [(4,), (2, 2), (1, 1, 1, 1)])
@pytest.mark.parametrize("bad", [(0,), (2,), (3,), (0, 1), (0, 3), (0, 1, 2, 3)])
def test_a_bad_window_refuses_its_clip_once(store: EmbeddingStore, sizes: Sequence[int], bad: Sequence[int]) -> None:
    sounds = [*sounds_of("before"), *windows("long", 4, bad=bad), *sounds_of("after")]
    assert write_all(store, sounds, (1, *sizes, 1)).n_written == 2
    assert list(written(store)) == ["before", "after"]
    assert left_out(store) == [("long", "unreadable (lost sync)")]


def test_bad_clips_and_good_ones_share_batches(store: EmbeddingStore) -> None:
    bad = Sound(Piece("bad"), np.empty(0, np.float32), reason="unreadable (no)")
    sounds = [*sounds_of("a"), bad, *sounds_of("b"), *windows("long", 2), bad]
    batch = sounds[:5]
    with writer_of(store) as writer:
        writer.write(batch, computed(batch))
    found = written(store)
    assert list(found) == ["a", "b", "long"]
    np.testing.assert_array_equal(found["b"], statistics_of(sounds_of("b"))[0])
    assert left_out(store) == [("bad", "unreadable (no)")]


def test_a_clip_whose_windows_are_all_silent_is_left_out(store: EmbeddingStore) -> None:
    sounds = [*windows("mute", 3, silent=[0, 1, 2]), *windows("pause", 3, silent=[0, 2])]
    write_all(store, sounds, (2, 2, 2))
    assert list(written(store)) == ["pause"]
    assert left_out(store) == [("mute", SILENT)]


@pytest.mark.parametrize("spoilt", [np.nan, np.inf])
def test_an_embedding_that_is_not_finite_is_left_out(store: EmbeddingStore, spoilt: float) -> None:
    sounds = sounds_of("a", "b", "c")
    statistics = statistics_of(sounds)
    statistics[1, 1, 0, 2] = spoilt
    with writer_of(store) as writer:
        writer.write(sounds, lambda: (statistics, [5, 5, 5]))
    assert list(written(store)) == ["a", "c"]
    assert left_out(store) == [("b", "its embedding is not finite")]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_tells_clips_hours_and_speed() -> None:
    progress = Progress("lfcc, test", 1200, 7200.0)
    assert progress.status(1.0) == "0 of 1,200 clips, 0.00 of 2.00 h, 0 x real time"
    progress.advance(1100, 3600.0)
    assert progress.status(1.5) == "1,100 of 1,200 clips, 1.00 of 2.00 h, 2,400 x real time"
    progress.advance(100, 3700.0)
    assert progress.status(2.0) == "1,200 of 1,200 clips, 2.00 of 2.00 h, 3,600 x real time", "headers are not exact"
    assert progress.status(0.0).startswith("1,200 of 1,200 clips")
    progress.close()


def test_the_writer_moves_the_bar(store: EmbeddingStore) -> None:
    """Clips that are left out count as done; so do their seconds where they were read."""
    progress = Progress("test", 3, 8.0)
    bad = Sound(Piece("bad"), np.empty(0, np.float32), reason="unreadable (no)")
    with writer_of(store, progress) as writer:
        writer.write([*sounds_of("a"), bad], computed(sounds_of("a")))
        writer.write(windows("long", 3)[:1], computed(windows("long", 3)[:1]))
    assert progress.status(2.0) == "2 of 3 clips, 0.00 of 0.00 h, 2 x real time"


@pytest.mark.parametrize("seconds", [0.0, 5.0])
def test_the_bar_is_quiet_where_nobody_watches(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = []
    monkeypatch.setenv("TQDM_DISABLE", "1")
    for stream in (Terminal(), io.StringIO(), Terminal()):
        monkeypatch.setattr(sys, "stderr", stream)
        progress = Progress("lfcc, test", 2, seconds)
        progress.advance(2, seconds)
        progress.close()
        texts.append(stream.getvalue())
        monkeypatch.delenv("TQDM_DISABLE", raising=False)
    assert texts[:2] == ["", ""], "told to be quiet, and no terminal"
    assert "lfcc, test: " in texts[2]
    assert seconds == 0 or "2 of 2 clips, 0.00 of 0.00 h" in texts[2]
