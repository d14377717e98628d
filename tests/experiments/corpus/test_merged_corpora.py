"""Corpora become one: the same recordings under new names, people apart, nothing copied, nothing changed."""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import joblib
import pandas as pd
import pytest

from src.experiments.corpus.catalogue import add_duration, generate_tables
from src.experiments.corpus.dealing import SplitShares
from src.experiments.corpus.merging import CORPUS, merge_datasets
from src.experiments.corpus.splits import split_dataset
from src.experiments.corpus.transforms import normalize_dataset
from src.utils.classes import read_classes, write_classes
from src.utils.dataset import FILES_TABLE, edit_tables, read_files, read_people, write_tables
from src.utils.segments import SEGMENTS

MakeCorpus = Callable[..., Path]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(autouse=True)
def in_this_process() -> Iterator[None]:
    """Keep all work in the test's own process, where it is quick."""
    with joblib.parallel_config(backend="sequential"):
        yield


@pytest.fixture
def two(make_corpus: MakeCorpus) -> list[Path]:
    """Return two corpora, with people of the same names in both."""
    corpora = [make_corpus("lab", people=4, clips=2), make_corpus("field", people=4, clips=1, seed=5)]
    for corpus in corpora:
        generate_tables(corpus)
    return corpora


def test_every_row_is_there_and_people_are_kept_apart(two: list[Path], tmp_path: Path) -> None:
    made = merge_datasets(two, tmp_path / "both")
    files = read_files(made.folder)
    expected = pd.concat([read_files(corpus).assign(corpus=corpus.name) for corpus in two], ignore_index=True)
    assert files["file"].tolist() == (expected[CORPUS] + "/" + expected["file"]).tolist()
    assert files["speaker"].tolist() == (expected[CORPUS] + "-" + expected["speaker"]).tolist()
    same = ["id", "gender", "label", "system", CORPUS]
    pd.testing.assert_frame_equal(files[same], expected[same])
    assert len(read_people(made.folder)) == made.n_people == 8
    assert made.corpora == ("lab", "field")
    assert str(made) == f"{len(files)} clips of 8 people from lab, field in {tmp_path / 'both'}"


def test_recordings_are_links_and_the_corpora_are_as_before(two: list[Path], tmp_path: Path) -> None:
    before = [contents(corpus) for corpus in two]
    made = merge_datasets(two, tmp_path / "both")
    assert [contents(corpus) for corpus in two] == before
    assert made.n_copied == 0
    for corpus in two:
        for file in read_files(corpus)["file"]:
            assert (made.folder / corpus.name / file).samefile(corpus / file)


def test_a_merged_corpus_outlives_its_parts_and_works_like_any_other(two: list[Path], tmp_path: Path) -> None:
    made = merge_datasets(two, tmp_path / "both")
    for corpus in two:
        corpus.rename(corpus.with_name(f"{corpus.name}-moved"))
    assert add_duration(made.folder).n_rejected == 0
    splits = split_dataset(made.folder, SplitShares(pretext=0, train=0.4, val=0.3), seed=7)
    assert {CORPUS, "duration"} <= set(splits["downstream_test"])
    normal = normalize_dataset(made.folder)
    assert read_files(normal.folder)[CORPUS].tolist() == read_files(made.folder)[CORPUS].tolist()


def test_where_links_are_impossible_recordings_are_copied(
    two: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    made = merge_datasets(two, tmp_path / "both")
    assert made.n_copied == len(read_files(made.folder))
    assert f"{made.n_copied} recordings could not be linked" in made.notes[-1]
    for corpus in two:
        for file in read_files(corpus)["file"]:
            copy = made.folder / corpus.name / file
            assert copy.read_bytes() == (corpus / file).read_bytes()
            assert not copy.samefile(corpus / file)


def test_a_recording_that_is_a_link_itself_is_followed(two: list[Path], tmp_path: Path) -> None:
    clip = two[0] / read_files(two[0])["file"].iloc[0]
    clip.rename(tmp_path / "elsewhere.flac")
    clip.symlink_to(os.path.relpath(tmp_path / "elsewhere.flac", clip.parent))
    made = merge_datasets(two, tmp_path / "both")
    linked = made.folder / read_files(made.folder)["file"].iloc[0]
    assert linked.samefile(tmp_path / "elsewhere.flac")
    assert not linked.is_symlink()


def test_killed_and_run_again_gives_the_same(two: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = contents(merge_datasets(two, tmp_path / "whole").folder)
    really, calls = os.link, []

    def dies_soon(*where: Path) -> None:
        calls.append(where)
        if len(calls) > 5:
            raise KeyboardInterrupt
        really(*where)

    monkeypatch.setattr(os, "link", dies_soon)
    with pytest.raises(KeyboardInterrupt):
        merge_datasets(two, tmp_path / "killed")
    assert not (tmp_path / "killed" / FILES_TABLE).exists()
    monkeypatch.setattr(os, "link", really)
    (tmp_path / "killed" / "lab" / ".half-x.part.flac").write_bytes(b"left by a kill")
    assert contents(merge_datasets(two, tmp_path / "killed").folder) == whole
    add_duration(tmp_path / "killed")
    merge_datasets(two, tmp_path / "killed")
    assert "duration" in read_files(tmp_path / "killed"), "finished work is left alone"


def test_further_columns_are_kept_and_what_was_measured_only_if_all_have_it(two: list[Path], tmp_path: Path) -> None:
    lab = read_files(two[0])
    spoofs = lab["label"] == "spoof"
    write_tables(two[0], lab.assign(system=spoofs.map({True: "world", False: ""}), official="train", source="NA"))
    other = read_files(two[1])
    spoofs = other["label"] == "spoof"
    segments = spoofs.map({True: "0.1-0.2", False: ""})
    write_tables(two[1], other.assign(system=spoofs.map({True: "world", False: ""}), **{SEGMENTS: segments}))
    add_duration(two[1])
    made = merge_datasets(two, tmp_path / "both")
    files = read_files(made.folder)
    assert "duration" not in files
    assert files["official"].tolist() == ["train"] * len(lab) + [""] * len(other)
    assert files["source"].tolist() == ["NA"] * len(lab) + [""] * len(other)
    assert files[SEGMENTS].tolist() == [""] * len(lab) + segments.tolist()
    assert made.notes == (
        "Not every corpus has duration, so the new one has not: measure all clips again.",
        "Systems that several corpora name alike count as one: 1 (world).",
    )
    add_duration(two[0])
    durations = read_files(merge_datasets(two, tmp_path / "measured").folder)["duration"]
    assert (durations == 0.5).all()


def test_originals_of_spoofs_are_renamed_too(two: list[Path], tmp_path: Path) -> None:
    from src.corpora.sources import read_originals

    spoof, real = "fake_voices/Person00_F000_Fake/0_fake.flac", "real_voices/Person00_F000/F000-0000.flac"
    (two[1] / "SOURCES.csv").write_text(f"file,system,original\n{spoof},world,{real}\n")
    generate_tables(two[1])
    made = merge_datasets(two, tmp_path / "both")
    assert read_originals(made.folder) == {f"field/{spoof}": f"field/{real}"}


def test_a_merged_corpus_can_be_merged_and_keeps_its_parts(two: list[Path], make_corpus: MakeCorpus) -> None:
    third = make_corpus("third", people=2, clips=1)
    generate_tables(third)
    both = merge_datasets(two, third.with_name("both")).folder
    made = merge_datasets([both, third])
    assert made.folder == third.with_name("both+third")
    assert made.corpora == ("lab", "field", "third")
    with pytest.raises(ValueError, match=r"^Both both and lab hold the corpus lab: leave one out"):
        merge_datasets([both, two[0]])


def test_corpora_that_do_not_fit_are_refused_in_one_line(two: list[Path], make_corpus: MakeCorpus) -> None:
    lab, field = two
    before = sorted(lab.parent.rglob("*"))
    with pytest.raises(ValueError, match=r"^`datasets` must name two corpora or more"):
        merge_datasets([lab])
    with pytest.raises(ValueError, match=r"^`datasets` names 2 folders called lab"):
        merge_datasets([lab, field, lab.parent / "other" / "lab"])
    with pytest.raises(ValueError, match=r"^`output` must lie outside .*lab, which is only read"):
        merge_datasets(two, lab / "both")
    with pytest.raises(FileNotFoundError, match="make it with fab GenerateDatasetCSV"):
        merge_datasets([lab, make_corpus("bare", people=1)])
    write_classes(field, {1: "word", 0: "noise"})
    with pytest.raises(ValueError, match="classes of lab are bona-fide and spoof, those of field are word and noise"):
        merge_datasets(two)
    (field / "classes.json").unlink()
    (field / "real_voices" / "Person00_F000" / "F000-0000.flac").unlink()
    with pytest.raises(FileNotFoundError, match=r"^1 recordings that .*field/files-metadata.csv lists are missing"):
        merge_datasets(two)
    assert {path for path in lab.parent.rglob("*") if path not in before} == set((lab.parent / "bare").rglob("*")) | {
        lab.parent / "bare"
    }


def test_people_who_would_get_one_name_are_refused(make_corpus: MakeCorpus) -> None:
    row = ["real_voices/x/1.flac", "b-Ana_F001", "F001", "F", "bona-fide", ""]
    corpora = [make_corpus(name, people=1) for name in ("a", "a-b")]
    for corpus, person in zip(corpora, ("b-Ana_F001", "Ana_F001"), strict=True):
        files = pd.DataFrame([row], columns=["file", "speaker", "id", "gender", "label", "system"])
        write_tables(corpus, files.assign(speaker=person))
        (corpus / "real_voices" / "x").mkdir()
        (corpus / "real_voices" / "x" / "1.flac").write_bytes(b"sound")
    with pytest.raises(ValueError, match="hold a person who would be called a-b-Ana_F001"):
        merge_datasets(corpora)


def test_another_merge_in_the_same_folder_is_refused(two: list[Path], tmp_path: Path) -> None:
    made = merge_datasets(two, tmp_path / "both")
    with edit_tables(two[0]) as tables:
        tables.write(read_files(two[0]).iloc[1:])
    with pytest.raises(ValueError, match="was made from other corpora, or their tables changed since"):
        merge_datasets(two, made.folder)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    with pytest.raises(ValueError, match="is not empty and was not made by this step"):
        merge_datasets(two, tmp_path / "full")


def test_classes_of_words_are_kept(two: list[Path], tmp_path: Path) -> None:
    for corpus in two:
        write_classes(corpus, {1: "word", 0: "noise"})
    assert read_classes(merge_datasets(two, tmp_path / "both").folder) == {1: "word", 0: "noise"}


def test_corpora_of_the_same_people_are_refused(two: list[Path]) -> None:
    lab, field = two
    normal = normalize_dataset(lab).folder
    again = normalize_dataset(normal, target_rms=0.05).folder
    for pair, how in (
        ([lab, normal], "^lab_normalized was made from lab, so the same people would stand in both under two names"),
        ([normal, lab], "^lab_normalized was made from lab, so"),
        ([field, lab, again], f"^{again.name} was made from lab, so"),
        ([normal, normalize_dataset(lab, lab.with_name("lab_soft"), target_rms=0.02).folder], "both made from lab"),
        ([merge_datasets(two).folder, normal], r"^lab\+field and lab_normalized were both made from lab,"),
    ):
        with pytest.raises(ValueError, match=how):
            merge_datasets(pair)
    assert merge_datasets([field, normal]).notes == ()


def test_equal_recordings_of_a_copied_corpus_are_told(two: list[Path]) -> None:
    copy = two[0].with_name("copy")
    shutil.copytree(two[0], copy)
    (note,) = merge_datasets([two[0], copy]).notes
    n_clips = len(read_files(copy))
    assert note.startswith(f"{n_clips} recordings are listed more than once, under several people")


@pytest.mark.parametrize("are_copied", [False, True])
def test_a_recording_that_changed_since_is_taken_anew(
    are_copied: bool, two: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    if are_copied:
        monkeypatch.setattr(os, "link", refuse)
    made = merge_datasets(two, tmp_path / "both")
    first, second = (two[0] / file for file in read_files(two[0])["file"].iloc[:2])
    for clip in (second, first):  # the second changes; the first becomes another file of the same bytes
        shutil.copyfile(first, clip.with_suffix(".new"))
        clip.with_suffix(".new").replace(clip)
    again = merge_datasets(two, made.folder)
    assert again.n_copied == are_copied
    assert any(note.startswith("1 recording changed since and was taken anew") for note in again.notes)
    for corpus in two:
        for file in read_files(corpus)["file"]:
            assert (made.folder / corpus.name / file).read_bytes() == (corpus / file).read_bytes()
    assert not any("taken anew" in note for note in merge_datasets(two, made.folder).notes)
