"""Scores are noted part by part while they are computed: a kill costs the part under way, whatever it cuts short."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.experiments.evaluation import scoring
from src.utils.clip_table import ClipTable
from src.utils.embeddings import EmbeddingTable

N_CLIPS, AT_ONCE = 25, 4
WORDS = np.full(N_CLIPS, "x")
TABLE = EmbeddingTable(np.ones(N_CLIPS, int), WORDS, WORDS, WORDS, WORDS, vectors=np.arange(N_CLIPS)[:, None])
EXPECTED = np.where(np.arange(N_CLIPS) == 7, np.nan, np.sqrt(np.arange(N_CLIPS)))


class Run:
    """A stand-in for a trained run; it notes which clips it was asked for."""

    def __init__(self, ended: str = "") -> None:
        self.provenance, self.asked = {"ended": ended}, list[int]()

    def scores(self, part: ClipTable) -> np.ndarray:
        clips = part.vectors[:, 0]  # type: ignore[attr-defined]
        self.asked += clips.tolist()
        return EXPECTED[clips]


def scored(run: Any, note: Path, digest: str = "of them") -> np.ndarray:
    return scoring._noted_scores(run, TABLE, note, digest)


@pytest.fixture
def note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the whole note of all scores."""
    monkeypatch.setattr(scoring, "AT_ONCE", AT_ONCE)
    np.testing.assert_array_equal(scored(Run(), tmp_path / "note"), EXPECTED)
    return tmp_path / "note"


def test_a_note_that_was_cut_at_any_byte_is_gone_on_with(note: Path) -> None:
    whole = note.read_bytes()
    for cut in range(len(whole) + 1):
        note.write_bytes(whole[:cut])
        n_noted = max(0, whole[:cut].count(b"\n") - 1) * AT_ONCE
        run = Run()
        np.testing.assert_array_equal(scored(run, note), EXPECTED)
        assert run.asked == list(range(N_CLIPS))[n_noted:]
        assert note.read_bytes() == whole


def test_parts_that_two_processes_have_noted_are_told_apart(note: Path) -> None:
    first, *parts = note.read_text().splitlines(keepends=True)
    note.write_text(first + "".join(part for part in parts[:3] for _ in range(2)))
    run = Run()
    np.testing.assert_array_equal(scored(run, note), EXPECTED)
    assert run.asked == list(range(3 * AT_ONCE, N_CLIPS))


@pytest.mark.parametrize(("ended", "digest"), [("later", "of them"), ("", "of others")])
def test_a_note_of_other_scores_does_not_count(note: Path, ended: str, digest: str) -> None:
    run = Run(ended)
    scored(run, note, digest)
    assert run.asked == list(range(N_CLIPS))


def test_what_is_scored_at_once_is_not_noted(tmp_path: Path) -> None:
    np.testing.assert_array_equal(scored(Run(), tmp_path / "note"), EXPECTED)
    assert not (tmp_path / "note").exists()
