"""Published ASV scores are found where they lie, for the part and the year that they belong to."""

from pathlib import Path

import pytest

from src.corpora.asv_scores import find_asv_scores
from tests.corpora.stand_ins import write_asv_2019, write_asv_2021, write_lines


@pytest.mark.parametrize("start", ["", "LA"])
def test_scores_of_2019_are_found_for_their_part(start: str, tmp_path: Path) -> None:
    write_asv_2019(tmp_path / start)
    found = {part: find_asv_scores(tmp_path, part) for part in ("train", "validation", "test", "hidden", "")}
    assert [part for part, asv in found.items() if asv] == ["validation", "test"]
    assert found["test"].year == 2019
    assert ".eval." in found["test"].scores.name
    asv = found["test"].read()
    assert asv.target.tolist() == [3.0, 4.0, 5.0]
    assert asv.nontarget.tolist() == [0.0, 1.0, 2.0]
    assert asv.spoof.tolist() == [1.0, 4.0]


def test_scores_of_2021_are_joined_line_by_line_and_eval_alone_counts(tmp_path: Path) -> None:
    write_asv_2021(tmp_path)
    assert find_asv_scores(tmp_path, "validation") is None
    found = find_asv_scores(tmp_path, "test")
    assert found is not None
    assert found.year == 2021
    asv = found.read()
    assert asv.target.tolist() == [3.0, 4.0, 5.0]
    assert asv.nontarget.tolist() == [0.0, 1.0, 2.0]
    assert asv.spoof.tolist() == [1.0, 4.0]


def test_a_corpus_without_scores_has_none(tmp_path: Path) -> None:
    assert find_asv_scores(tmp_path, "test") is None
    write_lines(tmp_path / "keys/LA/ASV/ASVTorch_Kaldi/score.txt", ["a b 1.0"])
    assert find_asv_scores(tmp_path, "test") is None, "the kinds of the trials are missing"


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    write_asv_2021(tmp_path)
    found = find_asv_scores(tmp_path, "test")
    assert found is not None
    lines = found.scores.read_text().splitlines()
    write_lines(found.scores, lines[:-1])
    with pytest.raises(ValueError, match=r"score.txt has 8 trials and .*trial_metadata.txt 9: take both of one key"):
        found.read()
    write_lines(found.scores, [*lines[:-1], "LA_1 LA_E_1 high"])
    with pytest.raises(ValueError, match=r"score.txt: .*high"):
        found.read()
    write_lines(found.scores, ["one"])
    with pytest.raises(ValueError, match=r"score.txt cannot be read as a table"):
        found.read()
