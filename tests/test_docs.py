"""What the documents say is true: tasks, flags, paths and pins exist."""

import ast
import re
import runpy
import subprocess
import sys
import tomllib
import types
from pathlib import Path
from typing import Any

import pytest
from fabric import Task
from invoke.loader import FilesystemLoader
from packaging.requirements import Requirement
from packaging.version import Version

import src

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "runs" / "README.md"]
DESIGNED_TASKS = {
    "PrepareDataset",
    "GenerateDatasetCSV",
    "AddDatasetDuration",
    "AddDatasetAmplitude",
    "DatasetInfo",
    "NormalizeDataset",
    "AddNoise",
    "AugmentDataset",
    "StressTest",
    "AugmentationGallery",
    "SplitDataset",
    "GenerateEmbeddings",
    "GenerateEmbeddingsWav2vec2",
    "GenerateEmbeddingsHubert",
    "EmbeddingsInfo",
    "VisualizeEmbeddings",
    "VisualizeEmbeddingsUMAP",
    "VisualizeEmbeddingsTSNE",
    "TrainModel",
    "TrainDetector",
    "FineTune",
    "OptimizeHyperparameters",
    "TestModel",
    "Benchmark",
    "Trace",
    "Drift",
    "FuseRuns",
    "CompareRuns",
    "CompareLayers",
    "ProbeBackbone",
    "ReproduceRun",
    "ReportRuns",
    "EvaluateScores",
    "ModelCard",
    "ExportArena",
    "ExplainRun",
    "ExportModel",
    "PretrainBackbone",
    "CreateSpoofs",
    "CrossValidate",
    "CutNoise",
    "SpliceSpoofs",
    "MergeDatasets",
    "CheckDataset",
    "Stream",
    "Predict",
    "Pipeline",
    "Demo",
    "Serve",
    "Remote",
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


def packages_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if (path / "__init__.py").is_file()}


def test_the_file_map_lists_every_room_and_every_stage() -> None:
    readme = (ROOT / "README.md").read_text()
    assert packages_in(ROOT / "src") == set(re.findall(r"`src/(\w+)/`", readme))
    assert packages_in(ROOT / "src" / "experiments") == set(re.findall(r"`src/experiments/(\w+)/`", readme))


def test_notebooks_of_ones_own_find_what_the_readme_shows() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    used = {
        node.attr
        for node in ast.walk(ast.parse(example))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "audios"
    }
    assert used == set(src.__all__)


def faults() -> dict[int, list[str]]:
    """Return the test files that docs/faults.md names, by fault."""
    rows = re.findall(r"(?m)^\| (\d\d) \|.*\|(.*)\|$", (ROOT / "docs" / "faults.md").read_text())
    return {int(number): re.findall(r"`([^`]+)`", cell) for number, cell in rows}


def faults_cited_in(test: Path) -> set[int]:
    """Return the numbers in "fault 17" and "Faults 18 and 20"."""
    lists = re.findall(r"\b[Ff]aults? (\d+(?:(?:, | and )\d+)*)", test.read_text())
    return {int(number) for one in lists for number in re.findall(r"\d+", one)}


def test_every_fault_names_tests_that_cite_it() -> None:
    assert list(faults()) == list(range(1, len(faults()) + 1))
    for number, tests in faults().items():
        assert tests, f"fault {number}"
        for test in tests:
            assert number in faults_cited_in(ROOT / test), f"fault {number}: {test}"


def test_every_fault_that_a_test_cites_is_listed() -> None:
    for test in (ROOT / "tests").rglob("test_*.py"):
        assert faults_cited_in(test) <= set(faults()), test


def project_table() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_every_requirement_is_pinned_and_says_why() -> None:
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert lines
    for line in lines:
        assert re.fullmatch(r"[\w-]+==[\w.]+\s+# .{10,}", line), line
    assert all("==" in requirement for requirement in project_table()["optional-dependencies"]["dev"])


def test_every_pin_lies_above_a_lower_bound_of_the_project() -> None:
    pins = [Requirement(line.partition("#")[0]) for line in (ROOT / "requirements.txt").read_text().splitlines()[2:]]
    bounds = [Requirement(line) for line in project_table()["dependencies"]]
    assert [pin.name for pin in pins] == [bound.name for bound in bounds]
    for pin, bound in zip(pins, bounds, strict=True):
        (least,), (exact,) = bound.specifier, pin.specifier
        assert least.operator == ">="
        assert Version(least.version) <= Version(exact.version), bound.name


def test_every_dependency_says_what_it_is_for() -> None:
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    project = project_table()
    listed = [line for line in lines if re.match(r' +"[\w\[\]-]+[>=]=', line)]
    assert len(listed) == len(project["dependencies"]) + sum(map(len, project["optional-dependencies"].values()))
    for line in listed:
        assert re.search(r"# .{5,}", line), line


def test_the_project_is_installed_editable_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Private :: Do Not Upload" in project_table()["classifiers"]
    setuptools: Any = types.ModuleType("setuptools.build_meta")
    editable = ("get_requires_for_build_editable", "prepare_metadata_for_build_editable", "build_editable")
    for hook in (*editable, "build_wheel", "get_requires_for_build_wheel", "build_sdist"):
        setattr(setuptools, hook, object())
    monkeypatch.setitem(sys.modules, "setuptools.build_meta", setuptools)
    build = runpy.run_path(str(ROOT / ".ci" / "editable_only.py"))
    for hook in editable:
        assert build[hook] is getattr(setuptools, hook)
    system = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]
    assert (system["build-backend"], system["backend-path"]) == ("editable_only", [".ci"])
    for hook in ("get_requires_for_build_wheel", "prepare_metadata_for_build_wheel", "build_wheel", "build_sdist"):
        with pytest.raises(SystemExit, match="pip install -e") as refused:
            build[hook]("folder", {})
        assert len(str(refused.value.code).splitlines()) == 1


@pytest.mark.parametrize(
    ("reason", "may_be"),
    [
        ("needs a CUDA GPU", True),
        ("needs the data of speech-mini (AUDIOS_DATA)", True),
        ("needs a browser: install one of chromium", False),
        ("PostgreSQL is not installed: apt-get install postgresql", False),
        ("could not import 'nbclient': it needs a CUDA GPU", False),
    ],
)
def test_only_a_gpu_and_data_may_be_missing_in_ci(reason: str, may_be: bool, tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text(
        f"import pytest\n\n@pytest.mark.skipif(True, reason={reason!r})\ndef test_a(): ...\n\n"
        f"def test_b(): pytest.skip({reason!r})\n\n@pytest.mark.xfail\ndef test_c(): assert False\n"
    )
    options = ["-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--junitxml=tests.xml", "test_one.py"]
    subprocess.run([sys.executable, "-m", "pytest", *options], cwd=tmp_path, capture_output=True, check=True)
    judge = [sys.executable, str(ROOT / ".ci" / "skipped.py"), "tests.xml"]
    done = subprocess.run(judge, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == int(not may_be)
    assert done.stderr.count(reason) == (0 if may_be else 2)


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
