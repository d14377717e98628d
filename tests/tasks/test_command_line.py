"""Flags are converted to their annotated types; bad input ends in one line and exit code 2, bugs of ours in code 1."""

import errno
import json
import linecache
import logging
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fabric import Config, Connection, Executor
from fabric.main import Fab
from invoke import Collection
from invoke.exceptions import Exit

from src.audio.augment import add_noise
from src.tasks.command_line import FLAGS, command
from src.tasks.errors import one_line
from src.utils.parallel import map_clips

REPOSITORY = Path(__file__).resolve().parents[2]
ELSEWHERE = Path("/corpora/release")


def fab(arguments: str, *tasks: Any) -> int:
    """Run `fab ARGUMENTS` in this process with these tasks; return the exit code."""
    program = Fab(name="fab", executor_class=Executor, config_class=Config, namespace=Collection(*tasks))
    try:
        program.run(["fab", *arguments.split()])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def probe(act: Callable[[], None]) -> Any:
    """Return a task without flags that does something."""

    @command("Probe")
    def task(c: Connection) -> None:
        """Do what the test wants."""
        act()

    return task


def failing(error: BaseException) -> Any:
    """Return a task that ends with an error that the project's own code raises."""
    return probe(ours("raise error", error=error))


def ours(source: str, **names: Any) -> Callable[[], None]:
    """Return a function of this source whose frames lie in a file under src/ that does not exist."""
    file, lines = str(REPOSITORY / "src" / "experiments" / "made_up.py"), ["def act():", *source.splitlines()]
    text = "\n    ".join(lines) + "\n"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    exec(compile(text, file, "exec"), names)
    return names["act"]


def recorder(seen: list[dict[str, Any]]) -> Any:
    """Return a task that notes its flags, one of each kind."""

    @command("Record", snr="a ratio", trim="a switch", hyperparameters="a file")
    def task(
        c: Connection,
        dataset: Path = ELSEWHERE,
        output: Path | None = None,
        backbone: str = "",
        seed: int = 7,
        layer: int | None = None,
        snr: float = 20.0,
        trim: bool = False,
        hyperparameters: Path | None = None,
    ) -> None:
        """Note what arrives."""
        seen.append({name: value for name, value in locals().items() if name not in ("c", "seen")})

    return task


def test_nothing_typed_gives_the_defaults() -> None:
    seen: list[dict[str, Any]] = []
    assert fab("Record", recorder(seen)) == 0
    assert seen == [
        {
            "dataset": ELSEWHERE,
            "output": None,
            "backbone": "",
            "seed": 7,
            "layer": None,
            "snr": 20.0,
            "trim": False,
            "hyperparameters": None,
        }
    ]


def test_what_is_typed_arrives_as_its_annotation_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    seen: list[dict[str, Any]] = []
    typed = (
        "--dataset=voices --output=../new --backbone=7 --seed=3 --layer=-1 --snr=-2.5 --trim --hyperparameters=/h.json"
    )
    assert fab(f"Record {typed}", recorder(seen)) == 0
    (values,) = seen
    assert values == {
        "dataset": tmp_path / "voices",
        "output": tmp_path.parent / "new",
        "backbone": "7",
        "seed": 3,
        "layer": -1,
        "snr": -2.5,
        "trim": True,
        "hyperparameters": Path("/h.json"),
    }
    assert [type(values[name]) for name in ("backbone", "seed", "snr", "trim")] == [str, int, float, bool]


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("--seed=many", "Record: --seed must be a whole number, not 'many'."),
        ("--seed=1.5", "Record: --seed must be a whole number, not '1.5'."),
        ("--seed=", "Record: --seed must be a whole number, not ''."),
        ("--seed=-3", "Record: --seed must lie in 0 to 4294967295, not -3."),
        ("--seed=4294967296", "Record: --seed must lie in 0 to 4294967295, not 4294967296."),  # fault 20
        (f"--seed={2**64}", f"Record: --seed must lie in 0 to 4294967295, not {2**64}."),
        ("--layer=deep", "Record: --layer must be a whole number, not 'deep'."),
        ("--snr=loud", "Record: --snr must be a number, not 'loud'."),
        ("--snr=1,5", "Record: --snr must be a number, not '1,5'."),
        ("--dataset=", "Record: --dataset must be a path, not ''."),
        ("--output=~nobody-here/x", "Record: --output must be a path, not '~nobody-here/x'."),
    ],
)
def test_a_wrong_value_is_named_with_its_flag(typed: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[dict[str, Any]] = []
    assert fab(f"Record {typed}", recorder(seen)) == 2
    assert capsys.readouterr() == ("", f"{line}\n")
    assert not seen


def test_the_greatest_seed_is_taken() -> None:
    seen: list[dict[str, Any]] = []
    assert fab("Record --seed=4294967295", recorder(seen)) == 0
    assert seen[0]["seed"] == 2**32 - 1


ERRORS = [
    (ValueError("Unknown split 'exam'; allowed: a, b."), "Unknown split 'exam'; allowed: a, b."),
    (ValueError("two\n  lines"), "two lines"),
    (ValueError(), "ValueError"),
    (FileNotFoundError("There is no x: make it with fab Y."), "There is no x: make it with fab Y."),
    (PermissionError(errno.EACCES, "Permission denied", "/data/a.csv"), "Permission denied: /data/a.csv."),
    (OSError(errno.EIO, "Input/output error"), "Input/output error."),
    (
        OSError(errno.ENOSPC, "No space left on device", "a.csv"),
        "No space left on device: a.csv. Free some space and run the same command again; finished work is kept.",
    ),
    (
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        "Disk quota exceeded. Free some space and run the same command again; finished work is kept.",
    ),
]


@pytest.mark.parametrize(("error", "line"), ERRORS, ids=[repr(error) for error, _ in ERRORS])
def test_what_a_user_can_put_right_is_one_line_and_exit_code_2(
    error: Exception, line: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert one_line(error) == line
    with caplog.at_level(logging.DEBUG, logger="audios"):
        assert fab("Probe", failing(error)) == 2
    assert capsys.readouterr() == ("", f"Probe: {line}\n")
    (record,) = caplog.records
    assert record.exc_info is not None, "fab -d shows where it happened"
    assert record.exc_info[1] is error


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_disk_that_is_full_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def write() -> None:
        Path("/dev/full").write_text("a")

    assert fab("Probe", probe(write)) == 2
    error = capsys.readouterr().err
    assert error.startswith("Probe: No space left on device")
    assert len(error.splitlines()) == 1


def negative(number: int) -> int:
    raise ValueError(f"not {number}")


def noisy(snr: float) -> np.ndarray:
    return add_noise(np.ones(8), snr, np.random.default_rng(0))


MISTAKES = {
    "numpy": (lambda: np.split(np.ones(3), 2), "ValueError: array split does not result in an equal division"),
    "a module in C": (lambda: np.concatenate([]), "ValueError: need at least one array to concatenate"),
    "pandas": (lambda: pd.DataFrame({"a": [1, 2], "b": [1]}), "ValueError: All arrays must be of the same length"),
    "json": (lambda: json.loads("{"), "JSONDecodeError: Expecting property name enclosed in double quotes"),
    "numpy in another process": (
        lambda: map_clips(np.linalg.cholesky, [np.ones(2)] * 2, jobs=2),
        "LinAlgError: 1-dimensional array given",
    ),
    "two lines": (lambda: negative(1), "ValueError: not 1"),
}


@pytest.mark.parametrize(("act", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_value_error_from_elsewhere_is_no_fault_of_the_user(
    act: Callable[[], Any], said: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="audios"):
        assert fab("Probe", probe(act)) == 1
    out, error = capsys.readouterr()
    assert error.startswith(f"Probe: internal error ({said}")
    assert error.endswith("); fab -d Probe shows where.\n")
    assert len(error.splitlines()) == 1
    assert out == ""
    (record,) = caplog.records
    assert record.exc_info is not None, "fab -d shows where it happened"


@pytest.mark.parametrize(
    "act",
    [
        lambda: noisy(float("nan")),
        lambda: map_clips(noisy, [float("nan")] * 2, jobs=2),
        lambda: map_clips(len, ["a"], jobs=-1),
    ],
    ids=["here", "in another process", "an argument"],
)
def test_what_our_code_raises_is_the_users_to_put_right(
    act: Callable[[], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert fab("Probe", probe(act)) == 2
    assert "internal" not in capsys.readouterr().err


def test_an_error_of_a_library_that_we_explain_is_the_users(capsys: pytest.CaptureFixture[str]) -> None:
    explained = ours(
        "try:\n    read('{')\nexcept ValueError as error:\n    raise ValueError('h.json is no JSON.') from error",
        read=json.loads,
    )
    assert fab("Probe", probe(explained)) == 2
    assert capsys.readouterr().err == "Probe: h.json is no JSON.\n"


@pytest.mark.parametrize("source", ["np.concatenate([])", "zip_all = list(zip('a', 'bc', strict=True))", "int('x')"])
def test_what_a_builtin_raises_in_our_frame_is_our_mistake(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert fab("Probe", probe(ours(source, np=np))) == 1
    assert "internal error (ValueError" in capsys.readouterr().err


@pytest.mark.parametrize(
    "mistake",
    [TypeError("missing argument"), KeyError("eer"), AssertionError(), RuntimeError("of torch"), AttributeError()],
)
def test_our_own_mistakes_are_internal_errors(
    mistake: Exception, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="audios"):
        assert fab("Probe", failing(mistake)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"Probe: internal error ({type(mistake).__name__}")
    assert "fab -d Probe" in line
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[1] is mistake


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("`snr` must be above 0 dB, not -3.", "--snr must be above 0 dB, not -3."),
        ("Take shorter windows (`max_seconds=20`).", "Take shorter windows (--max-seconds=20)."),
        ("Column `person` and `seed=3`", "Column `person` and --seed=3"),
    ],
)
def test_parameters_are_named_as_flags(said: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    recorder([])  # it has a flag --snr

    @command("Longer", max_seconds="a length")
    def longer(c: Connection, max_seconds: float = 1.0) -> None:
        """Warn of something."""
        warnings.warn(said, stacklevel=1)

    assert fab("Probe", failing(ValueError(said))) == 2
    assert capsys.readouterr().err == f"Probe: {line}\n"
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert fab("Longer", longer) == 0
    assert capsys.readouterr().out == f"Note: {line}\n"


def test_an_interruption_says_how_to_resume() -> None:
    with pytest.raises(Exit, match=r"^Probe: stopped; run the same command again to resume\.$") as stop:
        failing(KeyboardInterrupt()).body(None)
    assert stop.value.code == 130


def test_the_body_ends_with_exit_which_fabric_understands() -> None:
    with pytest.raises(Exit, match=r"^Probe: no\.$") as stop:
        failing(ValueError("no.")).body(None)
    assert stop.value.code == 2
    assert stop.value.__cause__ is None


def test_the_task_after_one_that_failed_is_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[dict[str, Any]] = []
    assert fab("Probe Record", failing(ValueError("no.")), recorder(seen)) == 2
    assert not seen
    assert fab("Record Record --seed=8", recorder(seen)) == 0
    assert [values["seed"] for values in seen] == [7, 8]


@pytest.mark.filterwarnings("always")
def test_warnings_become_notes(capsys: pytest.CaptureFixture[str]) -> None:
    before = warnings.showwarning
    assert fab("Probe", probe(lambda: warnings.warn("The EER is 60.00 %.", stacklevel=1))) == 0
    assert capsys.readouterr() == ("Note: The EER is 60.00 %.\n", "")
    assert warnings.showwarning is before


def test_help_explains_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    assert fab("-h Record", recorder([])) == 0
    text = " ".join(capsys.readouterr().out.split())
    for flag in ("dataset", "output", "backbone", "seed", "layer"):
        assert f"--{flag}" in text
        assert "".join(FLAGS[flag].split()) in "".join(text.split())  # long lines break within names with a dash
    for words in ("a ratio", "a switch", "a file", "Note what arrives."):
        assert words in text


def test_a_flag_without_an_explanation_is_our_mistake() -> None:
    def task(c: Connection, mood: str = "") -> None:
        """Take a flag without help."""

    with pytest.raises(KeyError, match="mood"):
        command("Task")(task)


def test_a_process_ends_with_one_line_and_code_2(tmp_path: Path) -> None:
    arguments = ["--search-root", str(REPOSITORY), "DatasetInfo", "--dataset=nowhere"]
    done = subprocess.run([sys.executable, "-m", "fabric", *arguments], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"DatasetInfo: There is no folder {tmp_path / 'nowhere'}")
    assert len(done.stderr.splitlines()) == 1
