from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from src.experiments.extraction.stores import COLUMNS, StoreReport, format_reports, inspect_stores
from src.utils.embedding_store import EmbeddingStore, Row
from src.utils.embeddings import StoreMeta, layer_file
from src.utils.files import read_json, write_json

WIDTH, BATCH = 4, 3
FILES = [f"real_voices/João, o Moço_M001/{clip}.wav" for clip in range(6)]
CLIPS = pd.DataFrame(
    [[file, "João, o Moço", "M001", "M", "bona-fide", ""] for file in FILES],
    columns=["file", "speaker", "id", "gender", "label", "system"],
)
PRINTS = dict.fromkeys(FILES, "-")
ROW_BYTES = 2 * WIDTH * 4
TASK = "fab GenerateEmbeddings"


def identity(layers: tuple[int, ...]) -> dict[str, Any]:
    return {"model": "some/model", "digest": "d", "precision": "bf16", "layers": list(layers), "dimension": WIDTH}


def write_store(folder: Path, *, layers: tuple[int, ...] = (0, 1, 2, 6), n_clips: int = 5, n_left_out: int = 1) -> Path:
    """Write the clips in batches of three, and finish when all have a row or are left out."""
    statistics = np.random.default_rng(0).standard_normal((n_clips, len(layers), 2, WIDTH))
    with EmbeddingStore(folder, identity(layers)) as store:
        for start in range(0, n_clips, BATCH):
            part = slice(start, min(start + BATCH, n_clips))
            store.append([Row(file, "-", 7) for file in FILES[part]], statistics[part])
        store.leave_out(dict.fromkeys(FILES[len(FILES) - n_left_out :], "mute"), PRINTS)
        store.finish(CLIPS, PRINTS)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a finished store of five clips and one that is left out."""
    return write_store(tmp_path / "embeddings" / "corpus" / "hubert" / "downstream_val")


def only(root: Path) -> StoreReport:
    (report,) = inspect_stores(root)
    return report


def state(report: StoreReport, root: Path) -> str:
    return report.row(root)[COLUMNS.index("state")]


def test_a_finished_store(folder: Path, tmp_path: Path) -> None:
    report = only(tmp_path)
    assert (report.folder, report.finished, report.problem) == (folder, True, "")
    assert (report.n_clips, report.n_left_out, report.n_bytes) == (5, 1, 5 * 4 * ROW_BYTES)
    assert dict(zip(COLUMNS, report.row(tmp_path), strict=True)) == {
        "embeddings": "corpus/hubert/downstream_val",
        "model": "some/model",
        "precision": "bf16",
        "layers": "0-2,6",
        "width": "4",
        "clips": "5",
        "left out": "1",
        "size": "0.0 MB",
        "state": "finished",
    }


def test_an_unfinished_store(tmp_path: Path) -> None:
    write_store(tmp_path / "embeddings" / "corpus" / "lfcc" / "pretext", layers=(0,), n_clips=4)
    report = only(tmp_path)
    assert (report.n_clips, report.n_left_out, report.finished, report.problem) == (4, 1, False, "")
    assert state(report, tmp_path) == "unfinished"


def test_a_clip_that_was_written_twice_is_one_clip(tmp_path: Path) -> None:
    folder = write_store(tmp_path / "embeddings" / "corpus" / "lfcc" / "pretext", layers=(0,), n_clips=4)
    with EmbeddingStore(folder, identity((0,))) as store:
        store.append([Row(file, "-", 7) for file in FILES[2:5]], np.ones((3, 1, 2, WIDTH)))
    report = only(tmp_path)
    assert (report.n_clips, report.problem, report.finished) == (5, "", False)


def test_clips_that_left_the_split_are_not_counted(folder: Path, tmp_path: Path) -> None:
    with EmbeddingStore(folder, identity((0, 1, 2, 6))) as store:
        assert store.finish(CLIPS.iloc[:2], PRINTS) == 2
    report = only(tmp_path)
    assert (report.n_clips, report.problem, report.finished) == (2, "", True)


def test_a_store_that_was_only_begun(tmp_path: Path) -> None:
    write_store(tmp_path / "embeddings" / "corpus" / "lfcc" / "pretext", n_clips=0, n_left_out=0)
    report = only(tmp_path)
    assert (report.n_clips, report.n_bytes, state(report, tmp_path)) == (0, 0, "unfinished")


def test_a_store_that_is_being_written_is_not_damaged(tmp_path: Path) -> None:
    """Vectors come before their lines, and lines of half a batch do not count yet."""
    folder = write_store(tmp_path / "embeddings" / "corpus" / "lfcc" / "pretext", n_clips=3)
    for layer in (0, 1):
        with layer_file(folder, layer).open("ab") as file:
            file.write(bytes(ROW_BYTES * 2 - 5))
    with (folder / "journal.csv").open("a") as journal:
        journal.write(f'"{FILES[3]}",-,7,1,00000000,1\n')
    report = only(tmp_path)
    assert (report.n_clips, report.problem, state(report, tmp_path)) == (3, "", "unfinished")


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("layer", [0, 1, 2, 6])
def test_rows_that_are_not_what_was_written(folder: Path, tmp_path: Path, layer: int, finished: bool) -> None:
    for row in (2, 4):
        content = bytearray(layer_file(folder, layer).read_bytes())
        content[row * ROW_BYTES + 5] ^= 1
        layer_file(folder, layer).write_bytes(content)
    if not finished:
        (folder / "index.csv").unlink()
    report = only(tmp_path)
    assert report.problem == f"2 of 5 rows are not what was written (first: {FILES[2]})"
    assert (report.finished, report.n_clips, state(report, tmp_path)) == (finished, 5, "damaged")


@pytest.mark.parametrize("layer", [0, 1, 2, 6])
@pytest.mark.parametrize("size", [None, 0, 5 * ROW_BYTES - 1])
def test_a_layer_that_is_missing_or_cut_off(folder: Path, tmp_path: Path, layer: int, size: int | None) -> None:
    path = layer_file(folder, layer)
    content = path.read_bytes()
    path.unlink()
    if size is not None:
        path.write_bytes(content[:size])
    report = only(tmp_path)
    assert report.problem == f"{path} is missing or truncated"
    assert report.n_bytes == 3 * 5 * ROW_BYTES + (size or 0)
    assert state(report, tmp_path) == "damaged"


def swap(index: pd.DataFrame) -> pd.DataFrame:
    return index.assign(row=index["row"].to_numpy()[[1, 0, 2, 3, 4]])


def beyond(index: pd.DataFrame) -> pd.DataFrame:
    return index.assign(row=index["row"] + 1)


def rename(index: pd.DataFrame) -> pd.DataFrame:
    return index.assign(file=index["file"].str.replace("4.wav", "5.wav", regex=False))


@pytest.mark.parametrize("damage", [swap, beyond, rename])
def test_an_index_that_names_wrong_rows(
    folder: Path, tmp_path: Path, damage: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    path = folder / "index.csv"
    damage(pd.read_csv(path)).to_csv(path, index=False)
    report = only(tmp_path)
    assert report.problem == f"{path} is damaged: it does not fit journal.csv"
    assert (report.finished, state(report, tmp_path)) == (True, "damaged")


@pytest.mark.parametrize(
    "text",
    [
        "file,label\n",
        "row\n0\n",
        "file,row\na.wav\n",
        "file,row\na.wav,\n",
        "file,row\na.wav,x\n",
        "file,row\na.wav,-1\n",
    ],
)
def test_an_index_that_is_none(folder: Path, tmp_path: Path, text: str) -> None:
    (folder / "index.csv").write_text(text)
    assert only(tmp_path).problem == f"{folder / 'index.csv'} is damaged: it does not fit journal.csv"


@pytest.mark.parametrize("n_lines", [0, 2])
def test_a_journal_that_lost_lines(folder: Path, tmp_path: Path, n_lines: int) -> None:
    path = folder / "journal.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:n_lines]))
    assert only(tmp_path).problem == f"{folder / 'index.csv'} is damaged: it does not fit journal.csv"


def test_the_worst_is_reported_first(folder: Path, tmp_path: Path) -> None:
    (folder / "index.csv").write_text((folder / "index.csv").read_text().replace(",4,", ",9,"))
    assert only(tmp_path).problem.endswith("it does not fit journal.csv")
    layer_file(folder, 1).write_bytes(bytes(5 * ROW_BYTES))
    assert only(tmp_path).problem.startswith("5 of 5 rows are not what was written")
    layer_file(folder, 2).unlink()
    assert only(tmp_path).problem == f"{layer_file(folder, 2)} is missing or truncated"


def test_what_is_said_of_a_damaged_store_mends_it(folder: Path, tmp_path: Path) -> None:
    """Delete the index and resume: the task says so."""
    sound = layer_file(folder, 1).read_bytes()
    layer_file(folder, 1).write_bytes(b"\xff" * ROW_BYTES + sound[ROW_BYTES:])
    (folder / "index.csv").unlink()
    with EmbeddingStore(folder, identity((0, 1, 2, 6))) as store:
        assert store.waiting(PRINTS) == [FILES[0]]
        store.append([Row(FILES[0], "-", 7)], np.ones((1, 4, 2, WIDTH)))
        store.finish(CLIPS, PRINTS)
    report = only(tmp_path)
    assert (report.problem, report.n_clips, report.finished) == ("", 5, True)


def test_looking_changes_nothing(folder: Path, tmp_path: Path) -> None:
    def content() -> dict[Path, tuple[int, bytes]]:
        return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}

    before = content()
    inspect_stores(tmp_path)
    assert content() == before


def test_all_stores_or_those_of_a_corpus_or_a_backbone(tmp_path: Path) -> None:
    names = ["b/hubert/downstream_val", "a/lfcc/downstream_val", "a/hubert/downstream_val", "a/hubert/downstream_test"]
    for name in names:
        write_store(tmp_path / "embeddings" / name, n_clips=1)

    def found(*wanted: str) -> list[str]:
        return [report.row(tmp_path)[0] for report in inspect_stores(tmp_path, *wanted)]

    assert found() == sorted(names)
    assert found("a") == sorted(names[1:])
    assert found("", "hubert") == sorted([names[0], *names[2:]])
    assert found("a", "lfcc") == names[1:2]


@pytest.mark.parametrize(
    ("wanted", "place"), [(("",), "embeddings"), (("other",), "other"), (("corpus", "lfcc"), "corpus/lfcc")]
)
def test_where_there_are_none_the_task_is_named(tmp_path: Path, wanted: tuple[str, ...], place: str) -> None:
    if wanted[0]:
        write_store(tmp_path / "embeddings" / "corpus" / "hubert" / "downstream_val")
    with pytest.raises(FileNotFoundError, match=f"There are no embeddings .*{place}: .*{TASK}"):
        inspect_stores(tmp_path, *wanted)


def test_a_damaged_meta_file_is_named(folder: Path, tmp_path: Path) -> None:
    (folder / "meta.json").write_text('{"model": "m", "layers": [0]}')
    with pytest.raises(ValueError, match=r"meta.json is damaged: it holds no digest, precision, dimension"):
        inspect_stores(tmp_path)


def test_the_table_has_a_line_for_every_store(folder: Path, tmp_path: Path) -> None:
    long = "a-corpus-with-a-name-that-is-much-longer-than-any-column-that-pandas-would-show-of-its-own-accord"
    write_store(tmp_path / "embeddings" / long / "hubert" / "downstream_val", n_clips=2)
    layer_file(folder, 6).unlink()
    header, first, second = format_reports(inspect_stores(tmp_path), tmp_path).splitlines()
    assert header.split() == " ".join(COLUMNS).split()
    assert first.split() == [
        f"{long}/hubert/downstream_val",
        "some/model",
        "bf16",
        "0-2,6",
        *"421",
        "0.0",
        "MB",
        "unfinished",
    ]
    assert second.split()[0] == "corpus/hubert/downstream_val"
    assert second.split()[-1] == "damaged"


def test_numbers_are_written_with_separators(tmp_path: Path) -> None:
    meta = StoreMeta("m", "d", "fp32", tuple(range(13)), 768, None, None, None, record={})
    report = StoreReport(tmp_path / "embeddings" / "c" / "b" / "s", meta, 46_184, 1_234, 3_688_970_000, finished=True)
    assert report.row(tmp_path) == (
        *("c/b/s", "m", "fp32", "0-12", "768"),
        *("46,184", "1,234", "3,689.0 MB", "finished"),
    )


def test_random_weights_are_said_to_be_random(folder: Path, tmp_path: Path) -> None:
    said = "Random weights are for trying things out, not for a result."
    assert said not in format_reports(inspect_stores(tmp_path), tmp_path)
    meta = read_json(folder / "meta.json")
    write_json(folder / "meta.json", {**meta, "model": "random:base", "random": True})
    table = format_reports(inspect_stores(tmp_path), tmp_path)
    assert "random:base (random weights)" in table
    assert table.splitlines()[-1] == said
