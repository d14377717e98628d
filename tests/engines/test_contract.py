"""What an engine is told, and what it refuses in one line before anything starts."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from src.engines import ENGINES, PACKAGES, open_engine
from src.engines.calling import RemoteTraceback, carrier, packed, result_of
from src.engines.contract import FLAGS_OF, NAMES, Call, Engine
from src.engines.slurm_commands import Share, share_of_partition
from src.tasks.errors import BAD_INPUT, INTERNAL, ending
from tests.engines import calls


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"name": "spark"}, "Unknown `engine` 'spark'; allowed: local, slurm, ray"),
        ({"name": "slurm"}, "`engine=slurm` must be told how many jobs may run at a time: give `workers`"),
        ({"name": "ray", "workers": -1}, "`workers` must be 1 or more .*, not -1"),
        ({"name": "slurm", "workers": 2, "time_limit": -5}, "`time_limit` must be 1 minute or more, not -5"),
        ({"workers": 2}, "`workers` is for `engine=slurm` and `engine=ray`"),
        ({"name": "slurm", "workers": 2, "address": "auto"}, "`address` is for `engine=ray`"),
        ({"name": "ray", "partition": "gpu"}, "`partition` is for `engine=slurm`"),
        ({"time_limit": 3}, "`time_limit` is for `engine=slurm`"),
    ],
)
def test_what_does_not_fit_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Engine(**settings)


def test_the_tables_agree() -> None:
    assert {*ENGINES, "local"} == set(NAMES) == {*PACKAGES, "local"}
    assert Engine().is_local
    assert {name for names in FLAGS_OF.values() for name in names} == set(ENGINES)


@pytest.mark.parametrize("name", ENGINES)
def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("src.engines.find_spec", lambda wanted: None)
    with pytest.raises(ValueError, match=rf"needs the package {PACKAGES[name]}: pip install -e '\.\[{name}\]'\.$"):
        open_engine(Engine(name, workers=1), tmp_path, gpu=False)


def test_the_extras_bring_the_packages_and_the_requirements_do_not() -> None:
    import tomllib

    root = Path(__file__).resolve().parents[2]
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for name, package in PACKAGES.items():
        assert any(wanted.startswith(package) for wanted in extras[name])
        assert package not in [line.split("=")[0] for line in (root / "requirements.txt").read_text().splitlines()]
        assert importlib.util.find_spec(package)


def answer(call: Call, root: str = "") -> Any:
    """Make a call as another machine would."""
    given = list(packed(call, cpus=2))
    given[0] = root or given[0]
    given[-1] = {}  # the environment of the tests stays as it is
    return carrier()(*given)


def test_a_result_comes_back() -> None:
    assert result_of(answer(Call(calls.add, (2, 3)))) == 5


def test_bad_input_and_bugs_on_another_machine_end_a_task_as_they_would_here() -> None:
    for function, code in ((calls.refuse, BAD_INPUT), (calls.refuse_own, BAD_INPUT), (calls.stumble, INTERNAL)):
        with pytest.raises(ValueError, match=r"above 0|does not go with what is fixed|could not convert") as caught:
            result_of(answer(Call(function)))
        assert isinstance(caught.value.__cause__, RemoteTraceback)
        assert ending("Task", caught.value, [])[1] == code


def test_a_machine_without_the_project_says_so() -> None:
    with pytest.raises(FileNotFoundError, match=r"The machine \S+ has no folder /nowhere: all machines need the proj"):
        result_of(answer(Call(calls.add, (1, 1)), root="/nowhere"))


def test_a_call_is_told_how_many_cpus_it_has_and_where_models_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", "/shared/models")
    monkeypatch.setenv("HF_TOKEN", "secret")
    *_, environment = packed(Call(calls.add), cpus=3)
    assert environment["OMP_NUM_THREADS"] == environment["LOKY_MAX_CPU_COUNT"] == "3"
    assert environment["HF_HOME"] == "/shared/models"
    assert not {"PATH", "HF_TOKEN"} & environment.keys()


SINFO = """#!/bin/sh
printf 'main*|64|gpu:a100:8(S:0-1)|1-00:00:00\\nmain*|32|(null)|1-00:00:00\\nshort|4|(null)|5:00\\n'
"""


@pytest.fixture
def sinfo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a made-up `sinfo` of two partitions in front of all other commands."""
    path = tmp_path / "bin" / "sinfo"
    path.parent.mkdir()
    path.write_text(SINFO)
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:/bin")
    return path


def test_jobs_get_a_gpu_with_its_cpus_or_a_node(sinfo: Path) -> None:
    assert share_of_partition("", 0, gpu=True) == Share(cpus=8, gpus=1, minutes=60)
    assert share_of_partition("main", 90, gpu=False) == Share(cpus=16, gpus=0, minutes=90)
    assert share_of_partition("short", 0, gpu=True) == Share(cpus=4, gpus=0, minutes=5)


def test_what_slurm_does_not_have_is_refused_in_one_line(sinfo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"Slurm has no `partition=gpu`; it has main, short\.$"):
        share_of_partition("gpu", 0, gpu=True)
    with pytest.raises(ValueError, match=r"The partition allows jobs of 5 minutes, not `time_limit=60`\.$"):
        share_of_partition("short", 60, gpu=True)
    sinfo.write_text("#!/bin/sh\necho first >&2; echo 'Unable to contact slurm controller' >&2; exit 1\n")
    with pytest.raises(ValueError, match=r"^Slurm refuses: Unable to contact slurm controller$"):
        share_of_partition("", 0, gpu=True)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ValueError, match=r"There is no Slurm on this machine \(no sinfo\): start the task on a login"):
        share_of_partition("", 0, gpu=True)
