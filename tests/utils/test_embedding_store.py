"""Whatever happens to a store while it is written, finishing it gives what an undisturbed run gives."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.utils.embedding_store import EmbeddingStore, fingerprint, split_digest
from src.utils.embeddings import layer_file, load_embeddings, read_journal
from src.utils.files import PROBE_BYTES

IDENTITY: Mapping[str, Any] = {"model": "drawn", "digest": "d1", "precision": "fp32", "layers": 3, "dimension": 4}
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


def draw(files: Sequence[str]) -> np.ndarray:
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
            store.append(files, [fingerprints[file] for file in files], draw(files), [len(file) for file in files])
        assert store.finish(clips, fingerprints) == len(clips)
    return waiting


def assert_undisturbed(folder: Path, clips: pd.DataFrame = CLIPS) -> None:
    """Compare every value of every layer, and all that is known of the clips, with what must stand there."""
    expected = draw(clips["file"].tolist()).astype(np.float32)
    for layer in range(3):
        table = load_embeddings(folder, layer, "mean+std")
        np.testing.assert_array_equal(table.vectors, expected[:, layer].reshape(len(clips), -1))
        assert table.files.tolist() == clips["file"].tolist()
        assert table.labels.tolist() == (clips["label"] == "bona-fide").astype(int).tolist()
    index = pd.read_csv(folder / "index.csv")
    assert index["frames"].tolist() == [len(file) for file in clips["file"]]
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


@settings(max_examples=60, deadline=None)
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
@given(st.integers(0, 7), st.integers(0, 2), st.integers(1, 40))
def test_only_what_was_torn_is_computed_again(n_whole: int, layer: int, n_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "store"
        write(folder)
        row = 2 * 4 * 4
        path = layer_file(folder, layer)
        path.write_bytes(path.read_bytes()[: n_whole * row + n_bytes % row])
        assert write(folder) == CLIPS["file"].tolist()[n_whole:]
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


@pytest.mark.parametrize("n_before", [0, 3], ids=["new store", "finished store, then people joined its split"])
def test_a_kill_between_any_two_touches_of_the_disk(tmp_path: Path, kill_before: Any, n_before: int) -> None:
    """Fault 7: no resume. Until the run ends, readers get the old table, a refusal, or the new table."""
    for n_allowed in range(1000):
        folder = tmp_path / str(n_allowed)
        if n_before:
            write(folder, CLIPS.iloc[:n_before])
        kill_before(n_allowed)
        try:
            write(folder, batch=3)
            break
        except Killed:
            pass
        finally:
            kill_before.disarm()
        try:
            n_read = len(load_embeddings(folder))
        except FileNotFoundError:
            pass
        else:
            assert n_read in (n_before, len(CLIPS))
            assert_undisturbed(folder, CLIPS.iloc[:n_read])
        write(folder)
        assert_undisturbed(folder)
    assert n_allowed > 20, "hardly anything was interrupted"


def test_an_error_in_the_middle_of_a_batch_costs_that_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from src.utils import embedding_store

    written: list[Path] = []

    def full_at_the_eighth(folder: Path, layer: int) -> Path:
        written.append(layer_file(folder, layer))
        if len(written) == 3 + 3 + 2:  # recovery, the first batch, a layer of the second
            raise OSError(28, "No space left on device")
        return written[-1]

    with monkeypatch.context() as patch:
        patch.setattr(embedding_store, "layer_file", full_at_the_eighth)
        with pytest.raises(OSError, match="No space left"):
            write(tmp_path)
    assert write(tmp_path) == CLIPS["file"].tolist()[2:]
    assert_undisturbed(tmp_path)


def test_a_finished_store_is_left_as_it_is(tmp_path: Path) -> None:
    def times() -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir() if path.suffix in (".csv", ".json")}

    write(tmp_path)
    before = times()
    assert write(tmp_path) == []
    assert times() == before
    assert len(before) == 3


def test_people_may_move_between_splits_and_come_back(tmp_path: Path) -> None:
    first, second = CLIPS.iloc[:5], CLIPS.iloc[[7, 6, 1, 3]]
    assert write(tmp_path, first) == first["file"].tolist()
    assert write(tmp_path, second) == CLIPS["file"][[7, 6]].tolist()
    assert_undisturbed(tmp_path, second)
    assert write(tmp_path, first) == []
    assert_undisturbed(tmp_path, first)
    assert write(tmp_path) == [CLIPS["file"][5]]
    assert_undisturbed(tmp_path)


def test_a_finished_store_that_goes_on_is_not_finished_until_it_ends(tmp_path: Path) -> None:
    write(tmp_path, CLIPS.iloc[:3])
    write(tmp_path, stop_after=1)
    with pytest.raises(FileNotFoundError, match="are not finished: go on with fab GenerateEmbeddings"):
        load_embeddings(tmp_path)
    write(tmp_path)
    assert_undisturbed(tmp_path)


def test_clips_without_a_row_are_left_out_of_the_index(tmp_path: Path) -> None:
    with EmbeddingStore(tmp_path, IDENTITY) as store:
        files = store.waiting(prints(CLIPS))[::2]
        store.append(files, [prints(CLIPS)[file] for file in files], draw(files), [1] * len(files))
        assert store.finish(CLIPS, prints(CLIPS)) == 4
    assert load_embeddings(tmp_path).files.tolist() == files
    assert write(tmp_path) == CLIPS["file"].tolist()[1::2], "they get another chance"


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
    ("key", "value"), [("model", "other"), ("digest", "d2"), ("precision", "bf16"), ("layers", 25), ("dimension", 8)]
)
@pytest.mark.parametrize("stop_after", [1, 99], ids=["unfinished", "finished"])
def test_embeddings_of_another_kind_are_refused_and_nothing_is_written(
    tmp_path: Path, key: str, value: Any, stop_after: int
) -> None:
    write(tmp_path, stop_after=stop_after)
    before = digest(tmp_path)
    line = f"holds embeddings of another kind: {key} is {IDENTITY[key]!r} there, {value!r} now. Delete that folder"
    with pytest.raises(ValueError, match=line) as caught, EmbeddingStore(tmp_path, {**IDENTITY, key: value}):
        pass
    assert "\n" not in str(caught.value)
    assert digest(tmp_path) == before
    write(tmp_path)  # the refusal holds no lock
    assert_undisturbed(tmp_path)


def test_a_second_writer_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
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
        store.append(["a", "b"], ["1", "2"], np.zeros(shape), [1, 1])


@pytest.mark.parametrize("place", [0, PROBE_BYTES - 1, -PROBE_BYTES, -1])
def test_a_fingerprint_sees_size_beginning_and_end(tmp_path: Path, place: int) -> None:
    content = bytearray(np.random.default_rng(0).bytes(3 * PROBE_BYTES))
    paths = [tmp_path / name for name in "abc"]
    paths[0].write_bytes(content)
    paths[1].write_bytes(content + b"\0")
    content[place] ^= 1
    paths[2].write_bytes(content)
    assert len({fingerprint(path) for path in paths}) == 3
    assert fingerprint(paths[0]) == fingerprint(paths[0])


def test_a_fingerprint_of_a_short_file_is_one_too(tmp_path: Path) -> None:
    for name, content in (("a", b""), ("b", b"x"), ("c", b"x")):
        (tmp_path / name).write_bytes(content)
    assert fingerprint(tmp_path / "b") == fingerprint(tmp_path / "c") != fingerprint(tmp_path / "a")


def test_the_digest_of_a_split_follows_its_rows_and_nothing_else() -> None:
    relabelled = CLIPS.assign(label=CLIPS["label"].iloc[::-1].to_numpy())
    assert len({split_digest(clips) for clips in (CLIPS, CLIPS.iloc[::-1], CLIPS.iloc[1:], relabelled)}) == 4
    assert split_digest(CLIPS.assign(duration=1.5, row=3)) == split_digest(CLIPS)
