"""What the tasks that compute embeddings say beside their results."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from src.experiments.corpus.catalogue import generate_tables
from src.utils.dataset import read_files
from tests.typed import run_fab


def test_clips_in_no_split_are_counted_aloud(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fault 09, docs/faults.md: clips of people who came after the split are reported."""
    command = "GenerateEmbeddings --dataset=datasets/corpus --backbone=lfcc"
    assert run_fab(command, project, monkeypatch) == 0
    assert "no split" not in capsys.readouterr().out
    dataset = project / "datasets" / "corpus"
    (dataset / "real_voices" / "New_F099").mkdir()
    for number in range(2):
        sound = np.random.default_rng(number).uniform(-0.3, 0.3, 4000)
        soundfile.write(dataset / "real_voices" / "New_F099" / f"F099-{number:04d}.flac", sound, 16_000)
    generate_tables(dataset)
    n_clips = len(read_files(dataset))
    assert run_fab(command, project, monkeypatch) == 0
    output = capsys.readouterr().out
    assert f"Note: 2 of {n_clips} clips " in output
    assert "SplitDataset" in output
