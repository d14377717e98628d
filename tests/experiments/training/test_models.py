"""Models of all rooms are found by name; what takes another kind of input is refused."""

import pytest

from src.detectors import DETECTORS
from src.experiments.training.models import MODELS, TABLES, model_class
from src.models import CLASSIFIERS, FUSIONS


@pytest.fixture
def detectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the table of detectors have a row, here a model that says it takes waveforms."""
    from src.models.svm import Svm

    monkeypatch.setitem(DETECTORS, "ear", "src.models.svm:Svm")
    monkeypatch.setattr(Svm, "takes", "waveforms")


def test_every_model_has_one_table_that_its_input_tells() -> None:
    assert set(MODELS) == {*CLASSIFIERS, *DETECTORS, *FUSIONS}
    assert len(MODELS) == len(CLASSIFIERS) + len(DETECTORS) + len(FUSIONS)
    for takes, (_, table) in TABLES.items():
        assert all(model_class(name, takes).takes == takes for name in table)


def test_a_row_that_is_added_later_is_found(detectors: None) -> None:
    assert model_class("ear") is model_class("ear", takes="waveforms")
    assert "ear" in MODELS


def test_a_model_of_another_input_is_refused(detectors: None) -> None:
    with pytest.raises(
        ValueError,
        match=r"^ear is trained on waveforms, not on embeddings; fab TrainDetector --detector=ear trains it\.$",
    ):
        model_class("ear", takes="embeddings")
    with pytest.raises(
        ValueError, match=r"lr is trained on embeddings, not on scores; fab TrainModel --classifier=lr trains it\."
    ):
        model_class("lr", takes="scores")


@pytest.mark.parametrize(
    ("takes", "line"),
    [
        ("", "Unknown classifier 'knee'; allowed: mlp, svm, "),
        ("embeddings", "Unknown classifier 'knee'; allowed: mlp, svm, "),
        ("numbers", "Unknown classifier 'knee'"),
        ("waveforms", "Unknown detector 'knee'; allowed: .*ear"),
    ],
)
def test_an_unknown_name_is_answered_with_those_of_the_input(takes: str, line: str, detectors: None) -> None:
    with pytest.raises(ValueError, match=line):
        model_class("knee", takes)


def test_no_name_is_answered_with_the_flag(detectors: None) -> None:
    with pytest.raises(ValueError, match=r"No detector given \(`detector`\)"):
        model_class("", takes="waveforms")
