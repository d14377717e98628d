"""What the documents say is true: tasks, flags, paths and pins exist."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from fabric import Task
from invoke.loader import FilesystemLoader

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), ROOT / "runs" / "README.md"]
DESIGNED_TASKS = {
    "PrepareDataset",
    "GenerateDatasetCSV",
    "AddDatasetDuration",
    "AddDatasetAmplitude",
    "DatasetInfo",
    "NormalizeDataset",
    "AddNoise",
    "SplitDataset",
    "GenerateEmbeddings",
    "GenerateEmbeddingsWav2vec2",
    "GenerateEmbeddingsHubert",
    "EmbeddingsInfo",
    "VisualizeEmbeddings",
    "VisualizeEmbeddingsUMAP",
    "VisualizeEmbeddingsTSNE",
    "TrainModel",
    "OptimizeHyperparameters",
    "TestModel",
    "CompareRuns",
    "CompareLayers",
    "ReproduceRun",
    "ReportRuns",
    "EvaluateScores",
    "CreateSpoofs",
    "Pipeline",
    "Demo",
}


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    from fabric.main import make_program

    for module in [name for name in sys.modules if name.startswith("src.tasks")]:
        del sys.modules[module]  # parsing a command line takes the texts of its flags away
    program = make_program()
    program.create_config()
    loaded, _ = FilesystemLoader(start=str(ROOT), config=program.config).load("fabfile")
    return {item.name: item for item in vars(loaded).values() if isinstance(item, Task)}


def flags_of(task: Task) -> set[str]:
    return {name for argument in task.get_arguments() for name in argument.names}


def test_the_tasks_are_those_of_the_design(tasks: dict[str, Task]) -> None:
    assert set(tasks) == DESIGNED_TASKS


def test_every_flag_of_every_task_is_explained_and_typed(tasks: dict[str, Task]) -> None:
    for name, task in tasks.items():
        assert (task.__doc__ or "").strip(), name
        for argument in task.get_arguments():
            assert argument.help and len(argument.help) > 4, f"{name} --{argument.name}"
            assert argument.default is not None, f"{name} --{argument.name}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_in_documents_exist(document: Path, tasks: dict[str, Task]) -> None:
    for line in re.findall(r"\bfab ((?:[A-Z]\w+(?: --[\w-]+(?:=\S*)?)*\s?)+)", document.read_text()):
        task = ""
        for word in line.split():
            word = word.strip("`.,;:)")
            if word.startswith("--"):
                assert word[2:].partition("=")[0] in flags_of(tasks[task]), f"{document.name}: fab {line}"
            elif word != "TASK":
                task = word
                assert task in tasks, f"{document.name}: fab {line}"


def test_documents_name_paths_that_exist() -> None:
    for document in DOCUMENTS:
        for path in re.findall(r"`((?:src|tests|runs|benchmarks)/[\w/.]+)`", document.read_text()):
            assert (ROOT / path).exists(), f"{document.name}: {path}"
        for link in re.findall(r"\]\((?!http)([^)#]+)\)", document.read_text()):
            assert (document.parent / link).exists(), f"{document.name}: {link}"


def test_the_file_map_lists_every_room() -> None:
    rooms = {path.name for path in (ROOT / "src").iterdir() if (path / "__init__.py").is_file()}
    assert rooms == set(re.findall(r"`src/(\w+)/`", (ROOT / "README.md").read_text()))


def test_every_requirement_is_pinned_and_says_why() -> None:
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert lines
    for line in lines:
        assert re.fullmatch(r"[\w-]+==[\w.]+\s+# .{10,}", line), line
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert all("==" in requirement for requirement in project["project"]["optional-dependencies"]["dev"])


def test_listing_the_tasks_imports_nothing_heavy() -> None:
    """`fab -l` stays quick because the fabfile imports what a task needs inside the task."""
    heavy = {
        "numpy",
        "pandas",
        "scipy",
        "torch",
        "transformers",
        "librosa",
        "matplotlib",
        "sklearn",
        "optuna",
        "soundfile",
    }
    code = f"import sys, fabfile; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
