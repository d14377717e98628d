"""The task Benchmark: one table on the screen, the same in files, and errors of one line."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from src.experiments.corpus.catalogue import generate_tables
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.trainer import train_model
from src.utils.files import read_json
from tests.conftest import write_corpus
from tests.typed import run_fab

pytestmark = pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only")


@pytest.fixture
def root(project: Path) -> Path:
    train_model(choose_recipe(project / "datasets" / "corpus", Embeddings("lfcc"), "lr"), root=project)
    for name, seed in (("a", 90_000), ("b", 50_000)):
        generate_tables(write_corpus(project / "datasets" / name, people=4, clips=2, seed=seed))
    shutil.rmtree(project / "datasets" / "b" / "real_voices")
    (project / "datasets" / "b" / "real_voices").mkdir()
    generate_tables(project / "datasets" / "b")
    return project


def test_screen_csv_and_json_hold_one_table(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    datasets = f"{root / 'datasets/a'},{root / 'datasets/b'}"
    output = root / "table.json"
    typed = f"Benchmark --run=run0 --datasets={datasets} --threshold-from=a --output={output}"
    assert run_fab(typed, root, monkeypatch) == 0
    said = capsys.readouterr().out
    assert "corpora of one class: that of a" in said
    assert f"Written to {root / 'runs/run0/benchmark'}. Next: fab ReportRuns" in said
    rows = read_json(output)
    assert [row["corpus"] for row in rows if not row["system"]] == ["a", "b"]
    assert rows == read_json(root / "runs/run0/benchmark/benchmark.json")
    table = pd.read_csv(root / "runs/run0/benchmark/benchmark.csv")
    assert table["eer"].notna().tolist() == [row["eer"] is not None for row in rows]
    assert rows[-1]["threshold_from"] == "a"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--run=run0", "--datasets takes one corpus or more"),
        ("--run=run0 --datasets=nowhere", "There is no folder"),
        ("--run=run7 --datasets=DATASETS/a", "There is no run 7"),
        (
            "--run=run0 --datasets=DATASETS/a --threshold-from=c",
            "--threshold-from must be one of the corpora (a), not 'c'",
        ),
    ],
)
def test_errors_are_one_line(
    flags: str, said: str, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_fab(f"Benchmark {flags.replace('DATASETS', str(root / 'datasets'))}", root, monkeypatch) == 2
    assert said in "".join(capsys.readouterr())
