"""The notebooks run from start to end in a fresh kernel, are kept without outputs, and leave everything as it is."""

import ast
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from src.experiments.corpus.cue_table import CUE_TABLE

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "src" / "notebooks"
NAMES = ("CNN_baseline_model", "dataset_exploration", "dataset_normalization", "dataset_split", "run_review")
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
MAX_CELLS, MAX_LINES = 15, 15
ALLOWED_IMPORTS = {"src", "numpy", "pandas", "IPython", "pathlib", "tempfile"}
INSTALL = "notebooks are run by nbclient and ipykernel: pip install -e '.[dev]'"


def read(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def code(name: str) -> list[ast.Module]:
    """Return the code of a notebook, cell by cell, without the lines that speak to IPython."""
    cells = (source(cell) for cell in read(name)["cells"] if cell["cell_type"] == "code")
    return [ast.parse(re.sub(r"(?m)^%.*$", "", text)) for text in cells]


# ---- how they are kept


def test_there_are_five_notebooks() -> None:
    assert sorted(path.name for path in FOLDER.iterdir() if path.suffix) == [f"{name}.ipynb" for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_stripped_and_nothing_depends_on_the_machine(name: str) -> None:
    notebook = read(name)
    assert notebook["metadata"] == METADATA
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    for cell in notebook["cells"]:
        assert cell["metadata"] == ({"tags": ["parameters"]} if cell["id"] == "parameters" else {})
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", one) for one in ids), "ids that say what the cell does"


@pytest.mark.parametrize("name", NAMES)
def test_words_come_before_code_and_cells_are_short(name: str) -> None:
    cells = read(name)["cells"]
    assert len(cells) <= MAX_CELLS
    assert all(len(source(cell).splitlines()) <= MAX_LINES for cell in cells)
    assert [cell["id"] for cell in cells[:2]] == ["title", "parameters"]
    assert source(cells[0]).startswith("# ")
    assert sum(cell["cell_type"] == "markdown" for cell in cells) >= 4


@pytest.mark.parametrize("name", NAMES)
def test_notebooks_import_and_show_and_define_nothing(name: str) -> None:
    for tree in code(name):
        for node in ast.walk(tree):
            assert not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda), "code lives in a room of src"
            modules = [node.module] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert {str(module).split(".")[0] for module in modules} <= ALLOWED_IMPORTS


def test_no_statement_is_written_twice() -> None:
    seen: dict[str, str] = {}
    for name in NAMES:
        for tree in code(name):
            for node in tree.body:
                text = ast.unparse(node)
                if len(text) > 60 and not isinstance(node, ast.Import | ast.ImportFrom):
                    assert text not in seen, f"{name} and {seen[text]}: make it a function of a room"
                    seen[text] = name


# ---- what they do


def parameters_of(text: str) -> list[str]:
    return [target.id for node in ast.parse(text).body if isinstance(node, ast.Assign) for target in node.targets]


def execute(name: str, parameters: str, folder: Path) -> list[dict[str, Any]]:
    """Run a notebook with other parameters, `folder` being where it stands; return its outputs."""
    nbclient = pytest.importorskip("nbclient", reason=INSTALL)
    nbformat = pytest.importorskip("nbformat", reason=INSTALL)
    pytest.importorskip("ipykernel", reason=INSTALL)
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    (cell,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    assert parameters_of(parameters) == parameters_of(cell.source), "the test sets what the notebook lets be changed"
    cell.source = parameters
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def complaints(outputs: list[dict[str, Any]]) -> str:
    """Return what was written to the error stream: warnings, and whatever else nobody expects."""
    return "".join(output["text"] for output in outputs if output.get("name") == "stderr")


def shown(outputs: list[dict[str, Any]], kind: str) -> list[str]:
    return [output["data"][kind] for output in outputs if kind in output.get("data", {})]


def written(outputs: list[dict[str, Any]]) -> str:
    return "".join(output["text"] for output in outputs if output.get("name") == "stdout")


def n_players(outputs: list[dict[str, Any]]) -> int:
    return sum("<audio" in html for html in shown(outputs, "text/html"))


def digests(folder: Path) -> dict[str, str]:
    """Return the digest of every file but of the table of cheap cues, which grows as clips are measured."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != CUE_TABLE)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def state_of_the_repository() -> dict[str, tuple[int, int]]:
    """Return size and time of every file of the repository, but for those that Python and its tools keep."""
    found = {}
    for folder, subfolders, files in os.walk(ROOT):
        subfolders[:] = [name for name in subfolders if not name.startswith(".") and name != "__pycache__"]
        for file in files:
            status = (Path(folder) / file).stat()
            found[f"{folder}/{file}"] = (status.st_size, status.st_mtime_ns)
    return found


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Let kernels import this very `src` and keep their own files in a folder; see that nothing else is written."""
    for name, value in {
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "PYTHONWARNINGS": "ignore:IProgress not found",  # transformers' bars would be widgets, if there were any
        "LOKY_MAX_CPU_COUNT": "1",  # so few clips are measured sooner without worker processes
    }.items():
        monkeypatch.setenv(name, value)
    before = state_of_the_repository()
    (tmp_path / "here").mkdir()
    yield tmp_path / "here"
    assert list((tmp_path / "here").iterdir()) == []
    assert state_of_the_repository() == before


@pytest.fixture(scope="module")
def reviewed(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with two tested runs; not to be changed."""
    from src.experiments.evaluation.evaluate import evaluate_run
    from src.experiments.inputs.embeddings import Embeddings
    from src.experiments.training.recipe import choose_recipe
    from src.experiments.training.trainer import train_model

    root = Path(shutil.copytree(prepared, tmp_path_factory.mktemp("reviewed") / "project"))
    dataset = root / "datasets" / "corpus"
    for pooling in ("mean", "mean+std"):
        run = train_model(choose_recipe(dataset, Embeddings("lfcc", pooling=pooling), "svm"), root=root)
        evaluate_run(run.name, root=root)
    return root


def dataset_of(root: Path) -> str:
    return f"from pathlib import Path\n\nDATASET = Path({str(root)!r}) / 'datasets' / 'corpus'\n"


@pytest.mark.slow
def test_the_exploration_shows_clips_shortcuts_and_a_pair(reviewed: Path, kernel: Path) -> None:
    before = digests(reviewed)
    outputs = execute("dataset_exploration", dataset_of(reviewed), kernel)
    assert complaints(outputs) == ""
    assert len(shown(outputs, "image/png")) == 5
    assert n_players(outputs) == 2
    distances = [row.split()[1:] for row in shown(outputs, "text/plain")[-1].splitlines()[-4:]]
    assert [row[index] for index, row in enumerate(distances)] == ["0.0"] * 4, "two clips of each class, by two"
    assert digests(reviewed) == before


@pytest.mark.slow
def test_the_normalisation_finds_a_shortcut_and_removes_it(reviewed: Path, kernel: Path) -> None:
    before = digests(reviewed)
    settings = "QUIETER = 6.0\nMETHOD = 'rms'\nTARGET_RMS = 0.1\nTRIM = True"
    outputs = execute("dataset_normalization", dataset_of(reviewed) + settings, kernel)
    assert complaints(outputs) == ""
    was, _, is_now = written(outputs).partition("after")
    assert "RMS level alone tells the classes apart" in was
    assert "RMS level" not in is_now
    assert len(shown(outputs, "image/png")) == 4
    assert n_players(outputs) == 2
    assert shown(outputs, "text/plain")[-1].splitlines()[0].split() == ["before", "after"]
    assert digests(reviewed) == before


@pytest.mark.parametrize("was_split", [True, False])
def test_the_split_is_read_or_made_and_nobody_stands_in_two(project: Path, kernel: Path, was_split: bool) -> None:
    folder = project / "datasets" / "corpus" / "splits"
    before = digests(project)
    if not was_split:
        shutil.rmtree(folder)
    settings = (
        "from src.experiments.corpus.splits import SplitShares\n\n"
        "SHARES = SplitShares(pretext=0, train=0.5, val=0.25)\n"
    )
    outputs = execute("dataset_split", dataset_of(project) + settings + "SEED = 7", kernel)
    assert complaints(outputs) == ""
    assert len(shown(outputs, "image/png")) == 4
    common = [
        row.split()[1:] for row in shown(outputs, "text/plain") for row in row.splitlines() if "downstream" in row
    ]
    counts = [list(map(int, row)) for row in common if all(map(str.isdecimal, row))]
    assert len(counts) == 3
    assert sorted(count > 0 for row in counts for count in row) == [False] * 6 + [True] * 3
    assert digests(project) == before, "made with the settings of the project, the split is the same"


def test_the_review_shows_the_newest_run_beside_the_one_before(reviewed: Path, kernel: Path) -> None:
    before = digests(reviewed)
    settings = f"PROJECT = Path({str(reviewed)!r})\nDATASETS = PROJECT / 'datasets'\nRUN = ''\nOTHER = ''"
    outputs = execute("run_review", f"from pathlib import Path\n\n{settings}", kernel)
    assert complaints(outputs) == ""
    assert shown(outputs, "text/plain")[0] == "'run1'"
    assert len(shown(outputs, "image/png")) == 5
    assert "run1 and run0" in written(outputs) or "run0 has a lower EER than run1" in written(outputs)
    assert digests(reviewed) == before


def test_the_review_says_what_makes_a_run_where_there_is_none(prepared: Path, kernel: Path) -> None:
    nbclient = pytest.importorskip("nbclient", reason=INSTALL)
    settings = f"PROJECT = Path({str(prepared)!r})\nDATASETS = PROJECT / 'datasets'\nRUN = ''\nOTHER = ''"
    expected = f"No run in {prepared}/runs was tested: fab Demo "
    with pytest.raises(nbclient.exceptions.CellExecutionError, match=expected):
        execute("run_review", f"from pathlib import Path\n\n{settings}", kernel)


def test_a_warning_is_a_complaint() -> None:
    outputs = [{"name": "stdout", "text": "fine"}, {"name": "stderr", "text": "UserWarning: no"}, {"data": {}}]
    assert complaints(outputs) == "UserWarning: no"


@pytest.mark.slow
def test_the_baseline_is_trained_tested_and_shown(project: Path, kernel: Path) -> None:
    recordings = digests(project / "datasets")
    settings = (
        "from src.experiments.corpus.splits import SplitShares\n\n"
        f"PROJECT = Path({str(project)!r})\nDATASET = PROJECT / 'datasets' / 'corpus'\nSHARES = SplitShares()\n"
        "WEIGHTS = ''\nWINDOW = 1.0\nEPOCHS = 2\nSEED = 7"
    )
    outputs = execute("CNN_baseline_model", f"from pathlib import Path\n\n{settings}", kernel)
    assert complaints(outputs) == ""
    assert "RANDOM weights" in written(outputs)
    assert f"{project / 'runs' / 'run0'}: validation EER" in written(outputs)
    assert len(shown(outputs, "image/png")) == 4
    assert any(row.startswith("eer ") for table in shown(outputs, "text/plain") for row in table.splitlines())
    assert (project / "runs" / "run0" / "test_results.json").is_file()
    assert digests(project / "datasets") == recordings
