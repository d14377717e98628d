"""Waveforms as an input: what identifies the recordings, and which clips are read."""

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from src.experiments.inputs import input_of
from src.experiments.inputs.contract import TEST, TRAIN, VAL
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.inputs.parts import Part
from src.experiments.inputs.waveforms import Waveforms
from src.experiments.runs.names import RunName
from src.utils.dataset import reject

SPLITS = ("downstream_train", "downstream_val", "downstream_test")


def test_digests_are_those_of_an_embedding_store_of_the_same_split(project: Path) -> None:
    dataset = project / "datasets" / "corpus"
    waveforms, embeddings = (kind.open(dataset, project) for kind in (Waveforms(), Embeddings("lfcc")))
    for split in SPLITS:
        here, there = waveforms.origin(split), embeddings.origin(split)
        assert (here["corpus_digest"], here["split_digest"]) == (there["corpus_digest"], there["split_digest"])
        assert here["clips"] == there["clips"]
        assert np.array_equal(waveforms.read(split).files, embeddings.read(split).files)


def test_a_changed_recording_changes_the_digest_and_a_missing_one_is_told(project: Path) -> None:
    dataset = project / "datasets" / "corpus"
    opened = Waveforms().open(dataset, project)
    before = opened.identity(*SPLITS)
    path = Path(opened.read("downstream_val").paths[0])
    path.write_bytes(path.read_bytes() + b"more")
    assert opened.identity(*SPLITS) == before  # read once
    opened.check(*SPLITS)
    after = opened.identity(*SPLITS)
    assert after["downstream_val"]["corpus_digest"] != before["downstream_val"]["corpus_digest"]
    assert after["downstream_train"] == before["downstream_train"]
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"1 recordings .* are missing"):
        opened.check(*SPLITS)


def test_rejected_clips_are_left_out(project: Path) -> None:
    dataset = project / "datasets" / "corpus"
    table = Waveforms().open(dataset, project).read("downstream_val")
    reject(dataset, {str(table.files[0]): "silent"})
    again = Waveforms().open(dataset, project)
    assert again.read("downstream_val").files.tolist() == table.files[1:].tolist()
    assert again.origin("downstream_val")["clips"] == len(table) - 1


def test_originals_come_from_the_table_of_sources(project: Path) -> None:
    dataset = project / "datasets" / "corpus"
    table = Waveforms().open(dataset, project).read("downstream_train")
    spoof, original = str(table.files[table.labels == 0][0]), str(table.files[table.labels == 1][0])
    (dataset / "SOURCES.csv").write_text(f"file,system,original\n{spoof},world,{original}\n")
    table = Waveforms().open(dataset, project).read("downstream_train")
    assert dict(zip(table.files, table.originals, strict=True))[spoof] == original
    assert (table.originals != "").sum() == 1


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ({TRAIN: TRAIN, VAL: VAL}, ""),
        ({TRAIN: TRAIN, VAL: TRAIN}, ""),
        ({TRAIN: TEST, VAL: VAL}, "neither in training nor in validation"),
        ({TRAIN: TRAIN, VAL: TEST}, "neither in training nor in validation"),
        ({TRAIN: VAL, VAL: VAL}, "in validation of .* now"),
    ],
)
def test_a_teacher_knows_nobody_whom_its_student_is_judged_by(project: Path, known: dict[str, str], told: str) -> None:
    dataset = project / "datasets" / "corpus"
    opened = Waveforms("run0").open(dataset, project)
    plainly = Waveforms().open(dataset, project)
    people = {split: plainly.read(there).people() for split, there in known.items()}
    teacher = Part(RunName.parse("run0"), project, {}, Waveforms(), {"data": {"people": people}})
    with pytest.raises(ValueError, match=told) if told else nullcontext():
        opened._require_own_people(teacher)


def test_it_is_read_back_from_hyperparameters() -> None:
    assert input_of({"input": "waveforms", "teacher": ""}) == Waveforms()
    assert Waveforms().completed({"teacher": "run3"}, None) == Waveforms("run3")
    with pytest.raises(ValueError, match="embeddings"):
        Waveforms().completed({"input": "embeddings"}, Path("h.json"))
