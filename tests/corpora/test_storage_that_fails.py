"""Storage over a network that fails, or is no source at all: one line, and nothing that counts is left behind."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.audio.io import load_waveform
from src.audio.storage import source as source_module
from src.audio.storage.places import find
from src.audio.storage.source import Source, fetched, read_source
from src.corpora.linking import link_corpus
from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.merging import merge_datasets
from tests.corpora import test_linking
from tests.corpora.test_linking import URL, linked, recordings

bucket, plain = test_linking.bucket, test_linking.plain


@pytest.mark.parametrize(
    ("url", "cache_gb", "line"),
    [
        ("bucket/corpus", 1, "`source` must be a URL such as s3://bucket/corpus, not 'bucket/corpus'"),
        ("s3://", 1, "`source` must be a URL"),
        ("s3://key:secret@bucket/corpus", 1, "`source` must not hold credentials"),
        ("https://host/corpus?X-Amz-Signature=1", 1, "`source` must not hold credentials"),
        ("simplecache::ftp://me:secret@host/corpus", 1, "`source` must not hold credentials"),
        (URL, 0, "`cache_gb` must be above 0 GB, not 0"),
        (URL, float("nan"), "`cache_gb` must be above 0 GB, not nan"),
    ],
)
def test_what_no_source_can_be(url: str, cache_gb: float, line: str) -> None:
    with pytest.raises(ValueError, match=line) as caught:
        Source(url, cache_gb)
    assert "secret" not in str(caught.value)


def test_storage_that_cannot_be_read_ends_in_one_line(
    bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for url, kind, line in (
        ("memory://bucket/none", FileNotFoundError, "memory://bucket/none"),
        (
            f"{URL}/people-metadata.csv",
            ValueError,
            "`source` must be a folder, and .* is one object",
        ),
        ("nothing://bucket", ValueError, "nothing://bucket cannot be read"),
    ):
        with pytest.raises(kind, match=line):
            link_corpus(tmp_path / "c", Source(url))
    assert not (tmp_path / "c").exists()
    dataset = linked(tmp_path / "c")
    (file, *_) = sorted(path for path in dataset.rglob("*.flac"))
    pauses: list[float] = []
    monkeypatch.setattr(source_module.time, "sleep", pauses.append)
    for error, kind, line in (
        (ImportError("Install s3fs to access S3"), ValueError, r"a driver is missing: pip install -e '\.\[cloud\]'"),
        (PermissionError("Forbidden"), PermissionError, r"must not be read with the credentials that are set \(Forb"),
        (type("NoCredentialsError", (Exception,), {})("Unable to locate"), PermissionError, "without credentials"),
        (type("ProfileNotFound", (Exception,), {})("No profile me"), PermissionError, r"credentials \(No profile me\)"),
        (
            type("ParamValidationError", (Exception,), {})("Invalid name"),
            ValueError,
            r"cannot be read \(Invalid name\)",
        ),
        (TimeoutError(), ConnectionError, r"cannot be reached \(TimeoutError\): run the same command again; work done"),
        (RuntimeError("two\nlines"), ConnectionError, r"cannot be reached \(two lines\)"),
        (OSError(28, "No space left on device"), OSError, "No space left on device"),
    ):

        def fail(*_: Any, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(type(bucket), "get_file", fail)
        pauses.clear()
        with pytest.raises(kind, match=line) as caught:
            load_waveform(file)
        assert "\n" not in str(caught.value)
        assert pauses == ([1.0, 5.0] if kind is ConnectionError else []), "a lost connection is tried again"
        assert [path for path in dataset.glob(".fetched/*/*") if path.is_file()] == []


def test_what_ends_before_its_end_is_a_lost_connection(
    bucket: Any, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, file = linked(tmp_path / "c"), recordings(plain)[0]
    real, attempts = type(bucket).get_file, list[str]()

    def cut_off(self: Any, name: str, target: str) -> None:
        real(self, name, target)
        attempts.append(name)
        if len(attempts) % 3:
            Path(target).write_bytes(Path(target).read_bytes()[:-1])

    monkeypatch.setattr(type(bucket), "get_file", cut_off)
    monkeypatch.setattr(source_module, "PAUSES", (0.0, 0.0))
    np.testing.assert_array_equal(load_waveform(dataset / file), load_waveform(plain / file))
    monkeypatch.setattr(source_module, "PAUSES", ())
    size = (plain / recordings(plain)[1]).stat().st_size
    with pytest.raises(ConnectionError, match=rf"cannot be reached \({size - 1} of {size} bytes came\): run the same"):
        load_waveform(dataset / recordings(plain)[1])


def test_the_folder_of_another_source_and_a_lost_note(bucket: Any, plain: Path, tmp_path: Path) -> None:
    dataset = linked(tmp_path / "c")
    with pytest.raises(ValueError, match=rf"c holds the recordings of {URL}: choose another `dataset`"):
        link_corpus(dataset, Source("memory://bucket/other"))
    generate_tables(dataset)
    with pytest.raises(ValueError, match="hard links cannot lead there: merge corpora that lie on this disk"):
        merge_datasets([plain, dataset], tmp_path / "merged")
    link = find(dataset / recordings(dataset)[0])
    source_module._opened.cache_clear()
    for damage in (b"{}", b"\xff", b"[]", b'{"url": 5, "cache_gb": 1}', b'{"url": "bucket", "cache_gb": 1}'):
        (dataset / "source.json").write_bytes(damage)
        with pytest.raises(ValueError, match=r"source\.json is damaged"):
            read_source(dataset)
    (dataset / "source.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"There is no .*source\.json, which says where the recordings"):
        fetched(link)  # type: ignore[arg-type]
