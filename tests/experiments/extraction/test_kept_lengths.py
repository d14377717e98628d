"""Headers of recordings in storage over a network are read once; those of files on the disk as ever."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from src.experiments.extraction import kept_lengths
from src.experiments.extraction.kept_lengths import lengths_of
from src.experiments.extraction.readers import Length

KNOWN = {"a.m4a": Length(7, 44_100, in_one_pass=True), "b.flac": Length(9, 16_000), "c.wav": Length(reason='cut, "so"')}
PRINTS = {file: f"print of {file}" for file in KNOWN}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return the files whose headers were read, call by call."""
    calls: list[list[str]] = []

    def read_lengths(dataset: Path, files: Sequence[str]) -> dict[str, Length]:
        calls.append(list(files))
        return {file: KNOWN[file] for file in files}

    monkeypatch.setattr(kept_lengths, "read_lengths", read_lengths)
    return calls


def test_on_a_disk_nothing_is_kept(tmp_path: Path, read: list[list[str]]) -> None:
    for _ in range(2):
        assert lengths_of(tmp_path, list(KNOWN), PRINTS) == KNOWN
    assert (read, list(tmp_path.iterdir())) == ([list(KNOWN)] * 2, [])


def test_each_header_is_read_once_and_again_when_its_recording_changed(
    tmp_path: Path, read: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_lengths, "AT_ONCE", 2)
    (tmp_path / "source.json").write_text("{}")
    assert lengths_of(tmp_path, ["c.wav"], PRINTS) == {"c.wav": KNOWN["c.wav"]}
    assert lengths_of(tmp_path, list(KNOWN), PRINTS) == KNOWN
    assert lengths_of(tmp_path, list(KNOWN), {**PRINTS, "b.flac": "another"}) == KNOWN
    assert read == [["c.wav"], ["a.m4a", "b.flac"], ["b.flac"]]


def test_a_damaged_table_is_named(tmp_path: Path, read: list[list[str]]) -> None:
    (tmp_path / "source.json").write_text("{}")
    (tmp_path / "lengths.csv").write_text("file,rate\na,1\n")
    with pytest.raises(ValueError, match=r"lengths\.csv has no column fingerprint, frames, .* delete it"):
        lengths_of(tmp_path, ["b.flac"], PRINTS)
