"""Clips that cannot be used are recorded once and not tried again while their bytes are the same."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from src.utils.embedding_store import EmbeddingStore, Row
from src.utils.embeddings import load_embeddings, read_left_out

IDENTITY = {"model": "drawn", "digest": "of drawn", "precision": "fp32", "layers": [0, 1, 2], "dimension": 4}
FILES = [f"real_voices/João, o Moço_M001/{clip}.wav" for clip in range(8)]
CLIPS = pd.DataFrame(
    [[file, "João, o Moço", "M001", "M", "bona-fide", ""] for file in FILES],
    columns=["file", "speaker", "id", "gender", "label", "system"],
)
PRINTS = {file: f"print of {file}" for file in FILES}


def append(store: EmbeddingStore, files: list[str]) -> None:
    store.append([Row(file, PRINTS[file], 1) for file in files], np.ones((len(files), 3, 2, 4), np.float32))


def test_clips_that_cannot_be_used_are_left_out_of_the_index(tmp_path: Path) -> None:
    with EmbeddingStore(tmp_path, IDENTITY) as store:
        assert store.waiting(PRINTS) == FILES
        store.leave_out(dict.fromkeys(FILES[1::2], 'mute, "quite"'), PRINTS)
        append(store, FILES[::2])
        assert store.waiting(PRINTS) == []
        assert store.finish(CLIPS, PRINTS) == 4
    assert load_embeddings(tmp_path).files.tolist() == FILES[::2]
    with EmbeddingStore(tmp_path, IDENTITY) as store:
        assert store.left_out(PRINTS) == dict.fromkeys(FILES[1::2], 'mute, "quite"')
        assert store.waiting(PRINTS) == [], "they are not tried again"
        assert store.finish(CLIPS, PRINTS) == 4


def test_a_clip_that_was_left_out_has_another_chance_when_its_recording_changed(tmp_path: Path) -> None:
    with EmbeddingStore(tmp_path, IDENTITY) as store:
        store.leave_out(dict.fromkeys(FILES[:2], "mute"), PRINTS)
    mended = {**PRINTS, FILES[1]: "of another recording"}
    with EmbeddingStore(tmp_path, IDENTITY) as store:
        assert store.left_out(mended) == {FILES[0]: "mute"}
        assert store.waiting(mended) == FILES[1:]
        store.append([Row(FILES[1], mended[FILES[1]], 1)], np.ones((1, 3, 2, 4), np.float32))
        append(store, FILES[2:])
        assert store.finish(CLIPS, mended) == 7
    assert load_embeddings(tmp_path).files.tolist() == FILES[1:]


def test_the_last_reason_counts(tmp_path: Path) -> None:
    with EmbeddingStore(tmp_path, IDENTITY) as store:
        store.leave_out({FILES[1]: "mute", FILES[2]: "mute"}, PRINTS)
        store.leave_out({FILES[1]: "too short"}, PRINTS)
        assert store.left_out(PRINTS) == {FILES[1]: "too short", FILES[2]: "mute"}
        store.leave_out({}, PRINTS)
        assert len(read_left_out(tmp_path)) == 2


def test_a_split_of_which_no_clip_can_be_used_has_no_rows(tmp_path: Path) -> None:
    with EmbeddingStore(tmp_path, IDENTITY) as store:
        store.leave_out(dict.fromkeys(FILES, "mute"), PRINTS)
        assert store.finish(CLIPS, PRINTS) == 0
    with pytest.raises(ValueError, match=r"index.csv has no rows; run fab GenerateEmbeddings again"):
        load_embeddings(tmp_path)


def test_a_reason_torn_by_a_kill_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "left-out.csv"
    with EmbeddingStore(tmp_path, IDENTITY) as store:
        store.leave_out({FILES[0]: "mute"}, PRINTS)
        n_whole = path.stat().st_size
        store.leave_out({FILES[4]: "mute"}, PRINTS)
        content = path.read_bytes()
        for size in range(n_whole, len(content)):
            path.write_bytes(content[:size])
            assert store.left_out(PRINTS) == {FILES[0]: "mute"}
            store.leave_out({FILES[5]: "too short"}, PRINTS)
            assert store.left_out(PRINTS) == {FILES[0]: "mute", FILES[5]: "too short"}
            assert len(read_left_out(tmp_path)) == 2


def test_a_store_that_lost_its_meta_file_is_refused(tmp_path: Path) -> None:
    """Whatever model asked next would take its rows for its own."""
    with EmbeddingStore(tmp_path, IDENTITY) as store:
        store.append([Row("a", "1", 7)], np.zeros((1, 3, 2, 4)))
    (tmp_path / "meta.json").unlink()
    with pytest.raises(ValueError, match=r"holds embeddings but no meta\.json.*delete that folder") as caught:
        EmbeddingStore(tmp_path, IDENTITY).__enter__()
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_line_are_cut_off_a_journal(tmp_path: Path) -> None:
    with EmbeddingStore(tmp_path, IDENTITY) as store:
        store.append([Row("a", "1", 7)], np.ones((1, 3, 2, 4)))
    for name in ("journal.csv", "left-out.csv"):
        with (tmp_path / name).open("ab") as file:
            file.write(b"\xff\xfe\n")
    with EmbeddingStore(tmp_path, IDENTITY) as store:
        assert store.waiting({"a": "1", "b": "2"}) == ["b"]
    assert b"\xff" not in (tmp_path / "journal.csv").read_bytes()
