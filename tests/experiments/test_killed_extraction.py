"""A real process, really killed: what it leaves behind is taken up by the next one."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from src.backbones.lfcc import Lfcc
from src.experiments.extraction import extract
from src.utils.embeddings import layer_file, load_embeddings, read_journal
from src.utils.paths import embeddings_folder

SPLIT = "downstream_train"
EXTRACT_AND_HANG = """
import sys, threading
from pathlib import Path
from types import SimpleNamespace
from src.backbones import lfcc
from src.experiments.extraction import extract
from src.utils import embedding_store

def hang(*_, **__):
    print("hanging", flush=True)
    threading.Event().wait()

class Hanging(lfcc.Lfcc):
    calls = 0
    def statistics(self, waveforms):
        self.calls += 1
        if self.calls == 6:
            if sys.argv[3] == "computing":
                hang()
            embedding_store.csv = SimpleNamespace(writer=hang)  # vectors are written, their line is not
        return super().statistics(waveforms)

extract(Path(sys.argv[1]), "downstream_train", Hanging(), "lfcc", root=Path(sys.argv[2]), batch_seconds=0.001)
"""


@contextmanager
def hanging_extraction(dataset: Path, root: Path, moment: str) -> Iterator[None]:
    """Run an extraction that stops moving at its sixth clip; kill it at the end."""
    command = [sys.executable, "-c", EXTRACT_AND_HANG, str(dataset), str(root), moment]
    repository = Path(__file__).resolve().parents[2]
    with subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "hanging\n"
            yield
        finally:
            process.kill()
    assert process.returncode == -9


@pytest.mark.parametrize("moment", ["computing", "writing"])
def test_a_killed_extraction_is_taken_up_by_the_next(prepared: Path, tmp_path: Path, moment: str) -> None:
    """Fault 7: no resume. While the first process lives, a second is refused."""
    dataset = prepared / "datasets" / "corpus"
    undisturbed = embeddings_folder(prepared, dataset, "lfcc", SPLIT)
    with hanging_extraction(dataset, tmp_path, moment):
        with pytest.raises(ValueError, match=r"Another process is writing .*; wait for it to end"):
            extract(dataset, SPLIT, Lfcc(), "lfcc", root=tmp_path)
        with pytest.raises(FileNotFoundError, match="are not finished: go on with fab GenerateEmbeddings"):
            load_embeddings(embeddings_folder(tmp_path, dataset, "lfcc", SPLIT))
    folder = embeddings_folder(tmp_path, dataset, "lfcc", SPLIT)
    assert len(read_journal(folder)) == 5
    assert layer_file(folder, 0).stat().st_size == {"computing": 5, "writing": 6}[moment] * 2 * 120 * 4
    made = extract(dataset, SPLIT, Lfcc(), "lfcc", root=tmp_path)
    assert made.n_computed == made.n_clips - 5
    for pooling in ("mean", "std"):
        found, expected = (load_embeddings(each, pooling=pooling) for each in (folder, undisturbed))
        np.testing.assert_array_equal(found.vectors, expected.vectors)
        assert found.files.tolist() == expected.files.tolist()
        assert found.labels.tolist() == expected.labels.tolist()
    assert (folder / "meta.json").read_text() == (undisturbed / "meta.json").read_text()
