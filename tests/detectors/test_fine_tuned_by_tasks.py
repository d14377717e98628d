"""Fine-tuning as it is typed: a run needs the published model afterwards only if its encoder was frozen."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.detectors.small_models import save_small
from tests.typed import run_fab

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),
    pytest.mark.usefixtures("one_thread"),
]
Fab = Callable[[str], int]


@pytest.fixture
def fab(project: Path, monkeypatch: pytest.MonkeyPatch) -> Fab:
    """Return what runs a task in a project with recordings and returns its exit code."""
    return lambda arguments: run_fab(arguments, project, monkeypatch)


def fine_tune(fab: Fab, flags: str) -> int:
    return fab(f"FineTune --dataset=datasets/corpus --seconds=0.25 --epochs=1 --batch-size=16 {flags}")


def test_runs_outlive_the_model_that_they_began_with(
    fab: Fab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_small(tmp_path / "small")
    assert fine_tune(fab, f"--model={model} --freeze=features") == 0
    assert fine_tune(fab, f"--model={model} --freeze=encoder --head=frame --set=head_size=8") == 0
    assert fab("ReproduceRun --run=run1") == 0
    assert "Reproduced bit for bit." in capsys.readouterr().out
    shutil.rmtree(model)
    assert fab("TestModel --run=run0") == 0
    assert fab("TestModel --run=run1") == 2
    assert "There is no model folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (
            "--backbone=lfcc --freeze=encoder",
            "The backbone lfcc cannot be fine-tuned; --backbone",
        ),
        ("--head=neck", "Unknown head 'neck'; allowed: linear, adapter, attentive, frame"),
        ("--freeze=encoder --set=gradual=2", "is for an encoder that is trained, and --freeze is encoder"),
        ("--backbone=hubert", "The model facebook/hubert-large-ls960-ft is not in the hub's cache"),
    ],
)
def test_what_cannot_be_fine_tuned_ends_with_one_line(
    fab: Fab, capsys: pytest.CaptureFixture[str], flags: str, line: str
) -> None:
    assert fine_tune(fab, flags) == 2
    told = capsys.readouterr().err.strip()
    assert line in told
    assert "\n" not in told
