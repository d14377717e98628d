"""Flags arrive as what their annotations say; what a user can do wrong ends in one line, our own mistakes do not."""

import errno
import json
import logging
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fabric import Config, Connection, Executor
from fabric.main import Fab
from invoke import Collection
from invoke.exceptions import Exit

from src.tasks.command_line import FLAGS, command, one_line

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
    def act() -> None:
        raise error

    return probe(act)


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
        ("--seed=-3", "Record: --seed must be 0 or more, not -3."),
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


def caught(act: Callable[[], Any]) -> Exception:
    """Return what an act raises."""
    try:
        act()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


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
    (caught(lambda: json.loads("{")), "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
    (caught(lambda: b"\xff".decode()), "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
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


@pytest.mark.parametrize(
    "mistake",
    [TypeError("missing argument"), KeyError("eer"), AssertionError(), RuntimeError("of torch"), AttributeError()],
)
def test_our_own_mistakes_are_not_swallowed(mistake: Exception) -> None:
    with pytest.raises(type(mistake)) as caught_again:
        fab("Probe", failing(mistake))
    assert caught_again.value is mistake


def test_an_interruption_says_how_to_go_on() -> None:
    with pytest.raises(Exit, match=r"^Probe: stopped; run the same command again to go on\.$") as stop:
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
        assert " ".join(FLAGS[flag].split()) in text
    for words in ("a ratio", "a switch", "a file", "Note what arrives."):
        assert words in text


def test_a_flag_without_an_explanation_is_our_mistake() -> None:
    def task(c: Connection, mood: str = "") -> None:
        """Take a flag that nobody explained."""

    with pytest.raises(KeyError, match="mood"):
        command("Task")(task)


def test_a_process_ends_with_one_line_and_code_2(tmp_path: Path) -> None:
    arguments = ["--search-root", str(REPOSITORY), "DatasetInfo", "--dataset=nowhere"]
    done = subprocess.run([sys.executable, "-m", "fabric", *arguments], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"DatasetInfo: There is no folder {tmp_path / 'nowhere'}")
    assert len(done.stderr.splitlines()) == 1
