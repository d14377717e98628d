"""RTTM files: what is written is read back, whatever the files are called; a wrong line is told."""

from pathlib import Path

import numpy as np
import pytest

from src.utils.rttm import read_rttm, write_rttm

NAMES = ["a.wav", "my clip.wav", "50 %20.wav", "tab\tand\nline.wav", "café\u2003wide.wav", "folder/b c.wav", "<NA>"]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    spans = {name: np.sort(rng.uniform(0, 60, 6)).round(6).reshape(3, 2) for name in NAMES}
    write_rttm(tmp_path / "found.rttm", spans)
    found = read_rttm(tmp_path / "found.rttm")
    assert list(found) == NAMES
    for name in NAMES:
        np.testing.assert_array_equal(found[name], spans[name])


def test_every_line_has_ten_fields(tmp_path: Path) -> None:
    write_rttm(tmp_path / "found.rttm", {name: [(0, 1), (2, 2.5)] for name in NAMES})
    lines = (tmp_path / "found.rttm").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2 * len(NAMES)
    assert all(len(line.split()) == 10 for line in lines)
    assert lines[1] == "SPEAKER a.wav 1 2.000000 0.500000 <NA> <NA> spoof <NA> <NA>"


def test_a_clip_without_spans_has_no_line(tmp_path: Path) -> None:
    write_rttm(tmp_path / "found.rttm", {"a.wav": []})
    assert (tmp_path / "found.rttm").read_text() == ""
    assert read_rttm(tmp_path / "found.rttm") == {}


def test_other_kinds_of_lines_and_another_order_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.rttm").write_text(
        "SPKR-INFO a 1 <NA> <NA> <NA> unknown spoof <NA> <NA>\n\n"
        "SPEAKER a 1 2 0.5 <NA> <NA> spoof <NA> <NA>\nSPEAKER a 1 0.5 1 <NA> <NA> spoof <NA> <NA>\n"
    )
    assert read_rttm(tmp_path / "x.rttm")["a"].tolist() == [[0.5, 1.5], [2, 2.5]]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("SPEAKER my clip 1 0 1 <NA> <NA> spoof <NA> <NA>", "line 1: a line has 10 fields, .* not 11"),
        ("SPEAKER a 1 0 1 <NA> <NA> Ana <NA> <NA>", "line 1: 'Ana' stands where spoof is expected"),
        ("SPEAKER a 1 x 1 <NA> <NA> spoof <NA> <NA>", "line 1: onset and duration must be numbers, not x and 1"),
        ("SPEAKER a 1 1 0 <NA> <NA> spoof <NA> <NA>", r"x\.rttm: A span must end after its start"),
    ],
)
def test_a_line_that_cannot_be_read_is_told(line: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "x.rttm").write_text(f"{line}\n")
    with pytest.raises(ValueError, match=complaint):
        read_rttm(tmp_path / "x.rttm")


def test_what_cannot_be_written_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs a name"):
        write_rttm(tmp_path / "x.rttm", {"": [(0, 1)]})
    with pytest.raises(ValueError, match="must not overlap"):
        write_rttm(tmp_path / "x.rttm", {"a": [(0, 1), (0.5, 2)]})
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError, match=r"There is no RTTM file .*x\.rttm"):
        read_rttm(tmp_path / "x.rttm")
