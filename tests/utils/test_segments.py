"""The column `segments`: what is written is read back, and a wrong cell is told with its row."""

import numpy as np
import pandas as pd
import pytest

from src.utils.segments import format_segments, parse_segments, spoofed_spans


def test_what_is_written_is_read_back() -> None:
    rng = np.random.default_rng(7)
    for n_spans in range(4):
        spans = np.sort(rng.uniform(0, 30, 2 * n_spans)).round(6).reshape(-1, 2)
        np.testing.assert_array_equal(parse_segments(format_segments(spans)), spans)
    assert parse_segments(format_segments([(0.00001, 1e5)])).tolist() == [[0.00001, 1e5]]


@pytest.mark.parametrize("cell", ["0-1;1.5-2", " 0.0 - 1.00 ; 1.5-2.", "0-1;01.5-2"])
def test_blanks_and_zeros_are_no_matter(cell: str) -> None:
    assert parse_segments(cell).tolist() == [[0, 1], [1.5, 2]]


@pytest.mark.parametrize("cell", ["1", "1-", "-1-2", "1-2-3", "1-2;", "1-2,3-4", "a-b", "1e-3-2", "nan-2", "1–2"])
def test_cells_that_cannot_be_read_are_quoted(cell: str) -> None:
    with pytest.raises(ValueError, match=r"`segments` must read start-end;start-end in s, such as .*, not '"):
        parse_segments(cell)


def table(**changes: str) -> pd.DataFrame:
    row = {"label": "spoof", "segments": "0.5-1", "duration": 2.0} | changes
    return pd.DataFrame([{"label": "bona-fide", "segments": "", "duration": 2.0}, row])


def test_an_empty_cell_means_all_of_the_clip() -> None:
    assert [spans.tolist() for spans in spoofed_spans(table(segments=""), "t.csv")] == [[], [[0, 2.0]]]
    without = table().drop(columns="segments")
    assert [spans.tolist() for spans in spoofed_spans(without, "t.csv")] == [[], [[0, 2.0]]]
    unmeasured = table(segments="").drop(columns="duration")
    assert spoofed_spans(unmeasured, "t.csv")[1][0, 1] > 1e6


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"segments": "half"}, r"t\.csv, row 3: `segments` must read"),
        ({"segments": "2-1"}, r"t\.csv, row 3: A span must end after its start"),
        ({"segments": "0-1;0.5-2"}, r"t\.csv, row 3: Spans must be sorted and must not overlap"),
        ({"segments": "1-3"}, r"t\.csv, row 3: `segments` ends at 3 s, and the clip lasts 2 s"),
        ({"label": "bona-fide"}, r"t\.csv, row 3: a bona-fide clip has no spoofed stretches"),
    ],
)
def test_a_wrong_cell_is_told_with_its_row(changes: dict[str, str], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        spoofed_spans(table(**changes), "t.csv")


def test_a_stretch_may_end_a_little_after_a_duration_that_was_rounded() -> None:
    assert spoofed_spans(table(segments="1-2.01"), "t.csv")[1].tolist() == [[1, 2.01]]
