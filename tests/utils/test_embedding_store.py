"""Whatever happens to a store while it is written, finishing it gives what an uninterrupted run gives."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.utils.embedding_store import EmbeddingStore, Row, split_digest
from src.utils.embeddings import layer_file, load_embeddings, read_journal

IDENTITY: Mapping[str, Any] = {"model": "m", "digest": "d1", "precision": "fp32", "layers": [0, 1, 2], "dimension": 4}
ROW_BYTES = 2 * 4 * 4
CLIPS = pd.DataFrame(
    [
        [f"{side}/João, o {nick}_M00{number}{end}/{clip}.wav", f"João, o {nick}", f"M00{number}", "M", label, ""]
        for number, nick in enumerate(("Moço", '"Zé"'))
        for side, end, label in (("real_voices", "", "bona-fide"), ("fake_voices", "_Fake", "spoof"))
        for clip in range(2)
    ],
    columns=["file", "speaker", "id", "gender", "label", "system"],
)
"""Eight clips whose names hold what a journal could trip over: letters of two bytes, commas, quotation marks."""


class Killed(BaseException):
    """Stands for the end of a process."""


def prints(clips: pd.DataFrame) -> dict[str, str]:
    return {file: f"{crc32(file.encode()):x}" for file in clips["file"]}


def rows_of(files: Iterable[str]) -> list[Row]:
    return [Row(file, prints(CLIPS)[file], len(file), 1 + len(file) % 3) for file in files]


def draw(files: Iterable[str]) -> np.ndarray:
    """Return statistics of shape (b, 3, 2, 4), always the same for the same file."""
    return np.stack([np.random.default_rng(crc32(file.encode())).standard_normal((3, 2, 4)) for file in files])


def write(folder: Path, clips: pd.DataFrame = CLIPS, *, batch: int = 2, stop_after: int = 99) -> list[str]:
    """Compute what is waiting, in batches; return what was computed. Stops without finishing after some batches."""
    fingerprints = prints(clips)
    with EmbeddingStore(folder, IDENTITY) as store:
        waiting = store.waiting(fingerprints)
        for number, start in enumerate(range(0, len(waiting), batch)):
            if number == stop_after:
                return waiting[:start]
            files = waiting[start : start + batch]
            store.append(rows_of(files), draw(files))
        assert store.finish(clips, fingerprints) == len(clips)
    return waiting


def assert_undisturbed(folder: Path, clips: pd.DataFrame = CLIPS) -> None:
    """Compare every value of every layer, and all columns of the clips, with what they must hold."""
    expected = draw(clips["file"].tolist()).astype(np.float32)
    for layer in range(3):
        table = load_embeddings(folder, layer, "mean+std")
        np.testing.assert_array_equal(table.vectors, expected[:, layer].reshape(len(clips), -1))
        assert table.files.tolist() == clips["file"].tolist()
        assert table.labels.tolist() == (clips["label"] == "bona-fide").astype(int).tolist()
    index = pd.read_csv(folder / "index.csv")
    assert index["frames"].tolist() == [len(file) for file in clips["file"]]
    assert index["windows"].tolist() == [1 + len(file) % 3 for file in clips["file"]]
    meta = json.loads((folder / "meta.json").read_text())
    assert meta["clips"] == len(clips)
    assert meta["split_digest"] == split_digest(clips)
    assert IDENTITY.items() <= meta.items()


def digest(folder: Path) -> str:
    parts = [f"{path} {path.read_bytes()!r}" for path in sorted(folder.rglob("*")) if path.is_file()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_batches_of_any_size_give_the_same_store(tmp_path: Path, batch: int) -> None:
    assert write(tmp_path / "store", batch=batch) == CLIPS["file"].tolist()
    assert_undisturbed(tmp_path / "store")


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_files_torn_at_any_byte_are_made_whole(data: st.DataObject) -> None:
    """Fault 7: no resume."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "store"
        write(folder, stop_after=data.draw(st.integers(0, 5), label="batches before the kill"))
        for path in (*(layer_file(folder, layer) for layer in range(3)), folder / "journal.csv"):
            content = path.read_bytes()
            path.write_bytes(content[: data.draw(st.integers(0, len(content)), label=path.name)])
        kept = read_journal(folder)["file"].tolist()
        assert kept == CLIPS["file"].tolist()[: len(kept)]
        computed = write(folder, batch=data.draw(st.integers(1, 8), label="batch"))
        assert len(computed) >= len(CLIPS) - len(kept)
        assert_undisturbed(folder)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 4), st.integers(0, 7), st.integers(0, 2), st.integers(1, 40))
def test_only_the_batches_that_were_torn_are_computed_again(batch: int, n_whole: int, layer: int, n_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "store"
        write(folder, batch=batch)
        path = layer_file(folder, layer)
        path.write_bytes(path.read_bytes()[: n_whole * ROW_BYTES + n_bytes % ROW_BYTES])
        assert write(folder, batch=batch) == CLIPS["file"].tolist()[n_whole // batch * batch :]
        assert_undisturbed(folder)


@pytest.fixture
def kill_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Return a function that lets n touches of the disk pass and ends the process, as it were, before the next."""
    with monkeypatch.context() as patch:

        def arm(n_allowed: int) -> None:
            touches = 0

            def counted(method: Callable[..., Any]) -> Callable[..., Any]:
                def touch(*args: Any, **options: Any) -> Any:
                    nonlocal touches
                    touches += 1
                    if touches > n_allowed:  # nor any later one: a dead process cleans nothing up
                        raise Killed
                    return method(*args, **options)

                return touch

            patch.undo()
            for name in ("open", "replace", "unlink", "touch", "mkdir"):
                patch.setattr(Path, name, counted(getattr(Path, name)))

        arm.disarm = patch.undo  # type: ignore[attr-defined]
        yield arm


@pytest.mark.parametrize(("n_before", "n_after"), [(0, 8), (3, 8), (8, 3)], ids=["new", "people join", "people leave"])
def test_a_kill_between_any_two_touches_of_the_disk(
    tmp_path: Path, kill_before: Any, n_before: int, n_after: int
) -> None:
    """Fault 7: no resume. Until the run ends, readers get the old table, a refusal, or the new table."""
    clips = CLIPS.iloc[:n_after]
    for n_allowed in range(1000):
        folder = tmp_path / str(n_allowed)
        if n_before:
            write(folder, CLIPS.iloc[:n_before])
        kill_before(n_allowed)
        try:
            write(folder, clips, batch=3)
            break
        except Killed:
            pass
        finally:
            kill_before.disarm()
        assert len(read_journal(folder)) in (0, 3, 6, 8), "a batch is there whole or not at all"
        try:
            n_read = len(load_embeddings(folder))
        except FileNotFoundError:
            pass
        else:
            assert n_read in (n_before, n_after)
            assert_undisturbed(folder, CLIPS.iloc[:n_read])
        write(folder, clips)
        assert_undisturbed(folder, clips)
    assert n_allowed > 20, "hardly anything was interrupted"


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return a function that lets the disk take half of what the nth file that is appended to should get."""
    opened = Path.open

    def arm(n: int) -> None:
        n_opened = 0

        @contextmanager
        def half(*args: Any) -> Iterator[Any]:
            with opened(*args) as file:

                def write_half(content: bytes) -> None:
                    file.write(content[: len(content) // 2])
                    raise OSError(28, "No space left on device")

                yield SimpleNamespace(write=write_half)

        def counted(path: Path, mode: str = "r", *args: Any, **options: Any) -> Any:
            nonlocal n_opened
            n_opened += mode == "ab"
            return half(path, mode) if mode == "ab" and n_opened == n else opened(path, mode, *args, **options)

        monkeypatch.setattr(Path, "open", counted)

    return arm


@pytest.mark.parametrize("nth", range(5, 9), ids=["first layer", "second layer", "third layer", "journal"])
def test_an_error_in_the_middle_of_a_batch_costs_that_batch(tmp_path: Path, full_disk: Any, nth: int) -> None:
    full_disk(nth)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path)
    assert read_journal(tmp_path)["file"].tolist() == CLIPS["file"].tolist()[:2]
    assert write(tmp_path) == CLIPS["file"].tolist()[2:]
    assert_undisturbed(tmp_path)


@pytest.mark.parametrize("nth", range(1, 5))
def test_a_writer_may_go_on_after_an_error(tmp_path: Path, full_disk: Any, nth: int) -> None:
    batch = rows_of(CLIPS["file"]), draw(CLIPS["file"])
    with EmbeddingStore(tmp_path, IDENTITY) as store:
        full_disk(nth)
        with pytest.raises(OSError, match="No space left"):
            store.append(*batch)
        assert store.finish(CLIPS, prints(CLIPS)) is None
        store.append(*batch)
        assert store.finish(CLIPS, prints(CLIPS)) == 8
    assert_undisturbed(tmp_path)


def test_a_finished_store_is_left_as_it_is(tmp_path: Path) -> None:
    def content() -> dict[Path, tuple[int, bytes]]:
        return {path: (path.stat().st_ino, path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file()}

    def times() -> list[int]:
        return [(tmp_path / name).stat().st_mtime_ns for name in ("meta.json", "index.csv")]

    write(tmp_path)
    before = content(), times()
    assert write(tmp_path) == []
    assert (content(), times()) == before


def test_people_may_move_between_splits_and_come_back(tmp_path: Path) -> None:
    first, second = CLIPS.iloc[:5], CLIPS.iloc[[7, 6, 1, 3]]
    assert write(tmp_path, first) == first["file"].tolist()
    assert write(tmp_path, second) == CLIPS["file"][[7, 6]].tolist()
    assert_undisturbed(tmp_path, second)
    assert write(tmp_path, first) == []
    assert_undisturbed(tmp_path, first)
    assert write(tmp_path) == [CLIPS["file"][5]]
    assert_undisturbed(tmp_path)


def test_a_finished_store_that_resumes_is_not_finished_until_it_ends(tmp_path: Path) -> None:
    write(tmp_path, CLIPS.iloc[:3])
    write(tmp_path, stop_after=1)
    with pytest.raises(FileNotFoundError, match=r"are not finished: .*fab GenerateEmbeddings"):
        load_embeddings(tmp_path)
    write(tmp_path)
    assert_undisturbed(tmp_path)


def test_a_recording_that_changed_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    write(tmp_path)
    before = digest(tmp_path)
    changed = {**prints(CLIPS), CLIPS["file"][4]: "another", CLIPS["file"][6]: "another"}
    with (
        EmbeddingStore(tmp_path, IDENTITY) as store,
        pytest.raises(ValueError, match=r'^2 recordings changed since .* \(first: real_voices/João, o "Zé"') as caught,
    ):
        store.waiting(changed)
    assert "\n" not in str(caught.value)
    assert digest(tmp_path) == before


@pytest.mark.parametrize(
    ("key", "value"),
    [("model", "other"), ("digest", "d2"), ("precision", "bf16"), ("layers", [0, 1]), ("dimension", 8)],
)
@pytest.mark.parametrize("stop_after", [1, 99], ids=["unfinished", "finished"])
def test_embeddings_of_another_kind_are_refused_and_nothing_is_written(
    tmp_path: Path, key: str, value: Any, stop_after: int
) -> None:
    write(tmp_path, stop_after=stop_after)
    before = digest(tmp_path)
    there, now = ("0-2", "0-1") if key == "layers" else (repr(IDENTITY[key]), repr(value))
    line = f"holds embeddings of another kind: {key} is {there} there, {now} now. Delete that folder"
    with pytest.raises(ValueError, match=line) as caught, EmbeddingStore(tmp_path, {**IDENTITY, key: value}):
        pass
    assert "\n" not in str(caught.value)
    assert digest(tmp_path) == before
    write(tmp_path)  # the refusal holds no lock
    assert_undisturbed(tmp_path)


def test_a_second_writer_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    with EmbeddingStore(tmp_path, IDENTITY):
        with pytest.raises(ValueError, match=r"Another process is writing .*; wait for it to end"):
            write(tmp_path)
        with pytest.raises(FileNotFoundError, match="are not finished"):
            load_embeddings(tmp_path)
    with pytest.raises(ZeroDivisionError), EmbeddingStore(tmp_path, IDENTITY):
        raise ZeroDivisionError
    write(tmp_path)
    assert_undisturbed(tmp_path)


@pytest.mark.parametrize("shape", [(2, 3, 2, 5), (2, 4, 2, 4), (1, 3, 2, 4), (2, 3, 4)])
def test_statistics_of_the_wrong_shape_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with (
        EmbeddingStore(tmp_path, IDENTITY) as store,
        pytest.raises(ValueError, match=r"shape \(2, 3, 2, 4\) were expected"),
    ):
        store.append([Row("a", "1", 1), Row("b", "2", 1)], np.zeros(shape))
    assert read_journal(tmp_path).empty
    assert layer_file(tmp_path, 0).stat().st_size == 0
