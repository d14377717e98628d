"""Commands in errors name the corpus that the error is about, so that they can be pasted as they are."""

from pathlib import Path
from shlex import quote

import pytest

from src.experiments.corpus.splits import read_split
from src.utils.embeddings import read_meta
from src.utils.paths import RELEASE, on


def test_the_default_corpus_needs_no_flag_and_others_are_quoted() -> None:
    assert on(RELEASE) == ""
    assert on(Path("/data/my corpus")) == " --dataset='/data/my corpus'"


def test_a_split_that_was_not_made_is_made_in_its_own_corpus(tmp_path: Path) -> None:
    corpus = tmp_path / "my corpus"
    corpus.mkdir()
    with pytest.raises(FileNotFoundError) as error:
        read_split(corpus, "downstream_test")
    assert f"fab SplitDataset --dataset={quote(str(corpus))}" in str(error.value)


def test_a_corpus_that_is_not_there_is_not_split(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as error:
        read_split(tmp_path / "nowhere", "downstream_test")
    assert "SplitDataset" not in str(error.value)
    assert str(tmp_path / "nowhere") in str(error.value)


def test_embeddings_that_were_not_made_are_made_of_their_own_corpus(tmp_path: Path) -> None:
    corpus = tmp_path / "my corpus"
    with pytest.raises(FileNotFoundError) as error:
        read_meta(tmp_path / "embeddings" / "lfcc" / "downstream_val", corpus)
    assert f"fab GenerateEmbeddings --backbone=lfcc --splits=downstream_val --dataset={quote(str(corpus))}" in str(
        error.value
    )
