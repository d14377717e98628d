"""Which corpus a run was trained on: by path and digest, for runs of the first edition by what they noted."""

from pathlib import Path

import pytest

from src.experiments.runs.commands import corpus_of, how_to_train_again, next_command
from src.experiments.runs.lineage import corpus_path, describe_corpus, first_source, is_same_corpus
from src.experiments.runs.names import RunName
from src.utils.files import write_json

ROOT = Path("/project")
INPUTS = {"corpus": "release", "backbone": "lfcc", "classifier": "svm", "seed": 7}


def noted(path: str, digest: str | None = "d1") -> dict:
    return {"data": {"corpus": describe_corpus(path, digest)}}


def first_edition(command: str, digest: str = "d1") -> dict:
    return {"data": {"embeddings": {"downstream_train": {"corpus_digest": digest}}}, "command": command}


@pytest.mark.parametrize(
    ("path", "digest", "same"),
    [
        ("/a/release", "d1", True),
        ("/a/release", "d2", True),  # split anew
        ("/a/release", None, True),
        ("/b/release", "d1", True),  # moved, or copied
        ("/b/release", "d2", False),
        ("/b/release", None, False),
        ("/a/other", "d2", False),
    ],
)
def test_a_corpus_is_known_by_path_or_digest(path: str, digest: str | None, same: bool) -> None:
    assert is_same_corpus(Path(path), digest, INPUTS, noted("/a/release"), ROOT) is same


def test_a_link_to_a_corpus_is_the_corpus(tmp_path: Path) -> None:
    (tmp_path / "release").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "release")
    assert is_same_corpus(tmp_path / "link", None, INPUTS, noted(str(tmp_path / "release")), ROOT)


@pytest.mark.parametrize(
    ("command", "path", "digest", "same"),
    [
        ("fab TrainModel --dataset=/a/release", "/a/release", "d2", True),
        ("fab TrainModel --dataset=/a/release", "/b/release", "d2", False),
        ("fab TrainModel --dataset=/a/release", "/b/release", "d1", True),
        ("fab TrainModel --dataset=datasets/release", "/b/release", "d2", True),  # only its name is known
        ("fab TrainModel --dataset=datasets/release", "/b/other", "d2", False),
        ("fab 'unclosed", "/b/release", "d2", True),
    ],
)
def test_runs_of_the_first_edition_are_known_by_their_command(command: str, path: str, digest: str, same: bool) -> None:
    assert is_same_corpus(Path(path), digest, INPUTS, first_edition(command), ROOT) is same


def test_the_corpus_of_a_run_is_found_where_it_was(tmp_path: Path) -> None:
    assert corpus_path(INPUTS, noted("/a/release"), tmp_path) == Path("/a/release")
    assert corpus_path(INPUTS, first_edition("fab TrainModel --dataset=/a/release"), tmp_path) == Path("/a/release")
    assert corpus_path(INPUTS, first_edition("fab TrainModel"), tmp_path) == tmp_path / "datasets" / "release"


def test_commands_for_a_corpus_that_lies_elsewhere_can_be_pasted() -> None:
    provenance = noted("/my data/release")
    again = how_to_train_again(INPUTS, Path("h.json"), corpus_of(INPUTS, provenance))
    assert "--dataset='/my data/release'" in again
    unfinished = next_command(RunName.parse("run3"), INPUTS, corpus_of(INPUTS, provenance), finished=False)
    assert unfinished == "fab TrainModel --dataset='/my data/release' --backbone=lfcc --classifier=svm"
    assert next_command(RunName.parse("run3"), INPUTS, "", finished=True) == "fab TestModel --run=run3"


def test_a_derived_corpus_leads_back_to_its_first_source(tmp_path: Path) -> None:
    for name, source in (("release_normalized", "release"), ("release_noisy", "release_normalized")):
        (tmp_path / name).mkdir()
        write_json(tmp_path / name / "recipe.json", {"source": source})
    assert first_source(tmp_path / "release_noisy") == tmp_path / "release"
    assert first_source(tmp_path / "release") == tmp_path / "release"


def test_recipes_that_lead_in_a_circle_or_nowhere_end(tmp_path: Path) -> None:
    for name, recipe in (("a", {"source": "b"}), ("b", {"source": "a"}), ("c", {"source": 3}), ("d", [])):
        (tmp_path / name).mkdir()
        write_json(tmp_path / name / "recipe.json", recipe)
    assert first_source(tmp_path / "a") == tmp_path / "a"
    assert first_source(tmp_path / "c") == tmp_path / "c"
    assert first_source(tmp_path / "d") == tmp_path / "d"
