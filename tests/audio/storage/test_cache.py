"""Several processes share a cache: every file is whole and fetched once, the limit holds, and a kill harms nothing."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import loky
import pytest

from src.audio.storage import cache as cache_module
from src.audio.storage.cache import Cache

SIZE = 1000


def write(log: Path, name: str, target: Path) -> None:
    """Stand for a fetch; note that it happened."""
    with log.open("a") as noted:
        noted.write(f"{name}\n")
    target.write_bytes(name.encode().ljust(SIZE, b"."))


def read_all(folder: Path, limit: int, names: list[str]) -> list[bool]:
    cache = Cache(folder, limit)
    log = folder.parent / "log"
    return [
        cache.get(name, SIZE, partial(write, log, name)).read_bytes()[: len(name)] == name.encode() for name in names
    ]


def die_half_way(folder: Path, name: str) -> None:
    def fetch(target: Path) -> None:
        target.write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)

    Cache(folder, 10 * SIZE).get(name, SIZE, fetch)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*/*") if path.is_file())


def names(count: int) -> list[str]:
    return [f"{number % 3}{number % 2}/{number}.flac" for number in range(count)]


def test_processes_and_threads_fetch_each_file_once(tmp_path: Path) -> None:
    folder, wanted = tmp_path / "cache", names(40)
    with loky.ProcessPoolExecutor(3) as processes:
        jobs = [processes.submit(read_all, folder, 100 * SIZE, order) for order in (wanted, wanted, wanted[::-1])]
        assert all(all(job.result()) for job in jobs)
    with ThreadPoolExecutor(4) as threads:
        assert all(all(found) for found in threads.map(partial(read_all, folder, 100 * SIZE), [names(60)] * 4))
    assert sorted((tmp_path / "log").read_text().split()) == sorted(names(60))
    assert [path.stat().st_size for path in files(folder)] == [SIZE] * 60
    assert (folder / ".total").read_text() == str(60 * SIZE)


def test_the_limit_holds_and_what_is_in_use_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, log = tmp_path / "cache", tmp_path / "log"
    cache = Cache(folder, 10 * SIZE)
    user = Cache(folder, 10 * SIZE)
    kept = user.get("aa/kept", SIZE, partial(write, log, "aa/kept"))
    for name in names(50):
        cache.get(name, SIZE, partial(write, log, name))
        assert sum(path.stat().st_size for path in files(folder)) <= 10 * SIZE
        assert kept.exists()
    assert len(files(folder)) >= 8, "no more than needed is removed"
    assert all(read_all(folder, 10 * SIZE, names(50)))
    n_fetched = len(log.read_text().split())
    assert n_fetched < 51 + 50, "some were still there"
    with pytest.raises(ValueError, match=r"`cache_gb` allows 1e-05 GB in .*cache, and one file alone has 1.1e-05"):
        cache.get("bb/large", 11 * SIZE, partial(write, log, "bb/large"))


def test_more_than_the_limit_may_be_in_use(tmp_path: Path) -> None:
    users = [Cache(tmp_path / "cache", 2 * SIZE) for _ in range(3)]
    paths = [
        user.get(f"aa/{number}", SIZE, partial(write, tmp_path / "log", f"aa/{number}"))
        for number, user in enumerate(users)
    ]
    assert all(path.exists() for path in paths)


def test_a_process_keeps_only_the_last_ones(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", 100 * SIZE)
    for name in names(20):
        cache.get(name, SIZE, partial(write, tmp_path / "log", name))
    assert list(cache._used) == names(20)[-cache_module.IN_USE :]


def test_a_process_killed_half_way_leaves_nothing_that_counts(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    with loky.ProcessPoolExecutor(1) as process, pytest.raises(Exception, match="SIGKILL"):
        process.submit(die_half_way, folder, "aa/1").result()
    assert [path.name for path in files(folder)] == [".1.lock", ".1.part"]
    assert read_all(folder, 10 * SIZE, ["aa/1"]) == [True]
    assert [path.name for path in files(folder)] == ["1"]
    (folder / "aa" / ".2.part").write_bytes(b"of another that was killed")
    read_all(folder, 10 * SIZE, names(12))
    assert not list(folder.glob("*/.*")), "removed when room is made"


def test_a_file_that_a_crash_cut_off_is_fetched_anew(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    assert read_all(folder, 10 * SIZE, ["aa/1"]) == [True]
    (folder / "aa" / "1").write_bytes(b"aa/1")
    assert read_all(folder, 10 * SIZE, ["aa/1"]) == [True]
    assert (folder / "aa" / "1").stat().st_size == SIZE


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", 10 * SIZE)

    def fail(target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    for _ in range(2):
        with pytest.raises(OSError, match=r"No space left .*cache'$"):
            cache.get("aa/1", SIZE, fail)
        assert (files(tmp_path / "cache"), (tmp_path / "cache" / ".total").read_text()) == ([], "0")
    (tmp_path / "cache" / ".total").write_text("what is this")
    assert read_all(tmp_path / "cache", 10 * SIZE, ["aa/1"]) == [True], "counted anew"
    assert (tmp_path / "cache" / ".total").read_text() == str(SIZE)


def test_a_cache_on_a_disk_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "cache").symlink_to("nowhere")
    with pytest.raises(NotADirectoryError, match=r"No folder \(a link to a disk that is not there\?\): '.*cache'$"):
        read_all(tmp_path / "cache", SIZE, ["aa/1"])
