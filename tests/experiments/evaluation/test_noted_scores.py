"""Scores are noted while they are computed, in ever larger steps: what is written grows with the clips alone."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from src.experiments.evaluation import scoring
from src.utils.embeddings import EmbeddingTable

N_CLIPS = 25
WORDS = np.full(N_CLIPS, "x")
TABLE = EmbeddingTable(np.ones(N_CLIPS, int), WORDS, WORDS, WORDS, WORDS, vectors=np.arange(N_CLIPS)[:, None])
STANDIN: Any = SimpleNamespace(provenance={}, scores=lambda part: np.sqrt(part.vectors[:, 0]))


def test_many_scores_are_noted_ever_more_rarely_and_go_on_from_any_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[bytes] = []
    write = scoring.write_json

    def noted(path: Path, content: Any) -> None:
        write(path, content)
        notes.append(path.read_bytes())

    monkeypatch.setattr(scoring, "write_json", noted)
    whole = scoring._noted_scores(STANDIN, TABLE, tmp_path / "whole.json", "of them")
    assert notes == []
    monkeypatch.setattr(scoring, "AT_ONCE", 1)
    assert scoring._noted_scores(STANDIN, TABLE, tmp_path / "note.json", "of them").tolist() == whole.tolist()
    counts = [note.count(b"[") - 1 for note in notes]
    assert counts == [*range(1, 12), 13, 15, 17, 19, 21, 24, 25]
    for note in notes[:]:
        (tmp_path / "note.json").write_bytes(note)
        again = scoring._noted_scores(STANDIN, TABLE, tmp_path / "note.json", "of them")
        assert again.tolist() == whole.tolist()
