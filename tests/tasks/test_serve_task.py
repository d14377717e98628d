"""The task Serve: where the page is, who reaches it, and errors of one line."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from src.experiments.inputs.embeddings import Embeddings
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.trainer import train_model
from tests.typed import run_fab

pytestmark = pytest.mark.filterwarnings("ignore:There are only")


@pytest.fixture
def without_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Announce the page and end, in place of serving it."""

    def serve(reception: object, listener: socket.socket, announce: Callable[[str], None]) -> None:
        announce(f"http://{listener.getsockname()[0]}/")

    monkeypatch.setattr("src.deploy.serving.server.serve", serve)


@pytest.mark.filterwarnings("always:ANYBODY")  # it is printed, not raised
@pytest.mark.usefixtures("without_server")
def test_the_page_is_announced_and_one_for_other_machines_gives_a_loud_note(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("src.experiments.training.trainer.save_figure", lambda *_: None)
    train_model(choose_recipe(project / "datasets" / "corpus", Embeddings("lfcc"), "lr"), root=project)
    assert run_fab("Serve --run=run0 --port=0", project, monkeypatch) == 0
    said = capsys.readouterr().out
    assert "run0 answers at http://127.0.0.1/ (Ctrl-C ends it)." in said
    assert "nothing that was given to it is left" in said
    assert "ANYBODY" not in said
    assert run_fab("Serve --run=run0 --port=0 --host=0.0.0.0 --keep=new/kept", project, monkeypatch) == 0
    said = capsys.readouterr().out
    assert "ANYBODY WHO REACHES THIS MACHINE" in said
    assert "is left" not in said
    assert (project / "new" / "kept").is_dir()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("", "Which run?"),
        ("--run=run7", "There is no run 7"),
        ("--run=run0 --port=70000", "--port must lie in 0 to 65535, not 70000"),
        ("--run=run0 --port=x", "--port must be a whole number, not 'x'"),
        ("--run=run0 --host=192.0.2.1", "--host must be an address of this machine"),
        ("--run=run0 --max-seconds=0", "--max-seconds must be above 0, not 0"),
        ("--run=run0 --max-megabytes=nan", "--max-megabytes must be above 0, not nan"),
        ("--run=run0 --keep=a_file", "--keep must be a folder"),
    ],
)
def test_errors_are_one_line(
    flags: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a_file").touch()
    port = "" if "--port" in flags else " --port=0"
    assert run_fab(f"Serve {flags}{port}", tmp_path, monkeypatch) == 2
    assert said in " ".join("".join(capsys.readouterr()).split())


def test_a_port_in_use_is_told_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run_fab(f"Serve --run=run0 --port={port}", tmp_path, monkeypatch) == 2
    assert f"Port {port} of 127.0.0.1 is in use; give another --port" in "".join(capsys.readouterr())


def test_a_missing_gradio_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("src.deploy.serving.server.find_spec", lambda name: None)
    assert run_fab("Serve --run=run0 --port=0", tmp_path, monkeypatch) == 2
    assert "pip install -e '.[serve]'" in "".join(capsys.readouterr())
