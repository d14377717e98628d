"""fab Predict as it is typed: table, files, pictures, exit codes, and errors of one line."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from src.experiments.inputs.embeddings import Embeddings
from src.experiments.runs.artefacts import read_scores
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.trainer import train_model
from src.utils.files import read_json
from tests.typed import run_fab

pytestmark = pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only")


@pytest.fixture(scope="module")
def trained_once(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with a tested run and one whose weights are gone; not to be changed."""
    root = Path(shutil.copytree(prepared, tmp_path_factory.mktemp("predicting") / "project"))
    with pytest.MonkeyPatch.context() as patch:
        for place in ("training.trainer", "evaluation.evaluate"):
            patch.setattr(f"src.experiments.{place}.save_figure", lambda *_: None)
        train_model(choose_recipe(root / "datasets" / "corpus", Embeddings("lfcc"), "lr"), root=root)
        assert run_fab("TestModel --run=run0", root, patch) == 0
    shutil.copytree(root / "runs" / "run0", root / "runs" / "run1")
    (root / "runs" / "run1" / "model.safetensors").unlink()
    (root / "quiet").mkdir()
    (root / "bad").mkdir()
    (root / "bad" / "text.wav").write_text("no sound")
    (root / "bad" / "empty.mp3").touch()
    soundfile.write(root / "bad" / "nothing.flac", np.empty(0), 16_000)
    (root / "list.txt").write_text("\n")
    return root


def test_the_answers_are_those_of_the_test_on_the_screen_and_in_files(
    trained_once: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    table = read_scores(trained_once / "runs" / "run0")
    files = [f"datasets/corpus/{file}" for file in table["file"]]
    csv, json = tmp_path / "answers.csv", tmp_path / "answers.json"
    typed = f"Predict --run=run0 --files={','.join(files)} --prior=0.2"
    assert run_fab(f"{typed} --output={csv}", trained_once, monkeypatch) == 0
    said = capsys.readouterr().out
    assert "for a prior of 0.2" in said
    assert f"Written to {csv}." in said
    written = pd.read_csv(csv, keep_default_na=False)
    np.testing.assert_allclose(written["score"], table["score"], rtol=1e-13)
    assert written["far"].between(0, 100).all()
    assert written[["p_spoof", "p_bona_fide"]].gt(0).all(axis=None), (
        "a score beyond all of validation is rare, not impossible"
    )
    by_score = written.sort_values("score")
    assert by_score["p_bona_fide"].is_monotonic_increasing and by_score["p_spoof"].is_monotonic_decreasing
    assert run_fab(f"{typed} --output={json} --reject=0.3", trained_once, monkeypatch) == 0
    answers = read_json(json)
    assert (answers["run"], answers["prior"], answers["promised_error"]) == ("run0", 0.2, 0.3)
    assert [row["score"] for row in answers["files"]] == written["score"].tolist()
    assert {row["decision"] for row in answers["files"]} <= {"bona fide", "spoof", "uncertain"}


def test_bad_files_are_named_the_others_go_on_and_the_exit_code_says_so(
    trained_once: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    good = next((trained_once / "datasets" / "corpus").rglob("*.flac"))
    pictures = tmp_path / "pictures"
    typed = f"Predict --run=run0 --files=bad,gone.wav,{good} --picture={pictures}"
    assert run_fab(typed, trained_once, monkeypatch) == 2
    said = capsys.readouterr()
    lines = {
        name: line
        for line in said.out.splitlines()
        for name in ("text.wav", "empty.mp3", "nothing.flac")
        if name in line
    }
    assert all(" error " in line for line in lines.values())
    assert len(lines) == 3
    assert "there is no such file" in said.out
    assert said.err.strip() == "Predict: 4 of 5 files could not be judged."
    assert [picture.name for picture in pictures.iterdir()] == [f"{good.name}.png"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--files=datasets", "Which run?"),
        ("--run=run7 --files=datasets", "There is no run 7"),
        ("--run=svm_study0 --files=datasets", "There is no study 0 of svm"),
        ("--run=run1 --files=datasets", "has no weights any more"),
        ("--run=run0", "Which recordings? Give --files"),
        ("--run=run0 --files=quiet", "quiet holds no recording"),
        ("--run=run0 --files=*.aac", "--files: nothing matches *.aac"),
        ("--run=run0 --files=list.txt", "names no recording"),
        ("--run=run0 --files=datasets --prior=1", "--prior must lie between 0 and 1"),
        ("--run=run0 --files=datasets --prior=half", "--prior must be a number"),
        ("--run=run0 --files=datasets --reject=0.7", "--reject is the error rate"),
        ("--run=run0 --files=datasets --output=a.txt", "--output must end in .csv or .json"),
        ("--run=run0 --files=datasets --picture=list.txt", "--picture must be a folder"),
        ("--run=run0 --files=datasets --device=tpu", "Unknown device 'tpu'"),
        ("--run=cross0 --files=datasets", "cross0"),
    ],
)
def test_errors_are_one_line(
    flags: str, said: str, trained_once: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_fab(f"Predict {flags}", trained_once, monkeypatch) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert "\n" not in told.err.strip()
