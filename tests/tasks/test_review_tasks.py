"""The tasks that look back, as they are typed: what is printed is what was found, and a file is valid JSON."""

import json
from pathlib import Path

import pytest

from src.experiments.evaluation.evaluate import evaluate_run
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.runs.names import RunName
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.trainer import train_model
from src.tasks.run_flags import RunFlags
from src.utils.files import read_json
from tests.typed import run_fab

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),
    pytest.mark.usefixtures("one_thread"),
]


def fab(arguments: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run `fab ARGUMENTS` in this process, in the project `root`."""
    assert run_fab(arguments, root, monkeypatch) == 0


@pytest.fixture
def tested(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a root with two tested runs of different layers."""
    for place in ("training.trainer", "evaluation.evaluate", "training.layers"):
        monkeypatch.setattr(f"src.experiments.{place}.save_figure", lambda *_: None)
    for number in range(2):
        train_model(choose_recipe(drawn / "datasets" / "corpus", Embeddings("hubert", number), "lr"), root=drawn)
        evaluate_run(RunName.parse(f"run{number}"), root=drawn)
    return drawn


def test_runs_are_compared_on_the_screen_and_in_a_file(
    tested: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fab("CompareRuns --runs=run0,run1 --output=deep/comparison.json", tested, monkeypatch)
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed[:3]] == ["run", "run1", "run0"]
    content = json.loads((tested / "deep" / "comparison.json").read_text())
    assert printed[-2] == content["differences"][0]["in_words"]
    assert printed[-1] == f"Written to {tested / 'deep' / 'comparison.json'}."


def test_layers_are_compared(tested: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    fab("CompareLayers --dataset=datasets/corpus --backbone=hubert --classifier=lr --seed=3", tested, monkeypatch)
    assert "at layer 1" in capsys.readouterr().out
    assert read_json(tested / "runs" / "layers0" / "layers.json")["seed"] == 3


@pytest.mark.parametrize("flag", ["--run=run1", "--run-number=1"])
def test_a_run_is_repeated(
    flag: str, tested: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fab(f"ReproduceRun {flag}", tested, monkeypatch)
    printed = capsys.readouterr().out
    assert "test scores: " in printed
    assert printed.splitlines()[-1] == f"Reproduced bit for bit. {tested / 'runs' / 'run1' / 'reproduction'}"


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        (("run0", -1, -1, ""), "run0"),
        (("svm_study0/run3", -1, -1, "mlp"), "svm_study0/run3"),
        (("", 0, -1, "svm"), "run0"),
        (("", 3, 0, "svm"), "svm_study0/run3"),
        (("", -1, 0, "svm"), "svm_study0"),
    ],
)
def test_a_run_is_named_by_its_name_or_its_numbers(flags: tuple[str, int, int, str], name: str) -> None:
    assert str(RunFlags(*flags).name()) == name


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (("", -1, -1, ""), r"Which run\? .*`run=run0`"),
        (("", -1, 0, ""), r"Whose study\? Give `classifier`"),
        (("", 3, 0, ""), r"Whose study\? Give `classifier`"),
        (("run0", 0, -1, ""), "Give `run` alone"),
        (("run0", -1, 0, "svm"), "Give `run` alone"),
        (("best", -1, -1, ""), "'best' is not a run"),
    ],
)
def test_which_run_must_be_said_once(flags: tuple[str, int, int, str], line: str) -> None:
    with pytest.raises(ValueError, match=line):
        RunFlags(*flags).name()
