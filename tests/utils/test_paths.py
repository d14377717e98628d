"""Typed paths are relative to the current folder; stores and runs are where the documents say."""

import re
import shutil
from pathlib import Path

import pytest

from src.utils.paths import ROOT, absolute, claim_embeddings, embeddings_folder, runs_folder


def test_the_root_is_where_the_tasks_are() -> None:
    assert (ROOT / "fabfile.py").is_file()


@pytest.mark.parametrize("typed", ["corpus", "./corpus", "other/../corpus", "corpus/"])
def test_typed_paths_are_taken_from_where_the_user_stands(
    typed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute(typed) == tmp_path / "corpus"


def test_absolute_paths_and_home_folders_stay_what_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert absolute(str(tmp_path / "a b")) == tmp_path / "a b"
    assert absolute("~/corpus") == tmp_path / "home" / "corpus"


def test_a_link_keeps_the_name_that_its_user_gave_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "disk7").mkdir()
    (tmp_path / "corpus").symlink_to(tmp_path / "disk7")
    monkeypatch.chdir(tmp_path)
    assert absolute("corpus").name == "corpus"


def test_stores_and_runs_lie_where_the_documents_say(tmp_path: Path) -> None:
    store = embeddings_folder(tmp_path, Path("anywhere/corpus"), "lfcc", "downstream_val")
    assert store == tmp_path / "embeddings" / "corpus" / "lfcc" / "downstream_val"
    assert runs_folder(tmp_path) == tmp_path / "runs"


def test_two_corpora_of_one_name_share_no_store(tmp_path: Path) -> None:
    first, second = (tmp_path / site / "release" for site in ("a", "b"))
    for corpus in (first, second):
        corpus.mkdir(parents=True)
        claim_embeddings(tmp_path, corpus)
    usual = tmp_path / "embeddings" / "release" / "lfcc" / "downstream_val"
    assert embeddings_folder(tmp_path, first, "lfcc", "downstream_val") == usual
    other = embeddings_folder(tmp_path, second, "lfcc", "downstream_val")
    assert re.fullmatch(
        "release-[0-9a-f]{8}/lfcc/downstream_val", other.relative_to(tmp_path / "embeddings").as_posix()
    )
    assert other == embeddings_folder(tmp_path, second, "lfcc", "downstream_val"), "and always the same one"


def test_a_name_belongs_to_its_first_corpus_while_that_is_there(tmp_path: Path) -> None:
    first, second = (tmp_path / site / "release" for site in ("a", "b"))
    for corpus in (first, second):
        corpus.mkdir(parents=True)
    claim_embeddings(tmp_path, first)
    claim_embeddings(tmp_path, second)
    usual = tmp_path / "embeddings" / "release"
    assert (usual / "corpus.txt").read_text() == "a/release", "who comes second does not take it"
    (tmp_path / "c").symlink_to(first.parent)
    assert embeddings_folder(tmp_path, tmp_path / "c" / "release", "lfcc").parent == usual, "the same by another way"
    (tmp_path / "a").rename(tmp_path / "moved")
    assert embeddings_folder(tmp_path, tmp_path / "moved" / "release", "lfcc").parent == usual, "nobody else is there"


def test_a_copied_project_finds_its_stores_while_the_original_is_there(tmp_path: Path) -> None:
    for root in (tmp_path / "project", tmp_path / "copy"):
        (root / "datasets" / "release").mkdir(parents=True)
    claim_embeddings(tmp_path / "project", tmp_path / "project" / "datasets" / "release")
    shutil.copytree(tmp_path / "project" / "embeddings", tmp_path / "copy" / "embeddings")
    found = embeddings_folder(tmp_path / "copy", tmp_path / "copy" / "datasets" / "release", "lfcc")
    assert found == tmp_path / "copy" / "embeddings" / "release" / "lfcc"
