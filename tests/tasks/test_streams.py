"""The task Stream: events as lines of JSON, scores of the run's judge, suspicious sound that the pipeline trains on."""

import io
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

from src.audio.io import SPEECH_RATE, load_stretch, load_waveform
from src.deploy.judge import open_judge
from src.experiments.runs.names import RunName
from src.experiments.training.trained import read_trained
from src.utils.dataset import read_files
from tests.typed import run_fab

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),
    pytest.mark.usefixtures("one_thread"),
]
SETTINGS = "--window=0.5 --hop=0.25 --least=0.25"


@pytest.fixture(scope="module")
def root(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with a run, and with calls in which bona fide speech and spoofs follow each other."""
    root = Path(shutil.copytree(prepared, tmp_path_factory.mktemp("streamed") / "project"))
    corpus = root / "datasets" / "corpus"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("src.experiments.training.trainer.save_figure", lambda *_: None)
        assert run_fab("TrainModel --dataset=datasets/corpus --backbone=lfcc --classifier=lr", root, patch) == 0
    for number, test in enumerate(("downstream_test", "downstream_val")):
        files = pd.read_csv(corpus / "splits" / "by_file" / f"files-{test}.csv")
        sounds = {
            label: [load_waveform(corpus / file) for file in files["file"][files["label"] == label][:6]]
            for label in ("bona-fide", "spoof")
        }
        call = np.concatenate([*sounds["bona-fide"], *sounds["spoof"], *sounds["bona-fide"]])
        soundfile.write(root / f"call{number}.wav", call, SPEECH_RATE, subtype="PCM_16")
    return root


def streamed(
    flags: str, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[list[dict[str, Any]], str]:
    """Return the events of a stream, and what was said besides."""
    capsys.readouterr()
    assert run_fab(f"Stream --run=run0 {flags}", root, monkeypatch) == 0
    output, said = capsys.readouterr()
    return [json.loads(line) for line in output.splitlines()], said


def test_scores_are_the_judges_of_the_same_windows_cut_from_the_file(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    events, said = streamed(f"--input=call0.wav {SETTINGS}", root, monkeypatch, capsys)
    trained = read_trained(root, RunName.parse("run0"))
    judge = open_judge(trained, root=root)
    windows = [event for event in events if event["event"] == "window"]
    assert len(windows) == 4 * 9 - 1
    for event in windows:
        start, end = (round(event[side] * SPEECH_RATE) for side in ("start", "end"))
        assert event["score"] == judge.score([load_stretch(root / "call0.wav", start, end)])[0]
    begin, end = events[0], events[-1]
    assert (begin["event"], begin["run"], begin["enter"]) == ("begin", "run0", trained.threshold)
    assert (end["event"], end["alarms"], end["seconds"]) == ("end", 1, 9)
    (alarm,) = (event for event in events if event["event"] == "leave")
    assert alarm["start"] == pytest.approx(3, abs=0.5)
    assert alarm["end"] == pytest.approx(6, abs=0.5)
    assert "run0 listens to call0.wav: an alarm below" in said
    assert "Heard 9.0 s up to its end: 1 alarm" in said


@pytest.mark.parametrize("raw", [True, False])
def test_a_pipe_gives_the_events_of_the_file(
    raw: bool, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    expected, _ = streamed(f"--input=call0.wav {SETTINGS}", root, monkeypatch, capsys)
    content = (root / "call0.wav").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content[44:] if raw else content)))
    flags = "--rate=16000 --channels=1" if raw else ""
    events, _ = streamed(f"--input=- {flags} {SETTINGS}", root, monkeypatch, capsys)
    assert events[1:] == expected[1:]
    assert events[0] == {**expected[0], "input": "stdin"}


@pytest.mark.filterwarnings("ignore:kept has too few people with bona fide clips")
def test_suspicious_sound_becomes_a_corpus_that_is_trained_on(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    root = Path(shutil.copytree(root, tmp_path / "project"))
    monkeypatch.setattr("src.experiments.training.trainer.save_figure", lambda *_: None)
    for call in ("call0.wav", "call1.wav"):
        flags = f"--input={call} --log-suspicious=kept --enter=9 --leave=10 {SETTINGS}"  # all of it is suspicious
        events, said = streamed(flags, root, monkeypatch, capsys)
        assert events[-1]["kept"] == 1
    assert "1 clips are in" in said
    layout = "GenerateDatasetCSV --dataset=kept --layout=generic --table=kept/suspicious.csv"
    assert run_fab(layout, root, monkeypatch) == 2
    assert "suspicious.csv, line 2: '' is not a label" in "".join(capsys.readouterr())
    table = pd.read_csv(root / "kept" / "suspicious.csv")
    table.assign(label=["spoof", "bona-fide"]).to_csv(root / "kept" / "suspicious.csv", index=False)  # a human listened
    for task in (
        layout,
        "MergeDatasets --datasets=datasets/corpus,kept --output=both",
        "SplitDataset --dataset=both --train=0.7 --val=0.15 --pretext=0",
        "GenerateEmbeddings --dataset=both --backbone=lfcc",
        "TrainModel --dataset=both --backbone=lfcc --classifier=lr",
        "TestModel --run=run1",
    ):
        assert run_fab(task, root, monkeypatch) == 0, capsys.readouterr()
    files = read_files(root / "both").set_index("file")
    kept = files[files["corpus"] == "kept"]
    assert kept["label"].tolist() == ["spoof", "bona-fide"]
    assert kept["speaker"].nunique() == 2
    assert kept["lowest"].tolist() == [f"{score:.4f}" for score in table["lowest"]]
    split = pd.concat(
        pd.read_csv(root / "both" / "splits" / "by_file" / f"files-downstream_{part}.csv")
        for part in ("train", "val", "test")
    )
    assert set(kept.index) <= set(split["file"])


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("", "Give --input a recording, microphone, or - for a pipe"),
        ("--input=nowhere.wav", "There is no recording"),
        ("--input=datasets", "There is no recording"),
        ("--input=call0.wav --run=run7", "There is no run 7"),
        ("--input=text.wav", "text.wav cannot be used: unreadable"),
        ("--input=empty.wav", "empty.wav cannot be used: empty (no samples)"),
        ("--input=call0.wav --rate=8000", "--rate and --channels belong to raw samples from a pipe"),
        ("--input=call0.wav --hop=5", "--hop must be above 0 and at most the window of 4 s"),
        ("--input=call0.wav --enter=much", "--enter must be a number, not 'much'"),
        ("--input=call0.wav --enter=1 --leave=0", "--leave must be --enter or more"),
        ("--input=call0.wav --log-suspicious=datasets", "is not empty and holds no suspicious.csv"),
        ("--input=call0.wav --device=gpu", "gpu"),
        ("--input=microphone", "--input=microphone needs the package sounddevice"),
        ("--input=-", "--input carries no sound at all"),
        (
            "--input=call0.wav --window=0.01 --hop=0.01",
            "--window of 0.01 s is too short for run0: too short (160 samples",
        ),
        ("--input=call0.wav --model=nowhere", "run0 takes no --model"),
    ],
)
def test_errors_are_one_line(
    flags: str, said: str, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "text.wav").write_text("no sound")
    soundfile.write(root / "empty.wav", np.empty(0), SPEECH_RATE)
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    run = "" if "--run=" in flags else "--run=run0"
    assert run_fab(f"Stream {run} {flags}", root, monkeypatch) == 2
    output, error = capsys.readouterr()
    assert output == ""
    assert said in error
    assert len([line for line in error.splitlines() if line.startswith("Stream: ")]) == 1


def test_a_name_that_no_screen_can_show_is_written_in_numbers(
    root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    name = os.fsdecode(b"caf\xe9\x1b[31m.wav")
    shutil.copy(root / "call0.wav", root / name)
    assert (
        run_fab(f"Stream --run=run0 --input={name} {SETTINGS} --enter=9 --log-suspicious=odd", root, monkeypatch) == 0
    )
    output, said = capfd.readouterr()
    assert json.loads(output.splitlines()[0])["input"] == "caf\\xe9\\x1b[31m.wav"
    assert "listens to caf\\xe9\\x1b[31m.wav" in said
    (root / name).write_text("no sound")
    assert run_fab(f"Stream --run=run0 --input={name}", root, monkeypatch) == 2
    assert "caf\\xe9\\x1b[31m.wav cannot be used" in capfd.readouterr().err
